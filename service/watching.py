"""A folder whose files are taken in as they appear and change."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import structlog

from ingest.adding import add_files
from ingest.article import IngestError
from ingest.library import ArticleLibrary
from service.jobs import BuildJobs, JobsClosed
from service.settings import Settings

log = structlog.get_logger(__name__)

POLL_SECONDS = 2.0


class FolderWatch:
    """Adds new and changed files of a folder to the library and starts a build. Removed files stay in the library."""

    def __init__(self, folder: Path, library: ArticleLibrary, builds: BuildJobs, settings: Settings) -> None:
        self._folder = folder
        self._library = library
        self._builds = builds
        self._settings = settings
        self._seen: dict[Path, tuple[int, int]] = {}
        self._to_build = False
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="folder-watch", daemon=True)

    def start(self) -> None:
        """Begin to watch, in a thread of its own."""
        self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._stopped.set()
        self._thread.join(timeout=5)

    def _watch(self) -> None:
        while True:
            try:
                self._look()
                self._build()
            except JobsClosed:
                return
            except (OSError, IngestError):
                log.exception("looking for new files failed", folder=str(self._folder))
            if self._stopped.wait(POLL_SECONDS):
                return

    def _look(self) -> None:
        now: dict[Path, tuple[int, int]] = {}
        for file in self._folder.rglob("*"):
            if file.is_file():
                status = file.stat()
                now[file] = (status.st_mtime_ns, status.st_size)
        changed = sorted(file for file, state in now.items() if self._seen.get(file) != state)
        self._seen = now
        if not changed:
            return
        reports = list(add_files(self._library, changed, max_chars=self._settings.max_article_chars))
        counts = Counter(report.outcome for report in reports)
        log.info("files taken in", folder=str(self._folder), **{str(name): count for name, count in counts.items()})
        self._to_build = self._to_build or bool(counts["added"] or counts["updated"])

    def _build(self) -> None:
        if self._to_build:
            # A build that was running already may have read the library before: ask again after it.
            self._to_build = self._builds.start(full=False).state == "running"
