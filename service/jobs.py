"""Index builds in the background: one at a time, watched and cancelled by their id."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

import structlog

from index.errors import BuildCancelled, IndexingError
from index.reports import BuildReport, Phase, Progress
from ingest.article import IngestError
from service.errors import ServiceError

log = structlog.get_logger(__name__)

BuildState = Literal["queued", "running", "succeeded", "failed", "cancelled"]
RunBuild = Callable[[bool, Callable[[Progress], None], Callable[[], bool]], BuildReport]

KEPT_JOBS = 50
CLOSE_SECONDS = 5.0
"""How long `close` waits for a build that was told to stop; it asks between batches."""

_ETA_AFTER_SECONDS = 1.0
_COUNTED_PHASES: tuple[Phase, ...] = ("chunk", "embed")
"""Phases whose total is known when they begin, so that a remaining time can be told."""


class JobsClosed(ServiceError):
    """No build can be started any more: the server is stopping."""


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far a build is; `eta_s` is the rest of this phase in seconds, None while it cannot be told."""

    phase: Phase
    done: int
    total: int
    eta_s: float | None


@dataclass(frozen=True, slots=True)
class BuildJob:
    """A build as it was at one moment. `version` grows with every change."""

    id: str
    full: bool
    state: BuildState
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    progress: JobProgress | None = None
    result: BuildReport | None = None
    error: str | None = None
    version: int = 0

    @property
    def finished(self) -> bool:
        """Tell whether nothing will change any more."""
        return self.finished_at is not None


class BuildJobs:
    """Runs builds in a thread of their own, one at a time. Safe to use from several threads.

    A build that was asked for twice is one build: while one is queued or running, `start` gives that one.
    """

    def __init__(self, run: RunBuild) -> None:
        self._run = run
        self._lock = threading.Lock()
        self._jobs: dict[str, BuildJob] = {}  # oldest first
        self._active: _Active | None = None
        self._listeners: dict[str, list[Callable[[], None]]] = {}
        self._closed = False

    def start(self, full: bool) -> BuildJob:
        """Start a build, or give the one that is queued or running.

        Args:
            full: Embed everything again. A build that runs already keeps its own setting.

        Raises:
            JobsClosed: The jobs are closed.
        """
        with self._lock:
            if self._closed:
                raise JobsClosed("the server is stopping; start the build again when it is back")
            if self._active is not None:
                return self._jobs[self._active.id]
            job = BuildJob(id=f"build_{secrets.token_hex(8)}", full=full, state="queued", created_at=datetime.now(UTC))
            self._jobs[job.id] = job
            while len(self._jobs) > KEPT_JOBS:
                del self._jobs[next(iter(self._jobs))]
            active = _Active(job.id)
            # A daemon: a build that cannot stop must not keep the process; a killed build loses nothing.
            active.thread = threading.Thread(target=self._work, args=(active, full), name="index-build", daemon=True)
            self._active = active
            active.thread.start()
            return job

    def get(self, job_id: str) -> BuildJob | None:
        """Give a build as it is now, None where it is unknown or long past."""
        with self._lock:
            return self._jobs.get(job_id)

    def cancel(self, job_id: str) -> bool:
        """Tell a build to stop at its next step; False where it is unknown or has ended."""
        with self._lock:
            active = self._active
            if active is None or active.id != job_id:
                return False
            active.cancelled.set()
            return True

    def subscribe(self, job_id: str, on_change: Callable[[], None]) -> Callable[[], None]:
        """Call a function after every change of a build, in the build's thread; it must return at once.

        Returns:
            What ends the subscription.
        """
        with self._lock:
            listeners = self._listeners.setdefault(job_id, [])
            listeners.append(on_change)

        def unsubscribe() -> None:
            with self._lock:
                listeners.remove(on_change)
                if not listeners and self._listeners.get(job_id) is listeners:
                    del self._listeners[job_id]

        return unsubscribe

    def wait_for_change(self, job_id: str, seen_version: int, timeout_seconds: float) -> BuildJob | None:
        """Block until a build is newer than `seen_version` or the time is over; give it as it then is."""
        changed = threading.Event()
        unsubscribe = self.subscribe(job_id, changed.set)
        try:
            job = self.get(job_id)
            if job is not None and job.version <= seen_version:
                changed.wait(timeout_seconds)
            return self.get(job_id)
        finally:
            unsubscribe()

    def close(self) -> None:
        """Cancel the build that runs and wait for its end, but no longer than `CLOSE_SECONDS`."""
        with self._lock:
            self._closed = True
            active = self._active
        if active is not None and active.thread is not None:
            active.cancelled.set()
            active.thread.join(timeout=CLOSE_SECONDS)

    def _work(self, active: _Active, full: bool) -> None:
        self._change(active.id, state="running", started_at=datetime.now(UTC))
        log.info("build started", build=active.id, full=full)
        clock = _PhaseClock()

        def on_progress(progress: Progress) -> None:
            self._change(active.id, progress=clock.at(progress))

        state: BuildState = "failed"
        result: BuildReport | None = None
        error: str | None = None
        try:
            if active.cancelled.is_set():
                raise BuildCancelled("the build was cancelled before it began; the current index is kept")
            result = self._run(full, on_progress, active.cancelled.is_set)
            state = "succeeded"
        except BuildCancelled:
            state = "cancelled"
        except (IndexingError, IngestError, OSError) as known:
            error = str(known)
        except Exception:
            # The thread's outermost loop: a job must come to an end, and the log says why.
            error = "internal error; the server's log has the details"
            log.exception("build failed unexpectedly", build=active.id)
        self._change(active.id, state=state, result=result, error=error, finished_at=datetime.now(UTC))
        _log_end(active.id, state, result, error)

    def _change(self, job_id: str, **changes: object) -> None:
        with self._lock:
            job = self._jobs[job_id]
            job = replace(job, version=job.version + 1, **changes)  # type: ignore[arg-type]  # our own words
            self._jobs[job_id] = job
            if job.finished:
                # At once: whoever sees the end may start the next build.
                self._active = None
            listeners = list(self._listeners.get(job_id, ()))
        for listener in listeners:
            listener()


class _Active:
    """The build that is queued or running."""

    def __init__(self, job_id: str) -> None:
        self.id = job_id
        self.cancelled = threading.Event()
        self.thread: threading.Thread | None = None


class _PhaseClock:
    """Tells the rest of a phase from the time that its done part took."""

    def __init__(self) -> None:
        self._phase: Phase | None = None
        self._started = 0.0
        self._first_done = 0

    def at(self, progress: Progress) -> JobProgress:
        now = time.monotonic()
        if progress.phase != self._phase:
            self._phase, self._started, self._first_done = progress.phase, now, progress.done
        return JobProgress(progress.phase, progress.done, progress.total, self._eta(progress, now))

    def _eta(self, progress: Progress, now: float) -> float | None:
        elapsed, done = now - self._started, progress.done - self._first_done
        if progress.phase not in _COUNTED_PHASES or done <= 0 or elapsed < _ETA_AFTER_SECONDS:
            return None
        return round(max(progress.total - progress.done, 0) * elapsed / done, 1)


def _log_end(job_id: str, state: BuildState, result: BuildReport | None, error: str | None) -> None:
    if result is not None:
        log.info(
            "build succeeded",
            build=job_id,
            generation=result.generation,
            articles=result.articles,
            skipped=len(result.skipped),
        )
    elif state == "cancelled":
        log.info("build cancelled", build=job_id)
    else:
        log.warning("build failed", build=job_id, reason=error)
