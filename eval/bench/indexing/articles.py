"""The articles of a library of any size: longer than the synthetic ones, and some with a word that no other has.

A long article is several synthetic ones under the first one's title and address. The further ones come from other
seeds, so that the collection may have as many long articles as there are synthetic ones of a seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from eval.bench.corpus import synthetic_article
from ingest.article import Article
from ingest.chunking import ChunkingSettings, chunk_article, embedded_text, embedded_title, fit_sentences
from ingest.intake import prepare
from ingest.readers import RawArticle
from ingest.sentences import split_sentences
from service.settings import Settings

Row = dict[str, str]
"""An article as a line of JSON Lines, and as the body of `POST /v1/articles`."""

BATCH = 10
"""Articles of a small change."""

_SEED_STEP = 1_000_003
_LATER_SEEDS = 500_000_003
"""Articles that are added later have other seeds, and so other addresses, however large the library is."""

_DIGITS = str.maketrans("0123456789", "bcdfghjklm")


class Cutter(Protocol):
    """What cutting needs of an embedding model."""

    @property
    def max_tokens(self) -> int:
        """Most tokens of one text that the model reads, special tokens not counted."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text, special tokens not counted."""


@dataclass(frozen=True, slots=True)
class Later:
    """An article that is added later, and a word that it alone holds."""

    row: Row
    word: str

    @property
    def id(self) -> str:
        """Its id in the library."""
        return stored(self.row).id


def long_row(seed: int, number: int, parts: int, *, last: str | None = None) -> Row:
    """Make an article out of `parts` synthetic ones.

    Args:
        seed: Another seed gives another collection.
        number: From 0 to below `MAX_ARTICLES`.
        parts: About how many times as long as a synthetic article it is, at least 1.
        last: A paragraph put at the end.
    """
    made = [synthetic_article(seed + _SEED_STEP * part, number) for part in range(parts)]
    return made[0].row() | {"text": "\n".join([one.text for one in made] + ([last] if last else []))}


def library_rows(seed: int, count: int, parts: int) -> Iterator[Row]:
    """Give the articles that a library begins with."""
    return (long_row(seed, number, parts) for number in range(count))


def later_batch(seed: int, batch: int, parts: int) -> list[Later]:
    """Give the `BATCH` articles of a number, counted from 0; no two batches share one."""
    return [_later(seed, number, parts) for number in range(batch * BATCH, (batch + 1) * BATCH)]


def _later(seed: int, number: int, parts: int) -> Later:
    word = f"zqx{number:05d}v".translate(_DIGITS)
    last = f"The editors keep the papers of this report under {word}."
    return Later(long_row(seed + _LATER_SEEDS, number, parts, last=last), word)


def stored(row: Row) -> Article:
    """Give the article as Byline stores it."""
    return prepare(
        RawArticle(
            text=row["text"],
            title=row["title"],
            url=row["url"],
            source=row["source"],
            published=row["published_at"],
        )
    )


def embedded_texts(rows: Sequence[Row], cutter: Cutter, settings: Settings) -> tuple[list[str], list[str]]:
    """Give what a build embeds of articles: their chunks, each under the title, and their sentences."""
    chunks: list[str] = []
    sentences: list[str] = []
    for article in map(stored, rows):
        title = embedded_title(article.title, cutter.count_tokens) if settings.chunk_title else ""
        longest = min(settings.chunk_tokens, cutter.max_tokens - cutter.count_tokens([title])[0])
        chunking = ChunkingSettings(longest, min(settings.chunk_overlap_tokens, longest - 1), settings.chunk_title)
        count, split = cutter.count_tokens, split_sentences(article.text)
        found = fit_sentences(article.text, split, max_tokens=longest, count_tokens=count)
        cut = chunk_article(article, found, settings=chunking, count_tokens=count)
        chunks += [embedded_text(title, chunk.span.of(article.text)) for chunk in cut]
        sentences += [sentence.span.of(article.text) for sentence in found]
    return chunks, sentences
