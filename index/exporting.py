"""An embedding model in the form that runtimes other than torch read, made once from the weights that torch loads.

`<prepared>/<model's hash>/` holds the ONNX file, the tokenizer, the reference's vectors of the texts in `index/check`,
and `export.json` with the SHA-256 of each. It is made by a process of its own: torch's memory ends with it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

from index.durable import fsync_folder, fsync_tree, locked, make_folder, naming_full_storage, replace_text, sha256_of
from index.model_files import ModelFiles, ModelRefused, load_safely, quiet_offline
from index.pairs import TOKENIZER_FILE, Pair

FORMAT = 1
OPSET = 17

MODEL_FILE = "model.onnx"
REFERENCE_FILE = "reference.npy"
RECORD_FILE = "export.json"
_DESCRIPTION_FILE = "description.json"
LOCK_FILE = "lock"

CHECKED_PAIRS = 16


@dataclass(frozen=True, slots=True)
class Description:
    """What an encoder must know of an exported model.

    Attributes:
        dimension: Length of a vector.
        longest: Most tokens of a text that it reads, special tokens counted.
        special_tokens: How many of them are special.
        inputs: Names of its inputs.
        pad_id: Token that fills a batch up.
        made_with: Versions of what exported it.
    """

    dimension: int
    longest: int
    special_tokens: int
    inputs: tuple[str, ...]
    pad_id: int
    made_with: str


@dataclass(frozen=True, slots=True)
class Export:
    """An exported model on disk whose files are as they were written."""

    folder: Path
    description: Description


def check_texts() -> tuple[list[str], list[str]]:
    """Give the questions and passages that runtimes are compared by."""
    folder = resources.files("index") / "check"
    questions, passages = (
        (folder / name).read_text(encoding="utf-8").splitlines() for name in ("questions.txt", "passages.txt")
    )
    return questions, passages


def check_pairs() -> list[Pair]:
    """Give the questions and passages that runtimes of a reader are compared by."""
    questions, passages = check_texts()
    return [Pair(*both) for both in zip(questions[:CHECKED_PAIRS], passages, strict=False)]


@naming_full_storage()
def open_export(prepared: Path, files: ModelFiles) -> Export:
    """Give the export of a model, making it where it is missing, outdated or damaged: that takes some ten seconds.

    Args:
        prepared: Where exports are kept.
        files: The model.

    Raises:
        ModelRefused: The model cannot be exported; torch can still run it.
        StorageFull: No space for it.
    """
    folder = prepared / files.model_sha256[:16]
    found = _read(folder, files)
    if found is not None:
        return found
    make_folder(prepared)
    with locked(prepared / LOCK_FILE):
        found = _read(folder, files)  # another process may have made it meanwhile
        if found is None:
            _refuse_known(folder, files)
            _make(folder, files)
            found = _read(folder, files)
    if found is None:
        raise ModelRefused(f"the export in {folder} is not as it was just written; look after the disk")
    return found


def _read(folder: Path, files: ModelFiles) -> Export | None:
    """Verify an export; None where it is missing, of another time, or damaged."""
    try:
        record = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8"))
        if record["format"] != FORMAT or record["model"] != files.model_sha256 or record["texts"] != _texts_sha256():
            return None
        if any(sha256_of(folder / name) != digest for name, digest in record["files"].items()):
            return None
        values = record["description"]
        return Export(folder, Description(**values | {"inputs": tuple(values["inputs"])}))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _texts_sha256() -> str:
    return hashlib.sha256("\n".join(["", *check_texts()[0], "", *check_texts()[1]]).encode()).hexdigest()


def _make(folder: Path, files: ModelFiles) -> None:
    staged = folder.with_name(f"{folder.name}.tmp")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir()
    command = [sys.executable, "-P", "-m", "index.exporting", str(files.folder.absolute()), str(staged.absolute())]
    if files.adapter is not None:
        command.append(str(files.adapter.absolute()))
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603  # our own command
    if done.returncode != 0:
        shutil.rmtree(staged, ignore_errors=True)
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        if done.returncode == 1:  # the model's fault, not the disk's or a signal: it would come again
            replace_text(_refusal(folder), json.dumps({"by": _exporter(), "reason": reason}) + "\n")
        raise _not_exported(files, reason)
    description = json.loads((staged / _DESCRIPTION_FILE).read_text(encoding="utf-8"))
    (staged / _DESCRIPTION_FILE).unlink()
    record = {
        "format": FORMAT,
        "model": files.model_sha256,
        "texts": _texts_sha256(),
        "description": description,
        "files": {name: sha256_of(staged / name) for name in (MODEL_FILE, TOKENIZER_FILE, REFERENCE_FILE)},
    }
    fsync_tree(staged)
    replace_text(staged / RECORD_FILE, json.dumps(record, indent=1) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    staged.rename(folder)
    fsync_folder(folder.parent)


def _refuse_known(folder: Path, files: ModelFiles) -> None:
    """Raise what the same exporter said of the same model before: asking it again takes seconds at every start."""
    try:
        refusal = json.loads(_refusal(folder).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    if isinstance(refusal, dict) and refusal.get("by") == _exporter():
        raise _not_exported(files, str(refusal.get("reason")))


def _refusal(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.refused.json")


def _not_exported(files: ModelFiles, reason: str) -> ModelRefused:
    return ModelRefused(f"the model in {files.folder} cannot be exported for other runtimes than torch: {reason}")


def _exporter() -> str:
    """Name what exports, by its versions."""
    return ", ".join(f"{name} {version(name)}" for name in ("torch", "sentence-transformers", "onnx"))


def export(model_folder: Path, target: Path, adapter: Path | None = None) -> None:
    """Export a model by torch, with what the reference gives for the check texts; for a process of its own.

    Args:
        model_folder: What `index.model_files.check_model` has passed.
        target: An empty folder.
        adapter: What makes a reader of it (`index.pair_model`); None to export the embedding model itself.
    """
    quiet_offline()
    description = (
        _export_embedder(model_folder, target) if adapter is None else _export_reader(model_folder, adapter, target)
    )
    (target / _DESCRIPTION_FILE).write_text(json.dumps(asdict(description)), encoding="utf-8")


def _export_embedder(model_folder: Path, target: Path) -> Description:
    import numpy as np
    import torch
    from sentence_transformers import SentenceTransformer

    # Attention written out: the fused one exports to twice as many steps.
    model = load_safely(SentenceTransformer, model_folder, kind="embedding model", attention="eager").eval()
    texts = [text for group in check_texts() for text in group]
    vectors = model.encode(texts, batch_size=8, show_progress_bar=False, normalize_embeddings=True)
    np.save(target / REFERENCE_FILE, np.asarray(vectors, dtype=np.float32), allow_pickle=False)
    # Of different lengths, so that the padding's part in the model is exported, too.
    features = {name: value for name, value in model.preprocess(texts[:2]).items() if isinstance(value, torch.Tensor)}
    names = tuple(features)

    class Whole(torch.nn.Module):
        """The model with its pooling, as one function of its inputs."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *inputs: Any) -> Any:  # noqa: ANN401  # tensors
            return self.model(dict(zip(names, inputs, strict=True)))["sentence_embedding"]

    _write_onnx(Whole(), features, target)
    tokenizer = model.tokenizer
    (target / TOKENIZER_FILE).write_text(tokenizer.backend_tokenizer.to_str(), encoding="utf-8")
    return Description(
        dimension=int(vectors.shape[1]),
        longest=int(model.max_seq_length or 0),
        special_tokens=int(tokenizer.num_special_tokens_to_add()),
        inputs=names,
        pad_id=int(tokenizer.pad_token_id or 0),
        made_with=_exporter(),
    )


def _export_reader(model_folder: Path, adapter: Path, target: Path) -> Description:
    import numpy as np
    import torch

    from index.pair_model import load_pair_model
    from index.pairs import LONGEST_TOKENS, filled, open_tokenizer, pair_tokens

    model = load_pair_model(model_folder, adapter, attention="eager")
    tokenizer = open_tokenizer(model_folder)
    tokens = pair_tokens(tokenizer, check_pairs())
    with torch.inference_mode():
        logits = [
            model(**{name: torch.from_numpy(value) for name, value in filled([one]).items()}).numpy() for one in tokens
        ]
    np.save(target / REFERENCE_FILE, np.concatenate(logits).astype(np.float32), allow_pickle=False)
    features = {name: torch.from_numpy(value) for name, value in filled(tokens[:2]).items()}
    _write_onnx(model, features, target)
    (target / TOKENIZER_FILE).write_text(tokenizer.to_str(), encoding="utf-8")
    return Description(
        dimension=1, longest=LONGEST_TOKENS, special_tokens=0, inputs=tuple(features), pad_id=0, made_with=_exporter()
    )


def _write_onnx(model: Any, features: Mapping[str, Any], target: Path) -> None:  # noqa: ANN401  # torch's module, tensors
    """Write a model as ONNX: inputs by name, of any number of texts and tokens; the output has a row for each text."""
    import warnings

    import torch

    with torch.no_grad(), warnings.catch_warnings():
        # The exporter that is no longer the default: the new one needs two packages more and gives the same numbers.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            tuple(features.values()),
            str(target / MODEL_FILE),
            input_names=list(features),
            output_names=["embedding"],
            dynamic_axes={name: {0: "texts", 1: "tokens"} for name in features} | {"embedding": {0: "texts"}},
            opset_version=OPSET,
            dynamo=False,
        )


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        export(Path(sys.argv[1]), Path(sys.argv[2]), *map(Path, sys.argv[3:]))
    except OSError as storage:
        print(storage, file=sys.stderr)  # noqa: T201  # to the process that waits for it
        sys.exit(os.EX_IOERR)
