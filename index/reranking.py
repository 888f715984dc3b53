"""Passages put into order by a cross-encoder, which reads question and passage together. Optional, and slow."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from index.model_files import ModelRefused, check_folder, load_safely, quiet_offline

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

Scores = NDArray[np.float32]

RERANKED = 30
"""Passages that are read again; each costs as much as an embedding."""

_BATCH = 8


class Reranker(Protocol):
    """What a search needs of a reranker. May be used by several threads."""

    def score(self, query: str, texts: Sequence[str]) -> Scores:
        """Say how well each text answers a question: shape (n_texts,), in [0, 1], higher is better."""


class CrossEncoderReranker:
    """A cross-encoder of sentence-transformers with one output."""

    def __init__(self, model: CrossEncoder) -> None:
        self._model = model
        self._reading = threading.Lock()  # a fast tokenizer keeps its padding settings in itself

    def score(self, query: str, texts: Sequence[str]) -> Scores:
        """Score texts; see `Reranker.score`. A text that is longer than the model reads is cut off by it."""
        import torch

        pairs = [(query, text) for text in texts]
        with self._reading:
            scores = self._model.predict(
                pairs, batch_size=_BATCH, activation_fn=torch.nn.Sigmoid(), show_progress_bar=False
            )
        return np.asarray(scores, dtype=np.float32).reshape(len(texts))


def load_reranker(model: str) -> CrossEncoderReranker:
    """Load a cross-encoder from a folder, by the rules for embedding models: safetensors only, and no code.

    Raises:
        ModelRefused: There is none, it cannot be loaded, or it does not give one score for a pair.
    """
    folder = Path(model)
    check_folder(folder, kind="reranker", name=model)
    quiet_offline()
    from sentence_transformers import CrossEncoder

    loaded = load_safely(CrossEncoder, folder, kind="reranker")
    if loaded.num_labels != 1:
        raise ModelRefused(f"the reranker in {folder} gives {loaded.num_labels} scores for a pair; expected one")
    return CrossEncoderReranker(loaded)
