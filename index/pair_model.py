"""The shipped embedding model with an adapter that has it read a question and a sentence together, on torch.

The adapter holds low-rank changes of the model's weights (LoRA; Hu and others 2021) and a small head that makes one
number of what the model gives for the first token. Everything else is the embedding model's own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

from index.model_files import ModelRefused, load_safely

FORMAT = "byline-reader/1"

SCALE = 2.0
"""What an adapter's changes are multiplied by."""

_CHANGED = ("query", "key", "value", "dense")
"""Last names of the layers that an adapter changes, inside the encoder."""

_UNUSABLE = (OSError, KeyError, RuntimeError, ValueError, SafetensorError)


class PairModel(nn.Module):
    """A BERT whose first token's state becomes one number: the logit that the sentence answers the question."""

    def __init__(self, bert: nn.Module, width: int) -> None:
        super().__init__()
        self.bert = bert
        self.dense = nn.Linear(width, width)
        self.out = nn.Linear(width, 1)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        """Give the logits, shape (n_pairs, 1); the inputs are of shape (n_pairs, n_tokens)."""
        states = self.bert(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        logits: Tensor = self.out(torch.tanh(self.dense(states.last_hidden_state[:, 0])))
        return logits


class Adapted(nn.Module):
    """A linear layer with a low-rank change beside it, which is all of it that learns."""

    def __init__(self, layer: nn.Linear, rank: int) -> None:
        super().__init__()
        self.layer = layer.requires_grad_(requires_grad=False)
        self.down = nn.Parameter(torch.randn(rank, layer.in_features) / math.sqrt(layer.in_features))
        self.up = nn.Parameter(torch.zeros(layer.out_features, rank))

    def forward(self, states: Tensor) -> Tensor:
        """Give what the layer gives, changed."""
        changed: Tensor = self.layer(states) + (states @ self.down.T) @ self.up.T * SCALE
        return changed


def with_adapter(base: Path, rank: int) -> PairModel:
    """Give a model that is ready to learn: only its adapter does, without dropout.

    Args:
        base: The folder of the embedding model.
        rank: Of the changes.
    """
    # torch's own attention takes half of a step on a CPU that multiplies in bf16, dropout a quarter.
    model = _plain(base, "eager")
    for module in model.bert.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    model.bert.requires_grad_(requires_grad=False)
    for parent, name, layer in list(_layers(model)):
        setattr(parent, name, Adapted(layer, rank))
    return model


def go_on_from(model: PairModel, adapter: Path) -> None:
    """Give a model of `with_adapter` what another one has learned.

    Args:
        model: Of the same rank.
        adapter: What `save_adapter` wrote.

    Raises:
        ModelRefused: The adapter cannot be read, or is of another model or rank.
    """
    try:
        learned = _read_adapter(adapter)
        own = {name for name, value in model.named_parameters() if value.requires_grad}
        if own != set(learned):
            raise KeyError(min(own ^ set(learned)))
        model.load_state_dict(learned, strict=False)
    except _UNUSABLE as error:
        raise ModelRefused(f"training cannot go on from the adapter {adapter}: {error}") from error


def save_adapter(model: PairModel, file: Path, about: dict[str, str]) -> None:
    """Write what a model has learned, in half precision.

    Args:
        model: Of `with_adapter`.
        file: A safetensors file.
        about: How it was made, for people.
    """
    learned = {
        name: value.detach().half().contiguous() for name, value in model.named_parameters() if value.requires_grad
    }
    save_file(learned, file, {"format": FORMAT} | about)


def save_mean(adapters: Sequence[Path], file: Path) -> None:
    """Write an adapter that changes each layer by the mean of several adapters' changes, as near as its rank allows.

    What was trained from one beginning may be averaged, and is often better than each (Wortsman and others 2022); of
    all matrices of a rank the one cut off by singular values is the nearest (Eckart and Young 1936).

    Args:
        adapters: At least one, all of one model and rank.
        file: A safetensors file.

    Raises:
        ModelRefused: An adapter cannot be read, or is of another model or rank than the first.
    """
    learned: list[dict[str, Tensor]] = []
    for adapter in adapters:
        try:
            learned.append(_read_adapter(adapter))
        except _UNUSABLE as error:
            raise ModelRefused(f"the adapter {adapter} cannot be used: {error}") from error
        if _shapes(learned[-1]) != _shapes(learned[0]):
            raise ModelRefused(f"the adapters {adapters[0]} and {adapter} are of other models or ranks")
    mean = {name: torch.stack([one[name] for one in learned]).mean(0) for name in learned[0]}
    for up in [name for name in mean if name.endswith(".up")]:
        down = f"{up.removesuffix('up')}down"
        changes = torch.stack([one[up] @ one[down] for one in learned]).mean(0)
        rank = mean[up].shape[1]
        left, sizes, right = torch.linalg.svd(changes, full_matrices=False)
        halves = sizes[:rank].sqrt()
        mean[up], mean[down] = left[:, :rank] * halves, halves[:, None] * right[:rank]
    halved = {name: value.half().contiguous() for name, value in mean.items()}
    save_file(halved, file, {"format": FORMAT, "mean_of": str(len(learned))})


def _shapes(learned: dict[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in learned.items()}


def load_pair_model(base: Path, adapter: Path, *, attention: str | None = None) -> PairModel:
    """Load the embedding model with an adapter's changes made to its weights.

    Args:
        base: The folder of the embedding model.
        adapter: What `save_adapter` wrote.
        attention: As of `index.model_files.load_safely`.

    Raises:
        ModelRefused: The adapter cannot be read, or is of another model.
    """
    model = _plain(base, attention)
    try:
        learned = _read_adapter(adapter)
        with torch.no_grad():
            for _, _, layer in _layers(model):
                name = _name_of(model, layer)
                layer.weight += SCALE * learned.pop(f"{name}.up") @ learned.pop(f"{name}.down")
        for head in ("dense", "out"):
            own = {name: learned.pop(f"{head}.{name}") for name in ("weight", "bias")}
            model.get_submodule(head).load_state_dict(own)
        if learned:
            raise KeyError(next(iter(learned)))
    except _UNUSABLE as error:
        raise ModelRefused(f"the adapter {adapter} cannot be used with the model in {base}: {error}") from error
    return model.eval()


def _read_adapter(adapter: Path) -> dict[str, Tensor]:
    with safe_open(adapter, "pt") as file:
        if (file.metadata() or {}).get("format") != FORMAT:
            raise ValueError(f"it is no adapter of the form {FORMAT}")
        return {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118  # not a mapping


def _plain(base: Path, attention: str | None = None) -> PairModel:
    embedder = load_safely(SentenceTransformer, base, kind="embedding model", attention=attention)
    bert: Any = embedder[0].auto_model
    return PairModel(bert, int(bert.config.hidden_size))


def _layers(model: PairModel) -> Iterator[tuple[nn.Module, str, nn.Linear]]:
    """Give the layers that an adapter changes, each with what holds it and its name there."""
    encoder: Any = model.bert.encoder
    for parent in encoder.modules():
        for name, layer in parent.named_children():
            if isinstance(layer, nn.Linear) and name in _CHANGED:
                yield parent, name, layer


def _name_of(model: PairModel, wanted: nn.Module) -> str:
    return next(str(name) for name, module in model.named_modules() if module is wanted)
