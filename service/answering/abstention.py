"""Whether the best evidence answers the question at all."""

from __future__ import annotations

from collections.abc import Sequence

from service.answering.answer import AbstainReason
from service.answering.evidence import Evidence, Question

RELEVANT = 0.30
"""Below this cosine the best evidence is not even about the question."""

STATED = 0.42
"""Least `support` of evidence that answers; docs/measurements.md has the errors on both sides of it."""


def support(question: Question, evidence: Evidence) -> float:
    """Give how well a piece of evidence bears out an answer: cosine and coverage, alone and in context."""
    return evidence.cosine * 0.6 + evidence.coverage * 0.2 + evidence.context * 0.4


def reason_to_abstain(question: Question, ranked: Sequence[Evidence]) -> AbstainReason | None:
    """Tell why the evidence does not answer the question; None where it does.

    Args:
        question: The question.
        ranked: All evidence, best first.
    """
    if not ranked or not question.weights or max(e.cosine for e in ranked[:5]) < RELEVANT:
        return "no_relevant_passage"
    if support(question, ranked[0]) < STATED:
        return "not_stated"
    return None
