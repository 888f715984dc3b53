"""Fitting the abstention model: from labelled questions to weights, a threshold, and the errors on either side of it.

The model is fitted on the tune halves alone; the held-out halves only show whether it holds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from eval.asking import find_for
from eval.index_cache import indexed
from eval.sets.lines import DatasetError
from eval.sets.opening import open_set
from eval.sets.questions import LabelledQuestion, QuestionSet, Split
from eval.statistics import Numbers
from eval.watching import Watch
from index.embedding import Embedder, load_embedder
from service.answering.abstention import FEATURES, AbstentionModel, features, load_abstention_model
from service.assembly import embedder_settings, open_assistant
from service.settings import Settings

PENALTY = 1.0
"""Inverse strength of the L2 penalty on standardised weights: the usual value, not tuned."""

DIGITS = 4


@dataclass(frozen=True, slots=True)
class Case:
    """One question as the model sees it: `answerable` is what it is to tell from `found`, the features."""

    set: str
    split: Split
    kind: str
    answerable: bool
    found: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class HalfErrors:
    """How a model does on one half of one set: counts, and the area under the ROC curve, None with one kind only."""

    set: str
    split: Split
    answerable: int
    declined: int
    unanswerable: int
    declined_rightly: int
    auroc: float | None

    def to_json(self) -> dict[str, Any]:
        """Give the counts and the precision and recall of abstaining as JSON values."""
        abstentions = self.declined + self.declined_rightly
        return {
            "set": self.set,
            "half": self.split,
            "answerable": self.answerable,
            "answerable_declined": self.declined,
            "unanswerable": self.unanswerable,
            "unanswerable_declined": self.declined_rightly,
            "abstention_precision": round(self.declined_rightly / abstentions, DIGITS) if abstentions else None,
            "abstention_recall": round(self.declined_rightly / self.unanswerable, DIGITS)
            if self.unanswerable
            else None,
            "auroc": round(self.auroc, DIGITS) if self.auroc is not None else None,
        }


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted model and its errors on every half of every set."""

    model: AbstentionModel
    errors: tuple[HalfErrors, ...]


def calibrate(
    names: Sequence[str], settings: Settings, *, most_declined: float = 0.1, watch: Watch | None = None
) -> Calibration:
    """Fit the abstention model on the tune halves of some question sets, each set weighing the same.

    Args:
        names: Of the sets (`eval.sets.opening`); at least one.
        settings: Of the product.
        most_declined: The operating point: of the answerable questions of the tune halves, at most this share, each
            set weighing the same, is declined.
        watch: Told of the progress.

    Raises:
        DatasetError: A set is malformed or is no question set, or the tune halves lack answerable or unanswerable
            questions.
    """
    embedder = load_embedder(embedder_settings(settings))
    cases: list[Case] = []
    for name in names:
        opened = open_set(name)
        if not isinstance(opened, QuestionSet):
            raise DatasetError(f"{name!r} is a BEIR folder and has no unanswerable questions; name a question set")
        cases += _cases(opened, settings, embedder, watch or Watch())
    current = load_abstention_model(settings.abstention_model, read=settings.answer_reader)
    model = fit(cases, most_declined=most_declined, relevant=current.relevant)
    errors = errors_of(model, cases)
    record = {
        "sets": sorted({case.set for case in cases}),
        "questions": sum(case.split == "tune" for case in cases),
        "most_declined": most_declined,
        "passages": settings.answer_passages,
        "reader": settings.answer_reader,
        "errors": [one.to_json() for one in errors],
    }
    return Calibration(model.model_copy(update={"fitted": record}), errors)


def _cases(opened: QuestionSet, settings: Settings, embedder: Embedder, watch: Watch) -> list[Case]:
    with watch.building() as built:
        catalog = indexed(settings, opened.name, opened.articles, embedder=embedder, on_progress=built)
    _, assistant = open_assistant(settings, catalog, embedder)
    cases: list[Case] = []
    with watch.steps("asking", len(opened.questions)) as step:
        for question in opened.questions:
            found = find_for(assistant, question)
            ranked = assistant.evidence(found)
            step()
            if ranked:  # without evidence there is nothing to decide
                cases.append(_case(opened.name, question, features(ranked)))
    return cases


def _case(name: str, question: LabelledQuestion, found: Mapping[str, float]) -> Case:
    row = question.row
    return Case(name, question.split, row.unanswerable or "answerable", row.unanswerable is None, found)


def fit(cases: Sequence[Case], *, most_declined: float, relevant: float) -> AbstentionModel:
    """Fit a logistic model on the cases of tune halves; its weights are for features as they are, not standardised.

    Raises:
        DatasetError: There are no answerable, or no unanswerable, cases to fit on.
    """
    tune = [case for case in cases if case.split == "tune"]
    answerable = np.array([case.answerable for case in tune])
    if answerable.all() or not answerable.any():
        raise DatasetError("the tune halves need both answerable and unanswerable questions to fit on")
    found = np.array([[case.found[name] for name in FEATURES] for case in tune])
    mean, scale = found.mean(axis=0), found.std(axis=0)
    # By its range: the deviation of equal values may be off 0 by a rounding error, and the weight then huge.
    scale[np.ptp(found, axis=0) == 0] = 1
    weights = _set_weights(tune)
    fitted = LogisticRegression(C=PENALTY).fit((found - mean) / scale, answerable, sample_weight=weights)
    raw = fitted.coef_[0] / scale
    intercept = float(fitted.intercept_[0] - raw @ mean)
    model = AbstentionModel(
        weights={name: round(float(weight), DIGITS) for name, weight in zip(FEATURES, raw, strict=True)},
        intercept=round(intercept, DIGITS),
        threshold=0,
        relevant=relevant,
    )
    confidences = np.array([model.confidence(case.found) for case in tune])
    # Weighed anew: a set with few answerable questions counts as much here as one with many.
    threshold = _threshold(
        confidences[answerable], _set_weights([case for case in tune if case.answerable]), most_declined
    )
    return model.model_copy(update={"threshold": threshold})


def _set_weights(cases: Sequence[Case]) -> Numbers:
    """Weigh each set the same, whatever its size; the mean weight is 1."""
    sizes = {name: sum(case.set == name for case in cases) for name in {case.set for case in cases}}
    return np.array([len(cases) / (len(sizes) * sizes[case.set]) for case in cases])


def _threshold(confidences: Numbers, weights: Numbers, most_declined: float) -> float:
    """Give the largest threshold that declines at most a share of some confidences, between two of them, rounded."""
    order = np.argsort(confidences)
    below = np.cumsum(weights[order]) / weights.sum()
    # `place` answerable questions fall below the threshold.
    place = int(np.searchsorted(below, most_declined, side="right"))
    ranked = confidences[order]
    if place >= len(ranked):
        return 1.0
    previous = ranked[place - 1] if place else 0.0
    # Rounded down, so that rounding declines no more.
    return float(np.floor((previous + ranked[place]) / 2 * 10**DIGITS) / 10**DIGITS)


def errors_of(model: AbstentionModel, cases: Sequence[Case]) -> tuple[HalfErrors, ...]:
    """Count what a model does on every half of every set."""
    found: list[HalfErrors] = []
    for name, split in dict.fromkeys((case.set, half) for half in get_args(Split) for case in cases):
        half = [case for case in cases if (case.set, case.split) == (name, split)]
        if not half:
            continue
        confidences = [model.confidence(case.found) for case in half]
        labels = [case.answerable for case in half]
        declined = [confidence < model.threshold for confidence in confidences]
        found.append(
            HalfErrors(
                set=name,
                split=split,
                answerable=sum(labels),
                declined=sum(no and label for no, label in zip(declined, labels, strict=True)),
                unanswerable=len(labels) - sum(labels),
                declined_rightly=sum(no and not label for no, label in zip(declined, labels, strict=True)),
                auroc=float(roc_auc_score(labels, confidences)) if len(set(labels)) == 2 else None,
            )
        )
    return tuple(found)


def write_model(model: AbstentionModel, file: Path) -> None:
    """Write a model as the service reads it."""
    file.write_text(json.dumps(model.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
