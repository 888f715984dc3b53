"""Traces to an OpenTelemetry collector: a span a request, by FastAPI's own telemetry, with a span for each stage in it.

Spans hold ids, names and numbers, and no words of users or articles: the attributes of FastAPI's that a client writes
(path, query, the header Host) are left out. Imported only where an endpoint is set, as are the packages that it needs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes

from service.errors import WrongUse
from service.version import byline_version

try:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased, Sampler, SamplingResult
except ImportError as error:
    raise WrongUse(
        f"otel_endpoint is set, and the packages that send traces are not installed ({error.name} is missing); "
        "install them with 'pip install byline[otel]', or take otel_endpoint out of the settings"
    ) from error

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig

    from service.api.notes import RequestNotes

EXPORT_SECONDS = 3.0
"""What a collector gets to take a batch, and what the end of the server waits for it."""

_OF_CLIENTS = frozenset(
    {"url.path", "url.query", "server.address", "server.port", "http.request.method_original", "user_agent.original"}
)


class Tracing:
    """Sends the traces of one application.

    Args:
        endpoint: The collector's address; traces go to `/v1/traces` behind it.
    """

    def __init__(self, endpoint: str) -> None:
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS)
        self._provider = TracerProvider(
            sampler=ParentBased(_WithoutTexts(), remote_parent_sampled=_WithoutTexts()),
            resource=Resource.create({"service.name": "byline", "service.version": byline_version()}),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("byline", byline_version())

    @property
    def of_requests(self) -> TelemetryConfig:
        """What FastAPI is told: a span a request from here, and nothing else of its telemetry."""
        return {
            "auto_configure": False,
            "tracer_provider": self._provider,
            "tracing": True,
            "operation_spans": False,
            "metrics": False,
            "logs": False,
        }

    def begin(self, request_id: str) -> None:
        """Give the span of the request that begins its id, by which the log has it."""
        trace.get_current_span().set_attribute("byline.request_id", request_id)

    def end(self, notes: RequestNotes) -> None:
        """Add what the stages of a request took, once it is over: nothing is traced while somebody waits."""
        within = otel_context.get_current()
        wall = time.time_ns() - time.perf_counter_ns()
        known = {
            "byline.generation": notes.generation,
            "byline.answer.status": notes.status,
            "byline.answer.answerer": notes.answerer,
            "byline.answer.degraded": notes.degraded,
        }
        told = {name: value for name, value in known.items() if value is not None}
        for stage in notes.stages:
            began = wall + int(stage.began * 1e9)
            attributes = told if stage.name in ("answer", "search") else None
            span = self._tracer.start_span(
                f"byline.{stage.name}", context=within, attributes=attributes, start_time=began
            )
            span.end(began + int(stage.seconds * 1e9))

    def close(self) -> None:
        """Send what is left, for as long as a collector may take; blocks."""
        # Batch by batch it would wait for one that is not there: the end of a server does not.
        ending = threading.Thread(target=self._provider.shutdown, name="traces-end", daemon=True)
        ending.start()
        ending.join(EXPORT_SECONDS)


class _WithoutTexts(Sampler):
    """Takes every span, and of its attributes none that a client writes."""

    def should_sample(
        self,
        parent_context: otel_context.Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Decide; see `Sampler`."""
        kept = {key: value for key, value in (attributes or {}).items() if key not in _OF_CLIENTS}
        return ALWAYS_ON.should_sample(parent_context, trace_id, name, kind, kept, links)

    def get_description(self) -> str:
        """Name it."""
        return "WithoutTexts"
