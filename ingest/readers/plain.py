"""Plain text files: the words as they stand."""

from __future__ import annotations

from ingest.readers.encoding import decode
from ingest.readers.raw import RawArticle, ReadResult


def read(data: bytes, path: str) -> ReadResult:
    """Take the whole file as one article; cleaning finds its headline.

    Raises:
        RefusedInput: The bytes are not text, or blank.
    """
    return ReadResult((RawArticle(decode(data), path=path),))
