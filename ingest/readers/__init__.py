"""From a file to raw articles: one module a format, one door."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path, PurePath

from ingest.article import RefusedInput
from ingest.readers import jsonl, plain
from ingest.readers.raw import RawArticle, ReadResult, Refusal

__all__ = ["SUPPORTED_SUFFIXES", "RawArticle", "ReadResult", "Refusal", "read_bytes", "read_file"]


def _read_markdown(data: bytes, path: str) -> ReadResult:
    from ingest.readers import markdown

    return markdown.read(data, path)


def _read_html(data: bytes, path: str) -> ReadResult:
    from ingest.readers import html

    return html.read(data, path)


# Some are imported when their first file comes: trafilatura takes half a second, and most processes read no page.
_READERS: dict[str, Callable[[bytes, str], ReadResult]] = {
    ".txt": plain.read,
    ".md": _read_markdown,
    ".markdown": _read_markdown,
    ".jsonl": jsonl.read,
    ".ndjson": jsonl.read,
    ".html": _read_html,
    ".htm": _read_html,
}

SUPPORTED_SUFFIXES: frozenset[str] = frozenset(_READERS)
"""The endings of file names that can be read, in lower case."""


def read_file(path: Path, *, max_bytes: int = 20_000_000) -> ReadResult:
    """Read the articles of one file.

    Raises:
        RefusedInput: The file is missing, not a regular file, unreadable, too large, of an unsupported kind,
            or holds no text. Bad lines of a JSON Lines file are refusals in the result instead.
    """
    suffix = _supported_suffix(path.name)
    try:
        mode = path.stat().st_mode
        # Opening a FIFO or a device could wait for ever.
        if not stat.S_ISREG(mode):
            raise RefusedInput("not a regular file")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
        resolved = str(path.resolve())
    except FileNotFoundError as error:
        raise RefusedInput("missing: there is no such file") from error
    except PermissionError as error:
        raise RefusedInput("unreadable: permission denied") from error
    except (OSError, ValueError, RuntimeError) as error:  # an I/O error, a NUL in the name, a circle of links
        raise RefusedInput(f"unreadable: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > max_bytes:
        raise RefusedInput(f"too large: more than {max_bytes} bytes, the limit for a file")
    return _READERS[suffix](data, resolved)


def read_bytes(name: str, data: bytes) -> ReadResult:
    """Read the articles of an uploaded file; `name` gives the format, and the identity of last resort.

    Raises:
        RefusedInput: The file is of an unsupported kind or holds no text.
    """
    return _READERS[_supported_suffix(name)](data, name)


def _supported_suffix(name: str) -> str:
    suffix = PurePath(name).suffix.lower()
    if suffix not in SUPPORTED_SUFFIXES:
        supported = ", ".join(sorted(SUPPORTED_SUFFIXES))
        raise RefusedInput(f"unsupported kind of file {suffix!r}; supported are {supported}")
    return suffix
