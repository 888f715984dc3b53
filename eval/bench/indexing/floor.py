"""The least that embedding some texts costs here: a process with the bare library and nothing of ours."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.bench.floor import BATCH
from eval.bench.measure import Cost
from eval.bench.processes import Finished, run_process
from index.model_files import check_model

_EMBED = """
import json, os, sys, time
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
from sentence_transformers import SentenceTransformer
with open(sys.argv[2], encoding="utf-8") as file:
    kinds = json.load(file)
model = SentenceTransformer(sys.argv[1], device="cpu", local_files_only=True)
wall, cpu = time.perf_counter(), time.process_time()
for texts in kinds:
    model.encode(texts, batch_size=int(sys.argv[3]), normalize_embeddings=True, show_progress_bar=False)
print(json.dumps({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}))
"""


@dataclass(frozen=True, slots=True)
class Embedded:
    """What embedding some texts took: the whole process, start to end, and the encoding alone within it."""

    process: Finished
    encoding: Cost


def embed_in_bare_process(model: str, kinds: Sequence[Sequence[str]]) -> Embedded:
    """Start a process that imports the library, loads the model, encodes texts, and ends.

    Args:
        model: As in the settings.
        kinds: Texts of each kind, encoded one kind after the other in the library's default batches.

    Raises:
        ChildFailed: It ended with an error.
        ModelRefused: There is no such model.
    """
    folder = check_model(model).folder
    with tempfile.TemporaryDirectory(prefix="byline-bench-texts-") as place:
        texts = Path(place) / "texts.json"
        texts.write_text(json.dumps([list(kind) for kind in kinds]), encoding="utf-8")
        command = [sys.executable, "-P", "-c", _EMBED, str(folder), str(texts), str(BATCH)]
        process = run_process(command, dict(os.environ))
    took = json.loads(process.stdout)
    return Embedded(process, Cost(took["wall"], took["cpu"]))
