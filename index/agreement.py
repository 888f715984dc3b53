"""Whether a runtime finds what the reference finds, measured before it is used and remembered beside the export."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from index.durable import locked, naming_full_storage, replace_text
from index.encoder import ExportedEmbedder
from index.exporting import LOCK_FILE, REFERENCE_FILE, Export, check_texts
from index.runtimes import Engine, Vectors, processor, runtime_version

WANTED_OVERLAP = 0.99
"""So much of the reference's ten nearest passages a runtime must find, as the mean over questions."""

FIRST = 10

_TIE = 1e-5
"""Passages that are so close to each other for the reference may change places."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How an engine compares with the reference.

    Attributes:
        overlap: Share of the ten nearest passages of the reference that it finds, too, as the mean over questions.
        lowest_cosine: Between its vector of a text and the reference's, the lowest of all texts.
        texts_per_second: Its speed with the check texts: a hint, measured once on a machine that others may have used.
    """

    overlap: float
    lowest_cosine: float
    texts_per_second: float

    @property
    def suffices(self) -> bool:
        """Tell whether the engine may stand in for the reference."""
        return self.overlap >= WANTED_OVERLAP


def agreement(reference: Vectors, vectors: Vectors, questions: int) -> tuple[float, float]:
    """Compare an engine's vectors with the reference's.

    Args:
        reference: Of the questions, then the passages, shape (n, dimension), unit length.
        vectors: The engine's, of the same.
        questions: How many of the rows are questions.

    Returns:
        `overlap` and `lowest_cosine` of an `Agreement`.
    """
    right, found = (both[:questions] @ both[questions:].T for both in (reference, vectors))
    wanted = min(FIRST, right.shape[1])
    needed = np.partition(right, -wanted, axis=1)[:, -wanted][:, np.newaxis] - _TIE
    best = np.argpartition(found, -wanted, axis=1)[:, -wanted:]
    overlap = (np.take_along_axis(right, best, axis=1) >= needed).mean()
    return round(float(overlap), 4), round(float((reference * vectors).sum(axis=1).min()), 6)


def known_agreement(export: Export, engine: Engine) -> Agreement | None:
    """Give what was measured of this engine on this processor, None where nothing was."""
    try:
        values = json.loads(_file(export, engine).read_text(encoding="utf-8"))
        return Agreement(**values["agreement"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


@naming_full_storage()
def measure_agreement(export: Export, engine: Engine) -> Agreement:
    """Have an engine embed the check texts, compare them with the reference's, and remember it."""
    questions, passages = check_texts()
    embedder = ExportedEmbedder(export, engine, name=engine.runtime, model_sha256="")
    embedder.encode(passages[:8])  # what is done once only is no part of its speed
    began = time.monotonic()
    vectors = np.concatenate([embedder.encode(questions), embedder.encode(passages)])
    seconds = max(time.monotonic() - began, 1e-6)
    reference = np.load(export.folder / REFERENCE_FILE, allow_pickle=False)
    overlap, lowest = agreement(reference, vectors, len(questions))
    measured = Agreement(overlap, lowest, round(len(vectors) / seconds, 1))
    about = {"engine": str(engine), "version": runtime_version(engine.runtime), "processor": processor()}
    with locked(export.folder.parent / LOCK_FILE):
        replace_text(_file(export, engine), json.dumps(about | {"agreement": asdict(measured)}, indent=1) + "\n")
    return measured


def _file(export: Export, engine: Engine) -> Path:
    """Name the file of what was measured: another version or processor takes other code."""
    measured = "\n".join([str(engine), runtime_version(engine.runtime), processor()])
    digest = hashlib.sha256(measured.encode()).hexdigest()[:12]
    return export.folder / f"agreement-{engine.runtime}-{engine.precision}-{digest}.json"
