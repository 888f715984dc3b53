"""Chosen evidence to an answer: order, citation numbers, offsets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from index.searcher import Hit
from ingest.article import ArticleId, Span
from service.answering.answer import (
    AbstainReason,
    Answer,
    AnswerSentence,
    Citation,
    Conflict,
    Position,
    Status,
    Support,
)
from service.answering.conflicts import Dispute, about
from service.answering.evidence import Evidence, Question
from service.answering.values import ValueKind

# Cleaning takes native marks out of articles; one that came another way must not pass for ours.
NATIVE_MARK = re.compile(r"\[(\d+(?:\s*[,–-]\s*\d+)*)\]")

_ABSTENTION: dict[AbstainReason, str] = {
    "no_relevant_passage": "I found nothing about this in the articles.",
    "not_stated": "I found no sentence in the articles that clearly answers this.",
    "premise_contradicted": "The articles say otherwise.",
}

_LEAD = "The articles give different {}:"
_DATED_LEAD = "The articles give different {}, the latest first:"
_LEAD_OF_ONE = "One article gives different {}:"
_DIFFERENT: dict[ValueKind, str] = {"day": "dates", "holder": "names"}

_MISSING = "I found no sentence in the articles that clearly answers: {}?"


@dataclass(frozen=True, slots=True)
class Source:
    """The words that a sentence rests on: a span of the article that was hit, with a score in [0, 1] for people."""

    hit: Hit
    span: Span
    score: float
    also_in: tuple[ArticleId, ...] = ()

    @classmethod
    def of(cls, evidence: Evidence) -> Source:
        """Give a piece of evidence as a source."""
        return cls(evidence.hit, evidence.span, confidence(evidence), evidence.also_in)

    @property
    def quote(self) -> str:
        """The exact words."""
        return self.span.of(self.hit.article.text)


@dataclass(frozen=True, slots=True)
class Piece:
    """What one more sentence adds to an answer: `text` at its end, and the citations that are new with it.

    The first sentence brings what opens the answer with it.
    """

    text: str
    sentence: AnswerSentence
    citations: tuple[Citation, ...]


class Draft:
    """An answer as it grows: what was said stays, and citations are numbered in the order of their first use.

    `lead` opens it and is no sentence of it: it says of the sentences what they are, and nothing of its own.
    """

    def __init__(self, lead: str = "") -> None:
        self.text = lead
        self.sentences: list[AnswerSentence] = []
        self.citations: list[Citation] = []
        self._numbers: dict[tuple[ArticleId, Span], int] = {}

    def says(self, words: str) -> bool:
        """Tell whether these words were said already."""
        return any(sentence.text == words for sentence in self.sentences)

    def quotes(self, source: Source) -> bool:
        """Tell whether these words are cited already, from whichever article."""
        return any(citation.quote == source.quote for citation in self.citations)

    def room_for(self, sources: Sequence[Source], most: int) -> bool:
        """Tell whether a sentence with these sources fits into at most so many citations."""
        new = {(source.hit.article.id, source.span) for source in sources} - self._numbers.keys()
        return len(self.citations) + len(new) <= most

    def add(self, words: str, sources: Sequence[Source], *, support: Support, score: float) -> Piece:
        """Say a sentence, or a list on lines of its own.

        Args:
            words: What is said, without marks.
            sources: What it rests on, at least one.
            support: How it rests on them.
            score: In [0, 1], for people.
        """
        before = len(self.text) if self.sentences else 0
        if self.text:
            block = "\n" in words or any("\n" in sentence.text for sentence in self.sentences[-1:])
            self.text += "\n" if block else " "
        start = len(self.text)
        known = len(self.citations)
        numbers = tuple(dict.fromkeys(self._number(source) for source in sources))
        sentence = AnswerSentence(words, start, start + len(words), numbers, support, score)
        self.sentences.append(sentence)
        self.text += f"{words} {''.join(f'[{number}]' for number in numbers)}"
        return Piece(self.text[before:], sentence, tuple(self.citations[known:]))

    def _number(self, source: Source) -> int:
        key = (source.hit.article.id, source.span)
        if key not in self._numbers:
            self._numbers[key] = len(self.citations) + 1
            self.citations.append(cite(source, self._numbers[key]))
        return self._numbers[key]

    def number_of(self, source: Source) -> int:
        """Give the number of the citation of a source that was said."""
        return self._numbers[source.hit.article.id, source.span]

    def answer(self, *, sureness: float, missing: Sequence[str] = (), conflicts: Sequence[Conflict] = ()) -> Answer:
        """Give the answer as it stands; see `compose`."""
        text = " ".join([self.text, *(_MISSING.format(words) for words in missing)])
        status: Status = "partial" if missing else "answered"
        return Answer(status, text, tuple(self.sentences), tuple(self.citations), tuple(conflicts), confidence=sureness)


def compose(chosen: Sequence[Evidence], *, sureness: float, missing: Sequence[str] = ()) -> Answer:
    """Make the answer that says the chosen evidence and nothing else, each piece cited.

    Args:
        chosen: At least one piece, best first. Pieces of one article are said in the article's order, articles in
            the order of their best piece.
        sureness: How sure it is that they answer, in [0, 1].
        missing: What the question asks besides and nothing answers, in its own words; the answer says so at its end.
    """
    draft = Draft()
    for evidence in _readable(chosen):
        say(draft, Source.of(evidence))
    return draft.answer(sureness=sureness, missing=missing)


def compose_disputed(dispute: Dispute, question: Question, rest: Sequence[Evidence], *, sureness: float) -> Answer:
    """Make the answer that says what articles give differently, in the order of the dispute, and then the rest.

    Args:
        dispute: The claims, each of which is cited.
        question: What they answer.
        rest: Further evidence, best first.
        sureness: As for `compose`.
    """
    draft = Draft(lead_of(dispute))
    for evidence in (*dispute.evidence, *_readable(rest)):
        say(draft, Source.of(evidence))
    return draft.answer(sureness=sureness, conflicts=[conflict_of(dispute, question, draft)])


def lead_of(dispute: Dispute) -> str:
    """Give what opens an answer that says what articles give differently."""
    lead = _LEAD_OF_ONE if dispute.in_one_article else _DATED_LEAD if dispute.dated else _LEAD
    return lead.format(_DIFFERENT.get(dispute.claims[0].value.kind, "figures"))


def conflict_of(dispute: Dispute, question: Question, draft: Draft) -> Conflict:
    """Give a dispute whose evidence was said, by the numbers of its citations."""
    positions = tuple(
        Position(
            value=claim.value.words,
            citation=draft.number_of(Source.of(claim.evidence)),
            published_at=claim.evidence.article.published_at,
        )
        for claim in dispute.claims
    )
    return Conflict(about(question), positions)


def say(draft: Draft, source: Source) -> Piece:
    """Say the very words of a source."""
    words = NATIVE_MARK.sub(r"(\1)", source.quote)
    support: Support = "verbatim" if words == source.quote else "supported"
    return draft.add(words, [source], support=support, score=source.score)


def abstain(reason: AbstainReason, nearest: Sequence[Evidence], *, sureness: float) -> Answer:
    """Make the answer that there is none, with the closest passages to look at."""
    return Answer(
        status="abstained",
        text=_ABSTENTION[reason],
        sentences=(),
        citations=(),
        abstain_reason=reason,
        nearest=tuple(cite(Source.of(evidence), number) for number, evidence in enumerate(nearest, start=1)),
        confidence=sureness,
    )


def cite(source: Source, number: int) -> Citation:
    """Make the citation of a source."""
    article = source.hit.article
    return Citation(
        number=number,
        article_id=article.id,
        title=article.title,
        source=article.source,
        url=article.url,
        published_at=article.published_at,
        date_source=article.date_source,
        quote=source.quote,
        start=source.span.start,
        end=source.span.end,
        chunk_id=source.hit.chunk.id,
        score=source.score,
        also_in=source.also_in,
    )


def confidence(evidence: Evidence) -> float:
    """Give a score in [0, 1] for people: the mean of cosine and coverage in context, rounded."""
    return round(min(max((evidence.cosine + evidence.context) / 2, 0.0), 1.0), 4)


def _readable(chosen: Sequence[Evidence]) -> list[Evidence]:
    articles = list(dict.fromkeys(evidence.article.id for evidence in chosen))
    return sorted(chosen, key=lambda evidence: (articles.index(evidence.article.id), evidence.span))
