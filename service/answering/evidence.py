"""What could answer a question: every sentence and list of the passages found, with how well each fits."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from index.embedding import Vectors
from index.generation import Generation
from index.lexical import terms
from index.searcher import Hit, SearchResult
from ingest.article import Article, ArticleId, Span
from service.answering.expectation import Expectation, asks_for_several, expectation_of, holds
from service.answering.times import Days, Times

COSINE_WEIGHT = 4.8
COVERAGE_WEIGHT = 1.4
CONTEXT_WEIGHT = 4.8
EXPECTED_WEIGHT = 1.9
PASSAGE_WEIGHT = 3.8
MEANING_WEIGHT = 3.1
LEAD_WEIGHT = 1.4
TIME_WEIGHT = 1.9
ORDER_WEIGHT = 2.4
"""Fitted so that the softmax of the scores is how likely each piece is right, and rounded (docs/answers.md)."""

HEADING_WITHIN = 12
"""A heading is looked for this many sentences up."""

LONGEST_LIST_CHARS = 1500
LONGEST_LIST_ITEMS = 15

# No answer holds a link or markup that an article put there.
_UNQUOTABLE = re.compile(
    r"\b(?:h(?:tt|xx)ps?|ftp|file|mailto|javascript)\s*:|\bdata:[\w/+-]+[;,]|//\w|\bwww\.|\b[\w-]+\.[a-z]{2,}/\w"
    r"|<\s*[a-z/!]|&(?:lt|#0*60|#x0*3c);|/\w+>|\]\s*[(\[]|!\[",
    re.IGNORECASE,
)
_DEFINES = re.compile(r"(?P<subject>[^.!?\n]{2,120}?)\s(?:is|are|was|were|refers to)\s(?:an?|the|one)\s", re.IGNORECASE)
# Words that ask, and say nothing of what is asked about.
_ASKING = frozenset(terms("tell name list say said says please many much long give given exactly according happen"))


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
        words = [term for term in terms(text) if term not in _ASKING]
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
        held = set(found)
        return sum(weight for term, weight in self.weights.items() if term in held) / total if total else 0.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence or a whole list of an article, as a possible part of the answer.

    `cosine` is to the question; `coverage` the weighted share of the question's terms in its own words, `context`
    the same with the title, the heading and the sentence before; `expected`, in [0, 1], how far it holds the kind of
    thing that is asked for; `also_in` names other articles that hold the same words; `score` joins them with those of
    the passage and orders the evidence. Scores of one question are logits: their softmax is how likely each piece is
    the right one.
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
    score: float
    also_in: tuple[ArticleId, ...] = ()

    @property
    def article(self) -> Article:
        """The article that the span points into."""
        return self.hit.article

    @property
    def quote(self) -> str:
        """The exact words."""
        return self.span.of(self.article.text)


@dataclass(frozen=True, slots=True)
class _Unit:
    """Sentence rows that make one piece of evidence, and its span."""

    rows: range
    span: Span
    is_list: bool


def gather(question: Question, result: SearchResult, generation: Generation) -> list[Evidence]:
    """Score every quotable sentence and list in the hits.

    Returns:
        Evidence, best first, ties by article and place; each sentence at most once.
    """
    found: list[Evidence] = []
    seen: set[tuple[int, str]] = set()
    days = Days.of(hit.article.published_at for hit in result.hits)
    for hit in result.hits:
        for unit in _units(hit, generation):
            # By its words: an article that says a thing forty times does not make it likelier.
            words = (hit.article_row, unit.span.of(hit.article.text))
            if words in seen:
                continue
            seen.add(words)
            found.append(_score(question, result.query_vector, days, hit, unit, generation))
    found.sort(key=lambda evidence: (-evidence.score, evidence.hit.article_row, evidence.span))
    return found


def _units(hit: Hit, generation: Generation) -> Iterator[_Unit]:
    """Give the sentences of a hit and the lists that it touches; a list's lead-in says nothing alone."""
    text = hit.article.text
    everything = generation.sentences_of(hit.article_row)
    lists_seen: set[int] = set()
    for row in generation.sentences_in(hit.article_row, hit.chunk.span):
        sentence = generation.sentence(row)
        words = sentence.span.of(text)
        block = _list_around(row, everything, generation)
        if block is not None and block.start not in lists_seen:
            lists_seen.add(block.start)
            span = Span(generation.sentence(block.start).span.start, generation.sentence(block.stop - 1).span.end)
            if quotable(span.of(text)) and span.end - span.start <= LONGEST_LIST_CHARS:
                yield _Unit(block, span, is_list=True)
        if sentence.kind == "heading" or words.endswith((":", "?")) or len(words.split()) < 2 or not quotable(words):
            continue
        yield _Unit(range(row, row + 1), sentence.span, is_list=False)


def _list_around(row: int, everything: range, generation: Generation) -> range | None:
    """Give the rows of the list that a row is an item or the lead-in of: lead-in and all items."""
    first = row
    if generation.sentence(row).kind != "item":
        first = row + 1
    if first not in everything or generation.sentence(first).kind != "item":
        return None
    while first - 1 in everything and generation.sentence(first - 1).kind == "item":
        first -= 1
    last = first
    while last + 1 in everything and generation.sentence(last + 1).kind == "item":
        last += 1
    if last == first or last - first >= LONGEST_LIST_ITEMS:
        return None
    # The line right before the items says what they are items of.
    if first - 1 in everything and generation.sentence(first - 1).block == generation.sentence(first).block - 1:
        first -= 1
    return range(first, last + 1) if first <= row else None


def quotable(words: str) -> bool:
    """Tell whether words may stand in an answer: they hold no link and no markup."""
    # Compatibility forms ("ｈttps：//") are links to whoever folds them.
    plain = words if words.isascii() else unicodedata.normalize("NFKC", words)
    return not _UNQUOTABLE.search(plain)


def _score(
    question: Question, query_vector: Vectors, days: Days, hit: Hit, unit: _Unit, generation: Generation
) -> Evidence:
    words = unit.span.of(hit.article.text)
    vectors = generation.sentence_vectors(unit.rows)
    # A list is about what its lead-in and its items are about together.
    vector = vectors.mean(axis=0)
    vector /= max(float(np.linalg.norm(vector)), 1e-9)
    cosine = float(vector @ query_vector)
    if unit.is_list:
        cosine = max(cosine, float((vectors @ query_vector).max()))
    own = frozenset[str]().union(*(generation.sentence_terms(row) for row in unit.rows))
    coverage = question.coverage(own)
    context = question.coverage(own | _context_terms(hit, unit, generation))
    expected = holds(question.expectation, words, question.text)
    score = (
        COSINE_WEIGHT * cosine
        + COVERAGE_WEIGHT * coverage
        + CONTEXT_WEIGHT * context
        + EXPECTED_WEIGHT * expected
        + PASSAGE_WEIGHT * hit.score
        + MEANING_WEIGHT * hit.scores.dense
        + TIME_WEIGHT * question.times.names(hit.article.published_at)
        + ORDER_WEIGHT * days.standing(hit.article.published_at, question.times.order)
        + LEAD_WEIGHT * _lead(question, hit, unit, generation)
    )
    return Evidence(
        hit=hit,
        span=unit.span,
        cosine=cosine,
        coverage=coverage,
        context=context,
        expected=expected,
        is_list=unit.is_list,
        covered=frozenset(own & question.weights.keys()),
        vector=vector,
        score=score,
    )


def _lead(question: Question, hit: Hit, unit: _Unit, generation: Generation) -> float:
    """Give 1 for the first sentence of an article, falling to 0, where the main thing is said first.

    That is where it is asked what something is, and in an entry of an encyclopedia ("Lake Orlo is a …").
    """
    first = generation.sentences_of(hit.article_row).start
    if question.expectation != "definition" and not _is_entry(hit.article):
        return 0.0
    return 1 / (1 + unit.rows.start - first)


def _is_entry(article: Article) -> bool:
    """Tell whether an article begins by saying what the thing in its title is."""
    opening = _DEFINES.match(article.text)
    named = _title_terms(article.title)
    return opening is not None and article.title_source != "lead" and bool(named & set(terms(opening["subject"])))


def _context_terms(hit: Hit, unit: _Unit, generation: Generation) -> frozenset[str]:
    """Give the words that a reader has in mind at a sentence: the title, its heading and the sentence before."""
    found = _title_terms(hit.article.title)
    first_row = generation.sentences_of(hit.article_row).start
    for row in range(unit.rows.start - 1, max(first_row, unit.rows.start - HEADING_WITHIN) - 1, -1):
        is_heading = generation.sentence(row).kind == "heading"
        if is_heading or row == unit.rows.start - 1:
            found |= generation.sentence_terms(row)
        if is_heading:
            break
    return found


@lru_cache(maxsize=1000)
def _title_terms(title: str) -> frozenset[str]:
    return frozenset(terms(title))
