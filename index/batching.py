"""Questions of several threads embedded together, and the latest ones remembered."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence

import numpy as np

from index.embedding import Embedder
from index.runtimes import Vectors

REMEMBERED = 2_000
"""Texts whose vectors are kept: some three megabytes for the shipped model."""

TEXTS_AT_ONCE = 64


class _Asked:
    """Texts that a thread waits for, then their vectors or what went wrong."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts
        self.vectors: Vectors | None = None
        self.error: BaseException | None = None

    @property
    def is_answered(self) -> bool:
        return self.vectors is not None or self.error is not None


class BatchingEmbedder:
    """An embedder for many threads with few texts each; by the rules of `index.embedding.Embedder`.

    While one batch is computed, whoever comes waits and makes up the next one together. So a thread that is alone never
    waits, and the more there are, the larger the batches. Not for builds: their batches are large as they are.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.name = embedder.name
        self.model_sha256 = embedder.model_sha256
        self.engine = embedder.engine
        self.dimension = embedder.dimension
        self.max_tokens = embedder.max_tokens
        self._embedder = embedder
        self._lock = threading.Lock()
        self._waiting: list[_Asked] = []
        self._known: OrderedDict[str, Vectors] = OrderedDict()
        self._computing = threading.Lock()
        self._batches: Counter[int] = Counter()

    @property
    def batches(self) -> dict[int, int]:
        """How many batches of each number of texts were computed."""
        with self._lock:
            return dict(self._batches)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count tokens; see `Embedder.count_tokens`."""
        return self._embedder.count_tokens(texts)

    def encode(self, texts: Sequence[str], *, on_batch: Callable[[int], None] | None = None) -> Vectors:
        """Embed texts; see `Embedder.encode`. `on_batch` is called once, in the end."""
        found = self._remembered(texts)
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        if missing:
            found |= dict(zip(missing, self._computed(missing), strict=True))
        if on_batch is not None and texts:
            on_batch(sum(map(len, texts)))
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        return np.stack([found[text] for text in texts])

    def _remembered(self, texts: Sequence[str]) -> dict[str, Vectors]:
        with self._lock:
            found = {text: self._known[text] for text in texts if text in self._known}
            for text in found:
                self._known.move_to_end(text)
        return found

    def _computed(self, texts: list[str]) -> Vectors:
        mine = _Asked(texts)
        with self._lock:
            self._waiting.append(mine)
        with self._computing:
            # Whoever was here before may have taken these texts along, or so many others that they are not next.
            while not mine.is_answered:
                self._compute(self._next())
        if mine.vectors is None:
            raise mine.error or RuntimeError("texts were given up unembedded")
        return mine.vectors

    def _next(self) -> list[_Asked]:
        """Take the next texts off the line, the first that came first."""
        with self._lock:
            taken, count = 0, 0
            for asked in self._waiting:
                count += len(asked.texts)
                if taken and count > TEXTS_AT_ONCE:
                    break
                taken += 1
            batch, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return batch

    def _compute(self, batch: Sequence[_Asked]) -> None:
        texts = list(dict.fromkeys(text for asked in batch for text in asked.texts))
        try:
            vectors = self._embedder.encode(texts)
        except BaseException as error:  # noqa: BLE001  # everyone who waits for these texts raises it
            for asked in batch:
                asked.error = error
            return
        row_of = {text: row for row, text in enumerate(texts)}
        for asked in batch:
            asked.vectors = vectors[[row_of[text] for text in asked.texts]]
        with self._lock:
            self._batches[len(texts)] += 1
            self._known.update(zip(texts, vectors, strict=True))
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
