"""What a question takes for granted, and whether the articles say the opposite ("Why was it rejected?": it was not)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from service.answering.evidence import Evidence
from service.answering.facts import Facts

LOOKED_AT = 5
"""Pieces of evidence that may contradict a question. If the passage of one has the question's own word, it may hold."""

ABOUT_IT = 0.6
"""A piece must hold this share of the question's words, its title, heading and the sentence before included."""

_PRESUPPOSES = re.compile(
    r"\W*(?:and |but |so )?(?:(?:for|by|in|at|on|to|with|since|until) )?"
    r"(?:why|when|where|who|whom|whose|which|what|how)\b",
    re.IGNORECASE,
)


def contradicting(question: str, ranked: Sequence[Evidence]) -> Evidence | None:
    """Find evidence that says the opposite of what a question takes for granted.

    Only opposites of content words count ("reject", "approve"), and only where no evidence has the question's own:
    a few false premises are found so, and hardly a true one is denied (docs/answers.md).

    Args:
        question: The question, standing alone. A question that asks whether something is so takes nothing for granted.
        ranked: Evidence, best first.
    """
    if not _PRESUPPOSES.match(question):
        return None
    asked = Facts.of(question)
    about_it = [evidence for evidence in ranked[:LOOKED_AT] if evidence.context >= ABOUT_IT]
    said = [Facts.of(evidence.quote) for evidence in about_it]
    # All of the passage, as what is not quotable says something, too.
    held = frozenset[str]().union(*(Facts.of(evidence.hit.text).stems for evidence in about_it))
    return next(
        (evidence for evidence, facts in zip(about_it, said, strict=True) if asked.opposed_by(facts, besides=held)),
        None,
    )
