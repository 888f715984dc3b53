"""Texts to vectors, by a sentence-transformers model that is read from disk and never runs code of its own.

One `Embedder`, several runtimes: which one computes is chosen by `choose_engine`, and what it computes agrees with
sentence-transformers, the reference.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from index.agreement import WANTED_OVERLAP, Agreement, known_agreement, measure_agreement
from index.encoder import ExportedEmbedder
from index.exporting import Export, open_export
from index.model_files import ModelFiles, ModelRefused, check_model, load_safely, quiet_offline
from index.runtimes import FASTEST_FIRST, REFERENCE, Engine, Precision, Runtime, computed_otherwise, missing
from index.runtimes import Vectors as Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PASSAGE_BATCH = 8
"""Small batches waste the least on padding and cache misses on a CPU (docs/measurements.md)."""


class Embedder(Protocol):
    """What the index needs of an embedding model."""

    @property
    def name(self) -> str:
        """The model's name, as in the settings."""

    @property
    def model_sha256(self) -> str:
        """SHA-256 (hex) of the model's files: two embedders with the same one cut and embed alike."""

    @property
    def engine(self) -> Engine:
        """What computes the vectors: two embedders with the same one give the same to the last digits."""

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
            on_batch: Called after each batch with the number of characters in it; an error that it raises passes.

        Returns:
            Shape (n_texts, dimension), float32, rows of unit length, in the order of `texts`.
        """

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text, special tokens not counted."""


@dataclass(frozen=True, slots=True)
class EmbedderSettings:
    """Which model embeds, and what may compute it.

    Attributes:
        model: The shipped model by its name, or a model folder by its path.
        prepared: Folder where exported models are kept.
        runtime: One of `index.runtimes.Runtime`, or the fastest that there is.
        precision: One of `index.runtimes.Precision`, or the fastest that agrees with the reference.
    """

    model: str
    prepared: Path
    runtime: Runtime | Literal["auto"] = "auto"
    precision: Precision | Literal["auto"] = "auto"

    def allow(self, engine: Engine) -> bool:
        """Tell whether the settings leave room for an engine."""
        return self.runtime in ("auto", engine.runtime) and self.precision in ("auto", engine.precision)

    def engines(self, made_with: Engine | None) -> list[Engine]:
        """Give the engines that may be taken, the one that an index was made with first, then the fastest."""
        order = [made_with, *FASTEST_FIRST] if made_with is not None else FASTEST_FIRST
        return [engine for engine in dict.fromkeys(order) if self.allow(engine)]

    def reason_for(self, engine: Engine, made_with: Engine | None) -> str:
        """Say why an engine is the one that was taken, as a clause."""
        if engine == made_with:
            return "the index was made with it"
        if self.runtime != "auto" or self.precision != "auto":
            return "the settings name it"
        return "it is the fastest here that agrees with the reference"


@dataclass(frozen=True, slots=True)
class ChosenEngine:
    """The engine that computes, and why.

    Attributes:
        engine: The chosen one.
        why: As a clause, for a person.
        passed_over: Why engines that would have come first were not taken, each as a clause.
        agreement: With the reference; None for the reference itself.
        export: The model in the engine's form; None for torch.
    """

    engine: Engine
    why: str
    passed_over: tuple[str, ...] = ()
    agreement: Agreement | None = None
    export: Export | None = None


def choose_engine(files: ModelFiles, settings: EmbedderSettings, made_with: Engine | None = None) -> ChosenEngine:
    """Choose what computes the vectors of a model on this machine.

    That is what an index was made with, if the settings allow it and this machine can: questions are then embedded
    as its passages were. Else it is the fastest whose results agree with the reference. The first choice on a machine
    exports the model and compares, which takes some ten seconds; the outcome is remembered in `settings.prepared`.

    Args:
        files: The model.
        settings: What may be taken.
        made_with: What computed the vectors of the index that there is.

    Raises:
        ModelRefused: The settings leave none that this machine has and that agrees; the message says what became of
            each.
    """
    passed_over: list[str] = []
    for engine in settings.engines(made_with):
        lack = missing(engine)
        if lack is not None:
            passed_over.append(f"{engine}: {lack}")
            continue
        why = settings.reason_for(engine, made_with)
        if engine == REFERENCE:
            return ChosenEngine(engine, why, tuple(passed_over))
        try:
            export = open_export(settings.prepared, files)
            found = known_agreement(export, engine) or measure_agreement(export, engine)
        except (ModelRefused, OSError) as error:  # such as a folder that may not be written to
            passed_over.append(f"{engine}: {error}")
            continue
        if found.suffices:
            return ChosenEngine(engine, why, tuple(passed_over), found, export)
        passed_over.append(
            f"{engine}: it finds {found.overlap:.1%} of what the reference finds, wanted are {WANTED_OVERLAP:.0%}"
        )
    wanted = f"embedding_runtime {settings.runtime!r} with embedding_precision {settings.precision!r}"
    reasons = "; ".join(passed_over) or "there is no such combination"
    raise ModelRefused(f"the embedding model {settings.model!r} cannot be run by {wanted}: {reasons}")


def engine_difference(made_with: Engine, settings: EmbedderSettings) -> str | None:
    """Say why an index must be embedded anew for what computes it, without preparing anything; None where it need not.

    Args:
        made_with: What computed the vectors of the index.
        settings: What may compute them now.
    """
    if not settings.allow(made_with):
        wanted = " ".join(part for part in (settings.runtime, settings.precision) if part != "auto")
        return computed_otherwise(wanted, made_with)
    lack = missing(made_with)
    return f"the index was embedded by {made_with}, which cannot be had here: {lack}" if lack is not None else None


class SentenceTransformerEmbedder:
    """The reference embedder. One instance may be used by several threads."""

    engine = REFERENCE

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
                on_batch(sum(len(texts[row]) for row in rows))
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
    """An embedder whose model is checked at once, and loaded when it is first used.

    For builds, which often find that there is nothing to embed. Used by one thread.
    """

    def __init__(self, settings: EmbedderSettings, made_with: Engine | None = None) -> None:
        self._files = check_model(settings.model)
        self._settings = settings
        self._made_with = made_with
        self.name = settings.model
        self.model_sha256 = self._files.model_sha256

    @cached_property
    def _chosen(self) -> ChosenEngine:
        return choose_engine(self._files, self._settings, self._made_with)

    @cached_property
    def _embedder(self) -> Embedder:
        return _load(self._files, self._chosen, self.name)

    @property
    def engine(self) -> Engine:
        """What computes the vectors."""
        return self._chosen.engine

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


def load_embedder(settings: EmbedderSettings, made_with: Engine | None = None) -> Embedder:
    """Load the model of the settings, in the runtime that `choose_engine` takes.

    Raises:
        ModelRefused: As `check_model` and `choose_engine`, or the folder holds no model that can be loaded.
    """
    files = check_model(settings.model)
    return _load(files, choose_engine(files, settings, made_with), settings.model)


def _load(files: ModelFiles, chosen: ChosenEngine, name: str) -> Embedder:
    if chosen.export is not None:
        return ExportedEmbedder(chosen.export, chosen.engine, name=name, model_sha256=files.model_sha256)
    quiet_offline()
    from sentence_transformers import SentenceTransformer

    model = load_safely(SentenceTransformer, files.folder, kind="embedding model")
    return SentenceTransformerEmbedder(model, name=name, model_sha256=files.model_sha256)


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
