"""Uploaded files into the library: read as `byline add` reads them, with a report of each article."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from functools import partial

from ingest.adding import Entry, Report, entries_of, store
from ingest.article import Article, ArticleId, RefusedInput
from ingest.library import ArticleLibrary
from ingest.readers import ReadResult, read_bytes
from service.api.multipart import Form, SentFile

MAX_FILE_BYTES = 20_000_000
MAX_LINES = 50_000
"""Of one file, whose lines may be articles, and of the report on an upload."""

MAX_NAME_CHARS = 255
MAX_REASON_CHARS = 300


class UploadStopped(Exception):
    """Nobody waits for the report any more; what was reported on is stored."""


def take_in(
    library: ArticleLibrary, form: Form, *, source: str | None, max_chars: int, stopped: Callable[[], bool]
) -> list[Report]:
    """Read all files of a form into the library.

    Args:
        library: Where they are stored; an article is on disk before the next ones are read.
        form: What was uploaded.
        source: The source of articles that do not name one.
        max_chars: Longest article.
        stopped: Tells, now and then, whether to end before all is taken in.

    Raises:
        UploadStopped: It was told to end.
        LibraryUnavailable: The library cannot be written; the articles before may be stored.
    """
    reports: list[Report] = []
    for report in store(library, _entries(form, source, max_chars, reports)):
        if stopped():
            raise UploadStopped("stopped before all files were taken in")
        reports.append(report)
    return reports


def tidy_name(name: str) -> str:
    """Give the name of an uploaded file as it is known and reported; never used as a place on a disk.

    One printable line, relative, with "/" between folders, so that what a browser sends on any system is one name.
    """
    line = "".join(char if char.isprintable() else " " for char in unicodedata.normalize("NFC", name))
    parts = (" ".join(part.split()) for part in line.replace("\\", "/").split("/"))
    return "/".join(part for part in parts if part not in ("", ".", ".."))


def _entries(form: Form, source: str | None, max_chars: int, reports: list[Report]) -> Iterator[Entry]:
    first_hashes: dict[ArticleId, str] = {}
    for file in form.files:
        name = tidy_name(file.name)
        if len(reports) > MAX_LINES:
            yield (
                _cut(name),
                f"the files before it gave more than {MAX_LINES} articles; send this one in another upload",
            )
            continue
        for shown, entry in entries_of(
            _cut(name), partial(_read, form, file, name), source=source, max_chars=max_chars
        ):
            if isinstance(entry, str):
                yield shown, entry if len(entry) <= MAX_REASON_CHARS else f"{entry[:MAX_REASON_CHARS]}…"
            elif _would_replace(entry, first_hashes):
                yield shown, "another file of this upload has this name, and would be replaced; rename one of them"
            else:
                yield shown, entry


def _read(form: Form, file: SentFile, name: str) -> ReadResult:
    if not name or len(name) > MAX_NAME_CHARS:
        raise RefusedInput(f"the file's name is empty, or longer than {MAX_NAME_CHARS} characters")
    if file.size > MAX_FILE_BYTES:
        raise RefusedInput(f"too large: more than {MAX_FILE_BYTES} bytes, the limit for a file")
    data = form.read(file, MAX_FILE_BYTES)
    if data.count(b"\n") > MAX_LINES:
        raise RefusedInput(f"more than {MAX_LINES} lines, the limit for a file; send it in parts")
    return read_bytes(name, data)


def _would_replace(article: Article, first_hashes: dict[ArticleId, str]) -> bool:
    """Tell whether an article that is known by its file's name alone would replace one of the same upload."""
    if not article.identity.startswith("upload:"):
        return False
    return first_hashes.setdefault(article.id, article.content_hash) != article.content_hash


def _cut(name: str) -> str:
    return name if len(name) <= MAX_NAME_CHARS else f"{name[: MAX_NAME_CHARS - 1]}…"
