"""Ranking articles as wholes: the reference that ranking by the best chunk is compared with."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eval.retrieval import DEPTH
from index.embedding import Embedder, Vectors
from index.fusion import Scores, weighted_sum
from index.lexical import LexicalIndex, write_lexical
from index.searcher import CANDIDATES, Mode
from ingest.article import Article
from ingest.chunking import embedded_text
from service.settings import Settings


class WholeArticles:
    """BM25 over whole articles, and one vector an article, cut off where the model stops reading. Held in memory."""

    def __init__(self, articles: Sequence[Article], settings: Settings, embedder: Embedder, *, dense: bool) -> None:
        self._names = [article.external_id or article.id for article in articles]
        texts = [embedded_text(article.title if settings.chunk_title else "", article.text) for article in articles]
        self._embedder = embedder
        # The model cuts every text off where it stops reading.
        self._vectors: Vectors | None = embedder.encode(texts) if dense else None
        with tempfile.TemporaryDirectory() as folder:
            write_lexical(texts, Path(folder) / "bm25")
            self._lexical = LexicalIndex.open(Path(folder) / "bm25")

    def rank(self, query: str, mode: Mode) -> list[str]:
        """Give the names of the best articles in a mode, best first; the modes are those of the searcher.

        Raises:
            ValueError: The mode needs vectors and none were made.
        """
        rows = np.arange(len(self._names))
        if mode == "lexical":
            scores = self._lexical.scores(query)
        elif mode == "dense":
            scores = self._cosines(query)
        else:
            dense, lexical = self._cosines(query), self._lexical.scores(query)
            rows = np.union1d(*(np.argsort(-side, kind="stable")[:CANDIDATES] for side in (dense, lexical)))
            scores = weighted_sum(dense[rows], lexical[rows])
        order = np.lexsort((rows, -scores))[:DEPTH]
        return [self._names[int(rows[place])] for place in order if scores[place] > 0]

    def _cosines(self, query: str) -> Scores:
        if self._vectors is None:
            raise ValueError("no vectors were made; ask for them with dense=True")
        cosines: Scores = self._vectors @ self._embedder.encode([query])[0]
        return np.maximum(cosines, 0)
