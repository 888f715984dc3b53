"""What a question takes for granted, and whether the articles say the opposite ("Why was it rejected?": it was not)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from index.lexical import terms
from service.answering.evidence import Evidence

LOOKED_AT = 5
"""Pieces of evidence that may contradict a question. If the passage of one has the question's own word, it may hold."""

ABOUT_IT = 0.6
"""A piece must hold this share of the question's words, its title, heading and the sentence before included."""

_PRESUPPOSES = re.compile(
    r"\W*(?:and |but |so )?(?:(?:for|by|in|at|on|to|with|since|until) )?"
    r"(?:why|when|where|who|whom|whose|which|what|how)\b",
    re.IGNORECASE,
)
# What several words say and one word says, too.
_PHRASES = (
    (re.compile(r"\b(?:turn|vote|strik|struck|knock)(?:e|ed|es|s|ing)? (?:\w+ )?down\b", re.IGNORECASE), " reject "),
    (re.compile(r"\b(?:call(?:s|ed|ing)?) (?:\w+ )?off\b", re.IGNORECASE), " cancel "),
    (re.compile(r"\bg[ai]v(?:e|es|en|ing) (?:\w+ ){0,2}(?:green light|go-ahead)\b", re.IGNORECASE), " approve "),
    (re.compile(r"\bmay (?=build|open|go ahead|proceed)", re.IGNORECASE), " approve "),
)
_OPPOSITES = """
rise fall, increase decrease, increase reduce, raise lower, raise cut, grow shrink, approve reject, accept refuse,
accept reject, grant deny, grant reject, win lose, open close, begin end, start stop, start end, support oppose, allow
forbid, allow ban, permit ban, hire fire, appoint dismiss, arrive leave, enter leave, buy sell, higher lower, best
worst, gain lose, join leave, strengthen weaken, expand shrink, agree refuse, confirm deny, succeed fail, pass reject,
keep drop, export import, east west, north south, majority minority, guilty innocent, upper lower, early late, earlier
later, largest smallest, highest lowest, oldest youngest, reject approve, refuse grant, refuse approve, cancel keep,
scrap keep, scrap save, suspend resume, halt resume, demolish build, deny allow, lift impose, postpone begin, forbid
permit, reject support, shut open, shut reopen, close reopen, delay advance, jump fall, soar fall, raise reduce, hike
cut
"""


def _pairs() -> dict[str, frozenset[str]]:
    opposites: dict[str, set[str]] = {}
    for pair in _OPPOSITES.split(","):
        one, other = (terms(word)[0] for word in pair.split())
        opposites.setdefault(one, set()).add(other)
        opposites.setdefault(other, set()).add(one)
    return {stem: frozenset(others) for stem, others in opposites.items()}


OPPOSITES = _pairs()


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
    asked = _stems(question)
    if OPPOSITES.keys().isdisjoint(asked):
        return None  # most questions: nothing is read for them
    about_it = [evidence for evidence in ranked[:LOOKED_AT] if evidence.context >= ABOUT_IT]
    # All of the passage, as what is not quotable says something, too.
    held = frozenset[str]().union(*(_stems(evidence.hit.text) for evidence in about_it))
    denied = frozenset[str]().union(*(OPPOSITES.get(stem, frozenset()) for stem in asked - held)) - asked
    return next((evidence for evidence in about_it if denied & _stems(evidence.quote)), None)


def _stems(text: str) -> frozenset[str]:
    for phrase, word in _PHRASES:
        text = phrase.sub(word, text)
    return frozenset(terms(text))
