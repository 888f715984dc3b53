"""Answers without an LLM: the sentences that answer, verbatim, each cited, and nothing beside them."""

from __future__ import annotations

from collections.abc import Sequence

from index.generation import Generation
from index.searcher import SearchResult
from service.answering.abstention import AbstentionModel, decide
from service.answering.answer import Answer
from service.answering.composition import abstain, compose
from service.answering.evidence import Evidence, Question, gather

NEAREST = 3
"""Passages shown with an abstention."""

CLOSE = 0.75
"""A further sentence must reach this share of the best one's score (docs/measurements.md)."""

ADDS = 0.1
"""And it must hold at least this share of the question's terms that none before it held."""

SAME = 0.9
"""From this cosine on, two sentences say the same."""


class ExtractiveAnswerer:
    """Picks sentences out of the passages found. Deterministic; safe to use from several threads."""

    def __init__(self, abstention: AbstentionModel, *, max_sentences: int = 4) -> None:
        self._abstention = abstention
        self._max_sentences = max_sentences

    def answer(self, question: str, result: SearchResult, generation: Generation, *, max_citations: int = 5) -> Answer:
        """Answer from the hits of a search, or abstain.

        Args:
            question: The question, standing alone.
            result: What was found for it.
            generation: The generation that was searched.
            max_citations: Most citations, above 0; each sentence or list takes one.
        """
        asked = Question.read(question, generation)
        ranked = gather(asked, result, generation)
        decision = decide(asked, ranked, self._abstention)
        if decision.reason is not None:
            return abstain(decision.reason, _nearest(ranked), sureness=decision.confidence)
        chosen = choose(asked, ranked, most=min(self._max_sentences, max_citations))
        return compose(chosen, sureness=decision.confidence)


def choose(question: Question, ranked: Sequence[Evidence], *, most: int) -> list[Evidence]:
    """Pick the evidence to say: the best, then what adds to it.

    Args:
        question: The question.
        ranked: Evidence, best first, at least one.
        most: Most pieces, above 0.

    Returns:
        At least one piece, best first; none repeats or holds another.
    """
    chosen = [ranked[0]]
    if question.several and ranked[0].is_list:
        return chosen  # a list that was asked for is the whole answer
    covered = set(ranked[0].covered)
    for evidence in ranked[1:]:
        if len(chosen) == most:
            break
        if any(_repeats(evidence, other) for other in chosen):
            continue
        adds = question.coverage(covered | evidence.covered) - question.coverage(covered)
        if evidence.score >= CLOSE * ranked[0].score and adds >= ADDS:
            chosen.append(evidence)
            covered |= evidence.covered
    return chosen


def _repeats(one: Evidence, other: Evidence) -> bool:
    if one.hit.article_row == other.hit.article_row and one.span.overlaps(other.span):
        return True
    return float(one.vector @ other.vector) >= SAME


def _nearest(ranked: Sequence[Evidence]) -> list[Evidence]:
    nearest: list[Evidence] = []
    for evidence in ranked:
        if len(nearest) == NEAREST:
            break
        if not any(_repeats(evidence, other) for other in nearest):
            nearest.append(evidence)
    return nearest
