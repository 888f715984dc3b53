"""What pieces of evidence claim: each value of the kind that a question asks for, with the words around it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from index.generation import Generation
from index.lexical import terms
from service.answering.evidence import Evidence, Question
from service.answering.expectation import Expectation
from service.answering.values import Value, ValueKind, holders_of, values_of

LOOKED_AT = 40
"""Pieces of evidence that are read."""

_KINDS: dict[Expectation, frozenset[ValueKind]] = {
    "number": frozenset({"count", "measure", "money", "share"}),
    "money": frozenset({"money"}),
    "share": frozenset({"share"}),
    "duration": frozenset({"measure"}),
    "time": frozenset({"day"}),
    "person": frozenset({"holder"}),
}
_HOW_MANY = re.compile(r"\bhow many\s+((?:[\w’'-]+\s*){1,4})", re.IGNORECASE)
_NOUN_ENDS = re.compile(
    r"\b(?:was|were|is|are|did|does|do|has|have|had|will|can|could|would|should|in|on|of|at|from|to|by|for|with)\b.*",
    re.IGNORECASE,
)
_OFFICE = re.compile(
    r"\bwho(?:['’]s| is| was| are)(?: the| now| currently)*(?: new| current)? (?P<office>[a-z][\w -]{2,40}?)"
    r"(?= (?:of|at|in|for|to)\b|\W*$)",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[;:—–]|, (?!\d)")
_OF = re.compile(r"\s+of\s+((?:[\w’'-]+\s*){1,4})")


@dataclass(frozen=True, slots=True)
class Claim:
    """A value that a piece of evidence states, with the stemmed words around it.

    Attributes:
        evidence: The sentence.
        value: The value.
        own: The words of the sentence, but for the value.
        before: Those of the sentence before.
        near: Both, and those of the title.
        lead: Those of its clause before the value.
        nouns: What the value is a number of, wherever the article names it.
        whole: What a share is a share of, as far as the sentence says so.
    """

    evidence: Evidence
    value: Value
    own: frozenset[str]
    before: frozenset[str]
    near: frozenset[str]
    lead: frozenset[str]
    nouns: frozenset[str]
    whole: frozenset[str]

    def names(self, value: Value) -> bool:
        """Tell whether the sentence names a value, too, as one that tells of a change does."""
        return stands_in(value, self.evidence.quote)


def claims_of(question: Question, ranked: Sequence[Evidence], generation: Generation) -> list[Claim]:
    """Give the claims of values that may answer, best evidence first; bare numbers are given whatever is asked for.

    Args:
        question: The question.
        ranked: Evidence, best first.
        generation: The generation that it is from.
    """
    kinds = _KINDS.get(question.expectation, frozenset())
    office = _OFFICE.search(question.text) if "holder" in kinds else None
    found: list[Claim] = []
    for evidence in ranked[:LOOKED_AT] if kinds else ():
        if evidence.is_list:
            continue
        values = holders_of(evidence.quote, office["office"].strip()) if office else values_of(evidence.quote)
        asked = [value for value in values if value.kind in kinds or value.bare]
        found += [_claim(evidence, value, generation) for value in asked if not stands_in(value, question.text)]
    return found


def asked_for(question: Question, claim: Claim) -> bool:
    """Tell whether a claim is of the kind that is asked for, and of the things of which the question asks how many."""
    if claim.value.bare or claim.value.kind not in _KINDS.get(question.expectation, frozenset()):
        return False
    wanted = asked_nouns(question.text)
    return not wanted or bool(wanted & claim.nouns)


def asked_nouns(question: str) -> frozenset[str]:
    """Give the stems of the things of which a question asks how many; none for other questions."""
    match = _HOW_MANY.search(question)
    return frozenset(terms(_NOUN_ENDS.sub("", match[1]))) if match else frozenset()


def stands_in(value: Value, text: str) -> bool:
    """Tell whether the number, day or name of a value stands in a text as a whole."""
    return re.search(_exactly(value), text) is not None


def _claim(evidence: Evidence, value: Value, generation: Generation) -> Claim:
    sentence, article = evidence.quote, evidence.article
    rows = generation.sentences_in(evidence.hit.article_row, evidence.span)
    first = generation.sentences_of(evidence.hit.article_row).start
    before = generation.sentence_terms(rows.start - 1) if rows.start > first else frozenset[str]()
    after = sentence[value.start + len(value.words) :]
    own = frozenset(terms(f"{sentence[: value.start]} {after}"))
    if value.kind != "holder":
        own |= value.nouns
    whole = _OF.match(after) if value.kind == "share" else None
    return Claim(
        evidence,
        value,
        own=own,
        before=before,
        near=own | before | frozenset(terms(article.title)),
        lead=frozenset(terms(_CLAUSE.split(sentence[: value.start])[-1])),
        nouns=value.nouns
        | (_other_nouns(value, article.title, article.text) if value.kind == "count" else frozenset()),
        whole=frozenset(terms(whole[1])) if whole else frozenset(),
    )


def _other_nouns(value: Value, *texts: str) -> frozenset[str]:
    """Give what else an article says a count is of: "184,000 people", and in the title "184,000 customers"."""
    found: set[str] = set()
    for text in texts:
        for match in re.finditer(_exactly(value), text):
            here = values_of(text[match.start() : match.start() + 60])
            found.update(*(other.nouns for other in here[:1] if other.kind == "count"))
    return frozenset(found)


def _exactly(value: Value) -> str:
    if value.kind in ("day", "holder"):
        return rf"\b{re.escape(value.words)}\b"
    match = re.match(r"[$€£¥]?\s?([\w.,]*\w)", value.words)
    return rf"(?<![\w.,]){re.escape(match[1] if match else value.words)}(?!\w|[.,]\d)"
