"""Two runs of one set, question by question: what changed, whether it is real, and which questions flipped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from eval.metrics import ANSWER_METRICS, COST_METRICS, GROUPINGS, Metric, find_metric, groups_of
from eval.records import Result, Run, by_id
from eval.sets.lines import DatasetError
from eval.statistics import Difference, holm, paired_difference

RETRIEVAL_SHOWN = (
    "article.nDCG@10",
    "article.R@10",
    "article.RR@10",
    "article.AP",
    "article.Success@1",
    "chunk.nDCG@10",
    "chunk.R@5",
    "chunk.R@10",
    "chunk.RR@10",
    "sentence.AP",
    "sentence.RR@10",
)
"""The retrieval metrics that are compared; the run files have the others."""

FLIPS_BY = ("all_keys", "declined", "citation_recall", "article.RR@10")
"""What decides that a question went another way: the first of these that it has."""


@dataclass(frozen=True, slots=True)
class Row:
    """One metric over one group of questions; `adjusted` is its p-value, corrected for all rows of the group."""

    metric: Metric
    group: str
    difference: Difference
    adjusted: float

    @property
    def better(self) -> bool:
        """Whether B is significantly better."""
        return self._significant and (self.difference.change > 0) == (self.metric.better == "higher")

    @property
    def worse(self) -> bool:
        """Whether B is significantly worse."""
        return self._significant and not self.better

    @property
    def _significant(self) -> bool:
        return self.adjusted < 0.05 and self.difference.change != 0


@dataclass(frozen=True, slots=True)
class Flip:
    """A question that went another way; `metric` says by what."""

    metric: str
    before: Result
    after: Result

    @property
    def gained(self) -> bool:
        """Whether B is the better one."""
        return self.after.metrics[self.metric] > self.before.metrics[self.metric]


@dataclass(frozen=True, slots=True)
class Comparison:
    """B compared with A. `only_before` and `only_after` count the questions that the other run does not have.

    `same_files` is False where the files of the set changed in between: labels may have changed with them.
    """

    rows: tuple[Row, ...]
    flips: tuple[Flip, ...]
    common: int
    only_before: int
    only_after: int
    same_files: bool

    def document(self) -> dict[str, Any]:
        """Give the comparison as JSON values."""
        return {
            "questions": {"common": self.common, "only_a": self.only_before, "only_b": self.only_after},
            "same_files": self.same_files,
            "differences": [
                {"group": row.group, "metric": row.metric.name, **asdict(row.difference), "p_adjusted": row.adjusted}
                | {"verdict": "better" if row.better else "worse" if row.worse else "no clear difference"}
                for row in self.rows
            ],
            "flips": [
                {
                    "id": flip.after.id,
                    "question": flip.after.question,
                    "metric": flip.metric,
                    "a": {"value": flip.before.metrics[flip.metric], "answer": _said(flip.before)},
                    "b": {"value": flip.after.metrics[flip.metric], "answer": _said(flip.after)},
                }
                for flip in self.flips
            ],
        }


def compare(before: Run, after: Run, *, systems: tuple[str, str] | None = None) -> Comparison:
    """Compare two runs, or two systems of runs, on the questions that both have.

    Args:
        before: A.
        after: B.
        systems: Which system of A and of B; None takes the only one, or the first that both have.

    Raises:
        DatasetError: The runs are of different sets, have no such system, or no question in common.
    """
    if before.circumstances.set != after.circumstances.set:
        raise DatasetError(
            f"the runs are of different sets, {before.circumstances.set!r} and {after.circumstances.set!r}; "
            "compare two runs of one set"
        )
    first, second = systems or _systems(before, after)
    a, b = by_id(_of_system(before, first)), by_id(_of_system(after, second))
    common = [name for name in a if name in b]
    if not common:
        raise DatasetError("the runs have no question in common")
    for name in common:
        _require_same_question(a[name], b[name])
    pairs = [(a[name], b[name]) for name in common]
    rows = tuple(row for group in _groups(pairs) for row in differences(pairs, group, _shown(pairs, group)))
    flips = tuple(_flips(pairs))
    same_files = before.circumstances.set_sha256 == after.circumstances.set_sha256
    return Comparison(rows, flips, len(common), len(a) - len(common), len(b) - len(common), same_files)


def differences(pairs: Sequence[tuple[Result, Result]], group: str, metrics: Iterable[str]) -> list[Row]:
    """Give a row for each metric that any pair of a group has in both runs, p-values adjusted among them."""
    members = [pair for pair in pairs if group in groups_of(pair[1])]
    found: list[tuple[Metric, Difference]] = []
    for name in metrics:
        values = [
            (before.metrics[name], after.metrics[name])
            for before, after in members
            if name in before.metrics and name in after.metrics
        ]
        if values:
            found.append((find_metric(name), paired_difference(*map(list, zip(*values, strict=True)))))
    adjusted = holm([difference.p for _, difference in found])
    return [Row(metric, group, one, p) for (metric, one), p in zip(found, adjusted, strict=True)]


def _systems(before: Run, after: Run) -> tuple[str, str]:
    if len(before.systems) == len(after.systems) == 1:
        return before.systems[0], after.systems[0]
    shared = [name for name in before.systems if name in after.systems]
    if not shared:
        raise DatasetError(
            f"the runs share no system: A has {', '.join(before.systems)}, B has {', '.join(after.systems)}; "
            "name one of each with --systems A,B"
        )
    return shared[0], shared[0]


def _of_system(run: Run, system: str) -> tuple[Result, ...]:
    if system not in run.systems:
        raise DatasetError(f"the run has no system {system!r}; it has {', '.join(run.systems)}")
    return run.of_system(system)


def _require_same_question(before: Result, after: Result) -> None:
    asked, again = ((one.question, one.history, one.as_of) for one in (before, after))
    if asked != again:
        raise DatasetError(
            f"the question {before.id!r} is not the same in both runs; run both on one version of the set"
        )


def _shown(pairs: Sequence[tuple[Result, Result]], group: str) -> list[str]:
    """Give the metrics to compare; what an answer costs hardly depends on the group, and is said of all alone."""
    costs = [metric.name for metric in COST_METRICS] if group == "all" else []
    names = [*(metric.name for metric in ANSWER_METRICS), *RETRIEVAL_SHOWN, *costs]
    there = {name for before, after in pairs for name in before.metrics.keys() & after.metrics.keys()}
    return [name for name in names if name in there]


def _groups(pairs: Sequence[tuple[Result, Result]]) -> list[str]:
    there = {group for _, after in pairs for group in groups_of(after)}
    return [name for names in GROUPINGS for name in names if name in there]


def _flips(pairs: Sequence[tuple[Result, Result]]) -> Iterable[Flip]:
    """Give the questions whose deciding metric changed, losses first, then in the order of the set."""
    found: list[Flip] = []
    for before, after in pairs:
        shared = before.metrics.keys() & after.metrics.keys()
        metric = next((name for name in FLIPS_BY if name in shared), None)
        if metric is not None and before.metrics[metric] != after.metrics[metric]:
            found.append(Flip(metric, before, after))
    return sorted(found, key=lambda flip: flip.gained)


def _said(result: Result) -> str | None:
    if result.answer is not None:
        return result.answer.text
    return "; ".join(hit.title for hit in result.hits[:3]) or None
