"""The figures of a run as tables: groups or systems down, metrics across, every cell with its number of cases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

import numpy as np

from eval.metrics import (
    ABSTENTION_METRICS,
    ANSWER_METRICS,
    COST_METRICS,
    GROUPINGS,
    LEVELS,
    MEASURES,
    RECALL_DEPTHS,
    Metric,
    find_metric,
)
from eval.records import FigureRecord, Run

Figures = Mapping[str, FigureRecord]

GROUP_TITLES = ("", "half", "type of question", "why there is no answer")


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure as it is shown."""

    value: str
    n: str
    interval: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its heading, and a cell a column; None where there is no figure."""

    heading: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """Rows that belong together, under a heading of their own, which may be empty."""

    heading: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its caption, the heading of its first column, and the metrics that are its other columns."""

    caption: str
    first: str
    columns: tuple[Metric, ...]
    sections: tuple[Section, ...]


def cell(figure: FigureRecord | None, *, digits: int = 3) -> Cell | None:
    """Write a figure; None stays None, which the page shows as a dash."""
    if figure is None:
        return None
    interval = None
    if figure.low is not None and figure.high is not None:
        interval = f"{figure.low:,.{digits}f}–{figure.high:,.{digits}f}"
    return Cell(f"{figure.value:,.{digits}f}", f"{figure.n:,}", interval)


def answer_table(run: Run, system: str) -> Table | None:
    """Show the figures of answers by group; None where there are none."""
    groups = run.figures.get(system, {})
    there = {name for figures in groups.values() for name in figures}
    known = {metric.name for metric in (*ANSWER_METRICS, *COST_METRICS, *ABSTENTION_METRICS)}
    # A metric that this version does not know is still a figure of the run.
    others = sorted(name for name in there - known if name.partition(".")[0] not in {*LEVELS, "latency_ms"})
    columns = (*(m for m in ANSWER_METRICS if m.name in there), *(Metric(n, n, "higher", "") for n in others))
    if not columns:
        return None
    sections = [
        Section(title, tuple(_row(name, groups[name], columns) for name in names if name in groups))
        for title, names in zip(GROUP_TITLES, GROUPINGS, strict=True)
    ]
    return Table(
        f"Answers{_of(run, system)}, by group of questions",
        "questions",
        columns,
        tuple(section for section in sections if section.rows),
    )


def abstention_table(run: Run, systems: Sequence[str]) -> Table | None:
    """Show precision, recall and F1 of abstaining, for the whole and the halves; None where nothing was unanswerable.

    A type of question is either answerable or not, so that precision within one says nothing.
    """
    sections: list[Section] = []
    for system in systems:
        groups = run.figures.get(system, {})
        names = [name for name in (*GROUPINGS[0], *GROUPINGS[1]) if ABSTENTION_METRICS[1].name in groups.get(name, {})]
        rows = tuple(_row(name, groups[name], ABSTENTION_METRICS) for name in names)
        sections.append(Section(system if len(systems) > 1 else "", rows))
    sections = [section for section in sections if section.rows]
    return Table("Abstention", "questions", ABSTENTION_METRICS, tuple(sections)) if sections else None


def retrieval_table(run: Run) -> Table | None:
    """Show the figures of rankings over all queries, a section a level, a row a system; None where there are none."""
    wholes = {system: groups.get("all", {}) for system, groups in run.figures.items()}
    there = {name for figures in wholes.values() for name in figures}
    measures = tuple(measure for measure in MEASURES if any(f"{level}.{measure}" in there for level in LEVELS))
    if not measures:
        return None
    sections: list[Section] = []
    for level in LEVELS:
        names = [f"{level}.{measure}" for measure in measures]
        rows = tuple(
            Row(system, tuple(cell(figures.get(name)) for name in names))
            for system, figures in wholes.items()
            if any(name in figures for name in names)
        )
        if rows:
            sections.append(Section(f"ranking of {level}s", rows))
    columns = tuple(Metric(measure, measure, "higher", _MEASURE_MEANINGS[measure]) for measure in measures)
    return Table("Retrieval", "system", columns, tuple(sections))


def time_table(run: Run, systems: Sequence[str]) -> Table | None:
    """Show the times of answers as mean, median and 95th percentile: whole, and of its two parts; None for none."""
    columns = (
        Metric("mean", "mean ms", "lower", "mean wall time"),
        Metric("p50", "p50 ms", "lower", "half of the answers took no longer"),
        Metric("p95", "p95 ms", "lower", "95 of 100 answers took no longer"),
    )
    sections: list[Section] = []
    for system in systems:
        whole = run.figures.get(system, {}).get("all", {})
        named = ("latency_ms", "latency_ms.p50", "latency_ms.p95")
        answers = [result.answer for result in run.of_system(system) if result.answer is not None]
        rows = [Row("answer, search included", tuple(cell(whole.get(name), digits=1) for name in named))]
        if answers:
            rows.append(_times("search", [answer.search_ms for answer in answers]))
            rows.append(_times("answering", [answer.answer_ms for answer in answers]))
        if answers or named[0] in whole:
            sections.append(Section(system if len(run.systems) > 1 else "", tuple(rows)))
    return Table("Time", "part", columns, tuple(sections)) if sections else None


def cost_table(run: Run) -> Table | None:
    """Show what an answer costs besides time, a row a system; None where nothing was recorded."""
    wholes = {system: groups.get("all", {}) for system, groups in run.figures.items()}
    there = {name for figures in wholes.values() for name in figures}
    columns = tuple(metric for metric in COST_METRICS if metric.name != "latency_ms" and metric.name in there)
    if not columns:
        return None
    rows = tuple(
        Row(system, tuple(cell(figures.get(metric.name), digits=1) for metric in columns))
        for system, figures in wholes.items()
        if any(metric.name in figures for metric in columns)
    )
    return Table("Cost of an answer", "system", columns, (Section("", rows),))


def label_of(name: str) -> str:
    """Give the short label of a metric; a name that is not known stands for itself."""
    for metric in ABSTENTION_METRICS:
        if metric.name == name:
            return f"abstention {metric.label}"
    try:
        return find_metric(name).label
    except ValueError:
        return name


def by_level(metrics: Mapping[str, float]) -> tuple[tuple[str, tuple[tuple[str, float], ...]], ...]:
    """Give the metrics of one question with their labels: those of the answer under "", then those of each level."""
    named: dict[str, list[tuple[str, float]]] = {level: [] for level in ("", *LEVELS)}
    for name, value in metrics.items():
        level, _, measure = name.partition(".")
        if level in LEVELS:
            named[level].append((measure, value))
        else:
            named[""].append((label_of(name), value))
    return tuple((level, tuple(pairs)) for level, pairs in named.items() if pairs)


def meaning_of(name: str) -> str:
    """Say what a metric of `eval.metrics` means."""
    level, _, measure = name.partition(".")
    return f"{_MEASURE_MEANINGS[measure]} ({level}s)" if level in LEVELS else find_metric(name).meaning


_MEASURE_MEANINGS = {
    "nDCG@10": "how close the first ten are to the best order there could be, grades counted",
    "RR@10": "1 / rank of the first relevant one, 0 if it is not among the first ten",
    "AP": "mean of the precision at each relevant one",
    **{f"Success@{k}": f"queries with something relevant among the first {k}" for k in (1, 5)},
    **{f"R@{k}": f"share of what is relevant among the first {k}" for k in RECALL_DEPTHS},
}


def _row(name: str, figures: Figures, columns: Iterable[Metric]) -> Row:
    return Row(name.replace("_", " "), tuple(cell(figures.get(metric.name)) for metric in columns))


def _times(heading: str, times: Sequence[float]) -> Row:
    values = (fmean(times), median(times), float(np.percentile(times, 95)))
    return Row(heading, tuple(cell(FigureRecord(value=value, n=len(times)), digits=1) for value in values))


def _of(run: Run, system: str) -> str:
    return f" of {system}" if len(run.systems) > 1 else ""
