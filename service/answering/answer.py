"""The values an answer is made of. They mirror the contract; how they look as JSON is the API's business."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from ingest.article import ArticleId, ChunkId, DateSource

Status = Literal["answered", "partial", "abstained"]
AbstainReason = Literal["no_relevant_passage", "not_stated", "premise_contradicted"]
Support = Literal["verbatim", "supported"]
AnswererName = Literal["extractive", "llm"]


@dataclass(frozen=True, slots=True)
class Citation:
    """The exact words of an article that a sentence rests on: `article.text[start:end] == quote`.

    `number` counts from 1 and is the mark in the answer; in `Answer.nearest` it is only the order.
    `score` is the answerer's own, in [0, 1], higher is better.
    """

    number: int
    article_id: ArticleId
    title: str
    source: str
    url: str | None
    published_at: date | None
    date_source: DateSource
    quote: str
    start: int
    end: int
    chunk_id: ChunkId
    score: float
    also_in: tuple[ArticleId, ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerSentence:
    """One sentence of the answer, or one list kept whole, at `answer.text[start:end]` (its mark not included)."""

    text: str
    start: int
    end: int
    citations: tuple[int, ...]
    support: Support
    score: float


@dataclass(frozen=True, slots=True)
class Position:
    """One side of a disagreement: the value and the citation that states it."""

    value: str
    citation: int
    published_at: date | None


@dataclass(frozen=True, slots=True)
class Conflict:
    """Different values for the same thing in the cited articles."""

    about: str
    positions: tuple[Position, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to the reader. When `status` is `abstained`, `citations` is empty and `nearest` is not.

    `confidence`, in [0, 1], is how sure the answerer is that the evidence answers, whether or not it was said.
    """

    status: Status
    text: str
    sentences: tuple[AnswerSentence, ...]
    citations: tuple[Citation, ...]
    conflicts: tuple[Conflict, ...] = ()
    abstain_reason: AbstainReason | None = None
    nearest: tuple[Citation, ...] = ()
    confidence: float = 0.0
