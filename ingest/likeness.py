"""What two articles with mostly the same words are to each other: copies, a correction and its original, or neither.

A copy states nothing differently: where a sentence of one has its counterpart in the other, there is no other number,
name or negation in it. A page of the same template with another figure is no copy, and neither is a later edition that
says something else without saying so; a correction says so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from ingest.article import Article
from ingest.duplicates import shingles
from ingest.sentences import split_sentences

Likeness = Literal["copy", "corrects", "corrected", "different"]
"""What one article is to another: a copy of it, its correction, what it corrects, or something else."""

LEAST_JACCARD = 0.5
LEAST_CONTAINMENT = 0.7
"""Of the shingles of both, and of those of the shorter one: a copy may have lost its last paragraphs."""

COUNTERPART = 0.5
"""Least share of words that a sentence has in common with its counterpart in the other article."""

MOST_COMPARED = 250_000
"""Pairs of changed sentences, of one article and the other, that are looked at: with more, something will differ."""

_SHORT = 4
_NOTE_SENTENCES = 4
_NOTE = re.compile(
    r"^\W{0,3}(?:correct(?:ion|ed)|clarification|amended)\b\s*(?:[:–—(\]-]|$)"
    r"|\b(?:an? |the )?(?:earlier|previous|original|first) versions? of this (?:article|story|report|page|text)\b"
    r"|\bthis (?:article|story|report|page|text) (?:was|has been|is) (?:corrected|amended)\b"
    r"|\b(?:corrects?|corrected) (?:an? |the )?(?:earlier|previous|original) (?:article|story|report|version)\b",
    re.IGNORECASE,
)
_DATELINE = re.compile(
    r"^[A-Z][\w .,'’-]{1,40}(?:\([\w .]{1,30}\))?\s?[–—-]+\s+(?=\S)|^[A-Z][A-Z .]{2,30}\([\w .]{1,30}\)\s"
)
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?|%")
_DIGIT_GROUPS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_PER_CENT = re.compile(r"\bper ?cent\b", re.IGNORECASE)
_NEGATIONS = frozenset("not no never none nobody nothing neither nor without cannot hardly denied denies deny".split())
_NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
).split()
_VALUE_OF = {word: str(number) for number, word in enumerate(_NUMBER_WORDS)}
_QUOTES = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "«": '"', "»": '"', "\u00a0": " "})


def folded(text: str) -> str:
    """Give a text as copies are compared: no case, one kind of quotes, single spaces."""
    plain = text if text.isascii() else text.translate(_QUOTES)
    return " ".join(plain.casefold().split())


def likeness(one: Article, other: Article) -> Likeness:
    """Tell what one article is to another; see `Likeness`."""
    return compare(Reading(one), Reading(other))


class Reading:
    """An article as it is compared; what takes time is computed once."""

    def __init__(self, article: Article) -> None:
        self.article = article

    @cached_property
    def shingles(self) -> frozenset[int]:
        """Hashes of the runs of words."""
        return shingles(self.article.text)

    @cached_property
    def sentences(self) -> dict[str, Statement]:
        """The sentences of prose and the items of lists that say something, by their folded words."""
        text = self.article.text
        spans = [sentence.span for sentence in split_sentences(text) if sentence.kind != "heading"]
        words = [span.of(text) for span in spans]
        named = frozenset(name for sentence in words for name in _inner_names(sentence))
        read = (Statement.of(sentence, named) for sentence in words)
        return {folded(sentence): said for sentence, said in zip(words, read, strict=True) if len(said.words) >= _SHORT}

    @cached_property
    def has_note(self) -> bool:
        """Whether the article says, in its title or at its beginning or end, that it corrects an earlier one."""
        text = self.article.text
        spans = [sentence.span for sentence in split_sentences(text)]
        edges = [*spans[:_NOTE_SENTENCES], *spans[-_NOTE_SENTENCES:]]
        return any(_NOTE.search(words) for words in (self.article.title, *(span.of(text) for span in edges)))


@dataclass(frozen=True, slots=True)
class Statement:
    """What of a sentence makes it say the same as another: its numbers in order, names, negations; and its words."""

    words: Counter[str]
    numbers: tuple[str, ...]
    names: frozenset[str]
    negations: int

    @classmethod
    def of(cls, sentence: str, named: frozenset[str] = frozenset()) -> Statement:
        """Read a sentence. A capitalised first word is a name if it is among those `named`."""
        tokens = list(_tokens(sentence))
        plain = [token.casefold() for token in tokens]
        first = {plain[0]} & named if tokens and tokens[0][0].isupper() else set()
        return cls(
            words=Counter(plain),
            numbers=tuple(number for number in map(_number, plain) if number),
            names=frozenset(_inner_names(sentence)) | first,
            negations=sum(word in _NEGATIONS or word.endswith("n't") for word in plain),
        )

    def overlap(self, other: Statement) -> float:
        """Give the share of words in common, in [0, 1]: the Jaccard similarity of the two bags."""
        shared = (self.words & other.words).total()
        return shared / max(self.words.total() + other.words.total() - shared, 1)

    def differs(self, other: Statement) -> bool:
        """Tell whether both cannot be the same statement: a number or a name stands for another, or one denies."""
        if self.negations != other.negations:
            return True
        if not (_within(self.numbers, other.numbers) or _within(other.numbers, self.numbers)):
            return True
        return bool(self.names - other.names) and bool(other.names - self.names)


def compare(one: Reading, other: Reading) -> Likeness:
    """Tell what one article is to another, from their readings; the same whoever comes first, but for the direction."""
    if not _alike(one.shingles, other.shingles):
        return "different"
    if one.has_note != other.has_note:
        return "corrects" if one.has_note else "corrected"
    if not _differ(one, other):
        return "copy"
    # Of two corrections the later one counts.
    day, other_day = one.article.published_at, other.article.published_at
    if not one.has_note or day is None or other_day is None or day == other_day:
        return "different"
    return "corrects" if day > other_day else "corrected"


def _alike(one: frozenset[int], other: frozenset[int]) -> bool:
    shared, shorter = len(one & other), min(len(one), len(other))
    if not shorter:
        return False
    return shared >= LEAST_JACCARD * (len(one) + len(other) - shared) and shared >= LEAST_CONTAINMENT * shorter


def _differ(one: Reading, other: Reading) -> bool:
    """Tell whether a sentence of one says something else than its counterpart in the other."""
    rest = [said for words, said in other.sentences.items() if words not in one.sentences]
    changed = [said for words, said in one.sentences.items() if words not in other.sentences]
    if len(rest) * len(changed) > MOST_COMPARED:
        return True
    for said in changed:
        nearest = max(rest, key=said.overlap, default=None)
        if nearest is not None and said.overlap(nearest) >= COUNTERPART and said.differs(nearest):
            return True
    return False


def _tokens(sentence: str) -> Iterator[str]:
    plain = _PER_CENT.sub("%", _DIGIT_GROUPS.sub("", _DATELINE.sub("", sentence.translate(_QUOTES))))
    return (match.group() for match in _TOKEN.finditer(plain))


def _inner_names(sentence: str) -> list[str]:
    """Give the capitalised words but the first, folded."""
    return [token.casefold() for place, token in enumerate(_tokens(sentence)) if place and token[0].isupper()]


def _number(word: str) -> str | None:
    if word[0].isdigit():
        return word.rstrip("0").rstrip(".") if "." in word else word
    return _VALUE_OF.get(word)


def _within(some: Sequence[str], more: Sequence[str]) -> bool:
    """Tell whether some numbers stand in this order among others."""
    rest = iter(more)
    return all(number in rest for number in some)
