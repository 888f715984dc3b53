"""The floor: the least that the same work costs here with the libraries alone, and nothing of ours around them.

Claim to test: Byline adds little to what its model and its vector index cost anyway. Control: the same model, the same
texts, an index of the same kind, in the same process. Passages are encoded by the library's own defaults (batches of
32, sorted by length, a thread a core); a question by one thread or by all, whichever is faster here, and searched by
one: the floor is to be the least, not what a careless caller would pay. Every figure of Byline stands beside it as a
ratio.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import faiss
import numpy as np

from eval.bench.measure import percentile, timed
from eval.bench.processes import Finished, run_process
from index.embedding import Vectors
from index.generation import DENSE_FILE
from index.model_files import check_model

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BATCH = 32
"""What `SentenceTransformer.encode` takes where nothing is said."""

NEAREST = 100
"""Rows asked of FAISS for a question, as Byline does."""

_BARE_PROCESS = """
import os, sys
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
import faiss
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(sys.argv[1], device="cpu", local_files_only=True)
index = faiss.read_index(sys.argv[2])
vector = model.encode([sys.argv[3]], normalize_embeddings=True, show_progress_bar=False)
index.search(vector, min(int(sys.argv[4]), index.ntotal))
"""


class Floor:
    """The bare model and bare FAISS, over the vectors of a built generation.

    Its methods do the work; whoever calls them holds the clock, makes `ready_for_…` before it and `leave` after it.
    The libraries keep their numbers of threads for the whole process, so that ours would run with those of the floor.
    """

    def __init__(self, model: SentenceTransformer, index: faiss.Index, threads: int) -> None:
        self.threads = threads
        self.question_threads = threads
        self._model = model
        self._index = index
        self._faiss_threads = faiss.omp_get_max_threads()
        # Emptied, it is an index of the same kind, whatever kind that is.
        self._empty = faiss.clone_index(index)
        self._empty.reset()

    @classmethod
    def load(cls, model: str, generation: Path) -> Floor:
        """Load the model that the settings name, once more, and read the FAISS file of a generation.

        Call it before any embedder of ours has computed: torch still has its own number of threads then.

        Raises:
            ModelRefused: There is no such model.
        """
        os.environ["HF_HUB_OFFLINE"] = "1"
        import torch
        from sentence_transformers import SentenceTransformer

        folder = check_model(model).folder
        threads = torch.get_num_threads()
        bare = SentenceTransformer(str(folder), device="cpu", local_files_only=True, trust_remote_code=False)
        return cls(bare, faiss.read_index(str(generation / DENSE_FILE)), threads)

    def choose_threads(self, questions: Sequence[str]) -> None:
        """Find out whether one thread or all encode a question faster here; `question_threads` is the choice."""
        walls: dict[int, list[float]] = {1: [], self.threads: []}
        for question in questions:
            for threads, found in walls.items():
                self._use(threads)
                found.append(timed(partial(self.ask, question)).wall)
        self.question_threads = min(walls, key=lambda threads: percentile(walls[threads], 50))
        self.leave()

    def ready_for_passages(self) -> None:
        """Set the numbers of threads for `embed_and_add`."""
        self._use(self.threads)

    def ready_for_question(self) -> None:
        """Set the numbers of threads for `ask`."""
        self._use(self.question_threads)

    def leave(self) -> None:
        """Give FAISS its own number of threads back; our embedder sets torch's itself."""
        faiss.omp_set_num_threads(self._faiss_threads)

    def _use(self, threads: int) -> None:
        import torch

        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        # For one question there is nothing to share out, and threads that wait for each other can take milliseconds.
        faiss.omp_set_num_threads(1)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Encode texts in batches of `BATCH`; shape (n_texts, dimension), unit rows."""
        encoded = self._model.encode(
            list(texts), batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
        )
        return np.asarray(encoded, dtype=np.float32)

    def embed_and_add(self, texts: Sequence[str]) -> None:
        """Encode texts and add them to an index of the kind that Byline builds."""
        self._empty.add(self.embed(texts))

    def ask(self, question: str) -> None:
        """Encode one question and search its nearest `NEAREST` vectors."""
        self.search(self.embed([question]))

    def search(self, vectors: Vectors) -> None:
        """Search the nearest `NEAREST` vectors of each; shape (n, dimension)."""
        self._index.search(vectors, min(NEAREST, self._index.ntotal))


def bare_process(model: str, generation: Path, question: str) -> Finished:
    """Run a process that imports, loads the model and the FAISS file, answers one search, and ends.

    The floor of a cold start, and, in its peak, of a server's memory.

    Raises:
        ChildFailed: It ended with an error.
    """
    folder = check_model(model).folder
    command = [sys.executable, "-P", "-c", _BARE_PROCESS]
    command += [str(folder), str(generation / DENSE_FILE), question, str(NEAREST)]
    return run_process(command, dict(os.environ))
