"""Ranking articles as wholes, as the field's baselines do: the reference that our own ranking is compared with.

Words are told by bm25s's own tokenizer with its English stop words, not by `index.lexical.terms`, so that figures
can be held against published ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import bm25s
import numpy as np
import Stemmer

from eval.retrieval import DEPTH
from eval.sets.questions import article_key
from index.embedding import Embedder, Vectors
from index.fusion import Scores, weighted_sum
from index.searcher import CANDIDATES, Mode
from ingest.article import Article
from ingest.chunking import embedded_text
from service.settings import Settings


class WholeArticles:
    """BM25 over whole articles, and one vector an article, cut off where the model stops reading. Held in memory."""

    def __init__(self, articles: Sequence[Article], settings: Settings, embedder: Embedder, *, dense: bool) -> None:
        self._names = [article_key(article) for article in articles]
        texts = [embedded_text(_title(article) if settings.chunk_title else "", article.text) for article in articles]
        self._embedder = embedder
        # The model cuts every text off where it stops reading.
        self._vectors: Vectors | None = embedder.encode(texts) if dense else None
        self._stemmer = Stemmer.Stemmer("english")
        self._bm25 = bm25s.BM25(method="lucene", k1=1.5, b=0.75, backend="numpy")
        self._bm25.index(self._tokens(texts), show_progress=False)

    def rank(self, query: str, mode: Mode) -> list[str]:
        """Give the names of the best articles in a mode, best first; the modes are those of the searcher.

        Raises:
            ValueError: The mode needs vectors and none were made.
        """
        rows = np.arange(len(self._names))
        if mode == "lexical":
            scores = self._bm25_scores(query)
        elif mode == "dense":
            scores = self._cosines(query)
        else:
            dense, lexical = self._cosines(query), self._bm25_scores(query)
            rows = np.union1d(*(np.argsort(-side, kind="stable")[:CANDIDATES] for side in (dense, lexical)))
            scores = weighted_sum(dense[rows], lexical[rows])
        order = np.lexsort((rows, -scores))[:DEPTH]
        return [self._names[int(rows[place])] for place in order if scores[place] > 0]

    def _tokens(self, texts: list[str]) -> list[list[str]]:
        tokens: list[list[str]] = bm25s.tokenize(
            texts, stopwords="en", stemmer=self._stemmer, return_ids=False, show_progress=False
        )
        return tokens

    def _bm25_scores(self, query: str) -> Scores:
        words = self._tokens([query])[0]
        if not words:
            return np.zeros(len(self._names), dtype=np.float32)
        return np.asarray(self._bm25.get_scores(words), dtype=np.float32)

    def _cosines(self, query: str) -> Scores:
        if self._vectors is None:
            raise ValueError("no vectors were made; ask for them with dense=True")
        cosines: Scores = self._vectors @ self._embedder.encode([query])[0]
        return np.maximum(cosines, 0)


def _title(article: Article) -> str:
    """Give the title that the set has; one that was made of the text's first words is there already."""
    return "" if article.title_source == "lead" else article.title
