"""Whether sentences that somebody else wrote are borne out by articles, and by which of their words.

A sentence, or each of its clauses, passes if a sentence of a passage says the same (`alignment.says`), with the
sentence before it where that names what "it" or "she" is. A false sentence that passes is worse than a true one that
does not: what fails is said in the article's own words, or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from index.embedding import Vectors
from index.generation import Generation
from index.searcher import Hit
from ingest.article import Span
from service.answering.alignment import says, subject_of
from service.answering.answer import Support
from service.answering.composition import Source
from service.answering.english import KINDS
from service.answering.evidence import quotable
from service.answering.lists import LONGEST_CHARS, list_around, span_of
from service.answering.referents import FARTHEST, leans
from service.answering.wording import BREAK, Token, folded, tokens_of

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
                if sentence.kind == "item" and listed is None:
                    continue  # what it is an item of cannot be said with it
                whole = listed is not None or words.rstrip("”\"'").endswith((".", "!"))
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

    @property
    def is_listed(self) -> bool:
        """Whether it is cited with the list that it is of."""
        return any(one.cited != one.span for one in self.sentences)

    def follows(self, other: _Window) -> bool:
        """Whether it stands in the same place of an article as another one, or right behind."""
        same = self.passage.hit.article_row == other.passage.hit.article_row
        return same and 0 <= self.sentences[-1].row - other.sentences[-1].row <= 1

    def source(self, score: float) -> Source:
        span = Span(self.sentences[0].cited.start, self.sentences[-1].cited.end)
        return Source(self.passage.hit, span, round(min(max(score, 0.0), 1.0), 4))


def named_subject(words: str, question: str, passages: Sequence[Passage]) -> tuple[Token, ...]:
    """Give what a sentence is about where it begins with a name, which then has to stand in what bears it out.

    A word that only opens the sentence ("Police arrested two men") is one if question or passages have it as a name.

    Returns:
        The words of the subject; nothing where it has no name.
    """
    tokens = tokens_of(words)
    subject = subject_of(tokens)
    named = [token for token in subject if token.name]
    if len(named) != 1 or named[0] is not tokens[0]:
        return subject
    found = (tokens_of(question), *_sentences(passages))
    return subject if any(t.name and t.key == named[0].key for one in found for t in one[1:]) else ()


def speaking_of(subject: Sequence[Token], question: str, passages: Sequence[Passage]) -> list[Passage]:
    """Give the passages that are about the same as a sentence: "the bridge" of another one may be another bridge.

    Their article, as far as it was shown, has at least half of the names in the subject of the sentence, or, where it
    has none, of those in the question: of "Mayor Peter Roth" the last word. What passages write without a capital is
    no name.
    """
    plain = {token.key for one in _sentences(passages) for token in one if not token.name}
    named = _names(subject, plain) or _names(tokens_of(question)[1:], plain)
    speaks_of: dict[int, set[str]] = {}
    for one in passages:
        speaks_of.setdefault(one.hit.article_row, set()).update(one.speaks_of)
    return [one for one in passages if 2 * len(named & speaks_of[one.hit.article_row]) >= len(named)]


def _sentences(passages: Sequence[Passage]) -> Iterator[tuple[Token, ...]]:
    return (tokens_of(one.words) for passage in passages for one in passage.sentences)


def _names(tokens: Sequence[Token], plain: Collection[str]) -> set[str]:
    """Give the last word of each name that stands in a row of words with capitals."""
    found: set[str] = set()
    last = ""
    for token in (*tokens, BREAK):
        if token.name and not token.is_time:
            last = token.key if token.key not in plain else last
        elif last:
            found.add(last)
            last = ""
    return found


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
            source = window.source(1.0)
            return Borne(source.quote if window.is_listed else window.words, (source,), "verbatim")
    for said in _readings(words):
        found = _of_one_thing(said, [_bearing(one, passages) for one in said])
        if found:
            vectors = encode(list(said))
            chosen = [_closest(windows, vector) for windows, vector in zip(found, vectors, strict=True)]
            sources = tuple(dict.fromkeys(window.source(score) for window, score in chosen))
            if not any(window.is_listed for window, _ in chosen):
                return Borne(words, sources, "supported")
            # An item of a list says something only with what it is an item of.
            return Borne(sources[0].quote, sources, "verbatim") if len(sources) == 1 else None
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
    if subject and subject[0].casefold() in KINDS:  # "The"
        subject = None
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


def _closest(windows: Sequence[_Window], vector: Vectors) -> tuple[_Window, float]:
    cosines = [max(float(one.vector @ vector) for one in window.sentences) for window in windows]
    best = int(np.argmax(cosines))
    return windows[best], cosines[best]


def place_of(source: Source, passages: Sequence[Passage]) -> PassageSentence | None:
    """Give the sentence that a source ends with, None where no passage has it."""
    for passage in passages:
        if passage.hit.article_row == source.hit.article_row:
            for one in passage.sentences:
                if source.span.end in (one.span.end, one.cited.end):
                    return one
    return None


def before(one: PassageSentence, article_row: int, passages: Sequence[Passage]) -> list[PassageSentence]:
    """Give the sentences right before one, back to one that names somebody and leans on none: whom "she" in it means.

    Returns:
        In their order in the article; nothing where none is found, as behind a heading.
    """
    shown = [passage for passage in passages if passage.hit.article_row == article_row]
    rows = {other.row: other for passage in shown for other in (*passage.lead, *passage.sentences)}
    found: list[PassageSentence] = []
    while len(found) < FARTHEST and (other := rows.get(one.row - 1 - len(found))) is not None:
        found.insert(0, other)
        if not leans(other.words) and has_name(other.words):
            return found
    return []


def has_name(words: str) -> bool:
    """Tell whether a sentence names anybody or anything, other than a day."""
    return any(token.name and not token.is_time for token in tokens_of(words))


def _windows(passages: Sequence[Passage], size: int) -> Iterator[_Window]:
    for passage in passages:
        for first in range(len(passage.sentences) - size + 1):
            sentences = passage.sentences[first : first + size]
            if sentences[-1].row - sentences[0].row == size - 1:
                yield _Window(passage, sentences)
