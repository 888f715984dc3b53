"""What pieces of evidence claim: each value of the kind that a question asks for, with the words around it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property

from index.generation import Generation
from index.lexical import terms
from service.answering.evidence import Evidence, Question, title_terms
from service.answering.expectation import Expectation
from service.answering.values import NUMBERS, Value, ValueKind, days_of, holders_of, values_of

LOOKED_AT = 40
"""Pieces of evidence that are read."""

_KINDS: dict[Expectation, frozenset[ValueKind]] = {
    "number": frozenset({"count", "measure", "money", "share"}),
    "money": frozenset({"money"}),
    "share": frozenset({"share"}),
    "choice": frozenset({"count", "measure", "money", "share"}),
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
_AMOUNT = re.compile(r"[$€£¥]?\s?([\w.,]*\w)")
_CLAUSE = re.compile(r"[;:—–]|, (?!\d)")
_OF = re.compile(r"\s+of\s+((?:[\w’'-]+\s*){1,4})")


class Claim:
    """A value that a piece of evidence states, with the stemmed words around it, each read when it is first asked for.

    Attributes:
        evidence: The sentence.
        value: The value.
    """

    def __init__(self, evidence: Evidence, value: Value, generation: Generation) -> None:
        self.evidence = evidence
        self.value = value
        self._generation = generation

    @cached_property
    def own(self) -> frozenset[str]:
        """The words of the sentence, but for the value."""
        own = frozenset(terms(f"{self.ahead} {self._after}"))
        return own if self.value.kind == "holder" else own | self.value.nouns

    @cached_property
    def before(self) -> frozenset[str]:
        """Those of the sentence before."""
        article_row = self.evidence.hit.article_row
        rows = self._generation.sentences_in(article_row, self.evidence.span)
        first = self._generation.sentences_of(article_row).start
        return self._generation.sentence_terms(rows.start - 1) if rows.start > first else frozenset()

    @cached_property
    def near(self) -> frozenset[str]:
        """Both, and those of the title."""
        return self.own | self.before | title_terms(self.evidence.article.title)

    @cached_property
    def lead(self) -> frozenset[str]:
        """Those of its clause before the value."""
        return frozenset(terms(_CLAUSE.split(self.ahead)[-1]))

    @cached_property
    def nouns(self) -> frozenset[str]:
        """What the value is a number of, wherever the article names it."""
        value, article = self.value, self.evidence.article
        if value.kind != "count":
            return value.nouns
        return value.nouns | _other_nouns(value, article.title, article.text)

    @cached_property
    def whole(self) -> frozenset[str]:
        """What a share is a share of, as far as the sentence says so."""
        whole = _OF.match(self._after) if self.value.kind == "share" else None
        return frozenset(terms(whole[1])) if whole else frozenset()

    @property
    def ahead(self) -> str:
        """The sentence before the value."""
        return self.evidence.quote[: self.value.start]

    @property
    def _after(self) -> str:
        return self.evidence.quote[self.value.start + len(self.value.words) :]

    def names(self, value: Value) -> bool:
        """Tell whether the sentence names a value, too, as one that tells of a change does."""
        return stands_in(value, self.evidence.quote)


def claims_of(question: Question, ranked: Sequence[Evidence], generation: Generation) -> Iterator[Claim]:
    """Give the claims of values that may answer, best evidence first, each as it is asked for.

    Bare numbers are given, too, where what is asked for is a number of something: they may be of that.

    Args:
        question: The question.
        ranked: Evidence, best first.
        generation: The generation that it is from.
    """
    kinds = _KINDS.get(question.expectation, frozenset())
    bare = not kinds.isdisjoint(NUMBERS)
    office = _OFFICE.search(question.text) if "holder" in kinds else None
    offered = question.expectation == "choice"
    if not kinds or ("holder" in kinds and office is None):
        return
    for evidence in ranked[:LOOKED_AT]:
        if evidence.is_list:
            continue
        if office:
            values = holders_of(evidence.quote, office["office"].strip())
        else:
            values = days_of(evidence.quote) if kinds == {"day"} else values_of(evidence.quote)
        for value in values:
            # A question does not ask for what it names, but where it offers a choice.
            if (value.kind in kinds or (bare and value.bare)) and stands_in(value, question.text) == offered:
                yield Claim(evidence, value, generation)


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
    return _named(value) in text and re.search(_exactly(value), text) is not None


def _other_nouns(value: Value, *texts: str) -> frozenset[str]:
    """Give what else an article says a count is of: "184,000 people", and in the title "184,000 customers"."""
    found: set[str] = set()
    for text in texts:
        if _named(value) not in text:
            continue
        for match in re.finditer(_exactly(value), text):
            here = values_of(text[match.start() : match.start() + 60])
            found.update(*(other.nouns for other in here[:1] if other.kind == "count"))
    return frozenset(found)


def _named(value: Value) -> str:
    """Give the words of a value by which another text names it: those of an amount without its unit."""
    if value.kind in ("day", "holder"):
        return value.words
    match = _AMOUNT.match(value.words)
    return match[1] if match else value.words


def _exactly(value: Value) -> str:
    words = re.escape(_named(value))
    return rf"\b{words}\b" if value.kind in ("day", "holder") else rf"(?<![\w.,]){words}(?!\w|[.,]\d)"
