"""Metrics for Prometheus: what is counted as it happens, in a registry of our own, and the text of all of them.

What can be looked up at the moment of a scrape is not counted here: `service.api.gauges` reads it then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, Histogram, Info, Metric, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from index.stages import Stage
from service.version import byline_version

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_STAGE_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class Metrics:
    """The metrics of one application. May be used by several threads.

    Attributes:
        registry: Where collectors of what is looked up register themselves.
        in_flight: Requests that are being served.
        streams: Of them, those whose response is a stream of events.
        loop_lag: How much later than asked for the event loop comes back.
        loop_tasks: Tasks of the event loop.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        Info("byline", "The version that runs.", registry=registry).info({"version": byline_version()})
        self.in_flight = Gauge("byline_requests_in_flight", "Requests that are being served.", registry=registry)
        self.streams = Gauge("byline_streams_open", "Responses that are open streams of events.", registry=registry)
        self._requests = Counter(
            "byline_requests",
            "Requests by route template, method and status; status none: the client left before a response.",
            ["route", "method", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "byline_request_seconds",
            "Time from a request's head to the end of its response.",
            ["route", "method"],
            buckets=_REQUEST_BUCKETS,
            registry=registry,
        )
        self._answers = Counter(
            "byline_answers",
            "Answers by status (answered, partial, abstained), answerer, and whether another was wanted.",
            ["status", "answerer", "degraded"],
            registry=registry,
        )
        self._stages = Histogram(
            "byline_stage_seconds",
            "Time that the stages of searching and answering took in a request.",
            ["stage"],
            buckets=_STAGE_BUCKETS,
            registry=registry,
        )
        self._exchanges = Counter(
            "byline_exchanges",
            "Messages with their replies that were stored, or could not be.",
            ["outcome"],
            registry=registry,
        )
        self.loop_lag = Histogram(
            "byline_event_loop_lag_seconds",
            "How much later than asked for the event loop came back, four times a second.",
            buckets=_LAG_BUCKETS,
            registry=registry,
        )
        self.loop_tasks = Gauge("byline_event_loop_tasks", "Tasks of the event loop.", registry=registry)

    def request(self, route: str | None, method: str, status: int | None, seconds: float) -> None:
        """Count a request that has ended; by its template, as a path is the client's own text."""
        route, method = route or "none", method if method in _METHODS else "other"
        self._requests.labels(route, method, "none" if status is None else str(status)).inc()
        self._seconds.labels(route, method).observe(seconds)

    def stages(self, stages: Iterable[Stage]) -> None:
        """Count what the stages of a request took, each name once: parts of a question are searched one by one."""
        took: dict[str, float] = {}
        for stage in stages:
            took[stage.name] = took.get(stage.name, 0.0) + stage.seconds
        for name, seconds in took.items():
            self._stages.labels(name).observe(seconds)

    def answer(self, status: str, answerer: str, *, degraded: bool) -> None:
        """Count an answer."""
        self._answers.labels(status, answerer, "true" if degraded else "false").inc()

    def exchange(self, *, stored: bool) -> None:
        """Count a message with its reply that was to be stored."""
        self._exchanges.labels("stored" if stored else "failed").inc()

    def render(self) -> bytes:
        """Give all metrics in Prometheus' text format."""
        return generate_latest(_Plain(self.registry))


class _Plain(Collector):
    """All metrics without the moments at which their series were made, which nobody asks for."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric
