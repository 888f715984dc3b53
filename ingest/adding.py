"""Files and folders into the library, with a report of each file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal

from ingest.article import Article, ArticleId, RefusedInput
from ingest.folders import find_files
from ingest.intake import prepare
from ingest.library import ArticleLibrary, Outcome
from ingest.readers import ReadResult, read_file

BATCH = 64
"""Articles stored in one transaction: a commit waits for the disk."""


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one article of a file, or of a file that was refused."""

    file: str
    outcome: Outcome | Literal["refused"]
    article_id: ArticleId | None = None
    reason: str | None = None


Entry = tuple[str, Article | str]
"""The name of a file, and an article of it or the reason why it was refused."""


def add_files(
    library: ArticleLibrary, paths: Sequence[Path], *, source: str | None = None, max_chars: int = 2_000_000
) -> Iterator[Report]:
    """Read files and folders into the library.

    Args:
        library: Where they are stored; an article is on disk before its report is given.
        paths: Files, and folders with all files in them.
        source: The source of articles that do not name one.
        max_chars: Longest article.

    Yields:
        A report for each article and each refusal.
    """
    files, refusals = find_files(paths)
    for refusal in refusals:
        yield Report(refusal.name, "refused", reason=refusal.reason)
    yield from store(library, _read(files, source, max_chars))


def store(library: ArticleLibrary, entries: Iterator[Entry]) -> Iterator[Report]:
    """Store articles some at a time, and report on all entries in their order once they are on disk."""
    while batch := list(islice(entries, BATCH)):
        articles = [entry for _, entry in batch if isinstance(entry, Article)]
        outcomes = iter(library.put_all(articles))
        for name, entry in batch:
            if isinstance(entry, Article):
                yield Report(name, next(outcomes), entry.id)
            else:
                yield Report(name, "refused", reason=entry)


def entries_of(name: str, read: Callable[[], ReadResult], *, source: str | None, max_chars: int) -> Iterator[Entry]:
    """Read one file and give all that is in it.

    Args:
        name: How the file is called in the report.
        read: Reads it; what it raises as `RefusedInput` is the one entry then.
        source: The source of articles that do not name one.
        max_chars: Longest article.
    """
    try:
        result = read()
    except RefusedInput as error:
        yield name, str(error)
        return
    for refusal in result.refusals:
        yield refusal.name, refusal.reason
    for raw in result.articles:
        try:
            yield name, prepare(raw, default_source=source, max_chars=max_chars)
        except RefusedInput as error:
            yield name, str(error)


def _read(files: Iterable[Path], source: str | None, max_chars: int) -> Iterator[Entry]:
    for file in files:
        yield from entries_of(str(file), partial(read_file, file), source=source, max_chars=max_chars)
