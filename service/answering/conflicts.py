"""Different values for the same thing in the evidence for a question.

The first claim of what is asked for is the answer. Another one disputes it if it answers the same with a different
value. Another thing, another time, a part, a rounding or a change is no dispute, and where it is not clear, it is none
either: a conflict that is not shown costs less than one that does not exist. docs/measurements.md has the figures from
which the limits were chosen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain

from index.generation import Generation
from service.answering.claims import Claim, asked_for, asked_nouns, claims_of
from service.answering.evidence import Evidence, Question
from service.answering.subjects import far_apart, of_another
from service.answering.values import ValueKind, years_of

LEAST_NEAR = 0.25
"""Least share of the question's words in each sentence with its title and the sentence before."""

LEAST_ARTICLE = 0.5
"""The same in the whole article of each."""

LEAST_LIKENESS: dict[ValueKind, float] = {
    "count": 0.75,
    "measure": 0.75,
    "money": 1.35,
    "share": 1.35,
    "day": 1.65,
    "holder": 0.75,
}
"""Least `_likeness` of two claims, of at most 3: less where the unit or the noun already says what it is about."""

LEAST_KEPT = 0.5
"""Of the question's words in the sentence of the answer, the least share that the other claim is near to, too: a tariff
on timber is not disputed by one on steel."""

DAY_SHARE = 0.8
"""A day is disputed by another only if its sentence holds as many words of the question, but for a fifth."""

SAME_NEWS_DAYS = 7
"""Values of their day ("now", "raised to") are of the same day if the articles were published within a week."""

MOST_POSITIONS = 4

# "How did the cost change?" is answered by several figures, which do not disagree.
_ASKS_HOW = re.compile(
    r"\W*(?:(?:and|but|so) )?how (?:did|does|do|has|have|had|is|are|was|were|can|could|will|would)\b", re.I
)
_DISPUTES = re.compile(
    r"\b(?:true|real|actual|correct) (?:\w+ )?(?:figure|number|sum|cost|toll|total|share|price|value)\b"
    r"|\b(?:in fact|actually)\b|\b(?:disput|contradict|disagree|miscount|overstat|understat)\w*\b"
    r"|\b(?:denies|denied|rejects|rejected) (?:the|this|that)\b",
    re.IGNORECASE,
)
_CHANGES_TO = re.compile(
    r"\b(?:rais|ris|rose|lower|cut|increas|decreas|reduc|fell|fall|drop|climb|grew|grow|shrank|shrink|lift|went|chang)\w*\b"
    r".{0,80}?\b(?:to|by)\s$",
    re.IGNORECASE,
)
_OF_ITS_DAY = re.compile(
    r"\b(?:now|current(?:ly)?|at present|latest|recent(?:ly)?|so far|to date|as of|st(?:ands?|ood) at|record high)\b",
    re.IGNORECASE,
)
_MOVES = re.compile(
    r"\b(?:postpon|delay|put off|push|brought forward|resched|extend|lift|impos|later than|earlier than|instead of"
    r"|no longer|as planned|originally)\w*",
    re.IGNORECASE,
)
_SUCCEEDS = re.compile(
    r"\b(?:new|former|ex|success|succeed|replac|resign|appoint|elect|until|dismiss|sack|since|retir|take over|took over"
    r"|acting|interim|deputy|vice|then|becom|became|previous|outgoing|incoming|parted)\w*\b",
    re.IGNORECASE,
)
_GOES_BACK = re.compile(r"^\W*(?:it|that|this|they)\b|\b(?:figure|number|total|count|toll|sum)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Dispute:
    """Different values for what a question asks: claims of them, the latest article first, undated ones last.

    Those of one article stand together, in its order.
    """

    claims: tuple[Claim, ...]

    @property
    def evidence(self) -> list[Evidence]:
        """The sentences, in this order, each once."""
        found = {(claim.evidence.article.id, claim.evidence.span): claim.evidence for claim in self.claims}
        return list(found.values())

    @property
    def dated(self) -> bool:
        """Whether each article is of another day than the others, and all days are known."""
        days = {claim.evidence.article.id: claim.evidence.article.published_at for claim in self.claims}
        return None not in days.values() and len(set(days.values())) == len(days)

    @property
    def in_one_article(self) -> bool:
        """Whether it is one article that gives all of them."""
        return len({claim.evidence.article.id for claim in self.claims}) == 1


def find_dispute(question: Question, ranked: Sequence[Evidence], generation: Generation) -> Dispute | None:
    """Find whether the evidence gives different values for what is asked.

    Args:
        question: The question, which asks one thing.
        ranked: Evidence, best first.
        generation: The generation that it is from.
    """
    if _ASKS_HOW.match(question.text):
        return None
    claims = claims_of(question, ranked, generation)
    before: list[Claim] = []
    for claim in claims:
        if asked_for(question, claim):
            break
        before.append(claim)
    else:
        return None
    answer = claim
    judging = _Judging(question, answer, generation)
    if not judging.holds_enough(answer):
        return None
    found = [answer]
    others = filter(judging.disputes, chain(before, claims))
    for claim in sorted(others, key=judging.likeness, reverse=True):
        if len(found) < MOST_POSITIONS and not any(claim.value.same(other.value) for other in found):
            found.append(claim)
    if len(found) < 2:
        return None
    articles = list(dict.fromkeys(claim.evidence.article.id for claim in found))

    def latest_first(claim: Claim) -> tuple[bool, int, int, int]:
        article = claim.evidence.article
        day = article.published_at
        newness = -(day or date.min).toordinal()
        return day is None, newness, articles.index(article.id), claim.evidence.span.start

    return Dispute(tuple(sorted(found, key=latest_first)))


class _Judging:
    """Judges whether claims answer the question with another value than the answer that was found first."""

    def __init__(self, question: Question, answer: Claim, generation: Generation) -> None:
        self._question = question
        self._answer = answer
        self._generation = generation
        self._asked = frozenset(question.weights)
        self._nouns = asked_nouns(question.text)

    def holds_enough(self, claim: Claim) -> bool:
        """Tell whether a claim and its article are about the question at all."""
        if self._question.coverage(claim.near) < LEAST_NEAR:
            return False
        return self._question.coverage(self._words_of(claim)) >= LEAST_ARTICLE

    def _words_of(self, claim: Claim) -> frozenset[str]:
        """Give the words of a claim's article and its title."""
        rows = self._generation.sentences_of(claim.evidence.hit.article_row)
        return claim.near.union(*(self._generation.sentence_terms(row) for row in rows))

    def likeness(self, claim: Claim) -> float:
        """Give how much a claim is like the answer, in about [0, 3]: words, what the value is said of, meaning."""
        answer = self._answer
        shared = len(answer.own & claim.own) / max(min(len(answer.own), len(claim.own)), 1)
        lead = len(claim.lead & (self._asked | answer.own)) / max(len(claim.lead), 1)
        return shared + lead + float(answer.evidence.vector @ claim.evidence.vector)

    def disputes(self, claim: Claim) -> bool:
        """Tell whether a claim gives another value for the same."""
        answer = self._answer
        if claim.evidence is answer.evidence or not answer.value.comparable(claim.value):
            return False
        if answer.value.same(claim.value) or claim.names(answer.value) or answer.names(claim.value):
            return False
        if far_apart(answer, claim):
            return False
        same_article = answer.evidence.article.id == claim.evidence.article.id
        if same_article and not _DISPUTES.search(claim.evidence.quote):
            return False
        # What takes the most reading comes last.
        alike = self._goes_back(claim) if claim.value.bare else self._says_the_same_of(claim)
        if not alike or self._other_time(claim) or not self.holds_enough(claim):
            return False
        return not of_another(self._question.text, answer, claim, self._words_of(answer), self._words_of(claim))

    def _says_the_same_of(self, claim: Claim) -> bool:
        """Tell whether a claim gives its value for what the answer gives its own for."""
        if not self._same_thing(claim) or self._kept(claim) < LEAST_KEPT:
            return False
        return self.likeness(claim) >= LEAST_LIKENESS[claim.value.kind]

    def _kept(self, claim: Claim) -> float:
        """Give the share of the question's words in the sentence of the answer that are near the claim, too."""
        of_answer = self._question.coverage(self._answer.own)
        return self._question.coverage(self._answer.own & claim.near) / of_answer if of_answer else 1.0

    def _goes_back(self, claim: Claim) -> bool:
        """Tell whether a bare number is one of what the sentence before it, or the answer right before it, is about."""
        if not _GOES_BACK.search(claim.evidence.quote):
            return False
        things = self._answer.value.nouns | self._nouns
        return bool(claim.before & things) or self._answer.own <= claim.before

    def _same_thing(self, claim: Claim) -> bool:
        answer = self._answer
        kind = answer.value.kind
        if kind == "count":
            return bool(claim.nouns & (self._nouns or answer.nouns))
        if kind == "share":
            return bool(answer.whole & claim.whole) if answer.whole or claim.whole else True
        if kind == "day":
            near, other = (self._question.coverage(one.near) for one in (answer, claim))
            return other >= max(DAY_SHARE * near, 0.5)
        return True

    def _other_time(self, claim: Claim) -> bool:
        """Tell whether the values are of different times: other years, or one before and one after a change."""
        one, other = self._answer.evidence, claim.evidence
        kind = self._answer.value.kind
        sentences = (one.quote, other.quote)
        if kind == "holder" and any(_SUCCEEDS.search(sentence) for sentence in sentences):
            return True
        if kind == "day":
            return any(_MOVES.search(sentence) for sentence in sentences)
        years = [years_of(sentence) for sentence in sentences]
        if all(years) and not years[0] & years[1]:
            return True
        changes = any(_OF_ITS_DAY.search(sentence) for sentence in sentences) or any(
            _CHANGES_TO.search(claim.evidence.quote[: claim.value.start]) for claim in (self._answer, claim)
        )
        days = (one.article.published_at, other.article.published_at)
        if not changes or days[0] is None or days[1] is None:
            return changes
        return abs((days[0] - days[1]).days) > SAME_NEWS_DAYS


def about(question: Question) -> str:
    """Say what is disputed: the question's own words, without its mark."""
    return question.text.strip().rstrip("?").rstrip()
