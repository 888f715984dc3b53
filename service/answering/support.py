"""Whether sentences that somebody else wrote are borne out by articles, and by which of their words.

A sentence, or each of its clauses, passes if a few neighbouring sentences of a passage hold all its numbers and times,
one of them all its names in its order, and they deny and hedge as it does, say nothing opposite, and share most of its
words, or fewer and its meaning. A false sentence that passes is worse than a true one that does not: who fails is said
in the article's own words, or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from index.embedding import Vectors
from index.generation import Generation
from index.lexical import terms
from index.searcher import Hit
from ingest.article import Span
from service.answering.answer import Support
from service.answering.composition import Source
from service.answering.evidence import quotable
from service.answering.facts import Facts, folded, holds_number, name_parts

MOST_OVERLAP = 0.8
LEAST_OVERLAP = 0.66
LIKE = 0.65
"""A sentence shares this much of its words, or less of them and this cosine (docs/answers.md)."""

SAME_CLAIM = 0.55
"""From this cosine on, a sentence of a passage is what an unsupported sentence was trying to say."""

LONGEST_WINDOW = 3
"""Sentences that may bear out one sentence together: more would be a passage, not a quote."""


Encode = Callable[[Sequence[str]], Vectors]

# Where a sentence that says several things may be taken apart.
_CLAUSES = re.compile(r"\s*;\s*|,?\s+(?:and|while|whereas|but)\s+")
_CLAUSE_TERMS = 3
_NAME_WORD = re.compile(r"[\w’'.&]+")


@dataclass(frozen=True, slots=True)
class PassageSentence:
    """A quotable sentence of a passage; `row` tells neighbours."""

    row: int
    span: Span
    words: str
    vector: Vectors


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage that was shown, by its quotable sentences."""

    hit: Hit
    sentences: tuple[PassageSentence, ...]

    @classmethod
    def of(cls, hit: Hit, generation: Generation) -> Passage:
        """Read the sentences of a hit."""
        rows = generation.sentences_in(hit.article_row, hit.chunk.span)
        vectors = generation.sentence_vectors(rows)
        found = []
        for row, vector in zip(rows, vectors, strict=True):
            sentence = generation.sentence(row)
            words = sentence.span.of(hit.article.text)
            if sentence.kind != "heading" and quotable(words):
                found.append(PassageSentence(row, sentence.span, words, vector))
        return cls(hit, tuple(found))


@dataclass(frozen=True, slots=True)
class Borne:
    """A sentence that passed: what is said, what it rests on, and how."""

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
        span = Span(self.sentences[0].span.start, self.sentences[-1].span.end)
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
    clauses = [clause for clause in _CLAUSES.split(words) if len(terms(clause)) >= _CLAUSE_TERMS]
    whole, *parts = vectors([words, *(clauses if len(clauses) > 1 else ())])
    source = _source_of(words, whole, passages)
    if source is not None:
        return Borne(words, (source,), "supported")
    if not parts or sum(len(terms(clause)) for clause in clauses) < len(terms(words)):
        return None
    found = [_source_of(clause, vector, passages) for clause, vector in zip(clauses, parts, strict=True)]
    sources = tuple(source for source in found if source is not None)
    return Borne(words, sources, "supported") if len(sources) == len(clauses) else None


def _source_of(words: str, vector: Vectors, passages: Sequence[Passage]) -> Source | None:
    claim = Facts.of(words)
    for size in range(1, LONGEST_WINDOW + 1):
        best: tuple[float, _Window] | None = None
        for window in _windows(passages, size):
            cosine = max(float(sentence.vector @ vector) for sentence in window.sentences)
            if (best is None or cosine > best[0]) and _bears_out(claim, window, cosine):
                best = cosine, window
        if best is not None:
            return best[1].source(best[0])
    return None


def replacement(
    vector: Vectors, passages: Sequence[Passage], *, holding: frozenset[str] = frozenset()
) -> Source | None:
    """Give the sentence of passages that says what an unsupported sentence was trying to say, None if there is none.

    Args:
        vector: Embedding of the unsupported sentence.
        passages: Those that it cites.
        holding: Stems that the sentence has to have.
    """
    windows = [
        window
        for window in _windows(passages, 1)
        if window.words.rstrip("”\"'").endswith((".", "!")) and holding <= _facts(window.words).stems
    ]
    if not windows:
        return None
    cosines = [float(window.sentences[0].vector @ vector) for window in windows]
    best = int(np.argmax(cosines))
    return windows[best].source(cosines[best]) if cosines[best] >= SAME_CLAIM else None


def _windows(passages: Sequence[Passage], size: int) -> Iterator[_Window]:
    for passage in passages:
        for first in range(len(passage.sentences) - size + 1):
            sentences = passage.sentences[first : first + size]
            if sentences[-1].row - sentences[0].row == size - 1:
                yield _Window(passage, sentences)


def _bears_out(claim: Facts, window: _Window, cosine: float) -> bool:
    held = _facts(window.words)
    if not all(holds_number(number, held.numbers) for number in claim.numbers) or not claim.times <= held.times:
        return False
    if claim.negated != held.negated or (held.hedged and not claim.hedged) or claim.contradicts(held):
        return False
    if claim.causal and not held.causal:
        return False
    if claim.names and not any(_names_stand(claim.names, sentence.words) for sentence in window.sentences):
        return False
    overlap = _overlap(claim, held)
    return overlap >= MOST_OVERLAP or (overlap >= LEAST_OVERLAP and cosine >= LIKE)


def _names_stand(names: Sequence[Sequence[str]], sentence: str) -> bool:
    """Tell whether one sentence holds all names, in their order.

    Names that stand the other way round may have changed roles ("Orlo sued Tamsel").
    """
    words = [part for word in _NAME_WORD.findall(sentence) for part in name_parts(word)]
    if not all(part in words for name in names for part in name):
        return False
    places = [words.index(name[0]) for name in names]
    return places == sorted(places)


def _overlap(claim: Facts, held: Facts) -> float:
    return len(claim.stems & held.stems) / len(claim.stems) if claim.stems else 0.0


@lru_cache(maxsize=2000)
def _facts(words: str) -> Facts:
    return Facts.of(words)
