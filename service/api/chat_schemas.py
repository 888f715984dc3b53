"""The JSON of chat and conversations, as in the contract."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from ingest.article import DateSource
from service.answering.answer import AbstainReason, AnswererName, Status, Support
from service.api.fields import Day, FiltersIn, Question, RequestModel, ResponseModel, not_blank, refused
from service.conversations import TITLE_CHARS, Rating, Role

MAX_HISTORY = 50
MAX_TURN_CHARS = 20_000
_SHOWN = {"pattern": r"^[^\r\n]*\S[^\r\n]*$"}


def _one_line(value: str) -> str:
    if "\n" in value or "\r" in value:
        raise refused("has several lines; expected one")
    return not_blank(value)


class TurnIn(RequestModel):
    """An earlier message, of a client that keeps its own conversation."""

    role: Role
    content: str = Field(max_length=MAX_TURN_CHARS)


class ChatRequest(RequestModel):
    """A message of a conversation."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [{"properties": {name: {"type": "null"}}} for name in ("conversation_id", "history")],
            "examples": [{"message": "What does the Merrin Coast order prohibit?"}],
        }
    )

    message: Question
    conversation_id: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    history: list[TurnIn] | None = Field(default=None, max_length=MAX_HISTORY)
    stream: bool = False
    answerer: AnswererName | None = None
    max_citations: int = Field(default=5, ge=1, le=20)
    as_of: Day | None = None
    filters: FiltersIn | None = None

    @model_validator(mode="after")
    def _one_memory(self) -> Self:
        if self.conversation_id is not None and self.history is not None:
            raise refused("give conversation_id or history, not both")
        return self


class CitationOut(ResponseModel):
    """The exact words of an article: `article.text[start:end] == quote`.

    In a conversation, `removed` says that the article is gone since: the quote is empty then.
    """

    number: int
    article_id: str
    title: str
    source: str
    url: str | None
    published_at: date | None
    date_source: DateSource
    quote: str
    start: int
    end: int
    chunk_id: str
    score: float
    also_in: list[str]
    removed: bool = False


class SentenceOut(ResponseModel):
    """A sentence of the answer, at `answer[start:end]`."""

    text: str
    start: int
    end: int
    citations: list[int]
    support: Support
    score: float


class PositionOut(ResponseModel):
    """One side of a disagreement."""

    value: str
    citation: int
    published_at: date | None


class ConflictOut(ResponseModel):
    """Different values for the same thing."""

    about: str
    positions: list[PositionOut]


class TimingsOut(ResponseModel):
    """Milliseconds of the stages."""

    search: float
    answer: float
    total: float


class UsageOut(ResponseModel):
    """Tokens that an LLM took; 0 where none was asked."""

    prompt_tokens: int
    completion_tokens: int


class ReplyOut(ResponseModel):
    """An answer, every sentence of it cited."""

    id: str
    conversation_id: str | None
    status: Status
    answer: str
    sentences: list[SentenceOut]
    citations: list[CitationOut]
    conflicts: list[ConflictOut]
    question: str
    generation: str
    answerer: AnswererName
    degraded: bool
    abstain_reason: AbstainReason | None
    nearest: list[CitationOut]
    timings_ms: TimingsOut
    usage: UsageOut


class FeedbackRequest(RequestModel):
    """What a reader thinks of an answer."""

    rating: Rating
    comment: Annotated[str, Field(max_length=2000)] | None = None


class FeedbackOut(ResponseModel):
    """Feedback as stored."""

    rating: Rating
    comment: str | None


class MessageOut(ResponseModel):
    """A stored message; what comes from the reply is empty for the user's."""

    id: str
    role: Role
    content: str
    created_at: datetime
    status: Status | None
    sentences: list[SentenceOut]
    citations: list[CitationOut]
    conflicts: list[ConflictOut]
    abstain_reason: AbstainReason | None
    nearest: list[CitationOut]
    question: str | None
    degraded: bool
    generation: str | None
    feedback: FeedbackOut | None


class ConversationHeadOut(ResponseModel):
    """A conversation in a list; its title is the beginning of its first message."""

    id: str
    title: str
    created_at: datetime
    updated_at: datetime


class RenameRequest(RequestModel):
    """A conversation's new title, on one line."""

    title: Annotated[
        str,
        Field(min_length=1, max_length=TITLE_CHARS, json_schema_extra=_SHOWN, examples=["The ferry"]),
        AfterValidator(_one_line),
    ]


class ConversationsOut(ResponseModel):
    """A page of conversations, newest first."""

    data: list[ConversationHeadOut]
    next_cursor: str | None


class ConversationOut(ConversationHeadOut):
    """A conversation with a page of its messages, oldest first."""

    messages: list[MessageOut]
    next_cursor: str | None
