"""What a reader gives: the words of one article as found, and the metadata that came with them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RawArticle:
    """One article as read, before cleaning.

    `text` holds one block a line: a paragraph, a heading, or a list item (`- item`, `1. item`); an empty line may
    stand between blocks. `published` is the metadata's own words for the date. `path` is the file's resolved path,
    or an uploaded file's name, which is relative; the identity of last resort.
    """

    text: str
    title: str | None = None
    url: str | None = None
    source: str | None = None
    authors: tuple[str, ...] = ()
    published: str | None = None
    external_id: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file, or a line of one, that was not taken in, and why, in words for a person."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReadResult:
    """What one file gave: its articles, and the parts of it that were refused."""

    articles: tuple[RawArticle, ...] = ()
    refusals: tuple[Refusal, ...] = ()
