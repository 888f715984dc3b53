"""A folder whose files are taken in as they appear and change."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError
from watchfiles import Change, watch

from ingest.adding import add_files
from ingest.article import IngestError
from ingest.folders import find_files
from ingest.library import ArticleLibrary
from ingest.readers import Refusal
from service.builds import JobsClosed
from service.jobs import BuildJob
from service.settings import Settings

log = structlog.get_logger(__name__)

QUIET_SECONDS = 1.0
"""How long a file must stay as it is before it is read, and no article come before a build is started."""
LONGEST_WAIT_SECONDS = 30.0
"""A build waits no longer for a quiet moment: files that never stop coming must not put it off for ever."""
REGULAR_LOOK_SECONDS = 60.0
"""The folder is looked at even if nothing is reported: the system drops reports when too many come."""
RETRY_SECONDS = 5.0
"""Before the first new try of what failed; every further failure in a row doubles it."""
LONGEST_RETRY_SECONDS = 60.0
CLOSE_SECONDS = 2.0
"""How long `close` waits; only a database that others hold locked keeps the thread longer."""

_TICK_SECONDS = 0.5
_STEP_MS = 100
"""How often watchfiles asks for reports and for the end; it adds up what comes in closer succession."""
_POLL_SECONDS = 2.0
"""Between two looks where changes are not reported; for watchfiles' own polling WATCHFILES_POLL_DELAY_MS wins."""

# The disk is full, the database is locked: another try may work. Files that cannot be read are refusals instead.
_PASSING = (OSError, IngestError, SQLAlchemyError)


class StartsBuilds(Protocol):
    """What a watch needs of the builds; see `BuildJobs`."""

    def start(self, full: bool) -> BuildJob:
        """Start a build, or give the one that is queued or running.

        A queued one will see all that was added before; a running one may have read the library already.
        """

    def get(self, job_id: str) -> BuildJob | None:
        """Give a build as it is now, None where it is unknown."""


class FolderWatch:
    """Adds new and changed files of a folder to the library and starts a build. Removed files stay in the library.

    What is reported only says when to look: the whole folder is then walked by the rules of `find_files`, so that it
    makes no difference whether a file came before the watch, during it, or while the folder was away.
    """

    def __init__(self, folder: Path, library: ArticleLibrary, builds: StartsBuilds, settings: Settings) -> None:
        self._folder = folder.absolute()  # as the reports name it
        self._intake = _Intake(self._folder, library, settings)
        self._build = _WantedBuild(builds)
        self._adding = _Retry()
        # An earlier server, or an adding that failed half-way, may have added what no build was asked for.
        self._unsure = True
        self._changed = True
        self._next_look = 0.0
        self._regular_look = 0.0
        self._away = False
        self._unreported: str | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="folder-watch", daemon=True)

    def start(self) -> None:
        """Begin to watch, in a thread of its own; the files that are there already come first."""
        self._thread.start()

    def close(self) -> None:
        """Stop watching; the file that is being read is still added."""
        self._stopped.set()
        if self._thread.ident is not None:  # it was started
            self._thread.join(timeout=CLOSE_SECONDS)

    def _run(self) -> None:
        while not self._stopped.is_set():
            pause = _TICK_SECONDS
            try:
                self._watch()
            except JobsClosed:
                return
            except Exception:
                # The thread's outermost loop: whatever happens, the files that come later must be taken in.
                log.exception("watching failed; it begins anew", folder=str(self._folder))
                pause = RETRY_SECONDS
            self._stopped.wait(pause)

    def _watch(self) -> None:
        """Watch the folder until it, or one inside it, comes or goes: then a new watch is due."""
        place = self._place()
        if place is None:
            self._build.tick(arriving=False)
            return
        folders = self._intake.folders()
        self._changed = True  # what came before this watch is not reported
        with closing(self._reports(folders)) as reports:
            for report in reports:
                self._changed = self._changed or bool(report)
                # One that is made anew at once may look the same, but its reports have ended.
                lost = any(change is Change.deleted and path in folders for change, path in report)
                if lost or self._place() != place:
                    return
                if self._look_is_due():
                    self._look()
                    if self._intake.folders() != folders:
                        return
                self._build.tick(arriving=self._changed or self._intake.arriving)

    def _reports(self, folders: set[str]) -> Generator[set[tuple[Change, str]], None, None]:
        """Give what changes in the folders, empty where nothing did for a while, until the watch has to begin anew."""
        try:
            # Each folder by itself: a recursive watch follows links, to the whole disk if need be.
            yield from watch(
                *sorted(folders),
                watch_filter=None,
                debounce=int(_TICK_SECONDS * 1000),
                step=_STEP_MS,
                rust_timeout=int(_TICK_SECONDS * 1000),
                yield_on_timeout=True,
                stop_event=self._stopped,
                raise_interrupt=False,
                poll_delay_ms=int(_POLL_SECONDS * 1000),
                recursive=False,
                ignore_permission_denied=True,
            )
        except FileNotFoundError:  # a folder went before it was watched
            return
        except (OSError, RuntimeError) as error:
            # A limit of the system, or something in the folder that watchfiles cannot deal with: look all the same.
            if str(error) != self._unreported:
                self._unreported = str(error)
                log.warning("changes are not reported; the folder is polled", reason=str(error))
            if not self._stopped.wait(_POLL_SECONDS):
                yield {(Change.modified, str(self._folder))}

    def _place(self) -> tuple[int, int] | None:
        """Tell which folder on the disk it is, None while it cannot be read; log when that changes."""
        try:
            os.scandir(self._folder).close()
            status = self._folder.stat()
        except OSError as error:
            if not self._away:
                log.warning("watched folder cannot be read", folder=str(self._folder), reason=error.strerror)
            self._away = True
            return None
        if self._away:
            log.info("watched folder is back", folder=str(self._folder))
            self._away = False
        return status.st_dev, status.st_ino

    def _look_is_due(self) -> bool:
        now = time.monotonic()
        wanted = self._changed or self._intake.arriving or now >= self._regular_look
        return wanted and now >= self._next_look

    def _look(self) -> None:
        self._changed = False
        counts: Counter[str] = Counter()
        pause = _TICK_SECONDS
        try:
            for outcomes in self._intake.look():
                counts += outcomes
                if outcomes["added"] or outcomes["updated"] or (outcomes["unchanged"] and self._unsure):
                    self._unsure = False
                    self._build.want()
                self._build.tick(arriving=True)
                if self._stopped.is_set():
                    break
            self._adding.succeeded()
        except _PASSING as error:
            self._changed = self._unsure = True
            pause = self._adding.failed()
            reason = str(getattr(error, "orig", None) or error)  # SQLAlchemy's own text has the statement
            log.warning("adding failed", folder=str(self._folder), reason=reason, retry_seconds=pause)
        finally:
            if counts:
                log.info("files taken in", folder=str(self._folder), **counts)
        now = time.monotonic()
        # A folder that takes long to walk must not keep a core busy while its files change.
        self._next_look = now + max(pause, 4 * self._intake.walk_seconds)
        self._regular_look = now + REGULAR_LOOK_SECONDS


@dataclass(frozen=True, slots=True)
class _State:
    """What changes with a file's content: a file put in its place may have the time and the size of the old one."""

    size: int
    modified_ns: int
    changed_ns: int
    inode: int

    @classmethod
    def of(cls, file: Path) -> _State | None:
        """Give the state of a file, None where it is gone."""
        try:
            status = file.stat()
        except OSError:
            return None
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


@dataclass(frozen=True, slots=True)
class _Arriving:
    """A file that is not taken in yet, and since when it has been as it is."""

    state: _State
    since: float


class _Intake:
    """Takes the files of a folder into the library, each once it is quiet and as often as it changes.

    `arriving` tells whether files wait to be quiet, `walk_seconds` how long the last walk through the folder took.
    """

    def __init__(self, folder: Path, library: ArticleLibrary, settings: Settings) -> None:
        self.walk_seconds = 0.0
        self._folder = folder
        self._library = library
        self._max_chars = settings.max_article_chars
        data = settings.data.resolve()
        # Generations hold articles in files that could be read: each build would be taken in and start the next.
        self._left_out = data if data.is_relative_to(folder.resolve()) else None
        self._taken: dict[Path, _State] = {}
        self._arriving: dict[Path, _Arriving] = {}
        self._refused: dict[Path, list[Refusal]] = {}
        self._left: set[Refusal] = set()

    @property
    def arriving(self) -> bool:
        return bool(self._arriving)

    def folders(self) -> set[str]:
        """Give the folder and those within it that files are taken from."""
        found = {str(self._folder)}
        for folder, names, _ in os.walk(self._folder):
            found.add(folder)
            names[:] = [name for name in names if self._is_gone_into(folder, name)]
        return found

    def look(self) -> Iterator[Counter[str]]:
        """Walk the folder and take in what is new or changed, and quiet; give the outcomes of each such file.

        Raises:
            OSError, IngestError, SQLAlchemyError: A file could not be added now; the next look tries it again.
        """
        begun = time.monotonic()
        files, left = find_files([self._folder])
        self._tell_left(refusal for refusal in left if not self._is_left_out(refusal.name))
        self._compare([file for file in files if not self._is_left_out(file)])
        self.walk_seconds = time.monotonic() - begun
        for file, arriving in list(self._arriving.items()):
            if begun - arriving.since >= QUIET_SECONDS and _State.of(file) == arriving.state:
                outcomes = self._add(file)
                self._taken[file] = arriving.state
                del self._arriving[file]
                yield outcomes

    def _compare(self, files: list[Path]) -> None:
        now = time.monotonic()
        taken: dict[Path, _State] = {}
        arriving: dict[Path, _Arriving] = {}
        for file in files:
            state = _State.of(file)
            if state is None:
                continue
            if self._taken.get(file) == state:
                taken[file] = state
                continue
            known = self._arriving.get(file)
            arriving[file] = known if known is not None and known.state == state else _Arriving(state, now)
        self._taken, self._arriving = taken, arriving
        self._refused = {file: said for file, said in self._refused.items() if file in taken or file in arriving}

    def _add(self, file: Path) -> Counter[str]:
        outcomes: Counter[str] = Counter()
        refusals: list[Refusal] = []
        try:
            for report in add_files(self._library, [file], max_chars=self._max_chars):
                outcomes[report.outcome] += 1
                if report.outcome == "refused":
                    refusals.append(Refusal(report.file, report.reason or ""))
        except _PASSING:
            raise
        except Exception:
            # One file that a reader stumbles over must not keep out those that come after it.
            log.exception("file could not be taken in", file=str(file))
            outcomes["refused"] += 1
            return outcomes
        if refusals and refusals != self._refused.get(file):
            event = "file refused" if len(refusals) == outcomes.total() else "file partly refused"
            log.warning(event, file=str(file), reason=refusals[0].reason, refusals=len(refusals))
        self._refused[file] = refusals
        return outcomes

    def _tell_left(self, refusals: Iterable[Refusal]) -> None:
        left = set(refusals)
        for refusal in sorted(left - self._left, key=lambda refusal: refusal.name):
            log.warning("file refused", file=refusal.name, reason=refusal.reason)
        self._left = left

    def _is_gone_into(self, folder: str, name: str) -> bool:
        # Files below a name that is no text are refused, and watchfiles cannot be given it.
        is_text = name == name.encode("utf-8", "ignore").decode("utf-8")
        return is_text and not name.startswith(".") and not self._is_left_out(Path(folder, name))

    def _is_left_out(self, path: Path | str) -> bool:
        return self._left_out is not None and Path(os.path.realpath(path)).is_relative_to(self._left_out)


class _WantedBuild:
    """Starts a build once articles have stopped coming, and sees to it that one succeeds that holds them all."""

    def __init__(self, builds: StartsBuilds) -> None:
        self._builds = builds
        self._wanted_since: float | None = None
        self._last_wanted = 0.0
        self._job_id: str | None = None
        self._holds_all = False
        self._retry = _Retry()
        self._not_before = 0.0

    def want(self) -> None:
        """Ask for a build that holds what is in the library now."""
        self._last_wanted = time.monotonic()
        if self._wanted_since is None:
            self._wanted_since = self._last_wanted

    def tick(self, *, arriving: bool) -> None:
        """Start the build if it is time; called again and again.

        Args:
            arriving: More articles are about to come.

        Raises:
            JobsClosed: No build can be started any more.
        """
        if self._is_building() or self._wanted_since is None:
            return
        now = time.monotonic()
        quiet = not arriving and now - self._last_wanted >= QUIET_SECONDS
        if now < self._not_before or not (quiet or now - self._wanted_since >= LONGEST_WAIT_SECONDS):
            return
        job = self._builds.start(full=False)
        self._job_id = job.id
        # One that runs already may have read the library before: ask again when it has ended.
        self._holds_all = job.state != "running"
        if self._holds_all:
            self._wanted_since = None

    def _is_building(self) -> bool:
        if self._job_id is None:
            return False
        job = self._builds.get(self._job_id)
        if job is not None and not job.finished:
            return True
        self._job_id = None
        if self._holds_all and (job is None or job.state == "failed"):
            pause = self._retry.failed()
            log.warning("build is tried again", retry_seconds=pause)
            self._not_before = time.monotonic() + pause
            self.want()
        elif self._holds_all:
            self._retry.succeeded()
        return False


class _Retry:
    """How long to wait after failures in a row."""

    def __init__(self) -> None:
        self._failures = 0

    def failed(self) -> float:
        """Count a failure; gives the seconds before the next try."""
        self._failures += 1
        doublings = min(self._failures - 1, 16)
        return float(min(RETRY_SECONDS * 2**doublings, LONGEST_RETRY_SECONDS))

    def succeeded(self) -> None:
        """Begin anew."""
        self._failures = 0
