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
from service.answering.alignment import says
from service.answering.answer import Support
from service.answering.composition import Source
from service.answering.evidence import quotable
from service.answering.lists import LONGEST_CHARS, list_around, span_of
from service.answering.wording import folded, tokens_of

Encode = Callable[[Sequence[str]], Vectors]

# Where a sentence that says several things may be taken apart.
_CLAUSES = re.compile(r"\s*;\s*|,?\s+(?:and|while|whereas|but)\s+")
_OWN_SUBJECT = re.compile(r"(?:[A-Z“\d]|(?:the|an?|its|his|her|their|this|these|it|he|she|they)\s)")
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
    """A passage that was shown, by its quotable sentences; it equals itself alone."""

    hit: Hit
    sentences: tuple[PassageSentence, ...]

    @classmethod
    def of(cls, hit: Hit, generation: Generation) -> Passage:
        """Read the sentences of a hit."""
        rows = generation.sentences_in(hit.article_row, hit.chunk.span)
        everything = generation.sentences_of(hit.article_row)
        vectors = generation.sentence_vectors(rows)
        found = []
        for row, vector in zip(rows, vectors, strict=True):
            sentence = generation.sentence(row)
            words = sentence.span.of(hit.article.text)
            if sentence.kind != "heading" and quotable(words):
                cited = _list_of(row, everything, hit, generation) or sentence.span
                whole = sentence.kind == "item" or words.rstrip("”\"'").endswith((".", "!"))
                found.append(PassageSentence(row, sentence.span, cited, words, vector, whole))
        return cls(hit, tuple(found))


def _list_of(row: int, everything: range, hit: Hit, generation: Generation) -> Span | None:
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

    def source(self, score: float) -> Source:
        span = Span(self.sentences[0].cited.start, self.sentences[-1].cited.end)
        return Source(self.passage.hit, span, round(min(max(score, 0.0), 1.0), 4))


def check(words: str, vectors: Encode, passages: Sequence[Passage]) -> Borne | None:
    """Find the words of passages that bear a sentence out.

    Args:
        words: The sentence, without marks.
        vectors: Embeds texts, as `Embedder.encode`.
        passages: Those that it cites.

    Returns:
        The sentence with the smallest quote that bears it out, or, if it says several things, with one for each; None
        if anything in it is borne out by none.
    """
    plain = folded(words).rstrip(".!?")
    for window in _windows(passages, 1):
        if folded(window.words).rstrip(".!?") == plain:
            return Borne(window.words, (window.source(1.0),), "verbatim")
    for said in _readings(words):
        found = [_bearing(one, passages) for one in said]
        if all(found):
            meant = vectors(list(said))
            sources = [_closest(windows, vector) for windows, vector in zip(found, meant, strict=True)]
            return Borne(words, tuple(dict.fromkeys(sources)), "supported")
    return None


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


def before(source: Source, passages: Sequence[Passage]) -> Source | None:
    """Give the sentence right before a source: what "she" in it means. None where its passage begins with it."""
    for window in _windows(passages, 2):
        first, second = window.sentences
        if window.passage.hit.article.id == source.hit.article.id and second.span.start == source.span.start:
            return Source(window.passage.hit, first.span, source.score)
    return None


def _windows(passages: Sequence[Passage], size: int) -> Iterator[_Window]:
    for passage in passages:
        for first in range(len(passage.sentences) - size + 1):
            sentences = passage.sentences[first : first + size]
            if sentences[-1].row - sentences[0].row == size - 1:
                yield _Window(passage, sentences)
