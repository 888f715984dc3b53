"""A small model made of the shipped one, for libraries whose embedding would take hours.

It has the shipped model's embeddings and its first layers, and its tokenizer: texts are cut and counted as with the
shipped one, and embedded many times faster. What it finds is of no use: only what is not embedding can be judged by it.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from index.model_files import SHIPPED_MODEL, check_model

MAX_LAYERS = 1
"""More would be hardly faster than the model itself, which has six."""

_LAYER = re.compile(r"encoder\.layer\.(\d+)\.")
_NOT_LOADED = ("model.safetensors", "README.md", ".git*", "data_config.json")


def make_stand_in(folder: Path, layers: int) -> Path:
    """Write the model to a folder, which is made; the same bytes every time.

    Args:
        folder: Must not exist.
        layers: Layers of the encoder that are kept, from 0 to `MAX_LAYERS`.

    Returns:
        The folder.

    Raises:
        ValueError: `layers` is out of range.
        ModelRefused: The shipped model is missing or is not what it should be.
    """
    if not 0 <= layers <= MAX_LAYERS:
        raise ValueError(f"a stand-in of {layers} layers; expected 0 to {MAX_LAYERS}")
    from safetensors.torch import load_file, save_file

    shipped = check_model(SHIPPED_MODEL).folder
    shutil.copytree(shipped, folder, ignore=shutil.ignore_patterns(*_NOT_LOADED))
    kept = {
        name: weights
        for name, weights in load_file(shipped / "model.safetensors").items()
        if (layer := _LAYER.match(name)) is None or int(layer.group(1)) < layers
    }
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((shipped / "config.json").read_text(encoding="utf-8"))
    changed = json.dumps(config | {"num_hidden_layers": layers}, indent=2)
    (folder / "config.json").write_text(changed + "\n", encoding="utf-8")
    return folder


def describe_stand_in(layers: int) -> str:
    """Say what the model is, in place of its folder."""
    return f"stand-in: the embeddings and the first {layers} layers of {SHIPPED_MODEL}"


def warning_of_stand_in(layers: int) -> str:
    """Say what the figures of a run with the model are not."""
    return (
        f"A stand-in took the place of the embedding model: the embeddings and the first {layers} of the 6 layers of "
        f"{SHIPPED_MODEL}. Times of embedding, and what a search finds, are not the product's; compare only with "
        "figures of the same stand-in."
    )
