"""Whether sentences that somebody else wrote are borne out by articles, and by which of their words.

A sentence, or each of its clauses, passes if a sentence of a passage says the same (`alignment.says`), with the
sentence before it where that names what "it" or "she" is. A false sentence that passes is worse than a true one that
does not: what fails is said in the article's own words, or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from index.embedding import Vectors
from index.generation import Generation
from index.searcher import Hit
from ingest.article import Span
from service.answering.alignment import says, subject_of
from service.answering.answer import Support
from service.answering.composition import Source
from service.answering.evidence import quotable
from service.answering.lists import LONGEST_CHARS, list_around, span_of
from service.answering.referents import FARTHEST, leans
from service.answering.wording import folded, tokens_of

Encode = Callable[[Sequence[str]], Vectors]

# Where a sentence that says several things may be taken apart.
_CLAUSES = re.compile(r"\s*;\s*|,?\s+(?:and|while|whereas|but)\s+")
_OWN_SUBJECT = re.compile(r"(?:[A-Z“\d]|(?:the|an?|its|his|her|their|this|these|it|he|she|they)\s)")
_GOES_BACK = re.compile(r"(?:its|his|her|their|this|these|it|he|she|they)\s")
_NAMED = re.compile(r"[A-Z][\w’'.-]+(?: [A-Z][\w’'.-]+)*")
_INSERTED = re.compile(r"(?P<subject>[^,]{3,60}), (?P<inserted>\w+ed\b[^,]+), (?P<rest>[^,]+)")


@dataclass(frozen=True, slots=True)
class PassageSentence:
    """A quotable sentence of a passage.

    Attributes:
        row: Tells neighbours.
        span: Its own.
        cited: What is cited for it: the whole list that it is an item or the lead-in of, else itself.
        words: Its own.
        vector: Of unit length.
        whole: Whether it is no caption and not cut off.
    """

    row: int
    span: Span
    cited: Span
    words: str
    vector: Vectors
    whole: bool


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """A passage that was shown; it equals itself alone.

    Attributes:
        hit: It.
        sentences: Its quotable sentences.
        lead: Those right before it in the article, which may name whom it speaks of.
        speaks_of: The words of its title and its own, as they are compared.
    """

    hit: Hit
    sentences: tuple[PassageSentence, ...]
    lead: tuple[PassageSentence, ...]
    speaks_of: frozenset[str]

    @classmethod
    def of(cls, hit: Hit, generation: Generation) -> Passage:
        """Read the sentences of a hit."""
        everything = generation.sentences_of(hit.article_row)
        own = generation.sentences_in(hit.article_row, hit.chunk.span)
        rows = range(max(own.start - FARTHEST, everything.start), own.stop)
        found = []
        for row, vector in zip(rows, generation.sentence_vectors(rows), strict=True):
            sentence = generation.sentence(row)
            words = sentence.span.of(hit.article.text)
            if sentence.kind != "heading" and quotable(words):
                listed = _list_of(row, everything, hit, generation)
                whole = listed is not None or (sentence.kind != "item" and words.rstrip("”\"'").endswith((".", "!")))
                found.append(PassageSentence(row, sentence.span, listed or sentence.span, words, vector, whole))
        speaks_of = frozenset(token.key for token in tokens_of(f"{hit.article.title}. {hit.text}"))
        sentences, lead = ([one for one in found if (one.row in own) is inside] for inside in (True, False))
        return cls(hit, tuple(sentences), tuple(lead), speaks_of)


def _list_of(row: int, everything: range, hit: Hit, generation: Generation) -> Span | None:
    sentence = generation.sentence(row)
    if sentence.kind != "item" and not sentence.span.of(hit.article.text).endswith(":"):
        return None
    block = list_around(row, everything, generation)
    if block is None:
        return None
    span = span_of(block, generation)
    words = span.of(hit.article.text)
    return span if len(words) <= LONGEST_CHARS and quotable(words) else None


@dataclass(frozen=True, slots=True)
class Borne:
    """A sentence that passed: what is said, what it rests on, and whether these are an article's very words."""

    words: str
    sources: tuple[Source, ...]
    support: Support


@dataclass(frozen=True, slots=True)
class _Window:
    """Neighbouring sentences of a passage, as one quote."""

    passage: Passage
    sentences: tuple[PassageSentence, ...]

    @property
    def words(self) -> str:
        return Span(self.sentences[0].span.start, self.sentences[-1].span.end).of(self.passage.hit.article.text)

    def follows(self, other: _Window) -> bool:
        """Whether it stands in the same place of an article as another one, or right behind."""
        same = self.passage.hit.article_row == other.passage.hit.article_row
        return same and 0 <= self.sentences[-1].row - other.sentences[-1].row <= 1

    def source(self, score: float) -> Source:
        span = Span(self.sentences[0].cited.start, self.sentences[-1].cited.end)
        return Source(self.passage.hit, span, round(min(max(score, 0.0), 1.0), 4))


def names_its_subject(words: str) -> bool:
    """Tell whether a sentence begins with a name, which then has to stand in what bears it out."""
    return bool(subject_of(tokens_of(words)))


def speaking_of(words: str, question: str, passages: Sequence[Passage]) -> list[Passage]:
    """Give the passages that are about the same as a sentence: "the bridge" of another one may be another bridge.

    They have at least half of the names that the sentence begins with, or, where it begins with none, of those in the
    question; what passages write without a capital is no name.
    """
    plain = {
        token.key for one in passages for inside in one.sentences for token in tokens_of(inside.words) if not token.name
    }
    about = subject_of(tokens_of(words)) or tokens_of(question)[1:]
    named = {token.key for token in about if token.name} - plain
    return [one for one in passages if 2 * len(named & one.speaks_of) >= len(named)]


def check(words: str, encode: Encode, passages: Sequence[Passage]) -> Borne | None:
    """Find the words of passages that bear a sentence out.

    Args:
        words: The sentence, without marks.
        encode: Embeds texts, as `Embedder.encode`.
        passages: Those that it may rest on.

    Returns:
        The sentence with the smallest quote that bears it out, or, if it says several things, with one for each; None
        if anything in it is borne out by none.
    """
    plain = folded(words).rstrip(".!?")
    for window in _windows(passages, 1):
        if folded(window.words).rstrip(".!?") == plain:
            return Borne(window.words, (window.source(1.0),), "verbatim")
    for said in _readings(words):
        found = _of_one_thing(said, [_bearing(one, passages) for one in said])
        if found:
            vectors = encode(list(said))
            sources = [_closest(windows, vector) for windows, vector in zip(found, vectors, strict=True)]
            return Borne(words, tuple(dict.fromkeys(sources)), "supported")
    return None


def _of_one_thing(said: Sequence[str], found: Sequence[list[_Window]]) -> Sequence[list[_Window]]:
    """Keep the windows that bear out clauses together; none where one is borne out by none.

    A clause that begins with "it" or "her" goes on about what the first is about: it stands there, or right behind.
    """
    if not all(found) or not any(map(_GOES_BACK.match, said[1:])):
        return found if all(found) else []
    for first in found[0]:
        kept = [[first]]
        for clause, windows in zip(said[1:], found[1:], strict=True):
            kept.append([one for one in windows if one.follows(first)] if _GOES_BACK.match(clause) else windows)
        if all(kept):
            return kept
    return []


def _readings(words: str) -> Iterator[list[str]]:
    """Give a sentence as one claim, and, where it says several things, as one claim for each."""
    yield [words]
    inserted = _INSERTED.fullmatch(words)
    if inserted:
        yield [f"{inserted['subject']} {inserted['rest']}", f"{inserted['subject']} was {inserted['inserted']}."]
    clauses = _CLAUSES.split(words)
    subject = _NAMED.match(words)
    if len(clauses) > 1:
        # A clause without a subject of its own has that of the first, which has to be a name to be seen.
        own = [
            clause if _OWN_SUBJECT.match(clause) else f"{subject[0]} {clause}" if subject else "" for clause in clauses
        ]
        # Without a verb it is none: "The mayor and the council resigned" says nothing of the mayor alone.
        if all(own) and all(any(token.may_be_verb for token in tokens_of(clause)) for clause in clauses):
            yield own


def _bearing(claim: str, passages: Sequence[Passage]) -> list[_Window]:
    """Give the smallest windows that say what a claim says; none where no window does."""
    alone = [window for window in _windows(passages, 1) if says(window.words, claim)]
    if alone:
        return alone
    return [
        window
        for window in _windows(passages, 2)
        if says(window.sentences[1].words, claim, before=window.sentences[0].words)
    ]


def _closest(windows: Sequence[_Window], vector: Vectors) -> Source:
    cosines = [max(float(one.vector @ vector) for one in window.sentences) for window in windows]
    best = int(np.argmax(cosines))
    return windows[best].source(cosines[best])


def before(source: Source, passages: Sequence[Passage]) -> list[Source]:
    """Give the sentences right before a source, up to the one that leans on none: what "she" in it means.

    Returns:
        In their order in the article; nothing where none is found, as behind a heading.
    """
    for passage in passages:
        if passage.hit.article.id != source.hit.article.id:
            continue
        rows = {one.row: one for one in (*passage.lead, *passage.sentences)}
        row = next((one.row for one in passage.sentences if one.cited.start == source.span.start), None)
        found: list[Source] = []
        while row is not None and len(found) < FARTHEST and (one := rows.get(row - 1)) is not None:
            found.insert(0, Source(passage.hit, one.cited, source.score))
            if not leans(one.words):
                return found
            row -= 1
    return []


def _windows(passages: Sequence[Passage], size: int) -> Iterator[_Window]:
    for passage in passages:
        for first in range(len(passage.sentences) - size + 1):
            sentences = passage.sentences[first : first + size]
            if sentences[-1].row - sentences[0].row == size - 1:
                yield _Window(passage, sentences)
