"""Part `search`: a search and a whole answer in this process, each question beside the floor.

Claim: a search costs little more than encoding its question, and an answer little more than its search. Controls: the
bare model (sentence-transformers) and FAISS on the same question; and our embedder alone with FAISS, which is the least
that the same runtime costs, and what searches and answers are compared with. All are done right after one another, for
every question in another order, so that a machine that slows down slows all; the ratio within a question is the figure
to trust. Each has a model of its own and no memory of questions: no cache can carry one's work over to another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from eval.bench.bench import WARM_UP_QUESTIONS
from eval.bench.corpus import Question
from eval.bench.measure import Cost, Figure, Measured, figure, timed
from index.embedding import load_embedder
from index.searcher import Searcher, SearchResult
from service.answering.reply import Reply
from service.assembly import embedder_settings, open_assistant, open_catalog

if TYPE_CHECKING:
    from eval.bench.bench import Bench

_FLOOR = "bare encode of the question and FAISS search"
_ENGINE = "encode of the question by our embedder and FAISS search"
_NAMES = {
    "floor": "floor, a question",
    "engine": "encode and FAISS, same runtime",
    "search": "search (hybrid)",
    "answer": "whole answer",
}
_BASES = {"engine": ("floor", _FLOOR), "search": ("engine", _ENGINE), "answer": ("engine", _ENGINE)}

SETTLE_SECONDS = 0.01
"""Longer than the libraries' threads spin for more work."""

_FIELDS = ("wall", "cpu")

Step = Callable[[str], object]


def rotated(names: Sequence[str], turn: int) -> list[str]:
    """Give the names in order, beginning at another one each turn."""
    start = turn % len(names)
    return [*names[start:], *names[:start]]


def interleave(
    steps: Mapping[str, Step], questions: Sequence[str], *, before: Callable[[str], None] = lambda _: None
) -> dict[str, list[Cost]]:
    """Do every step for every question, all steps of a question in a row, in an order that rotates.

    Args:
        steps: What is done with a question, by name.
        questions: The questions.
        before: Called with the name of a step before it, not timed.

    Returns:
        By the name of a step, what it took for each question, in order of the questions.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in steps}
    for turn, text in enumerate(questions):
        for name in rotated(list(steps), turn):
            before(name)
            costs[name].append(timed(partial(steps[name], text), settle_seconds=SETTLE_SECONDS))
    return costs


def measure_search(bench: Bench) -> Measured:
    """Measure the part; n counts the questions."""
    floor, settings, plan = bench.floor, bench.settings, bench.plan
    warm_up = bench.next_questions(WARM_UP_QUESTIONS)
    asked = bench.next_questions(plan.questions)
    searcher = Searcher(bench.built.generation, bench.embedder)
    embedder = load_embedder(embedder_settings(settings))
    live, assistant = open_assistant(settings, open_catalog(settings.data), load_embedder(embedder_settings(settings)))
    bench.note(f"Asking {len(asked)} questions in this process ...")
    found: dict[str, SearchResult] = {}
    replies: dict[str, Reply] = {}
    steps: dict[str, Step] = {
        "floor": floor.ask,
        "engine": lambda text: floor.search(embedder.encode([text])),
        "search": lambda text: found.update({text: searcher.search(text)}),
        "answer": lambda text: replies.update({text: assistant.ask(text)}),
    }

    def before(name: str) -> None:
        if name in ("floor", "engine"):
            floor.ready_for_question()
        else:
            floor.leave()

    interleave(steps, [one.text for one in warm_up], before=before)
    costs = interleave(steps, [one.text for one in asked], before=before)
    live.close()
    bench.keep_question_floor([cost.wall for cost in costs["floor"]])
    return Measured(_figures(costs), {"floor_threads": floor.question_threads} | _details(asked, costs, found, replies))


def _figures(costs: Mapping[str, Sequence[Cost]]) -> list[Figure]:
    figures: list[Figure] = []
    for name, what in _NAMES.items():
        for field in _FIELDS:
            values = [getattr(cost, field) * 1000 for cost in costs[name]]
            beside, floor = _BASES.get(name, (None, None))
            base = [getattr(cost, field) * 1000 for cost in costs[beside]] if beside is not None else None
            figures.append(
                figure("search", what if field == "wall" else f"{what}, CPU", "ms", values, base=base, floor=floor)
            )
    return figures


def _details(
    asked: Sequence[Question],
    costs: Mapping[str, Sequence[Cost]],
    found: Mapping[str, SearchResult],
    replies: Mapping[str, Reply],
) -> dict[str, object]:
    """Give the times of every question, and whether what was timed was the real thing: passages and answers found."""
    rows = [
        {"question": one.text}
        | {f"{name}_{field}_ms": getattr(costs[name][place], field) * 1000 for name in costs for field in _FIELDS}
        | {
            "article_found": any(hit.article.url == one.url for hit in found[one.text].hits),
            "answered": replies[one.text].answer.status != "abstained",
            "key_said": one.key in replies[one.text].answer.text,
        }
        for place, one in enumerate(asked)
    ]
    marks = {mark: sum(bool(row[mark]) for row in rows) for mark in ("article_found", "answered", "key_said")}
    return {"questions": len(rows), **marks, "rows": rows}
