"""The metrics: their names, which way is better, and the figures over groups of results.

A result holds the metrics that apply to it; a figure is over the results that have the metric. None over none is
not the same as 0, so a figure over no cases does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Literal, get_args

import numpy as np

from eval.records import FigureRecord, Result
from eval.sets.questions import QuestionType, Split, Unanswerable
from eval.statistics import Numbers, mean_interval

Better = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: its name in run files, a short label, which way is better, and what it says in a line."""

    name: str
    label: str
    better: Better
    meaning: str


ANSWER_METRICS: tuple[Metric, ...] = (
    Metric("keys", "keys", "higher", "share of the answer's keys that stand in its cited sentences"),
    Metric("all_keys", "all keys", "higher", "every key found"),
    Metric("token_f1", "token F1", "higher", "words shared with the expected answer (SQuAD's F1)"),
    Metric("citation_precision", "cited right", "higher", "share of the citations that overlap a gold quote"),
    Metric("citation_recall", "gold cited", "higher", "share of the gold quotes that a citation overlaps"),
    Metric("supported", "supported", "higher", "share of the sentences that their own citations bear out"),
    Metric("verbatim", "verbatim", "higher", "share of the quotes that are the exact words of their article"),
    Metric("answered", "answered", "higher", "answerable questions that got an answer"),
    Metric("declined", "declined", "higher", "unanswerable questions that got none"),
    Metric("conflict_shown", "conflict shown", "higher", "conflicts whose positions all stand in `conflicts`"),
    Metric("conflict_false", "false conflicts", "lower", "answers to other questions that show a conflict"),
    Metric("judge", "judge", "higher", "answers that the LLM judge finds correct"),
)

COST_METRICS: tuple[Metric, ...] = (
    Metric("latency_ms", "latency ms", "lower", "wall time of an answer, search included"),
    Metric("cpu_ms", "CPU ms", "lower", "processor time of an answer, all threads"),
    Metric("prompt_tokens", "prompt tokens", "lower", "tokens sent to the LLM"),
    Metric("completion_tokens", "completion tokens", "lower", "tokens that the LLM wrote"),
)

ABSTENTION_METRICS: tuple[Metric, ...] = (
    Metric("abstention_precision", "precision", "higher", "of the abstentions, the share on unanswerable questions"),
    Metric("abstention_recall", "recall", "higher", "of the unanswerable questions, the share that got no answer"),
    Metric("abstention_f1", "F1", "higher", "harmonic mean of precision and recall; n is all questions"),
)
"""Of groups of questions; a single question has none."""

RECALL_DEPTHS = (1, 3, 5, 10, 20, 50)

MEASURES: tuple[str, ...] = (
    "nDCG@10",
    "RR@10",
    "AP",
    "Success@1",
    "Success@5",
    *(f"R@{k}" for k in RECALL_DEPTHS),
)
"""What is computed of every ranking, in the names of ir_measures."""

LEVELS: tuple[str, ...] = ("article", "chunk", "sentence")
"""What a ranking ranks; a retrieval metric is named `level.measure`."""


def find_metric(name: str) -> Metric:
    """Give a metric by its name.

    Raises:
        ValueError: There is none of that name.
    """
    for metric in (*ANSWER_METRICS, *COST_METRICS):
        if metric.name == name:
            return metric
    level, _, measure = name.partition(".")
    if level in LEVELS and measure in MEASURES:
        return Metric(name, f"{level} {measure}", "higher", f"{measure} of the ranking of {level}s")
    raise ValueError(f"there is no metric {name!r}")


GROUPINGS: tuple[tuple[str, ...], ...] = (
    ("all",),
    get_args(Split),
    tuple(kind for kind in get_args(QuestionType) if kind != "unanswerable"),
    get_args(Unanswerable),
)
"""The groups that figures are given for: the whole, the halves, the types of question, why there is no answer."""


WITH_INTERVALS = frozenset(f"{level}.nDCG@10" for level in ("article", "chunk", "sentence"))
"""Figures that are held against those of others: how far they are chance stands beside them."""


def groups_of(result: Result) -> tuple[str, ...]:
    """Give the names of the groups that a result belongs to."""
    kind = result.unanswerable or result.type
    return ("all", *((result.split,) if result.split else ()), *((kind,) if kind else ()))


def figures(results: Sequence[Result]) -> dict[str, dict[str, dict[str, FigureRecord]]]:
    """Give the figures by system, group and metric; times also as `latency_ms.p50` and `.p95`.

    Those of `WITH_INTERVALS` over all questions come with a 95 % interval.
    """
    members: dict[str, dict[str, list[Result]]] = {}
    for result in results:
        for group in groups_of(result):
            members.setdefault(result.system, {}).setdefault(group, []).append(result)
    order = [name for names in GROUPINGS for name in names]
    found = {
        system: {name: _of_group(groups[name]) for name in sorted(groups, key=order.index)}
        for system, groups in members.items()
    }
    for system, groups in members.items():
        columns = _columns(groups["all"])
        for name in WITH_INTERVALS & columns.keys():
            low, high = mean_interval(columns[name])
            found[system]["all"][name] = found[system]["all"][name].model_copy(update={"low": low, "high": high})
    return found


def _of_group(results: Sequence[Result]) -> dict[str, FigureRecord]:
    found = {name: FigureRecord(value=fmean(values), n=len(values)) for name, values in _columns(results).items()}
    found |= abstention(results)
    times = [result.metrics["latency_ms"] for result in results if "latency_ms" in result.metrics]
    if times:
        found["latency_ms.p50"] = FigureRecord(value=median(times), n=len(times))
        found["latency_ms.p95"] = FigureRecord(value=float(np.percentile(times, 95)), n=len(times))
    return found


def _columns(results: Iterable[Result]) -> Mapping[str, list[float]]:
    columns: dict[str, list[float]] = {}
    for result in results:
        for name, value in result.metrics.items():
            columns.setdefault(name, []).append(value)
    return columns


def abstention(results: Sequence[Result]) -> dict[str, FigureRecord]:
    """Give precision, recall and F1 of abstaining: an unanswerable question is the thing to find.

    Precision is over the abstentions, recall over the unanswerable questions; F1, their harmonic mean, exists where
    both kinds of question were asked, and is 0 where no abstention was right.
    """
    due = [result.metrics["declined"] for result in results if "declined" in result.metrics]
    undue = [1 - result.metrics["answered"] for result in results if "answered" in result.metrics]
    declined = sum(due) + sum(undue)
    found: dict[str, FigureRecord] = {}
    if declined:
        found["abstention_precision"] = FigureRecord(value=sum(due) / declined, n=round(declined))
    if due:
        found["abstention_recall"] = FigureRecord(value=fmean(due), n=len(due))
    if due and undue:
        found["abstention_f1"] = FigureRecord(value=2 * sum(due) / (declined + len(due)), n=len(due) + len(undue))
    return found


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """How the share of wrong answers grows with the share of questions that are answered, surest first.

    `coverage` and `risk` have one value per question, coverage rising to 1; `area` is the mean risk, in [0, 1], lower
    is better. `best_risk` and `best_area` are of an answerer that is sure of exactly its right answers.

    Source: El-Yaniv and Wiener, JMLR 11 (2010), 1605-1641; area as in Geifman, Uziel, El-Yaniv, ICLR 2019.
    """

    coverage: tuple[float, ...]
    risk: tuple[float, ...]
    best_risk: tuple[float, ...]
    area: float
    best_area: float


def risk_coverage(confidences: Sequence[float], right: Sequence[bool]) -> RiskCoverage | None:
    """Give the risk-coverage curve of some answers; None for none.

    Args:
        confidences: How sure the answerer was of each; equal ones are taken together.
        right: Whether it was right to give that answer; for an unanswerable question it never is.
    """
    if not confidences:
        return None
    is_right = np.asarray(right, dtype=np.float64)
    risk, best = _mean_risks(np.asarray(confidences), is_right), _mean_risks(is_right, is_right)
    count = len(confidences)
    return RiskCoverage(
        coverage=tuple((place + 1) / count for place in range(count)),
        risk=tuple(float(value) for value in risk),
        best_risk=tuple(float(value) for value in best),
        area=float(risk.mean()),
        best_area=float(best.mean()),
    )


def _mean_risks(confidences: Numbers, right: Numbers) -> Numbers:
    """Give the mean error of the surest 1, 2, … n; within a tie, the error that any order gives on average."""
    order = np.argsort(-confidences, kind="stable")
    wrong = 1 - right[order]
    _, places, counts = np.unique(-confidences[order], return_inverse=True, return_counts=True)
    wrong = (np.bincount(places, weights=wrong) / counts)[places]
    return np.cumsum(wrong) / np.arange(1, len(wrong) + 1)
