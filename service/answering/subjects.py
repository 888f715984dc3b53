"""Whether two claims are of the same thing: what is measured, and whose. English only, by words alone.

They are taken for claims of two things where the other one says so plainly: it names another of the kind ("the Alder
Museum" for "the clock museum"), its article never names whom the question names, or what it says the value of is
neither in the question nor in the answer's sentence ("Tickets cost …" for a tram line).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from index.lexical import terms
from service.answering.claims import Claim
from service.answering.mentions import mentions
from service.answering.phrases import phrases
from service.answering.values import NUMBERS, ValueKind

FARTHEST_APART = 10.0
"""Amounts farther apart than by this factor are not of one thing."""

_COMPARED: frozenset[ValueKind] = NUMBERS | {"share"}
_OF_SUBJECT: frozenset[ValueKind] = frozenset({"money", "measure"})
_CLAUSE = re.compile(r"\b(?:that|and|but|while|whereas)\s+|[;:—–]\s*|,\s(?!\d)")
_HAS_VALUE = re.compile(
    r"\s+(?:(?:will|would|may|might|could|can|should|must|has|have|had|now|still|also|only)\s+){0,3}"
    r"(?:costs?|be|been|is|are|was|were|(?:comes?|came|amounts?|amounted|rises?|rose|remains?|stays?)\b(?:\s+(?:to|at))?)\b",
    re.IGNORECASE,
)
# They go back to what was named, or tell it apart from nothing.
_GENERAL = frozenset(
    terms(
        "project plan scheme work works building construction programme cost costs price total bill figure sum amount "
        "estimate value budget whole thing number rate level length height depth width weight duration"
    )
)
_QUALIFIES_LITTLE = frozenset(terms("new old big small first second last main own local planned proposed future"))


def far_apart(one: Claim, other: Claim) -> bool:
    """Tell whether two amounts are of another order."""
    if one.value.kind not in _COMPARED:
        return False
    low, high = sorted((abs(one.value.amount), abs(other.value.amount)))
    return high > FARTHEST_APART * low


def of_another(
    question: str, answer: Claim, claim: Claim, article_of_answer: frozenset[str], article: frozenset[str]
) -> bool:
    """Tell whether a claim is of something else than the answer.

    Args:
        question: What both are claims of.
        answer: The claim that is the answer.
        claim: The other one.
        article_of_answer: The stemmed words of the answer's article.
        article: Those of the other claim's.
    """
    return (
        _leaves_out_a_name(question, article_of_answer, article)
        or _names_another_of_the_kind(question, answer, claim, article_of_answer, article)
        or _has_another_subject(question, answer, claim)
    )


def _leaves_out_a_name(question: str, article_of_answer: frozenset[str], article: frozenset[str]) -> bool:
    """Tell whether a name of the question is in the answer's article, and nothing of it in the other claim's."""
    names = [frozenset(terms(name.words)) for name in mentions(question)]
    return any(name and name <= article_of_answer and name.isdisjoint(article) for name in names)


def _names_another_of_the_kind(
    question: str, answer: Claim, claim: Claim, article_of_answer: frozenset[str], article: frozenset[str]
) -> bool:
    """Tell whether a claim names a museum where question or answer speaks of a museum of another name.

    It must share the last word alone, and either side must have a word that the other one's article never says.
    """
    asked = frozenset(terms(question))
    meant = [*phrases(question), *(one for one in phrases(answer.evidence.quote) if one.proper)]
    for other in mentions(claim.evidence.quote):
        own = terms(other.words)
        if not own or own[-1] not in asked or not _foreign(own, asked | article_of_answer):
            continue
        head = own[-1]
        for one in meant:
            words = terms(one.words)
            if head in terms(one.head) and _foreign(words, article | {head}):
                return True
    return False


def _foreign(words: Iterable[str], known: frozenset[str]) -> bool:
    return bool(set(words) - known - _QUALIFIES_LITTLE)


def _has_another_subject(question: str, answer: Claim, claim: Claim) -> bool:
    """Tell whether a claim says of something new that it costs, is or measures so much."""
    if claim.value.kind not in _OF_SUBJECT:
        return False
    clause = _CLAUSE.split(claim.ahead)[-1]
    subject = next(iter(phrases(clause)), None)
    if subject is None or clause[: subject.start].strip(' “"').casefold() not in {"", "the"}:
        return False
    words = subject.words.removeprefix("the ")
    if not _HAS_VALUE.match(clause, clause.find(words) + len(words)):
        return False
    head = frozenset(terms(subject.head))
    return bool(head) and head.isdisjoint(_GENERAL | frozenset(terms(question)) | answer.own)
