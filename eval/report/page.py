"""From a run to the values that the template shows, and to the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from eval.metrics import GROUPINGS, LEVELS, RECALL_DEPTHS, risk_coverage
from eval.records import FigureRecord, Result, Run
from eval.report import plots, tables
from eval.report.questions import OUTCOMES, Outcome, Question, is_right, questions_of
from eval.report.rankings import SHOWN_HITS, Queries, first_relevant, queries_of
from eval.report.text import attribute, visible
from service.settings import Settings

_FOLDER = Path(__file__).parent
# Where a process runs, not how it answers.
_OF_THE_PLACE = frozenset({"data", "host", "port"})
_TYPE_BARS = ("keys", "all_keys", "citation_precision", "citation_recall", "chunk.R@10", "declined")
_KEY_FIGURES = (
    "keys",
    "all_keys",
    "citation_precision",
    "citation_recall",
    "abstention_precision",
    "abstention_recall",
    "abstention_f1",
    "verbatim",
)


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of the run; `default` is None where this version has no such setting."""

    name: str
    value: str
    default: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a system comes to: some sentences, and the few figures that matter.

    `alarm` is the share of verbatim quotes where it is not 1, and `not_verbatim` the questions that it falls short on.
    """

    system: str
    sentences: tuple[str, ...]
    figures: tuple[tuple[str, tables.Cell | None], ...]
    alarm: tables.Cell | None
    not_verbatim: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """A plot that is left out, and why."""

    title: str
    why: str


@dataclass(frozen=True, slots=True)
class Group:
    """The questions of a system that went the same way."""

    outcome: Outcome
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of one system, what went wrong first; groups without a question are left out.

    `unrecorded` counts its questions that the run holds no answer of.
    """

    system: str
    anchor: str
    groups: tuple[Group, ...]
    unrecorded: int

    @property
    def total(self) -> int:
        """The number of its questions."""
        return sum(len(group.questions) for group in self.groups)


def write_report(run: Run, file: Path) -> None:
    """Write the page of a run to a file, in UTF-8; the same run gives the same bytes."""
    file.write_text(render_report(run), encoding="utf-8", newline="\n")


def render_report(run: Run) -> str:
    """Give a run as one HTML page that needs no other file and runs no script."""
    return environment().get_template("template.html").render(values(run))


def environment() -> Environment:
    """Give what makes pages of templates: every value is escaped and made visible, and none may be missing."""
    made = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["attribute"] = attribute
    made.filters["first_relevant"] = first_relevant
    # Not the filter `replace`: it gives markup, which `visible` would leave as it is.
    made.filters["spaced"] = lambda name: name.replace("_", " ")
    return made


def values(run: Run) -> dict[str, Any]:
    """Give what the template shows, by the names that it uses."""
    answering = [system for system in run.systems if any(result.answer for result in run.of_system(system))]
    ranking = [system for system in run.systems if system not in answering]
    answers = [_answers(run, system, number) for number, system in enumerate(answering, start=1)]
    queries = queries_of(run, ranking) if ranking else None
    found = [
        *(tables.answer_table(run, system) for system in answering),
        tables.abstention_table(run, answering),
        tables.retrieval_table(run),
        tables.time_table(run, answering),
        tables.cost_table(run),
    ]
    drawn = list(_plots(run, answering))
    return {
        "run": run,
        "made": run.circumstances,
        "asked": len({result.id for result in run.results}),
        "changed": tuple(setting for setting in settings_of(run) if setting.value != setting.default),
        "settings": settings_of(run),
        "verdicts": tuple(_verdict(run, part) for part in answers),
        "best": _best_ranking(run, ranking, queries) if queries else None,
        "tables": tuple(table for table in found if table is not None),
        "plots": tuple(plot for plot in drawn if isinstance(plot, plots.Plot)),
        "missing": tuple(plot for plot in drawn if isinstance(plot, Missing)),
        "answers": tuple(answers),
        "queries": queries,
        "outcomes": OUTCOMES,
        "shown_hits": SHOWN_HITS,
        "by_level": tables.by_level,
        "brief": ("nDCG@10", "RR@10", "AP", "R@10"),
        "date": _date(run.circumstances.date),
    }


def settings_of(run: Run) -> tuple[Setting, ...]:
    """Give the settings of a run that decide how it answers, each with the default of this version."""
    defaults = {name: str(field.get_default()) for name, field in Settings.model_fields.items()}
    return tuple(
        Setting(name, str(value), defaults.get(name))
        for name, value in run.circumstances.settings.items()
        if name not in _OF_THE_PLACE
    )


def _answers(run: Run, system: str, number: int) -> Answers:
    prefix = "q" if number == 1 else f"q{number}"
    results = run.of_system(system)
    questions = questions_of(results, prefix=prefix)
    groups = [Group(outcome, tuple(q for q in questions if q.outcome == outcome)) for outcome in OUTCOMES]
    return Answers(
        system=system,
        anchor=f"{prefix}.questions",
        groups=tuple(group for group in groups if group.questions),
        unrecorded=len(results) - len(questions),
    )


def _verdict(run: Run, answers: Answers) -> Verdict:
    whole = run.figures.get(answers.system, {}).get("all", {})
    sentences: list[str] = []
    if keys := whole.get("all_keys"):
        sentences.append(f"{_count(keys)} of {keys.n:,} answerable questions have every key in their answer.")
    if declined := whole.get("declined"):
        sentences.append(f"{_count(declined)} of {declined.n:,} unanswerable ones were declined.")
    if answered := whole.get("answered"):
        sentences.append(f"{answered.n - _count(answered):,} of {answered.n:,} answerable ones were declined, too.")
    exact = whole.get("verbatim")
    questions = [question for group in answers.groups for question in group.questions]
    return Verdict(
        system=answers.system,
        sentences=tuple(sentences),
        figures=tuple((tables.label_of(name), tables.cell(whole.get(name))) for name in _KEY_FIGURES),
        alarm=tables.cell(exact, digits=4) if exact is not None and exact.value < 1 else None,
        not_verbatim=tuple(question for question in questions if question.result.metrics.get("verbatim", 1) < 1),
    )


def _date(written: str) -> str:
    """Write a moment for people; what is no moment is shown as it stands."""
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return written
    return f"{moment:%Y-%m-%d %H:%M} {moment.tzname() or ''}".strip()


def _count(share: FigureRecord) -> int:
    return round(share.value * share.n)


def _best_ranking(run: Run, systems: Sequence[str], queries: Queries) -> tuple[tuple[str, tables.Cell | None], ...]:
    """Give the systems that only rank with their main figure, best first."""
    found = {system: run.figures.get(system, {}).get("all", {}).get(queries.measure) for system in systems}
    order = sorted(systems, key=lambda system: -(figure.value if (figure := found[system]) else -1))
    return tuple((system, tables.cell(found[system])) for system in order)


def _plots(run: Run, answering: Sequence[str]) -> Iterator[plots.Plot | Missing]:
    yield from _recall_plots(run)
    for number, system in enumerate(answering, start=1):
        of = f" of {system}" if len(run.systems) > 1 else ""
        results = run.of_system(system)
        yield _risk_plot(f"risk{number}", f"Risk and coverage{of}", results)
        yield _latency_plot(f"latency{number}", f"Time of an answer{of}", run, system)
    if not answering:
        yield Missing("Risk and coverage", "no answers were given")
        yield Missing("Time of an answer", "no answers were given")
    yield from _bar_plots(run, answering)


def _recall_plots(run: Run) -> Iterator[plots.Plot | Missing]:
    """Draw a line for each level where one system ran, else a plot for each level with a line for each system."""
    lines: dict[str, dict[str, list[tuple[int, FigureRecord]]]] = {}
    for system in run.systems:
        whole = run.figures.get(system, {}).get("all", {})
        for level in LEVELS:
            points = [(k, whole[name]) for k in RECALL_DEPTHS if (name := f"{level}.R@{k}") in whole]
            if points:
                lines.setdefault(level, {})[system] = points
    if not lines:
        yield Missing("Recall over k", "the run has no figures of retrieval")
    elif len(run.systems) == 1:
        by_level = {f"{level}s": points for level, systems in lines.items() for points in systems.values()}
        yield plots.recall_plot("recall", "Recall over k", by_level)
    else:
        for level, systems in lines.items():
            yield plots.recall_plot(f"recall-{level}", f"Recall of {level}s over k", systems)


def _risk_plot(name: str, title: str, results: Sequence[Result]) -> plots.Plot | Missing:
    """Draw risk over coverage of the answers that were given: of an abstention nobody knows what it would have said."""
    given = [(result.answer, result) for result in results if result.answer and result.answer.status != "abstained"]
    right = [is_right(result) for _answer, result in given]
    curve = risk_coverage([answer.confidence for answer, _result in given], right)
    if curve is None:
        return Missing(title, "no answers were given")
    return plots.risk_plot(name, title, curve)


def _latency_plot(name: str, title: str, run: Run, system: str) -> plots.Plot | Missing:
    times = [result.metrics["latency_ms"] for result in run.of_system(system) if "latency_ms" in result.metrics]
    if not times:
        return Missing(title, "the run has no times")
    whole = run.figures.get(system, {}).get("all", {})
    marks = {label: whole[f"latency_ms.{label}"].value for label in ("p50", "p95") if f"latency_ms.{label}" in whole}
    return plots.latency_plot(name, title, times, marks)


def _bar_plots(run: Run, answering: Sequence[str]) -> Iterator[plots.Plot | Missing]:
    kinds = [name for names in GROUPINGS[2:] for name in names]
    drawn = 0
    for number, system in enumerate(answering, start=1):
        groups = run.figures.get(system, {})
        of = f" of {system}" if len(run.systems) > 1 else ""
        for name in _TYPE_BARS:
            bars = {kind: groups[kind][name] for kind in kinds if name in groups.get(kind, {})}
            if bars:
                drawn += 1
                meaning = _sentence(tables.meaning_of(name))
                yield plots.bars_plot(
                    f"bars{number}-{drawn}", _capital(f"{tables.label_of(name)}{of}, by type"), bars, meaning
                )
    if not drawn and answering:
        yield Missing("Figures by type", "the questions have no types")
    wholes: Mapping[str, Mapping[str, FigureRecord]] = {s: run.figures.get(s, {}).get("all", {}) for s in run.systems}
    for level in LEVELS if len(run.systems) > 1 else ():
        name = f"{level}.nDCG@10"
        bars = {system: whole[name] for system, whole in wholes.items() if name in whole}
        if bars:
            yield plots.bars_plot(
                f"bars-{level}",
                _capital(f"{tables.label_of(name)}, by system"),
                bars,
                _sentence(tables.meaning_of(name)),
            )


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _sentence(words: str) -> str:
    return f"{_capital(words)}."
