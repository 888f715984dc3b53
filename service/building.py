"""The work of a build, with its record kept from the beginning to the end, whichever way it ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

import structlog

from index.errors import BuildCancelled, IndexingError
from index.reports import BuildReport, Phase, Plan, Progress
from ingest.article import IngestError
from service.jobs import BuildJob, BuildState, JobHandle, JobProgress

log = structlog.get_logger(__name__)

RECORD_SECONDS = 0.2
"""Between two records of the same phase: a build makes hundreds of steps a second."""

_ETA_AFTER_SECONDS = 1.0
_COUNTED_PHASES: tuple[Phase, ...] = ("chunk", "embed")
"""Phases whose total is known when they begin, so that a remaining time can be told."""

OnPlan = Callable[[Plan], None]
OnProgress = Callable[[Progress], None]
Cancelled = Callable[[], bool]


class RunBuild(Protocol):
    """What brings the index up to date; see `index.builder.Builder.build`."""

    def __call__(self, full: bool, *, on_plan: OnPlan, on_progress: OnProgress, cancelled: Cancelled) -> BuildReport:
        """Build; raises BuildCancelled once `cancelled` says so."""


def run_job(
    handle: JobHandle, run: RunBuild, *, on_plan: OnPlan = lambda _: None, on_progress: OnProgress = lambda _: None
) -> BuildJob:
    """Do the work of a build in this thread, keep its record, and give it as it ended.

    Args:
        handle: The right to it; it is closed at the end.
        run: What builds.
        on_plan: Told, besides the record, what is about to be done.
        on_progress: Told, besides the record, how far it is.
    """
    try:
        handle.update(state="running", started_at=datetime.now(UTC))
        log.info("build started", build=handle.job.id, full=handle.job.full)
        _finish(handle, run, _Recorder(handle, on_plan, on_progress))
        return handle.job
    finally:
        handle.close()


def _finish(handle: JobHandle, run: RunBuild, recorder: _Recorder) -> None:
    state: BuildState = "failed"
    result: BuildReport | None = None
    error: str | None = None
    try:
        if handle.cancelled():
            raise BuildCancelled("the build was cancelled before it began; the current index is kept")
        result = run(
            handle.job.full,
            on_plan=recorder.on_plan,
            on_progress=recorder.on_progress,
            cancelled=recorder.cancelled,
        )
        state = "succeeded"
    except BuildCancelled:
        state = "cancelled"
    except (IndexingError, IngestError, OSError) as known:
        error = str(known)
    except KeyboardInterrupt:
        state = "cancelled"
        raise
    except Exception:
        # The outermost loop of a build: it must come to an end that others see, and the log says why.
        error = "internal error; the log of the process that ran it has the details"
        log.exception("build failed unexpectedly", build=handle.job.id)
    finally:
        progress = handle.job.progress
        if state == "succeeded" and progress is not None:
            progress = replace(progress, done=progress.total, eta_s=None)
        handle.update(state=state, progress=progress, result=result, error=error, finished_at=datetime.now(UTC))
        _log_end(handle.job)


class _Recorder:
    """Writes progress into the record now and then, and looks there for the wish to stop."""

    def __init__(self, handle: JobHandle, on_plan: OnPlan, on_progress: OnProgress) -> None:
        self._handle = handle
        self._on_plan = on_plan
        self._on_progress = on_progress
        self._clock = _PhaseClock()
        self._recorded: tuple[Phase | None, float] = (None, 0.0)
        self._looked = 0.0
        self._cancelled = False

    def on_plan(self, plan: Plan) -> None:
        self._handle.update(plan=plan)
        self._on_plan(plan)

    def on_progress(self, progress: Progress) -> None:
        now = time.monotonic()
        known = self._clock.at(progress, now)
        phase, at = self._recorded
        if phase != progress.phase or now - at >= RECORD_SECONDS:
            self._recorded = (progress.phase, now)
            self._handle.update(synced=False, progress=known)
        self._on_progress(progress)

    def cancelled(self) -> bool:
        now = time.monotonic()
        if not self._cancelled and now - self._looked >= RECORD_SECONDS / 4:
            self._looked = now
            self._cancelled = self._handle.cancelled()
        return self._cancelled


class _PhaseClock:
    """Tells the rest of a phase from the time that its done part took."""

    def __init__(self) -> None:
        self._phase: Phase | None = None
        self._started = 0.0
        self._first_done = 0.0

    def at(self, progress: Progress, now: float) -> JobProgress:
        if progress.phase != self._phase:
            self._phase, self._started, self._first_done = progress.phase, now, _share(progress)
        return JobProgress(progress.phase, progress.done, progress.total, self._eta(progress, now))

    def _eta(self, progress: Progress, now: float) -> float | None:
        elapsed, done = now - self._started, _share(progress) - self._first_done
        if progress.phase not in _COUNTED_PHASES or done <= 0 or elapsed < _ETA_AFTER_SECONDS:
            return None
        return round(max(1 - _share(progress), 0) * elapsed / done, 1)


def _share(progress: Progress) -> float:
    """Give the share of a phase's work that is done."""
    return progress.share if progress.share is not None else progress.done / max(progress.total, 1)


def _log_end(job: BuildJob) -> None:
    if job.result is not None:
        log.info(
            "build succeeded",
            build=job.id,
            generation=job.result.generation,
            articles=job.result.articles,
            skipped=len(job.result.skipped),
        )
    elif job.state == "cancelled":
        log.info("build cancelled", build=job.id)
    else:
        log.warning("build failed", build=job.id, reason=job.error)
