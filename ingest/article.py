"""What an article is, and what points into it.

Text lives once, in the article. A chunk, a sentence or a citation is a span: `article.text[start:end]` is
always the words. Offsets are 0-based, end-exclusive and count Unicode code points.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from datetime import date
from typing import Any, Literal, NewType

ArticleId = NewType("ArticleId", str)
ChunkId = NewType("ChunkId", str)

DateSource = Literal["meta", "text", "file", "unknown"]

UNKNOWN_SOURCE = "unknown"
"""The source of an article that names none."""
"""How a publication date is known: stated by metadata, by the text, by the file's name, or not at all."""

TitleSource = Literal["meta", "text", "lead"]
"""Where a title comes from: metadata, the text's own headline, or, for want of both, the first sentence."""


class IngestError(Exception):
    """Base of what goes wrong between a file and the library."""


class RefusedInput(IngestError):
    """An article or file cannot be taken in; the message is the reason, for a person."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A run of code points of one text, never empty: 0 <= start < end."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"span {self.start}..{self.end} is empty or reversed; expected 0 <= start < end")

    def of(self, text: str) -> str:
        """Give the words of `text` that the span covers."""
        return text[self.start : self.end]

    def overlaps(self, other: Span) -> bool:
        """Tell whether the two share at least one code point."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Article:
    """One article as stored: cleaned text and what is known about it.

    `identity` says what makes it this article (`url:…`, `id:…` or `path:…`), and `id` follows from it alone, so
    that a corrected text updates the article instead of making a second one.
    """

    id: ArticleId
    identity: str
    text: str
    title: str
    title_source: TitleSource
    source: str
    url: str | None
    authors: tuple[str, ...]
    published_at: date | None
    date_source: DateSource
    external_id: str | None

    @property
    def content_hash(self) -> str:
        """SHA-256 (hex) over every field: equal hashes mean an equal article."""
        payload = json.dumps(self.to_json(), ensure_ascii=True, sort_keys=True)
        return hashlib.sha256(payload.encode("ascii")).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Give the article as JSON values; `from_json` is the inverse."""
        values = asdict(self)
        values["authors"] = list(self.authors)
        values["published_at"] = self.published_at.isoformat() if self.published_at else None
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Article:
        """Build the article that `to_json` described.

        Raises:
            ValueError: A field is missing, unknown or malformed.
        """
        if values.keys() != _FIELDS:
            raise ValueError(f"article fields {sorted(set(values) ^ _FIELDS)} are missing or unknown")
        published = values["published_at"]
        return cls(
            **values
            | {
                "authors": tuple(values["authors"]),
                "published_at": date.fromisoformat(published) if published else None,
            }
        )

    def with_text(self, text: str) -> Article:
        """Give the same article with another text."""
        return replace(self, text=text)


_FIELDS = frozenset(field.name for field in fields(Article))


def article_id(identity: str) -> ArticleId:
    """Derive the id of an article from its identity: the same identity gives the same id, everywhere."""
    return ArticleId("art_" + hashlib.sha256(identity.encode("utf-8")).hexdigest()[:20])


@dataclass(frozen=True, slots=True)
class Chunk:
    """A span of an article that is embedded and found as one piece; `ordinal` counts from 0 in the article."""

    article_id: ArticleId
    ordinal: int
    span: Span

    @property
    def id(self) -> ChunkId:
        """The chunk's id: the article's id and the span, so that a rebuild gives the same one."""
        return ChunkId(f"{self.article_id}:{self.span.start}-{self.span.end}")
