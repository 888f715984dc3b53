"""Records of index builds, shared by every process that uses a data folder.

`<data>/builds/` holds for each build its record (`<id>.json`), a file that the process locks which works for it
(`<id>.lock`), and, once somebody wants it to stop, `<id>.cancel`. The lock goes with the process: a record that is
not finished and not locked is that of a process that died, and whoever looks at it next writes so. At most one
build is queued or running.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import structlog

from index.durable import make_folder, naming_full_storage, replace_text
from index.reports import BuildReport, Phase, Plan, Skipped

log = structlog.get_logger(__name__)

BuildState = Literal["queued", "running", "succeeded", "failed", "cancelled"]

KEPT_JOBS = 50
_ID = re.compile(r"build_[0-9a-f]{16}")
_CREATING_FILE = "creating.lock"


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far a build is; `eta_s` is the rest of this phase in seconds, None while it cannot be told."""

    phase: Phase
    done: int
    total: int
    eta_s: float | None


@dataclass(frozen=True, slots=True)
class BuildJob:
    """A build as it was at one moment. `version` grows with every change; `pid` is the process that works for it."""

    id: str
    full: bool
    state: BuildState
    created_at: datetime
    pid: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    plan: Plan | None = None
    progress: JobProgress | None = None
    result: BuildReport | None = None
    error: str | None = None
    version: int = 0

    @property
    def finished(self) -> bool:
        """Tell whether nothing will change any more."""
        return self.finished_at is not None

    def to_json(self) -> str:
        """Give the record as JSON; `from_json` is the inverse."""
        return json.dumps(asdict(self), default=datetime.isoformat, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> BuildJob:
        """Read what `to_json` wrote.

        Raises:
            ValueError, TypeError, KeyError: The text is something else.
        """
        values: dict[str, Any] = json.loads(text)
        for name in ("created_at", "started_at", "finished_at"):
            values[name] = datetime.fromisoformat(values[name]) if values[name] else None
        for name, kind in (("plan", Plan), ("progress", JobProgress)):
            values[name] = kind(**values[name]) if values[name] else None
        if result := values["result"]:
            skipped = tuple(Skipped(**one) for one in result["skipped"])
            values["result"] = BuildReport(**result | {"skipped": skipped})
        return cls(**values)


class JobRecords:
    """The build records of a data folder. Safe to use from several threads and processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @naming_full_storage()
    def start_or_join(self, full: bool) -> tuple[BuildJob, JobHandle | None]:
        """Record a new build, or give the one that is queued or running.

        Args:
            full: Embed everything again. A build that runs already keeps its own setting.

        Returns:
            The build, and, if it is new, what works for it.

        Raises:
            StorageFull: No space was left on the device.
        """
        make_folder(self._folder)
        with self._creating():
            active = self.active()
            if active is not None:
                return active, None
            job = BuildJob(
                id=f"build_{secrets.token_hex(8)}",
                full=full,
                state="queued",
                created_at=datetime.now(UTC),
                pid=os.getpid(),
            )
            descriptor = os.open(self._lock_file(job.id), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._prune()
            replace_text(self._file(job.id), job.to_json())
            return job, JobHandle(self, job, descriptor)

    def adopt(self, job_id: str, descriptor: int) -> JobHandle:
        """Work for a build that another process recorded, and whose locked file it handed over.

        Raises:
            ValueError: There is no such build.
        """
        job = self._read(job_id)
        if job is None:
            raise ValueError(f"there is no build {job_id!r} in {self._folder}")
        os.set_inheritable(descriptor, False)
        handle = JobHandle(self, job, descriptor)
        handle.update(pid=os.getpid())
        return handle

    def get(self, job_id: str) -> BuildJob | None:
        """Give a build as it is now, None where it is unknown or long past."""
        job = self._read(job_id)
        return job if job is None or job.finished else self._checked(job)

    def active(self) -> BuildJob | None:
        """Give the build that is queued or running, None where there is none."""
        # Newest first: there are dozens of records at most, and only the latest can be unfinished.
        for job_id in reversed(self._ids()):
            job = self.get(job_id)
            if job is not None and not job.finished:
                return job
        return None

    def latest(self) -> tuple[BuildJob | None, BuildJob | None]:
        """Give the latest build, and the latest of those that succeeded; None where there is none."""
        latest: BuildJob | None = None
        for job_id in reversed(self._ids()):
            job = self.get(job_id)
            latest = latest or job
            if job is not None and job.state == "succeeded":
                return latest, job
        return latest, None

    def cancel(self, job_id: str) -> bool:
        """Tell a build to stop at its next step, whichever process runs it; False where it is unknown or has ended."""
        job = self.get(job_id)
        if job is None or job.finished:
            return False
        self._cancel_file(job_id).touch()
        return True

    def is_cancelled(self, job_id: str) -> bool:
        """Tell whether somebody wants a build to stop."""
        return self._cancel_file(job_id).exists()

    def write(self, job: BuildJob, *, synced: bool = True) -> None:
        """Replace the record of a build; only whoever holds its lock may.

        A record that cannot be written is no reason for a build to fail: it is logged.

        Args:
            job: The new record.
            synced: Whether it must outlive a power cut; progress need not.
        """
        file = self._file(job.id)
        try:
            if synced:
                replace_text(file, job.to_json())
            else:
                beside = file.with_name(f"{file.name}.tmp")
                beside.write_text(job.to_json(), encoding="utf-8")
                beside.replace(file)
        except OSError as error:
            log.warning("build record not written", build=job.id, reason=str(error))

    def _checked(self, job: BuildJob) -> BuildJob:
        """Give an unfinished build, or, where its process is gone, say in its record that it failed."""
        descriptor = os.open(self._lock_file(job.id), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return job
            # Its end may have been written between the reading and the locking.
            latest = self._read(job.id)
            if latest is None or latest.finished:
                return latest or job
            died = replace(
                latest,
                state="failed",
                error=f"the process that ran it ({latest.pid}) died; the current index is kept, and the next build "
                "goes on from what this one embedded",
                finished_at=datetime.now(UTC),
                version=latest.version + 1,
            )
            self.write(died)
            log.warning("build found dead", build=job.id, pid=latest.pid)
            return died
        finally:
            os.close(descriptor)

    def _read(self, job_id: str) -> BuildJob | None:
        if not _ID.fullmatch(job_id):
            return None
        try:
            return BuildJob.from_json(self._file(job_id).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError):
            # A power cut can leave such a record; builds lose nothing by it.
            log.warning("build record unreadable", build=job_id)
            return None

    def _ids(self) -> list[str]:
        """Give the ids of all records, oldest first."""
        if not self._folder.is_dir():
            return []
        dated = []
        for file in self._folder.glob("build_*.json"):
            try:
                dated.append((file.stat().st_mtime_ns, file.stem))
            except FileNotFoundError:  # pruned meanwhile
                continue
        return [job_id for _, job_id in sorted(dated)]

    def _prune(self) -> None:
        # While a new build is recorded no other is at work: what lies half written was left by one that died.
        for half_written in self._folder.glob("*.tmp"):
            half_written.unlink(missing_ok=True)
        for job_id in self._ids()[:-KEPT_JOBS]:
            for file in (self._file(job_id), self._lock_file(job_id), self._cancel_file(job_id)):
                file.unlink(missing_ok=True)

    @contextmanager
    def _creating(self) -> Iterator[None]:
        """Be the only process and thread that records a new build."""
        descriptor = os.open(self._folder / _CREATING_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _file(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.json"

    def _lock_file(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.lock"

    def _cancel_file(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.cancel"


class JobHandle:
    """The right to work for a build; it ends with `close`, or with the process."""

    def __init__(self, records: JobRecords, job: BuildJob, descriptor: int) -> None:
        self._records = records
        self.job = job
        self.descriptor = descriptor

    def update(self, *, synced: bool = True, **changes: object) -> None:
        """Record a change; one that is not `synced` may be lost in a power cut."""
        self.job = replace(self.job, version=self.job.version + 1, **changes)  # type: ignore[arg-type]  # our own words
        self._records.write(self.job, synced=synced)

    def cancelled(self) -> bool:
        """Tell whether somebody wants the build to stop."""
        return self._records.is_cancelled(self.job.id)

    def close(self) -> None:
        """Let go of the build."""
        os.close(self.descriptor)
