"""Index builds as a server starts them: in processes of their own, so that no question waits for one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import structlog

from service.building import RunBuild, run_job
from service.errors import ServiceError
from service.jobs import BuildJob, JobHandle, JobRecords
from service.settings import Settings

log = structlog.get_logger(__name__)

CLOSE_SECONDS = 3.0
"""How long `close` waits for a build that was told to stop; it asks between batches."""

_LOOK_SECONDS = 0.1


class JobsClosed(ServiceError):
    """No build can be started any more: the server is stopping."""


class Running(Protocol):
    """A build at work."""

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for its end; False where it has not come in time."""

    def kill(self) -> None:
        """End it at once, if that can be."""


Launch = Callable[[JobHandle], Running]
"""Puts a build that was just recorded to work; the handle is the launched one's from then on."""


class BuildJobs:
    """The builds of a data folder, as a server starts, follows and cancels them. Safe to use from several threads.

    A build that was asked for twice is one build, whichever process runs it.
    """

    def __init__(self, records: JobRecords, launch: Launch, on_success: Callable[[], object] = lambda: None) -> None:
        self._records = records
        self._launch = launch
        self._on_success = on_success
        self._lock = threading.Lock()
        self._mine: tuple[str, Running] | None = None
        self._told: set[str] = set()
        self._closed = False

    def start(self, full: bool) -> BuildJob:
        """Start a build, or give the one that is queued or running.

        Args:
            full: Embed everything again. A build that runs already keeps its own setting.

        Raises:
            JobsClosed: The jobs are closed.
            StorageFull: The build cannot be recorded.
        """
        with self._lock:
            if self._closed:
                raise JobsClosed("the server is stopping; start the build again when it is back")
            job, handle = self._records.start_or_join(full)
            if handle is not None:
                self._mine = (job.id, self._launch(handle))
            return job

    def get(self, job_id: str) -> BuildJob | None:
        """Give a build as it is now, None where it is unknown or long past.

        Whoever is told of a success searches what was built: it is opened before.
        """
        job = self._records.get(job_id)
        if job is not None and job.state == "succeeded" and job_id not in self._told:
            self._on_success()
            self._told.add(job_id)
        return job

    def latest(self) -> tuple[BuildJob | None, BuildJob | None]:
        """Give the latest build, and the latest that succeeded, whoever ran them; None where there is none."""
        return self._records.latest()

    def cancel(self, job_id: str) -> bool:
        """Tell a build to stop at its next step; False where it is unknown or has ended."""
        return self._records.cancel(job_id)

    def close(self) -> None:
        """Cancel the build that was started here and wait for its end, but no longer than `CLOSE_SECONDS`."""
        with self._lock:
            self._closed = True
            mine = self._mine
        if mine is None:
            return
        job_id, running = mine
        if self._records.cancel(job_id) and not running.wait(CLOSE_SECONDS):
            running.kill()


class InThread:
    """Puts builds to work in a thread of this process."""

    def __init__(self, run: RunBuild) -> None:
        self._run = run

    def __call__(self, handle: JobHandle) -> Running:
        """Start the thread."""
        # A daemon: a build that cannot stop must not keep the process; a killed build loses nothing.
        thread = threading.Thread(target=run_job, args=(handle, self._run), name="index-build", daemon=True)
        thread.start()
        return _Thread(thread)


class _Thread:
    def __init__(self, thread: threading.Thread) -> None:
        self._thread = thread

    def wait(self, seconds: float | None = None) -> bool:
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def kill(self) -> None:
        log.warning("build goes on in its thread until the process ends")


class InProcess:
    """Puts builds to work in processes of their own, with the settings of this one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __call__(self, handle: JobHandle) -> Running:
        """Start the process and hand the build over to it."""
        # -P and our own source first: a folder named service where the user happens to be is not ours.
        command = [sys.executable, "-P", "-m", "service", "build", "--data", str(self._settings.data.absolute())]
        command += ["--job", handle.job.id, "--job-lock", str(handle.descriptor)]
        places = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, places))}
        try:
            process = subprocess.Popen(  # noqa: S603  # our own command
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(handle.descriptor,),
                # Ctrl+C at the terminal is for the server, which then stops the build itself.
                start_new_session=True,
            )
        finally:
            handle.close()
        child = _Child(process)
        threading.Thread(target=child.wait, name="index-build-end", daemon=True).start()
        return child


class _Child:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def wait(self, seconds: float | None = None) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def follow(records: JobRecords, job_id: str, on_change: Callable[[BuildJob], None]) -> BuildJob | None:
    """Wait for the end of a build that another process runs; gives it as it ended, None where its record is gone.

    Args:
        records: Where it is recorded.
        job_id: The build.
        on_change: Called after every change.
    """
    seen = -1
    while True:
        job = records.get(job_id)
        if job is None or job.finished:
            return job
        if job.version != seen:
            seen = job.version
            on_change(job)
        time.sleep(_LOOK_SECONDS)
