"""Questions to hits, from exactly one generation."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from index.embedding import Embedder, Vectors
from index.errors import GenerationIncompatible
from index.fusion import meaning, spread, weighted_sum, words
from index.generation import Generation
from index.reranking import RERANKED, Reranker
from ingest.article import Article, ArticleId, Chunk
from ingest.chunking import embedded_text

Mode = Literal["hybrid", "dense", "lexical"]

CANDIDATES = 100
"""Rows that each side offers to the fusion; more changes nothing in the first ten."""

PER_ARTICLE = 3
"""Most hits of one article while other articles have some."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which articles may be found; an empty field lets all pass, both dates are inclusive.

    An article without a known date is left out as soon as a date is asked for.
    """

    published_from: date | None = None
    published_to: date | None = None
    sources: tuple[str, ...] = ()
    article_ids: tuple[ArticleId, ...] = ()

    def admitted(self, generation: Generation) -> NDArray[np.bool_]:
        """Tell for each article of a generation whether it passes, shape (n_articles,)."""
        passes = np.ones(len(generation.articles), dtype=np.bool_)
        if self.sources:
            passes &= np.fromiter(
                (source in self.sources for source in generation.passages.sources), dtype=np.bool_, count=len(passes)
            )
        if self.article_ids:
            passes &= _rows_of(self.article_ids, generation)
        # Nothing compares to an unknown day: it fails both.
        if self.published_from is not None:
            passes &= generation.passages.published >= np.datetime64(self.published_from)
        if self.published_to is not None:
            passes &= generation.passages.published <= np.datetime64(self.published_to)
        return passes


@dataclass(frozen=True, slots=True)
class HitScores:
    """What each side said of a hit: `fusion.meaning` in [-1, 1], `fusion.words` from 0 up, and a reranker's score."""

    dense: float
    lexical: float
    rerank: float | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found. `score` orders the hits of one search; it does not compare across searches."""

    row: int
    article_row: int
    article: Article
    chunk: Chunk
    score: float
    scores: HitScores

    @property
    def text(self) -> str:
        """The words of the chunk."""
        return self.chunk.span.of(self.article.text)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Hits, best first, with the question's vector for whoever scores further; shape (dimension,), unit length.

    `admitted` tells for each article of the generation whether it might be found, shape (n_articles,); None: all.
    """

    hits: tuple[Hit, ...]
    query_vector: Vectors
    admitted: NDArray[np.bool_] | None = None


class Searcher:
    """Searches one generation with the embedding model that made it.

    Articles that were `removed` since it was made are not found. With a `reranker`, hybrid search has it read the best
    passages again, and orders them by what it says.
    """

    def __init__(
        self,
        generation: Generation,
        embedder: Embedder,
        removed: frozenset[ArticleId] = frozenset(),
        reranker: Reranker | None = None,
    ) -> None:
        made_with = generation.manifest.embedding
        if made_with.model_sha256 != embedder.model_sha256:
            raise GenerationIncompatible(
                f"generation {generation.name} was embedded with {made_with.model!r}, the settings name "
                f"{embedder.name!r}; run 'byline build' to embed again, or set the old model back"
            )
        self.generation = generation
        self.embedder = embedder
        self._reranker = reranker
        self._asked = removed
        self.removed = frozenset(article for article in removed if generation.article_row(article) is not None)
        self._present = ~_rows_of(self.removed, generation) if self.removed else None

    def without(self, removed: frozenset[ArticleId]) -> Searcher:
        """Give a searcher of the same generation that finds all articles but these."""
        if removed == self._asked:
            return self
        return Searcher(self.generation, self.embedder, removed, self._reranker)

    def search(
        self, query: str, *, top_k: int = 10, mode: Mode = "hybrid", filters: Filters | None = None
    ) -> SearchResult:
        """Find the chunks that best match a question.

        Args:
            query: The question; beyond the model's longest input only its words are searched.
            top_k: Most hits, above 0.
            mode: Both sides fused, or one alone.
            filters: Which articles may be found.

        Returns:
            Hits, best first, ties by row; at most `PER_ARTICLE` of one article, and only one article of those that are
            copies of each other, while others have some. A chunk that shares neither words nor meaning (both scores 0
            or less) is no hit.
        """
        vector = self.embedder.encode([query])[0]
        admitted = self._admitted(filters)
        allowed = None if admitted is None else admitted[self.generation.article_rows]
        dense, lexical = self._scores(query, vector, mode, allowed)
        rows = np.flatnonzero((dense > 0) | (lexical > 0))
        fused = {"dense": dense, "lexical": lexical}.get(mode)
        fused = weighted_sum(dense[rows], lexical[rows]) if fused is None else fused[rows]
        ranked = [int(rows[place]) for place in np.lexsort((rows, -fused))]
        score_of = dict(zip((int(row) for row in rows), (float(score) for score in fused), strict=True))
        article_rows = self.generation.article_rows
        spare = self.generation.copies.spare({int(row) for row in article_rows[rows]})

        def best(ranked: Sequence[int], most: int) -> list[int]:
            return spread(
                ranked, group_of=lambda row: int(article_rows[row]), top_k=most, per_group=PER_ARTICLE, spare=spare
            )

        again: dict[int, float] = {}
        if self._reranker is not None and mode == "hybrid" and ranked:
            read = best(ranked, max(top_k, RERANKED))
            again = dict(
                zip(read, self._reranker.score(query, [self._text(row) for row in read]).tolist(), strict=True)
            )
            score_of |= again
            ranked = sorted(read, key=lambda row: -again[row])
        hits = (
            self._hit(row, score_of[row], HitScores(float(dense[row]), float(lexical[row]), again.get(row)))
            for row in best(ranked, top_k)
        )
        return SearchResult(tuple(hits), vector, admitted)

    def _text(self, row: int) -> str:
        article = self.generation.articles[int(self.generation.article_rows[row])]
        return embedded_text(article.title, self.generation.chunk(row).span.of(article.text))

    def _admitted(self, filters: Filters | None) -> NDArray[np.bool_] | None:
        """Tell for each article whether it may be found, shape (n_articles,); None where all may."""
        admitted = self._present
        if filters is not None and filters != Filters():
            passes = filters.admitted(self.generation)
            admitted = passes if admitted is None else passes & admitted
        return admitted

    def _scores(
        self, query: str, vector: Vectors, mode: Mode, allowed: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Score the candidates of both sides by both sides; every other row is 0. Shapes (n_chunks,)."""
        count = self.generation.chunk_count
        dense = np.zeros(count, dtype=np.float32)
        lexical = np.zeros(count, dtype=np.float32)
        candidates = np.empty(0, dtype=np.int64)
        if mode != "lexical":
            candidates, _ = self.generation.dense.search(vector, CANDIDATES, allowed=allowed)
        if mode != "dense":
            own = self.generation.lexical.scores(query)
            scores = words(own, self.generation.article_lexical.scores(query), self.generation.article_rows)
            # A chunk without any of the words is found for its meaning or not at all.
            found = np.where(own > 0 if allowed is None else (own > 0) & allowed, scores, 0)
            best = np.lexsort((np.arange(count), -found))[:CANDIDATES]
            candidates = np.union1d(candidates, best[found[best] > 0])
            lexical[candidates] = scores[candidates]
        if mode != "lexical" and len(candidates):
            dense[candidates] = self._meaning(candidates, vector)
        return dense, lexical

    def _meaning(self, rows: NDArray[np.int64], vector: Vectors) -> NDArray[np.float32]:
        passages = self.generation.passages
        articles = passages.article_vectors[self.generation.article_rows[rows]].astype(np.float32)
        return meaning(
            self.generation.dense.vectors(rows) @ vector, passages.best_sentences(rows, vector), articles @ vector
        )

    def _hit(self, row: int, score: float, scores: HitScores) -> Hit:
        article_row = int(self.generation.article_rows[row])
        return Hit(
            row=row,
            article_row=article_row,
            article=self.generation.articles[article_row],
            chunk=self.generation.chunk(row),
            score=score,
            scores=scores,
        )


def _rows_of(articles: Collection[ArticleId], generation: Generation) -> NDArray[np.bool_]:
    """Mark some articles among those of a generation, shape (n_articles,)."""
    marked = np.zeros(len(generation.articles), dtype=np.bool_)
    marked[[row for article in articles if (row := generation.article_row(article)) is not None]] = True
    return marked
