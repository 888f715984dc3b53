"""What metrics say of the state of a server: looked up at the moment of a scrape, never before."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from index.batching import TEXTS_AT_ONCE, BatchingEmbedder
from index.errors import NoGeneration
from index.generation import Generation
from index.reports import Changes, Phase
from ingest.article import IngestError
from service.api.operations import failing_check
from service.api.state import ApiState
from service.conversation_file import CONVERSATIONS_FILE
from service.jobs import BuildState
from service.metrics import Metrics

if TYPE_CHECKING:
    from service.assembly import Parts

PENDING_SECONDS = 30.0
"""What the next build would change is counted no more often: it reads the ids of the whole library."""

_LOOP_SECONDS = 0.25


async def watch_loop(metrics: Metrics) -> None:
    """Measure now and then, until cancelled, how late the event loop is."""
    loop = asyncio.get_running_loop()
    while True:
        asked = loop.time()
        await asyncio.sleep(_LOOP_SECONDS)
        metrics.loop_lag.observe(max(0.0, loop.time() - asked - _LOOP_SECONDS))
        metrics.loop_tasks.set(len(asyncio.all_tasks(loop)))


class StateCollector(Collector):
    """Reads the state of a server; while its parts are being opened, what there is without them."""

    def __init__(self, state: ApiState) -> None:
        self._state = state
        self._counted: tuple[float, str | None, Changes, int] | None = None

    def collect(self) -> Iterator[Metric]:
        """Give all that can be read now; what cannot be is left out."""
        parts = self._state.opening.parts
        ready = parts is not None and failing_check(self._state) is None
        yield _gauge("byline_ready", "Whether questions can be answered.", int(ready))
        yield from self._workers()
        if parts is None:
            return
        for read in (self._embedding, self._llm, self._stores, self._index, self._builds):
            try:
                yield from read(parts)
            except (OSError, SQLAlchemyError, IngestError):
                continue  # /readyz and the log say what is wrong

    def _workers(self) -> Iterator[Metric]:
        pools = {"questions": self._state.questions, "storage": self._state.storage, "llm": self._state.llm}
        pools["uploads"] = self._state.uploads
        running = {name: pool.running for name, pool in pools.items()}
        yield _gauges("byline_worker_calls_running", "Calls that run in the threads of a pool.", "pool", running)
        waiting = {name: pool.waiting for name, pool in pools.items()}
        yield _gauges("byline_worker_calls_waiting", "Calls that wait for a thread of a pool.", "pool", waiting)
        refused = {name: pool.refused for name, pool in pools.items()}
        yield _counters("byline_worker_calls_refused", "Calls refused as too many waited.", "pool", refused)

    def _embedding(self, parts: Parts) -> Iterator[Metric]:
        embedder = parts.live.embedder
        if not isinstance(embedder, BatchingEmbedder):
            return
        batches = Counter(embedder.batches)
        bounds = [2**power for power in range(TEXTS_AT_ONCE.bit_length())]
        below = [sum(count for size, count in batches.items() if size <= bound) for bound in bounds]
        buckets = [(str(float(bound)), count) for bound, count in zip(bounds, below, strict=True)]
        family = HistogramMetricFamily("byline_embedding_batch_texts", "Texts of a batch that was embedded.")
        texts = sum(size * count for size, count in batches.items())
        family.add_metric([], [*buckets, ("+Inf", batches.total())], texts)
        yield family

    def _llm(self, parts: Parts) -> Iterator[Metric]:
        llm = parts.assistant.llm
        if llm is None:
            return
        left_alone = int(llm.is_left_alone)
        yield _gauge("byline_llm_left_alone", "Whether the LLM is not asked, as it failed too often.", left_alone)
        outcomes = {"ok": 0} | llm.requests.counts
        yield _counters("byline_llm_requests", "Requests to the LLM: ok, or the kind of error.", "outcome", outcomes)
        sentences = dict.fromkeys(("kept", "repaired", "dropped"), 0) | llm.sentences.counts
        yield _counters("byline_llm_sentences", "Sentences of the LLM by what became of them.", "outcome", sentences)

    def _stores(self, parts: Parts) -> Iterator[Metric]:
        problems = len(parts.conversations.problems)
        yield _gauge("byline_conversations_problems", "Known problems of the store of conversations.", problems)
        from service.assembly import LIBRARY_FILE  # loaded with the parts, and not before

        for name, file in (("conversations", CONVERSATIONS_FILE), ("library", LIBRARY_FILE)):
            yield _gauge(f"byline_{name}_bytes", f"Size of the {name} on disk.", _size(parts.settings.data / file))

    def _index(self, parts: Parts) -> Iterator[Metric]:
        try:
            served = parts.live.searcher().generation
        except NoGeneration:
            served = None
        pending, articles = self._pending(parts, served)
        yield _gauge("byline_library_articles", "Articles in the library.", articles)
        yield _gauge("byline_index_problems", "Known problems of generations.", len(parts.live.problems))
        changes = asdict(pending)
        yield _gauges("byline_index_pending_articles", "What the next build would change.", "change", changes)
        if served is None:
            return
        manifest = served.manifest
        info = GaugeMetricFamily(
            "byline_index_info", "The generation that is served.", labels=["generation", "model", "engine"]
        )
        info.add_metric([served.name, manifest.embedding.model, str(parts.embedding.engine)], 1)
        yield info
        built = datetime.fromisoformat(manifest.built_at).timestamp()
        yield _gauge("byline_index_built_timestamp_seconds", "When it was built.", built)
        yield _gauge("byline_index_articles", "Articles in the generation that is served.", manifest.counts.articles)
        yield _gauge("byline_index_chunks", "Chunks in it.", manifest.counts.chunks)

    def _pending(self, parts: Parts, served: Generation | None) -> tuple[Changes, int]:
        """Count what the next build would change, and the articles of the library."""
        now, name = time.monotonic(), served.name if served is not None else None
        if self._counted is not None:
            counted_at, generation, changes, articles = self._counted
            if generation == name and now - counted_at < PENDING_SECONDS:
                return changes, articles
        wanted = cast("dict[str, str]", parts.library.digests())
        changes = Changes.between(served.manifest.articles if served is not None else {}, wanted)
        self._counted = (now, name, changes, len(wanted))
        return changes, len(wanted)

    def _builds(self, parts: Parts) -> Iterator[Metric]:
        latest, succeeded = parts.builds.latest()
        if latest is None:
            return
        states = {state: int(state == latest.state) for state in get_args(BuildState)}
        yield _gauges("byline_build_state", "State of the latest build.", "state", states)
        progress = latest.progress if not latest.finished else None
        phases = {phase: int(progress is not None and phase == progress.phase) for phase in get_args(Phase)}
        yield _gauges("byline_build_phase", "What the build that runs is at.", "phase", phases)
        share = progress.done / max(progress.total, 1) if progress is not None else 0
        yield _gauge("byline_build_phase_ratio", "How far it is with that, from 0 to 1.", share)
        if succeeded is None or succeeded.result is None or succeeded.finished_at is None:
            return
        last, result = "byline_build_last_success", succeeded.result
        ended, began = succeeded.finished_at, succeeded.started_at or succeeded.created_at
        yield _gauge(f"{last}_timestamp_seconds", "When a build succeeded last.", ended.timestamp())
        yield _gauge(f"{last}_duration_seconds", "How long that took.", (ended - began).total_seconds())
        yield _gauge(f"{last}_articles", "Articles in what it made.", result.articles)
        yield _gauge(f"{last}_chunks_embedded", "Chunks that it embedded.", result.chunks_embedded)


def _gauge(name: str, help_: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_, value=value)


def _gauges(name: str, help_: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, help_, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _counters(name: str, help_: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(name, help_, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _size(file: Path) -> int:
    """Give the size of a database with its log, which is read with it."""
    beside = file.with_name(f"{file.name}-wal")
    return sum(one.stat().st_size for one in (file, beside) if one.exists())
