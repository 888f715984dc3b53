"""Runs as tables for a terminal; every figure stands with the number of cases behind it."""

from __future__ import annotations

from collections.abc import Mapping

from rich import box
from rich.table import Table

from eval.answers import GROUPINGS, Figure, Summary
from eval.retrieval import METRICS
from eval.runs import AnswerRun, Circumstances, RetrievalRun


def answer_table(run: AnswerRun) -> Table:
    """Show the figures of answers: one row a group, one section a way of grouping."""
    table = _table(run.made, "questions", "keys", "all keys", "cited right", "gold cited", "abstained")
    for names in GROUPINGS:
        for name in names:
            if name in run.groups:
                _add(table, name, run.groups)
        table.add_section()
    return table


def answer_lines(run: AnswerRun) -> str:
    """Say the figures that have no column: of the run as a whole."""
    whole = run.groups["all"]
    time = f"{whole.median_ms.value:.1f} ms" if whole.median_ms.value is not None else "–"
    return "\n".join(
        [
            f"abstention: precision {cell(whole.abstention_precision)}, recall {cell(whole.abstention_recall)}",
            f"sentences in an answer: {cell(whole.sentences, digits=2)}; median time of an answer: {time}",
            f"citations that are the exact words of their article: {cell(run.verbatim, digits=4)}",
        ]
    )


def retrieval_table(run: RetrievalRun) -> Table:
    """Show the means of retrieval metrics, one row a system."""
    table = _table(run.made, "system", *METRICS)
    for system, result in run.scored.items():
        table.add_row(system, *(cell(Figure(result.means[name], result.n), digits=4) for name in METRICS))
    return table


def cell(figure: Figure, *, digits: int = 3) -> str:
    """Write a figure with its number of cases: `0.812 (45)`, or a dash over none."""
    return "–" if figure.value is None else f"{figure.value:.{digits}f} ({figure.n})"


def _add(table: Table, name: str, groups: Mapping[str, Summary]) -> None:
    summary = groups[name]
    shares = (
        summary.keys,
        summary.all_keys,
        summary.citation_precision,
        summary.citation_recall,
        summary.abstained,
    )
    table.add_row(name, *map(cell, shares))


def _table(made: Circumstances, first: str, *others: str) -> Table:
    settings = made.settings
    title = (
        f"{made.set}, {made.split.replace('_', ' ')} – chunks {settings['chunk_tokens']}/"
        f"{settings['chunk_overlap_tokens']}, {made.model}"
    )
    table = Table(title=title, title_justify="left", box=box.SIMPLE, show_edge=False, padding=(0, 1), pad_edge=False)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table
