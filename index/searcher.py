"""Questions to hits, from exactly one generation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from index.dense import Rows
from index.embedding import Embedder, Vectors
from index.errors import GenerationIncompatible
from index.fusion import Scores, highest, meaning, nth_highest, spread, weighted_sum, words
from index.generation import Generation
from index.halves import cosines
from index.lexical import terms
from index.reranking import RERANKED, Reranker
from index.stages import Stage, StageClock
from ingest.article import Article, ArticleId, Chunk
from ingest.chunking import embedded_text

Mode = Literal["hybrid", "dense", "lexical"]

CANDIDATES = 64
"""Rows that each side offers to the fusion, or as many as hits are asked for; more changes nothing in the first ten."""

PER_ARTICLE = 3
"""Most hits of one article while other articles have some."""


def candidates_for(top_k: int) -> int:
    """Give how many rows each side offers for so many hits."""
    return max(CANDIDATES, top_k)


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
            passes &= generation.passages.from_sources(self.sources)
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
    `stages` are what the search took: embed, unless the vector was given, dense, lexical, fuse, rerank.
    """

    hits: tuple[Hit, ...]
    query_vector: Vectors
    admitted: NDArray[np.bool_] | None = None
    stages: tuple[Stage, ...] = ()


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Chunks that may be hits, ascending by row, with what each side says of them: all of shape (n,)."""

    rows: Rows
    dense: Scores
    lexical: Scores

    def with_a_score(self) -> _Candidates:
        """Give those of which a side says more than 0."""
        some = (self.dense > 0) | (self.lexical > 0)
        return self if some.all() else _Candidates(self.rows[some], self.dense[some], self.lexical[some])


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
        self,
        query: str,
        *,
        top_k: int = 10,
        mode: Mode = "hybrid",
        filters: Filters | None = None,
        vector: Vectors | None = None,
    ) -> SearchResult:
        """Find the chunks that best match a question.

        Args:
            query: The question; beyond the model's longest input only its words are searched.
            top_k: Most hits, above 0.
            mode: Both sides fused, or one alone.
            filters: Which articles may be found.
            vector: What the embedder gives for the question, shape (dimension,), for whoever has it; None: it is asked.

        Returns:
            Hits, best first, ties by row; at most `PER_ARTICLE` of one article, and only one article of those that are
            copies of each other, while others have some. A chunk that shares neither words nor meaning (both scores 0
            or less) is no hit.
        """
        clock = StageClock()
        if vector is None:
            vector = self.embedder.encode([query])[0]
            clock.lap("embed")
        admitted = self._admitted(filters)
        found = self._candidates(query, vector, mode, admitted, candidates_for(top_k), clock).with_a_score()
        scores = {"dense": found.dense, "lexical": found.lexical}.get(mode)
        scores = weighted_sum(found.dense, found.lexical) if scores is None else scores
        articles = self.generation.article_rows.take(found.rows).tolist()
        spare = self.generation.copies.spare(articles)

        # Candidates go by their place, which ascends with the row.
        def best(ranked: Sequence[int], most: int) -> list[int]:
            return spread(ranked, group_of=articles.__getitem__, top_k=most, per_group=PER_ARTICLE, spare=spare)

        ranked = (-scores).argsort(kind="stable").tolist()
        again: dict[int, float] = {}
        if self._reranker is not None and mode == "hybrid" and ranked:
            clock.lap("fuse")
            read = best(ranked, max(top_k, RERANKED))
            texts = [self._text(int(found.rows[place])) for place in read]
            again = dict(zip(read, self._reranker.score(query, texts).tolist(), strict=True))
            ranked = sorted(read, key=lambda place: -again[place])
            clock.lap("rerank")
        hits = tuple(
            self._hit(
                found.rows.item(place),
                again.get(place, scores.item(place)),
                HitScores(found.dense.item(place), found.lexical.item(place), again.get(place)),
            )
            for place in best(ranked, top_k)
        )
        clock.lap("fuse")
        return SearchResult(hits, vector, admitted, clock.stages)

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

    def _candidates(
        self,
        query: str,
        vector: Vectors,
        mode: Mode,
        admitted: NDArray[np.bool_] | None,
        most: int,
        clock: StageClock,
    ) -> _Candidates:
        """Find the best of each side that the mode asks, `most` of each, and score them by all sides that it asks."""
        rows: Rows = np.empty(0, dtype=np.int64)
        if mode != "lexical":
            allowed = None if admitted is None else admitted[self.generation.article_rows]
            rows = np.sort(self.generation.dense.search(vector, most, allowed=allowed)[0])
            clock.lap("dense")
        lexical: Scores = np.zeros(len(rows), dtype=np.float32)
        if mode != "dense":
            rows, lexical = self._by_words(query, rows, admitted, most)
            clock.lap("lexical")
        dense = self._meaning(rows, vector) if mode != "lexical" else np.zeros(len(rows), dtype=np.float32)
        return _Candidates(rows, dense, lexical)

    def _by_words(self, query: str, others: Rows, admitted: NDArray[np.bool_] | None, most: int) -> tuple[Rows, Scores]:
        """Find the best chunks by their words.

        Args:
            query: The question.
            others: Further chunks that are to be scored, ascending.
            admitted: See `SearchResult`; `others` are of these articles.
            most: How many are found by their words.

        Returns:
            The rows of all of them, ascending, and their scores.
        """
        generation = self.generation
        asked = Counter(terms(query))
        chunks, articles = generation.lexical.scores_of(asked), generation.article_lexical.scores_of(asked)
        passing = articles if admitted is None else np.where(admitted, articles, np.float32(0))
        # The best chunk of an article has its score, and none has more: the best articles hold the best chunks,
        # if each of them has a chunk with any of the words.
        enough = nth_highest(passing, most)
        while True:
            looked_at = passing >= enough if enough > 0 else passing > 0
            looked_at[generation.article_rows.take(others)] = True
            (article_rows,) = looked_at.nonzero()
            rows, places = generation.passages.chunks_of_each(article_rows)
            own = chunks.take(rows)
            scores = words(own, articles.take(article_rows), places)
            # A chunk without any of the words is found for its meaning or not at all.
            found, least = highest(np.where(own > 0, scores, np.float32(0)), most)
            if least >= enough:
                break
            enough = 0.0
        found[rows.searchsorted(others)] = True
        return rows[found], scores[found]

    def _meaning(self, rows: Rows, vector: Vectors) -> Scores:
        passages = self.generation.passages
        return meaning(
            self.generation.dense.cosines(rows, vector),
            passages.best_sentences(rows, vector),
            cosines(passages.article_vectors, passages.article_rows.take(rows), vector),
        )

    def _hit(self, row: int, score: float, scores: HitScores) -> Hit:
        article_row = self.generation.article_rows.item(row)
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
