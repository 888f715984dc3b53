"""Runs and comparisons as tables for a terminal; every figure stands with the number of cases behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from eval.compare import Comparison, Flip, Row
from eval.gate import Verdict
from eval.metrics import GROUPINGS, LEVELS, Metric, find_metric
from eval.records import Circumstances, FigureRecord, Run
from service.console import out, printable

if TYPE_CHECKING:  # both load the libraries of the embedding model
    from eval.calibration import Calibration
    from eval.judge import Agreement
    from eval.sweep import SweepRow

_ANSWER_COLUMNS = {
    "keys": "keys",
    "all_keys": "all keys",
    "citation_precision": "cited right",
    "citation_recall": "gold cited",
    "answered": "answered",
    "declined": "declined",
}
_RETRIEVAL_COLUMNS = ("nDCG@10", "R@10", "RR@10", "AP", "Success@1")
_SWEPT = (
    *_ANSWER_COLUMNS,
    "article.nDCG@10",
    "chunk.nDCG@10",
    "chunk.R@10",
    "latency_ms.p50",
)


def show(parts: Iterable[Table | str], console: Console | None = None) -> None:
    """Print tables and lines, on standard output; a figure is never cut off, however narrow the terminal."""
    console = console or out()
    for part in parts:
        if isinstance(part, str):
            console.print(printable(part))
        elif part.expand:  # a table of texts, which may wrap
            console.print(part)
        else:
            wide = Console(file=console.file, width=10_000, highlight=False, emoji=False)
            wide.print(part, width=Measurement.get(wide, wide.options, part).maximum)


def run_tables(run: Run) -> Iterable[Table | str]:
    """Show the figures of a run: of answers by group, and of rankings by system and level."""
    for system in run.systems:
        groups = run.figures[system]
        if any(name in groups["all"] for name in _ANSWER_COLUMNS):
            yield _answer_table(run, groups)
            yield "\n".join(_answer_lines(groups["all"]))
    yield _retrieval_table(run)
    for reason, count in run.circumstances.excluded.items():
        yield f"Left out: {count} {reason}."


def _answer_table(run: Run, groups: Mapping[str, Mapping[str, FigureRecord]]) -> Table:
    table = _table(heading(run.circumstances), "questions", *_ANSWER_COLUMNS.values())
    for names in GROUPINGS:
        for name in (name for name in names if name in groups):
            table.add_row(name, *(cell(groups[name].get(metric)) for metric in _ANSWER_COLUMNS))
        table.add_section()
    return table


def _answer_lines(whole: Mapping[str, FigureRecord]) -> Iterable[str]:
    yield (
        f"abstention: precision {cell(whole.get('abstention_precision'))}, "
        f"recall {cell(whole.get('abstention_recall'))}, F1 {cell(whole.get('abstention_f1'))}"
    )
    yield (
        f"token F1 {cell(whole.get('token_f1'))}; sentences borne out by their citations "
        f"{cell(whole.get('supported'))}; conflicts shown {cell(whole.get('conflict_shown'))}, "
        f"false {cell(whole.get('conflict_false'))}"
    )
    if "judge" in whole:
        yield f"found correct by the LLM judge: {cell(whole['judge'])}"
    if "latency_ms.p50" in whole:
        tokens = sum(whole[name].value for name in ("prompt_tokens", "completion_tokens") if name in whole)
        yield (
            f"an answer takes {whole['latency_ms.p50'].value:.1f} ms (p95 {whole['latency_ms.p95'].value:.1f}), "
            f"{whole['cpu_ms'].value:.1f} ms of processor time" + (f", {tokens:.0f} LLM tokens" if tokens else "")
        )
    yield f"citations that are the exact words of their article: {cell(whole.get('verbatim'), digits=4)}"


def _retrieval_table(run: Run) -> Table:
    several = len(run.systems) > 1 or not any(result.answer for result in run.results)
    title = heading(run.circumstances) if several else "ranking, all questions that have an answer"
    first, *others = _RETRIEVAL_COLUMNS
    table = _table(title, "system" if several else "of", first, "95 % interval", *others)
    for system in run.systems:
        whole = run.figures[system]["all"]
        for level in LEVELS:
            names = [f"{level}.{measure}" for measure in _RETRIEVAL_COLUMNS]
            if any(name in whole for name in names):
                label = f"{system}, {level}s" if several else f"{level}s"
                first, *others = (cell(whole.get(name), digits=4) for name in names)
                table.add_row(label, first, _interval(whole.get(names[0])), *others)
    return table


def _interval(figure: FigureRecord | None) -> str:
    if figure is None or figure.low is None or figure.high is None:
        return "–"
    return f"{figure.low:.4f} to {figure.high:.4f}"


def comparison_tables(comparison: Comparison, *, flips: int) -> Iterable[Table | str]:
    """Show what changed: the differences of all questions, of each group where one is clear, and what flipped."""
    yield difference_table("all questions", [row for row in comparison.rows if row.group == "all"])
    clear = [row for row in comparison.rows if row.group != "all" and (row.better or row.worse)]
    if clear:
        yield difference_table("groups with a clear difference", clear, grouped=True)
    gained = sum(flip.gained for flip in comparison.flips)
    yield f"{len(comparison.flips) - gained} questions got worse, {gained} better, of {comparison.common}."
    if comparison.only_before or comparison.only_after:
        yield f"Not compared: {comparison.only_before} questions only A has, {comparison.only_after} only B."
    if not comparison.same_files:
        yield "The files of the set are not the same in both runs: gold and keys may have changed, too."
    if comparison.flips and flips:
        yield _flip_table(comparison.flips[:flips])
    if len(comparison.flips) > flips:
        yield f"{len(comparison.flips) - flips} more; --flips N shows N of them, --json all."


def difference_table(title: str, rows: Sequence[Row], *, grouped: bool = False, words: bool = True) -> Table:
    """Show differences, one metric a row; the verdict is in words, not in colours."""
    table = _table(title, "metric", "before", "after", "difference", "95 % interval", "p", "n", "verdict")
    for row in rows:
        d = row.difference
        digits = 1 if row.metric.name.endswith("_ms") else 3
        verdict = "better" if row.better else "WORSE" if row.worse else "same" if d.change == 0 else "not clear"
        table.add_row(
            f"{row.group}: {row.metric.label}" if grouped else row.metric.label,
            f"{d.before:.{digits}f}",
            f"{d.after:.{digits}f}",
            f"{d.change:+.{digits}f}",
            f"{d.low:+.{digits}f} to {d.high:+.{digits}f}",
            f"{row.adjusted:.3f}",
            str(d.n),
            verdict if words else "",
        )
    return table


def gate_table(verdict: Verdict, run: Run) -> Table:
    """Show the gated metrics against the baseline."""
    return difference_table(f"{heading(run.circumstances)} – against the baseline", verdict.rows)


def sweep_table(rows: Sequence[SweepRow], by: Metric) -> Table:
    """Show one row a combination; the difference is by one metric, from the first row."""
    first = rows[0].run
    system = first.systems[0]
    shown = [name for name in _SWEPT if name in first.figures[system]["all"]]
    labels = [find_metric(name).label if "latency" not in name else "p50 ms" for name in shown]
    title = f"{first.circumstances.set}, {first.circumstances.split.replace('_', ' ')}, {system}"
    table = _table(title, *rows[0].varied, *labels, f"{by.label}: difference", "95 % interval", "p")
    for row in rows:
        figures = row.run.figures[row.run.systems[0]]["all"]
        d = row.difference
        change = (f"{d.change:+.4f}", f"{d.low:+.4f} to {d.high:+.4f}", f"{d.p:.3f}") if d else ("–", "–", "–")
        values = (cell(figures.get(name), digits=1 if "latency" in name else 4) for name in shown)
        table.add_row(*row.varied.values(), *values, *change)
    return table


def calibration_table(found: Calibration) -> Table:
    """Show the errors of an abstention model on every half of every set."""
    weights = ", ".join(f"{name} {weight:g}" for name, weight in found.model.weights.items())
    title = f"threshold {found.model.threshold:g}, intercept {found.model.intercept:g}, weights: {weights}"
    table = _table(title, "set", "half", "answerable declined", "unanswerable declined", "precision", "recall", "AUROC")
    for one in found.errors:
        values = one.to_json()
        numbers = ("abstention_precision", "abstention_recall", "auroc")
        table.add_row(
            one.set,
            one.split,
            f"{one.declined} of {one.answerable}",
            f"{one.declined_rightly} of {one.unanswerable}",
            *("–" if values[name] is None else f"{values[name]:.3f}" for name in numbers),
        )
    return table


def _flip_table(flips: Sequence[Flip]) -> Table:
    table = Table(box=box.SIMPLE, show_edge=False, padding=(0, 1), pad_edge=False, show_lines=True, expand=True)
    for name in ("question", "A", "B"):
        table.add_column(name, overflow="fold", ratio=1)
    for flip in flips:
        mark = "better" if flip.gained else "worse"
        table.add_row(
            printable(f"{flip.after.id} ({mark} by {flip.metric})\n{flip.after.question}"),
            printable(_answer(flip, after=False)),
            printable(_answer(flip, after=True)),
        )
    return table


def _answer(flip: Flip, *, after: bool) -> str:
    result = flip.after if after else flip.before
    if result.answer is not None:
        return result.answer.text
    return "\n".join(hit.title for hit in result.hits[:3])


def agreement_line(agreement: Agreement) -> str:
    """Say how far the LLM judge agrees with the answer keys."""
    raw = "–" if agreement.raw is None else f"{agreement.raw:.3f}"
    kappa = "undefined" if agreement.kappa is None else f"{agreement.kappa:.3f}"
    return (
        f"The judge agrees with the answer keys on {raw} of {agreement.n} answers, Cohen's kappa {kappa}; "
        f"{agreement.unjudged} could not be judged."
    )


def cell(figure: FigureRecord | None, *, digits: int = 3) -> str:
    """Write a figure with its number of cases: `0.812 (45)`, or a dash over none."""
    return "–" if figure is None else f"{figure.value:.{digits}f} ({figure.n})"


def heading(made: Circumstances) -> str:
    """Say in a line what was run."""
    settings = made.settings
    cut = (
        "whole articles"
        if made.unit == "article"
        else f"chunks {settings['chunk_tokens']}/{settings['chunk_overlap_tokens']}"
    )
    return f"{made.set}, {made.split.replace('_', ' ')} – {cut}, {made.model or settings['embedding_model']}"


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE, show_edge=False, padding=(0, 1), pad_edge=False)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table
