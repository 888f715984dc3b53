"""What a conversation is about when a message comes: the question before it, the answer to that, what they speak of."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from index.lexical import terms
from service.answering.mentions import Kind
from service.answering.months import MONTH_OR_SHORT
from service.answering.persons import Gender, gender_of, is_person_word
from service.answering.phrases import Phrase, pairs, phrases

MOST_EARLIER = 24
"""Phrases of still earlier turns that a pronoun may mean."""

_ABOUT = re.compile(r" \(about (?P<topic>[^()]*)\)(?P<end>\W*)$")
_WHO = re.compile(r"\bwho(?:m|se)?\b", re.IGNORECASE)
_WHICH = re.compile(r"\b(?:which|what)(?: [a-z-]+)? ([a-z]+)\b|\b(?:which|what) ([a-z]+)\b")
_WHAT = re.compile(r"\W*(?:what|which \w+) (?:did|does|do|has|have|will)\b", re.IGNORECASE)
_WHERE = re.compile(r"\bwhere\b", re.IGNORECASE)
_IS_THERE = re.compile(r"\b(?:is|are|was|were) there\b", re.IGNORECASE)
_SOMEBODY = re.compile(r"\b(?P<he>he|his|him)\b|\b(?P<she>she|her)\b", re.IGNORECASE)
DATE = re.compile(
    rf"\b(?:\d{{1,2}}(?:st|nd|rd|th)? )?(?:{MONTH_OR_SHORT})\b\.?(?: \d{{1,2}}(?:st|nd|rd|th)?\b)?"
    r"(?:,? (?:1[5-9]|20)\d\d\b)?"
    r"|\b(?:1[5-9]|20)\d\d\b"
)

# What a phrase is worth as that which a pronoun means; set by hand, on conversations of our own (test_followups.py).
_ASKED = 3.0
_TOLD = 2.0
_FIRST_TOLD = 1.0
_WANTED = 2.0
_NEW = 1.5
_PERSON_NAMED = 2.0
_PROPER = 1.0
_NAMED = 0.75
_TOPIC = 1.5
_KEPT = 2.75
_INNER = -1.5
_INDEFINITE = -1.5


@dataclass(frozen=True, slots=True)
class Scene:
    """The question before a message, standing alone, and the answer to it.

    `earlier` has what was spoken of before, newest first; `pair` what was last named side by side; `kept` what stands
    in the question for a pronoun of the user's, and so is still spoken of.
    """

    question: str
    answer: str
    asked: tuple[Phrase, ...]
    told: tuple[Phrase, ...]
    earlier: tuple[Phrase, ...] = ()
    pair: tuple[Phrase, Phrase] | None = None
    kept: tuple[str, ...] = ()

    @classmethod
    def of(cls, question: str, answer: str, before: Scene | None = None, kept: tuple[str, ...] = ()) -> Scene:
        """Make the scene after a question and its answer, and after the scene before them."""
        asked, told = _known(phrases(question), phrases(answer))
        found = [*pairs(answer, told), *pairs(question, asked)]
        pair = found[0] if found else before.pair if before else None
        earlier = (*before.told, *before.asked, *before.earlier)[:MOST_EARLIER] if before else ()
        return cls(question, answer, asked, told, earlier, pair, kept)

    def answered(self, answer: str) -> Scene:
        """Give the scene once its question is answered."""
        asked, told = _known(self.asked, phrases(answer))
        found = pairs(answer, told)
        return replace(self, answer=answer, asked=asked, told=told, pair=found[0] if found else self.pair)

    @property
    def plain_question(self) -> str:
        """The question without what was named behind it."""
        return _ABOUT.sub(r"\g<end>", self.question)

    @property
    def wanted(self) -> Kind | None:
        """What kind of thing the question asks for, if it asks for one."""
        plain = self.plain_question
        if _WHO.search(plain) or any(
            is_person_word(word) for words in _WHICH.findall(plain.casefold()) for word in words
        ):
            return "person"
        if _WHERE.search(plain):
            return "place"
        return "thing" if _IS_THERE.search(plain) else None

    def best(self, fits: Callable[[Phrase], bool], *, least: float = 0.0) -> Phrase | None:
        """Give the phrase that is most likely meant among those that fit; None if none is worth `least`."""
        ranked = self.ranked(fits)
        return ranked[0][1] if ranked and ranked[0][0] >= least else None

    def ranked(self, fits: Callable[[Phrase], bool]) -> list[tuple[float, Phrase]]:
        """Give the phrases that fit and what each is worth, the best first; of equal ones those of the question."""
        asked = [one for one in self.asked if fits(one)]
        told = [one for one in self.told if fits(one)]
        topic = _ABOUT.search(self.question)
        behind = topic.start() if topic else len(self.question)
        found: list[tuple[float, Phrase]] = []
        for one in asked:
            worth = _ASKED + (_TOPIC if one.start >= behind else 0) + (0 if one.definite else _INDEFINITE)
            found.append((worth + (_KEPT if one.words in self.kept else 0) + _common(one), one))
        wanted = self.wanted
        outer = [one for one in told if not one.inner]
        answers = [one for one in outer if one.kind == wanted and not self.names(one)]
        # "Silas Penhale, an attendant at …" and "an attendant, Silas Penhale" are both of him.
        answering = next((one for one in answers if one.proper), next(iter(answers), None))
        first = next((one for one in self.told if not one.inner), None)
        new = self._new(outer)
        for one in told:
            worth = _TOLD + (_NEW if one is new else 0) + (_FIRST_TOLD if one is first else 0)
            found.append((worth + (_WANTED if one is answering else 0) + _common(one), one))
        found += [(_common(one), one) for one in self.earlier if fits(one)]
        return sorted(found, key=lambda scored: -scored[0])

    def names(self, one: Phrase) -> bool:
        """Tell whether the question names somebody or something itself, which then is not what it asks for."""
        own = set(terms(one.words))
        return one.named and any(asked.proper and set(terms(asked.words)) <= own for asked in self.asked)

    def _new(self, told: Sequence[Phrase]) -> Phrase | None:
        """Give the first thing of an answer to "What did they build?" that the question does not name."""
        if not _WHAT.match(self.question):
            return None
        heads = {one.head for one in self.asked}
        # "The ship costs …" speaks of what was asked about.
        return next((one for one in told if one.head not in heads and not one.many and not one.definite), None)

    def spoken_and_other(self) -> tuple[Phrase, Phrase] | None:
        """Give which of the last two that were named side by side the question is about, and the other."""
        if self.pair is None:
            return None
        plain = self.plain_question.casefold()
        one, other = self.pair
        if (one.words.casefold() in plain) == (other.words.casefold() in plain):
            return None
        return (one, other) if one.words.casefold() in plain else (other, one)

    def gender(self, person: Phrase) -> Gender | None:
        """Tell how a person is spoken of, by the name or by a pronoun that follows it in the conversation."""
        if (told := gender_of(person.words)) is not None:
            return told
        for text in (self.answer, self.question):
            place = text.find(person.words)
            if place < 0:
                continue
            after = text[place + len(person.words) :]
            pronoun = _SOMEBODY.search(after)
            # Another name in between would be whom it means.
            if pronoun and not any(one.kind == "person" and one.named for one in phrases(after[: pronoun.start()])):
                return "he" if pronoun["he"] else "she"
        return None

    def date(self) -> str | None:
        """Give the day, month or year that was spoken of last: the one asked for, else the question's, else another."""
        asked = re.search(r"\b(?:when|what year|which year|what day)\b", self.question, re.IGNORECASE)
        for text in (self.answer, self.question) if asked else (self.question, self.answer):
            if found := DATE.search(text):
                return found.group().rstrip(".")
        return None


def _known(asked: Sequence[Phrase], told: Sequence[Phrase]) -> tuple[tuple[Phrase, ...], tuple[Phrase, ...]]:
    """Know names by each other: "Penn" is a person as "Isaura Penn" is, "Marlo Vane" none as "the firm Marlo Vane"."""
    proper = [one for one in (*told, *asked) if one.proper]
    things = [f" {one.words.casefold()}" for one in proper if one.kind == "thing" and not one.inner]

    def is_thing(one: Phrase) -> bool:
        name = f" {one.words.casefold()}"
        return gender_of(one.words) is None and any(thing.endswith(name) for thing in things)

    several = [one for one in proper if one.kind == "person" and " " in one.words]
    people = {one.head: one.words for one in several if not is_thing(one)}

    def known(one: Phrase) -> Phrase:
        if not one.proper:
            return one
        if one.kind == "person" and is_thing(one):
            return replace(one, kind="thing")
        alone = one.head in people and one.words.casefold() == one.head
        return replace(one, kind="person", words=people[one.head]) if alone else one

    return tuple(known(one) for one in asked), tuple(known(one) for one in told)


def _common(one: Phrase) -> float:
    proper = _PERSON_NAMED if one.kind == "person" else _PROPER
    return (proper if one.proper else _NAMED if one.named else 0.0) + (_INNER if one.inner else 0.0)
