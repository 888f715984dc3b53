"""Training the reader: from questions with candidate sentences to an adapter of the shipped model.

Each question brings one sentence that answers it, or none, and a few that do not. The model learns to put the first
above the others and above zero, which stands for "none of them" (softmax over the candidates and zero), and to tell
each by itself (logistic loss). docs/reader.md says from what data the shipped adapter was made.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sklearn.metrics import roc_auc_score

from eval.reader_rows import Drawn, TrainingRow, read_rows
from eval.watching import Watch
from index.embedding import Embedder
from index.model_files import quiet_offline
from index.pairs import Pair, filled, open_tokenizer, pair_tokens
from index.reader import reader_base

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

    from index.pair_model import PairModel

QUESTIONS_AT_ONCE = 8

ALONE_WEIGHT = 0.5
"""Of the logistic loss beside the softmax, where a wrong candidate counts half."""

LENGTH_STEP = 16
"""Pairs are filled up to a multiple of so many tokens."""

WARM_UP = 0.06
SET_ASIDE = 40
"""Every so many-th question is not learned from, but says how well the others taught."""

_POOLED_BATCHES = 40


@dataclass(frozen=True, slots=True)
class Change:
    """A figure before training and after."""

    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Trained:
    """What training gave, told by questions that were set aside, before and after.

    Attributes:
        questions: How many were learned from.
        set_aside: How many were not.
        right: Share of answered ones whose right candidate came first of `WRONG_ONES` + 1.
        told_apart: Area under the ROC curve of the highest logit, answered questions against those without an answer;
            None where only one kind was set aside.
    """

    questions: int
    set_aside: int
    right: Change
    told_apart: Change | None


def train(
    files: Sequence[Path],
    out: Path,
    embedder: Embedder,
    *,
    rank: int = 16,
    epochs: float = 1.0,
    rate: float = 1e-3,
    seed: int = 0,
    start: Path | None = None,
    watch: Watch | None = None,
) -> Trained:
    """Train an adapter for the shipped model and write it.

    Args:
        files: See `read_rows`.
        out: The safetensors file to write.
        embedder: See `read_rows`.
        rank: Of the adapter's changes.
        epochs: How often each question is learned from.
        rate: Largest learning rate; it rises from 0, and falls to 0 in the end.
        seed: Of everything that is drawn.
        start: An adapter of the same rank to go on from; None to begin anew.
        watch: Told of the progress.

    Raises:
        DatasetError: As `read_rows`.
        ModelRefused: The shipped model is missing, or `start` cannot be used.
    """
    choice = random.Random(seed)  # noqa: S311  # nothing secret is drawn
    rows = read_rows(files, embedder, choice)
    quiet_offline()
    import torch

    from index.pair_model import go_on_from, save_adapter, with_adapter

    torch.manual_seed(seed)
    choice.shuffle(rows)
    rows.sort(key=lambda row: 1 not in row.labels)  # both kinds are set aside
    aside = [row.draw(choice) for row in rows[::SET_ASIDE]]
    learned = [row for place, row in enumerate(rows) if place % SET_ASIDE]
    base = reader_base()
    tokenizer = open_tokenizer(base)
    model = with_adapter(base, rank)
    if start is not None:
        go_on_from(model, start)
    before = _judged(model, tokenizer, aside)
    steps = max(1, int(epochs * len(learned) / QUESTIONS_AT_ONCE))
    with (watch or Watch()).steps("training", steps) as step:
        _learn(model, tokenizer, _batches(learned, choice), steps=steps, rate=rate, step=step)
    after = _judged(model, tokenizer, aside)
    save_adapter(model, out, {"questions": str(len(learned)), "epochs": str(epochs), "rank": str(rank)})
    told_apart = Change(before[1], after[1]) if before[1] is not None and after[1] is not None else None
    return Trained(len(learned), len(aside), Change(before[0], after[0]), told_apart)


def _learn(
    model: PairModel,
    tokenizer: Tokenizer,
    batches: Iterator[list[Drawn]],
    *,
    steps: int,
    rate: float,
    step: Callable[[], None],
) -> None:
    """Make so many steps of AdamW, after which the rate is 0."""
    import torch

    parameters = [value for value in model.parameters() if value.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=rate)
    model.train()
    for number, questions in enumerate(itertools.islice(batches, steps)):
        for group in optimizer.param_groups:
            group["lr"] = rate * min((number + 1) / (WARM_UP * steps + 1), (steps - number) / ((1 - WARM_UP) * steps))
        loss = _loss(_logits(model, tokenizer, [pair for one in questions for pair in one.pairs]), questions)
        loss.backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        step()


def _batches(rows: Sequence[TrainingRow], choice: random.Random) -> Iterator[list[Drawn]]:
    """Draw batches of questions for ever, each of like length so that little is padded."""
    pooled = QUESTIONS_AT_ONCE * _POOLED_BATCHES
    while True:
        drawn = [row.draw(choice) for row in choice.sample(rows, len(rows))]
        batches = []
        for start in range(0, len(drawn), pooled):
            pool = sorted(drawn[start : start + pooled], key=_longest)
            batches += [pool[first : first + QUESTIONS_AT_ONCE] for first in range(0, len(pool), QUESTIONS_AT_ONCE)]
        choice.shuffle(batches)
        yield from batches


def _longest(drawn: Drawn) -> int:
    return max(len(pair.question) + len(pair.sentence) + len(pair.context) for pair in drawn.pairs)


def _logits(model: PairModel, tokenizer: Tokenizer, pairs: Sequence[Pair]) -> Tensor:
    import torch

    tokens = pair_tokens(tokenizer, pairs)
    # Of few lengths: for each one torch prepares its products anew, and keeps them.
    length = math.ceil(max(len(one.ids) for one in tokens) / LENGTH_STEP) * LENGTH_STEP
    inputs = {name: torch.from_numpy(value) for name, value in filled(tokens, length).items()}
    with torch.autocast("cpu", torch.bfloat16):
        logits: Tensor = model(**inputs)
    return logits[:, 0].float()


def _loss(logits: Tensor, questions: Sequence[Drawn]) -> Tensor:
    """Give the mean of the questions' losses; the logits are of all their pairs, shape (n_pairs,)."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits, log_softmax

    losses = []
    for one, own in zip(questions, torch.split(logits, [len(one.pairs) for one in questions]), strict=True):
        right = torch.zeros_like(own)
        right[0] = float(one.answered)
        weights = torch.where(right > 0, 1.0, 0.5)
        alone = binary_cross_entropy_with_logits(own, right, weight=weights)
        # The last is none of them.
        shares = log_softmax(torch.cat([own, own.new_zeros(1)]), 0)
        losses.append(ALONE_WEIGHT * alone - shares[0 if one.answered else -1])
    return torch.stack(losses).mean()


def _judged(model: PairModel, tokenizer: Tokenizer, asked: Sequence[Drawn]) -> tuple[float, float | None]:
    """Give the share of answered questions whose right sentence came first, and how well they are told apart."""
    import torch

    model.eval()
    with torch.inference_mode():
        logits = [_logits(model, tokenizer, one.pairs) for one in asked]
    first = [int(own.argmax()) == 0 for own, one in zip(logits, asked, strict=True) if one.answered]
    answered = [one.answered for one in asked]
    both = len(set(answered)) > 1
    told_apart = float(roc_auc_score(answered, [float(own.max()) for own in logits])) if both else None
    return sum(first) / len(first), told_apart
