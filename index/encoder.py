"""The embedder for exported models: its own tokenizing, batching and scaling around a runtime's session."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from index.exporting import MODEL_FILE, Export
from index.pairs import open_tokenizer
from index.runtimes import Engine, TokenIds, Vectors, open_session

PADDED_TO = 8
"""Batches are as long as a multiple of it: runtimes prepare themselves anew for every shape they have not met."""


class ExportedEmbedder:
    """Embeds with an exported model, by the rules of `index.embedding.Embedder`. Several threads may use it."""

    def __init__(self, export: Export, engine: Engine, *, name: str, model_sha256: str) -> None:
        described = export.description
        self.name = name
        self.model_sha256 = model_sha256
        self.engine = engine
        self.dimension = described.dimension
        self.max_tokens = described.longest - described.special_tokens
        self._described = described
        self._session = open_session(engine, export.folder / MODEL_FILE, threads=os.cpu_count() or 1)
        # Two, as cutting off is a setting of the tokenizer: what is set once may be used by any number of threads.
        self._counter = open_tokenizer(export.folder)
        self._tokenizer = open_tokenizer(export.folder)
        self._tokenizer.enable_truncation(described.longest)

    def encode(self, texts: Sequence[str], *, on_batch: Callable[[int], None] | None = None) -> Vectors:
        """Embed texts; see `index.embedding.Embedder.encode`."""
        vectors: Vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]
        for rows in batches([len(ids) for ids in tokens], self._session.tokens_at_once):
            found = self._session.run(self._inputs([tokens[row] for row in rows]))
            # Not left to the model: what was multiplied in bf16 is of unit length only to three digits.
            vectors[rows] = found / np.linalg.norm(found, axis=1, keepdims=True)
            if on_batch is not None:
                on_batch(sum(len(texts[row]) for row in rows))
        return vectors

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count tokens with the model's own tokenizer."""
        return [len(one.ids) for one in self._counter.encode_batch_fast(list(texts), add_special_tokens=False)]

    def _inputs(self, tokens: Sequence[Sequence[int]]) -> dict[str, TokenIds]:
        length = padded(max(map(len, tokens)))
        ids = np.full((len(tokens), length), self._described.pad_id, dtype=np.int64)
        mask = np.zeros((len(tokens), length), dtype=np.int64)
        for row, own in enumerate(tokens):
            ids[row, : len(own)] = own
            mask[row, : len(own)] = 1
        # One text at a time is embedded: all its tokens are of the first kind.
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        return {name: given[name] for name in self._described.inputs}


def batches(lengths: Sequence[int], tokens_at_once: int) -> Iterator[list[int]]:
    """Batch rows of like length, longest first, so that little is padded and memory runs out early if at all.

    Args:
        lengths: Tokens of each text.
        tokens_at_once: Most tokens of a batch, padding included; a longer text is a batch of its own.
    """
    order = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    start = 0
    while start < len(order):
        size = max(1, tokens_at_once // padded(lengths[order[start]]))
        yield order[start : start + size]
        start += size


def padded(length: int) -> int:
    """Give the length that a text is filled up to."""
    return -(-max(length, 1) // PADDED_TO) * PADDED_TO
