"""A reader: takes a question and a sentence together and says how likely the sentence answers it.

It is the shipped embedding model with an adapter of its own (`reader.safetensors`; docs/reader.md says how it was
made), whatever model embeds. It runs in the runtime that embeds.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from index.durable import sha256_of
from index.encoder import batches, padded
from index.exporting import MODEL_FILE, REFERENCE_FILE, Export, check_pairs, open_export
from index.model_files import SHIPPED_MODEL, ModelFiles, ModelRefused, check_model, quiet_offline
from index.pairs import Pair, filled, open_tokenizer, pair_tokens
from index.runtimes import REFERENCE, Engine, open_session

Logits = NDArray[np.float32]

MOST_APART = 0.5
"""So far an engine's logits may be from the reference's; bf16 brings a tenth."""

SHIPPED_ADAPTER = Path(__file__).with_name("reader.safetensors")


class Reader(Protocol):
    """What the answerer needs of a reader. May be used by several threads."""

    def read(self, pairs: Sequence[Pair]) -> Logits:
        """Say how likely each sentence answers its question: logits, shape (n_pairs,)."""


class ExportedReader:
    """Reads with an exported model."""

    def __init__(self, export: Export, engine: Engine) -> None:
        self._session = open_session(engine, export.folder / MODEL_FILE, threads=os.cpu_count() or 1)
        self._tokenizer = open_tokenizer(export.folder)

    def read(self, pairs: Sequence[Pair]) -> Logits:
        """Read pairs; see `Reader.read`."""
        logits: Logits = np.empty(len(pairs), dtype=np.float32)
        tokens = pair_tokens(self._tokenizer, pairs)
        for rows in batches([len(one.ids) for one in tokens], self._session.tokens_at_once):
            own = [tokens[row] for row in rows]
            logits[rows] = self._session.run(filled(own, padded(max(len(one.ids) for one in own))))[:, 0]
        return logits


class TorchReader:
    """Reads with torch: the reference."""

    def __init__(self, files: ModelFiles, adapter: Path) -> None:
        quiet_offline()
        from index.pair_model import load_pair_model

        self._model = load_pair_model(files.folder, adapter)
        self._tokenizer = open_tokenizer(files.folder)
        self._reading = threading.Lock()

    def read(self, pairs: Sequence[Pair]) -> Logits:
        """Read pairs; see `Reader.read`."""
        import torch

        logits: Logits = np.empty(len(pairs), dtype=np.float32)
        tokens = pair_tokens(self._tokenizer, pairs)
        with self._reading, torch.inference_mode():
            for rows in batches([len(one.ids) for one in tokens], 512):
                inputs = filled([tokens[row] for row in rows])
                found = self._model(**{name: torch.from_numpy(value) for name, value in inputs.items()})
                logits[rows] = found[:, 0].numpy()
        return logits


def load_reader(engine: Engine, prepared: Path) -> Reader:
    """Load the shipped reader.

    Args:
        engine: What computes it.
        prepared: Folder where exported models are kept.

    Raises:
        ModelRefused: A file of it is missing or is not what it should be, it cannot be exported, or the engine gives
            other logits than torch; torch itself can still run it where only the last two are true.
    """
    files = reader_files()
    if engine == REFERENCE:
        return TorchReader(files, SHIPPED_ADAPTER)
    export = open_export(prepared, files)
    reader = ExportedReader(export, engine)
    found = reader.read(check_pairs())
    wanted = np.load(export.folder / REFERENCE_FILE, allow_pickle=False)[: len(found), 0]
    apart = float(np.abs(found - wanted).max())
    if apart > MOST_APART:
        raise ModelRefused(f"{engine} reads otherwise than torch: its logits of the check texts are {apart:.2f} apart")
    return reader


def prepare_reader(engine: Engine, prepared: Path) -> None:
    """Do what `load_reader` does only once on a machine, some ten seconds long, where it is not done.

    Raises:
        IndexingError: As `index.exporting.open_export`.
    """
    if engine != REFERENCE:
        open_export(prepared, reader_files())


def reader_base() -> Path:
    """Give the folder of the model that the reader's adapter changes.

    Raises:
        ModelRefused: See `index.model_files.check_model`.
    """
    return check_model(SHIPPED_MODEL).folder


def reader_files() -> ModelFiles:
    """Give the files of the shipped reader.

    Raises:
        ModelRefused: See `index.model_files.check_model`.
    """
    base = check_model(SHIPPED_MODEL)
    both = "\n".join([base.model_sha256, sha256_of(SHIPPED_ADAPTER)])
    return ModelFiles(base.folder, hashlib.sha256(both.encode()).hexdigest(), SHIPPED_ADAPTER)
