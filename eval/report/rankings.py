"""Queries of a retrieval run as the page shows them: not all, but those where something can be learnt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eval.metrics import LEVELS
from eval.records import Result, Run
from eval.report.questions import anchor_of

MOST_QUERIES = 200
SHOWN_HITS = 10


@dataclass(frozen=True, slots=True)
class Query:
    """One query under every system; `spread` is how far their nDCG@10 lie apart, in [0, 1]."""

    anchor: str
    results: tuple[Result, ...]
    measure: str
    spread: float
    best: float

    @property
    def first(self) -> Result:
        """What the query is: the same under every system."""
        return self.results[0]


@dataclass(frozen=True, slots=True)
class Queries:
    """The queries that are listed, in two groups, out of `total`; `unfound` had nothing in the first ten anywhere."""

    nothing: tuple[Query, ...]
    differing: tuple[Query, ...]
    total: int
    unfound: int
    measure: str

    @property
    def left_out(self) -> int:
        """The number of queries that are not listed."""
        return self.total - len(self.nothing) - len(self.differing)


def first_relevant(result: Result) -> int | None:
    """Give the rank, from 1, of the first relevant hit; None where the recorded hits have none."""
    return next((rank for rank, hit in enumerate(result.hits, start=1) if hit.gain > 0), None)


def queries_of(run: Run, systems: Sequence[str], *, most: int = MOST_QUERIES) -> Queries:
    """Choose the queries to list: those where no system found anything in its first ten, and those where they differ.

    Each of the two groups gets half of the room, and what the other one does not need. Those that differ most come
    first; ties go in the order of the set.
    """
    measure = _measure(run)
    by_query: dict[str, list[Result]] = {}
    for system in systems:
        for result in run.of_system(system):
            by_query.setdefault(result.id, []).append(result)
    queries = [_query(results, number, measure) for number, results in enumerate(by_query.values(), start=1)]
    nothing = [query for query in queries if query.best == 0]
    differing = sorted((query for query in queries if query.spread > 0), key=lambda query: -query.spread)
    listed = nothing[: max(most // 2, most - len(differing))]
    return Queries(tuple(listed), tuple(differing[: most - len(listed)]), len(queries), len(nothing), measure)


def _query(results: Sequence[Result], number: int, measure: str) -> Query:
    values = [result.metrics.get(measure, 0.0) for result in results]
    anchor = anchor_of(results[0].id, number, prefix="r")
    return Query(anchor, tuple(results), measure, max(values) - min(values), max(values))


def _measure(run: Run) -> str:
    """Give the name of nDCG@10 at the level that the run ranked, or the first level that it has."""
    names: Mapping[str, float] = run.results[0].metrics if run.results else {}
    levels = sorted(LEVELS, key=lambda level: level != run.circumstances.unit)
    return next((f"{level}.nDCG@10" for level in levels if f"{level}.nDCG@10" in names), f"{levels[0]}.nDCG@10")
