"""What could answer a question: every sentence and list of the passages found, with how well each fits."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from index.embedding import Vectors
from index.generation import Generation
from index.lexical import terms
from index.pairs import Pair, context_of
from index.reader import Reader
from index.searcher import Hit, SearchResult
from ingest.article import Article, ArticleId, Span
from service.answering.expectation import Expectation, asks_for_several, expectation_of, holds, only_asking
from service.answering.lists import LONGEST_CHARS, list_around, span_of
from service.answering.times import Days, Times

READ_PIECES = 8
"""The best pieces that a reader reads (docs/reader.md); each costs it as much as a question costs the embedder."""

SENTENCES_BEFORE = 2
"""Whose end it reads with each, to know who "she" is."""

HEADING_WITHIN = 12
"""A heading is looked for this many sentences up."""

# No answer holds a link or markup that an article put there.
_UNQUOTABLE = re.compile(
    r"\b(?:h(?:tt|xx)ps?|ftp|file|mailto|javascript)\s*:|\bdata:[\w/+-]+[;,]|//\w|\bwww\.|\b[\w-]+\.[a-z]{2,}/\w"
    r"|<\s*[a-z/!]|&(?:lt|#0*60|#x0*3c);|/\w+>|\]\s*[(\[]|!\[",
    re.IGNORECASE,
)
# One of these, or "www.", is in all that it finds.
_MARKS = (":", "/", "<", "&", "]", "![")
_DEFINES = re.compile(r"(?P<subject>[^.!?\n]{2,120}?)\s(?:is|are|was|were|refers to)\s(?:an?|the|one)\s", re.IGNORECASE)
_IN_PASSING = re.compile(r"\bat (?:first|present|last|least|most|the moment|the time)\b", re.IGNORECASE)
# Words that ask, and say nothing of what is asked about.
_ASKING = frozenset(terms("tell name list say said says please many much long give given exactly according happen"))


@dataclass(frozen=True, slots=True)
class Weights:
    """What each thing that is known of a piece of evidence counts for: fitted, and rounded (docs/answers.md).

    The softmax of the scores is how likely each piece is the right one.
    """

    cosine: float
    coverage: float
    context: float
    expected: float
    passage: float
    meaning: float
    listed: float = 0.0
    read: float = 0.0


UNREAD = Weights(cosine=4.8, coverage=1.4, context=4.8, expected=1.9, passage=3.8, meaning=3.1)
READ = Weights(cosine=3.2, coverage=0.0, context=3.6, expected=1.4, passage=2.9, meaning=1.4, listed=0.3, read=0.83)
"""Where a reader has read the best pieces (docs/reader.md)."""

LEAD_WEIGHT = 1.4
TIME_WEIGHT = 1.9
ORDER_WEIGHT = 2.4
"""The same in both."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question as the answerer sees it: its words with their weights, and what it asks for."""

    text: str
    weights: dict[str, float]
    expectation: Expectation
    several: bool
    times: Times

    @classmethod
    def read(cls, text: str, generation: Generation) -> Question:
        """Take a question apart; a term's weight is its rarity in the generation."""
        asking = _ASKING.union(terms(" ".join(only_asking(text))))
        words = [term for term in terms(_IN_PASSING.sub(" ", text)) if term not in asking]
        return cls(
            text=text,
            weights={term: generation.lexical.idf(term) for term in words},
            expectation=expectation_of(text),
            several=asks_for_several(text),
            times=Times.read(text),
        )

    def coverage(self, found: Iterable[str]) -> float:
        """Give the weighted share, in [0, 1], of the question's terms that are among `found`."""
        total = sum(self.weights.values())
        held = found if isinstance(found, frozenset) else frozenset(found)
        return sum(weight for term, weight in self.weights.items() if term in held) / total if total else 0.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence or a whole list of an article, as a possible part of the answer.

    `cosine` is to the question; `coverage` the weighted share of the question's terms in its own words, `context`
    the same with the title, the heading and the sentence before; `expected`, in [0, 1], how far it holds the kind of
    thing that is asked for; `standing` is what its place in the article and the article's day add to its score;
    `read` is what a reader gave it, as a logit, None where none read it; `also_in` names other articles that hold the
    same words; `score` joins them with those of the passage and orders the evidence. Scores of one question are logits:
    their softmax is how likely each piece is the right one.
    """

    hit: Hit
    span: Span
    cosine: float
    coverage: float
    context: float
    expected: float
    is_list: bool
    covered: frozenset[str]
    vector: Vectors
    standing: float
    score: float = 0.0
    read: float | None = None
    also_in: tuple[ArticleId, ...] = ()

    @property
    def article(self) -> Article:
        """The article that the span points into."""
        return self.hit.article

    @property
    def quote(self) -> str:
        """The exact words."""
        return self.span.of(self.article.text)

    def scored(self, weights: Weights, logit: float = 0.0) -> Evidence:
        """Give the same piece with its score.

        Args:
            weights: Which of the two.
            logit: What it counts as read with.
        """
        score = (
            weights.cosine * self.cosine
            + weights.coverage * self.coverage
            + weights.context * self.context
            + weights.expected * self.expected
            + weights.passage * self.hit.score
            + weights.meaning * self.hit.scores.dense
            + weights.listed * self.is_list
            + weights.read * logit
            + self.standing
        )
        return replace(self, score=score)


@dataclass(frozen=True, slots=True)
class _Unit:
    """Sentence rows of a hit that make one piece of evidence, its span and its words."""

    hit: Hit
    rows: range
    span: Span
    words: str
    is_list: bool


def gather(
    question: Question, result: SearchResult, generation: Generation, reader: Reader | None = None
) -> list[Evidence]:
    """Score every quotable sentence and list in the hits.

    Args:
        question: The question.
        result: What was found for it.
        generation: The generation that was searched.
        reader: Reads the best pieces, if there is one.

    Returns:
        Evidence, best first, ties by article and place; each sentence at most once.
    """
    units: list[_Unit] = []
    seen: set[tuple[int, str]] = set()
    for hit in result.hits:
        units.extend(_units(hit, seen, generation))
    found = _Scoring(question, result, generation).evidence(units)
    ranked = _in_order(evidence.scored(UNREAD) for evidence in found)
    return _read(question, ranked, generation, reader) if reader is not None and ranked else ranked


def _in_order(found: Iterable[Evidence]) -> list[Evidence]:
    return sorted(found, key=lambda evidence: (-evidence.score, evidence.hit.article_row, evidence.span))


def _read(question: Question, ranked: Sequence[Evidence], generation: Generation, reader: Reader) -> list[Evidence]:
    """Have the best pieces read; the rest count as the worst of those."""
    pairs = [_pair(question, evidence, generation) for evidence in ranked[:READ_PIECES]]
    logits = reader.read(pairs).tolist()
    best = [replace(one.scored(READ, logit), read=logit) for one, logit in zip(ranked, logits, strict=False)]
    worst = min(logits)
    return _in_order([*best, *(evidence.scored(READ, worst) for evidence in ranked[len(best) :])])


def _pair(question: Question, evidence: Evidence, generation: Generation) -> Pair:
    article_row, text = evidence.hit.article_row, evidence.article.text
    first = generation.sentences_in(article_row, evidence.span).start
    begin = max(generation.sentences_of(article_row).start, first - SENTENCES_BEFORE)
    before = " ".join(generation.sentence(row).span.of(text) for row in range(begin, first))
    # Not the title: a headline often says the answer, which no sentence below it is for that.
    return Pair(question.text, evidence.quote, context_of(before))


def _units(hit: Hit, seen: set[tuple[int, str]], generation: Generation) -> Iterator[_Unit]:
    """Give the sentences of a hit and the lists that it touches; a list's lead-in says nothing alone.

    What is among `seen` is left out, and what is given is added: by its words, as an article that says a thing forty
    times does not make it likelier.
    """
    text, article_row = hit.article.text, hit.article_row
    everything = generation.sentences_of(article_row)
    lists_seen: set[int] = set()
    for row in generation.sentences_in(article_row, hit.chunk.span):
        sentence = generation.sentence(row)
        words = sentence.span.of(text)
        block = list_around(row, everything, generation)
        if block is not None and block.start not in lists_seen:
            lists_seen.add(block.start)
            span = span_of(block, generation)
            whole = span.of(text)
            if (article_row, whole) not in seen and len(whole) <= LONGEST_CHARS and quotable(whole):
                seen.add((article_row, whole))
                yield _Unit(hit, block, span, whole, is_list=True)
        if sentence.kind == "heading" or words.endswith((":", "?")) or len(words.split(None, 1)) < 2:
            continue
        if (article_row, words) not in seen and quotable(words):
            seen.add((article_row, words))
            yield _Unit(hit, range(row, row + 1), sentence.span, words, is_list=False)


def quotable(words: str) -> bool:
    """Tell whether words may stand in an answer: they hold no link and no markup."""
    # Compatibility forms ("ｈttps：//") are links to whoever folds them.
    plain = words if words.isascii() else unicodedata.normalize("NFKC", words)
    if not any(mark in plain for mark in _MARKS) and "www." not in plain.lower():
        return True  # most sentences, told without looking for all that there is
    return not _UNQUOTABLE.search(plain)


class _Scoring:
    """Scores the units of one search; what several units need is computed once."""

    def __init__(self, question: Question, result: SearchResult, generation: Generation) -> None:
        self._question = question
        self._generation = generation
        self._query_vector = result.query_vector
        self._days = Days.of(hit.article.published_at for hit in result.hits)
        self._asked = frozenset(question.weights)
        self._coverage: dict[frozenset[str], float] = {}
        self._held: dict[int, frozenset[str]] = {}
        self._of_hits: dict[int, _OfHit] = {}
        self._headings: dict[int, int | None] = {}

    def evidence(self, units: Sequence[_Unit]) -> list[Evidence]:
        """Give the units as evidence, in the same order."""
        rows = [row for unit in units for row in unit.rows]
        vectors = self._generation.sentence_vectors(rows)
        lengths = np.sqrt(np.vecdot(vectors, vectors))
        directions = vectors / np.maximum(lengths, np.float32(1e-9))[:, np.newaxis]
        # Row by row: a product of matrices would give two sentences of the same words different cosines.
        cosines = np.vecdot(directions, self._query_vector).tolist()  # (n_rows, dim) x (dim,) -> (n_rows,)
        found: list[Evidence] = []
        place = 0
        for unit in units:
            if unit.is_list:
                # A list is about what its lead-in and its items are about together.
                items = vectors[place : place + len(unit.rows)]
                vector = items.mean(axis=0)
                vector /= max(float(np.linalg.norm(vector)), 1e-9)
                nearest = float((items @ self._query_vector).max())
                found.append(self._score(unit, vector, max(float(vector @ self._query_vector), nearest)))
            else:
                found.append(self._score(unit, directions[place], cosines[place]))
            place += len(unit.rows)
        return found

    def _score(self, unit: _Unit, vector: Vectors, cosine: float) -> Evidence:
        question, hit = self._question, unit.hit
        of_hit = self._of_hits.get(hit.row) or self._of_hits.setdefault(hit.row, self._of_hit(hit))
        own = self._terms_of(unit.rows[0])
        for row in unit.rows[1:]:
            own |= self._terms_of(row)
        coverage = self._share(own)
        context = self._share(own | self._around(unit.rows.start, of_hit))
        expected = holds(question.expectation, unit.words, question.text)
        lead = 1 / (1 + unit.rows.start - of_hit.first_row) if of_hit.leads else 0.0
        return Evidence(
            hit=hit,
            span=unit.span,
            cosine=cosine,
            coverage=coverage,
            context=context,
            expected=expected,
            is_list=unit.is_list,
            covered=own,
            vector=vector,
            standing=of_hit.time + of_hit.order + LEAD_WEIGHT * lead,
        )

    def _of_hit(self, hit: Hit) -> _OfHit:
        question, published = self._question, hit.article.published_at
        return _OfHit(
            time=TIME_WEIGHT * question.times.names(published),
            order=ORDER_WEIGHT * self._days.standing(published, question.times.order),
            title=self._asked & title_terms(hit.article.title),
            first_row=self._generation.sentences_of(hit.article_row).start,
            leads=question.expectation == "definition" or _is_entry(hit.article),
        )

    def _terms_of(self, row: int) -> frozenset[str]:
        """Give the question's terms that a sentence holds."""
        held = self._held.get(row)
        if held is None:
            held = self._held[row] = self._asked & self._generation.sentence_terms(row)
        return held

    def _share(self, held: frozenset[str]) -> float:
        share = self._coverage.get(held)
        if share is None:
            share = self._coverage[held] = self._question.coverage(held)
        return share

    def _around(self, first: int, of_hit: _OfHit) -> frozenset[str]:
        """Give the question's terms that a reader has in mind at a row: of title, heading and the sentence before."""
        if first == of_hit.first_row:
            return of_hit.title
        found = of_hit.title | self._terms_of(first - 1)
        heading = self._heading(first - 1, of_hit.first_row)
        if heading is not None and heading >= first - HEADING_WITHIN:
            found |= self._terms_of(heading)
        return found

    def _heading(self, row: int, first_row: int) -> int | None:
        """Give the nearest heading from a row up: None for none in its article, or where it is out of reach."""
        passed: list[int] = []
        heading: int | None = None
        for above in range(row, max(first_row, row - HEADING_WITHIN) - 1, -1):
            passed.append(above)
            if above in self._headings:
                heading = self._headings[above]
                break
            if self._generation.sentence(above).kind == "heading":
                heading = above
                break
        else:
            passed = [row]  # the rows above it reach farther up
        self._headings |= dict.fromkeys(passed, heading)
        return heading


@dataclass(frozen=True, slots=True)
class _OfHit:
    """What the scores of a hit's sentences have in common.

    Attributes:
        time: What being of a time that the question names adds to the score.
        order: What being newer or older adds.
        title: The question's terms in the title.
        first_row: The first sentence of the article.
        leads: Whether the main thing is said first: where it is asked what something is, and in an entry of an
            encyclopedia ("Lake Orlo is a …").
    """

    time: float
    order: float
    title: frozenset[str]
    first_row: int
    leads: bool


def _is_entry(article: Article) -> bool:
    """Tell whether an article begins by saying what the thing in its title is."""
    opening = _DEFINES.match(article.text)
    named = title_terms(article.title)
    return opening is not None and article.title_source != "lead" and bool(named & set(terms(opening["subject"])))


@lru_cache(maxsize=1000)
def title_terms(title: str) -> frozenset[str]:
    """Give the stems of a title; the latest are kept, as every sentence of an article is read with its title."""
    return frozenset(terms(title))
