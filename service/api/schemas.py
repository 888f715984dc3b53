"""The JSON of requests and responses, as in the contract. Only this folder knows these classes."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError, to_json

from index.searcher import Filters, Hit, Mode
from ingest.article import ArticleId, DateSource, TitleSource
from ingest.intake import normalise_url
from ingest.library import Outcome
from service.answering.answer import AbstainReason, AnswererName, Status, Support
from service.assistant import Found
from service.conversations import TITLE_CHARS, Rating, Role

MAX_MESSAGE_CHARS = 4000
MAX_HISTORY = 50
MAX_TURN_CHARS = 20_000

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def _refused(message: str) -> PydanticCustomError:
    # The template is fixed text of ours: nothing of the input is put into it.
    return PydanticCustomError("byline", message)


def _day(value: object) -> object:
    if value is None or isinstance(value, date):
        return value
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise _refused("expected a day of the calendar as YYYY-MM-DD")


def _day_or_moment(value: str) -> str:
    if _DAY.fullmatch(value) or _MOMENT.fullmatch(value):
        try:
            datetime.fromisoformat(value.upper())
        except ValueError:
            pass
        else:
            return value
    raise _refused("expected YYYY-MM-DD, or a time as in RFC 3339")


def _whole_number(value: object) -> object:
    # Pydantic reads "1_000" as a number, too.
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{1,9}", value):
        raise _refused("expected a whole number")
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise _refused("is blank; expected some text")
    return value


def _one_line(value: str) -> str:
    if "\n" in value or "\r" in value:
        raise _refused("has several lines; expected one")
    return _not_blank(value)


def _web_address(value: str) -> str:
    if normalise_url(value) is None:
        raise _refused("expected an address that begins with http:// or https://")
    return value


Day = Annotated[date, BeforeValidator(_day)]
MomentText = Annotated[
    str,
    Field(max_length=40, json_schema_extra={"anyOf": [{"format": "date"}, {"format": "date-time"}]}),
    AfterValidator(_day_or_moment),
]
_NOT_BLANK = {"pattern": r"\S"}
Question = Annotated[
    str, Field(min_length=1, max_length=MAX_MESSAGE_CHARS, json_schema_extra=_NOT_BLANK), AfterValidator(_not_blank)
]
ArticleText = Annotated[str, Field(min_length=1, json_schema_extra=_NOT_BLANK), AfterValidator(_not_blank)]
WebAddress = Annotated[
    str,
    Field(min_length=1, max_length=2000, json_schema_extra={"format": "uri", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://"}),
    AfterValidator(_web_address),
]
Name = Annotated[str, Field(min_length=1, max_length=500)]
Cursor = Annotated[str, Field(min_length=1, max_length=200)]


class RequestModel(BaseModel):
    """Base of what clients send: no unknown fields, and no value of another type taken for the right one."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _only_known_fields(cls, values: Any) -> Any:  # noqa: ANN401  # whatever a client sent
        # Before pydantic does it: its report would carry the unknown name, which is the client's text.
        if isinstance(values, dict) and not values.keys() <= cls.model_fields.keys():
            raise _refused(f"holds an unknown field; the fields are {', '.join(cls.model_fields)}")
        return values


class ResponseModel(BaseModel):
    """Base of what is answered; reads the values inside by their attributes."""

    model_config = ConfigDict(from_attributes=True)


class FiltersIn(RequestModel):
    """Which articles may be used. One without a known date is left out as soon as a date is asked for."""

    published_from: Day | None = Field(default=None, description="Only articles of this day or later.")
    published_to: Day | None = Field(default=None, description="Only articles of this day or earlier.")
    sources: list[Name] | None = Field(
        default=None, min_length=1, max_length=100, description="Only articles of these sources, by their exact names."
    )
    article_ids: list[Name] | None = Field(
        default=None, min_length=1, max_length=1000, description="Only these articles."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        _require_order(self.published_from, self.published_to)
        return self

    def to_filters(self) -> Filters:
        """Give the filters of a search."""
        return Filters(
            published_from=self.published_from,
            published_to=self.published_to,
            sources=tuple(self.sources or ()),
            article_ids=tuple(ArticleId(article) for article in self.article_ids or ()),
        )


class TurnIn(RequestModel):
    """An earlier message, of a client that keeps its own conversation."""

    role: Role
    content: str = Field(max_length=MAX_TURN_CHARS)


class ChatRequest(RequestModel):
    """A message of a conversation."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [{"properties": {name: {"type": "null"}}} for name in ("conversation_id", "history")]
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
            raise _refused("give conversation_id or history, not both")
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

    title: Annotated[str, Field(min_length=1, max_length=TITLE_CHARS), AfterValidator(_one_line)]


class ConversationsOut(ResponseModel):
    """A page of conversations, newest first."""

    data: list[ConversationHeadOut]
    next_cursor: str | None


class ConversationOut(ConversationHeadOut):
    """A conversation with a page of its messages, oldest first."""

    messages: list[MessageOut]
    next_cursor: str | None


class PageQuery(RequestModel):
    """Which page of a list."""

    limit: Annotated[int, BeforeValidator(_whole_number), Field(strict=False)] = Field(default=50, ge=1, le=200)
    cursor: Cursor | None = None


class ArticlesQuery(PageQuery):
    """Which articles, and which page of them."""

    source: Name | None = None
    published_from: Day | None = None
    published_to: Day | None = None
    query: Annotated[str, Field(min_length=1, max_length=500)] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        _require_order(self.published_from, self.published_to)
        return self


class SearchRequest(RequestModel):
    """What to look for."""

    query: Question
    top_k: int = Field(default=10, ge=1, le=100)
    mode: Mode = "hybrid"
    filters: FiltersIn | None = None


class ScoresOut(ResponseModel):
    """What each side said of a hit."""

    dense: float
    lexical: float
    rerank: float | None


class HitOut(ResponseModel):
    """A passage that was found: `article.text[start:end] == text`."""

    chunk_id: str
    article_id: str
    title: str
    source: str
    url: str | None
    published_at: date | None
    text: str
    start: int
    end: int
    score: float
    scores: ScoresOut


class SearchTimingsOut(ResponseModel):
    """Milliseconds of a search."""

    search: float


class SearchOut(ResponseModel):
    """Passages, best first."""

    hits: list[HitOut]
    generation: str
    timings_ms: SearchTimingsOut


def _given(name: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"type": "string"}}}


class ArticleRequest(RequestModel):
    """An article to take in: exactly one of `text`, `html` and `markdown`, and what is known about it.

    A stated field goes before what the page or the front matter says.
    """

    model_config = ConfigDict(json_schema_extra={"oneOf": [_given(form) for form in ("text", "html", "markdown")]})

    text: ArticleText | None = None
    html: ArticleText | None = None
    markdown: ArticleText | None = None
    title: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    url: WebAddress | None = None
    source: Name | None = None
    authors: list[Name] | None = Field(default=None, max_length=50)
    published_at: MomentText | None = None
    external_id: Name | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if sum(form is not None for form in (self.text, self.html, self.markdown)) != 1:
            raise _refused("give exactly one of text, html and markdown")
        return self


class ArticleHeadOut(ResponseModel):
    """An article without its text. `indexed`: the index that answers now holds this version of it."""

    article_id: str
    title: str
    title_source: TitleSource
    source: str
    url: str | None
    authors: list[str]
    published_at: date | None
    date_source: DateSource
    external_id: str | None
    characters: int
    stored_at: datetime
    indexed: bool


class StoredArticleOut(ArticleHeadOut):
    """An article that was taken in."""

    outcome: Outcome


class FileReportOut(ResponseModel):
    """What became of an article of an uploaded file, or of a file, or a line of one, that was refused, and why."""

    file: str
    outcome: Outcome | Literal["refused"]
    article_id: str | None
    reason: str | None


class FileReportsOut(ResponseModel):
    """One line for each article and each refusal, in the order of the files."""

    results: list[FileReportOut]


class ArticleOut(ArticleHeadOut):
    """An article with its text, to which all offsets refer."""

    text: str


class ArticlesOut(ResponseModel):
    """A page of articles, in the order in which they were first added."""

    data: list[ArticleHeadOut]
    next_cursor: str | None


class BuildRequest(RequestModel):
    """How to build: `full` embeds everything again."""

    full: bool = False


class ProgressOut(ResponseModel):
    """How far a build is; `eta_s` is the rest of the phase."""

    phase: Literal["read", "chunk", "embed", "write", "verify", "publish"]
    done: int
    total: int
    eta_s: float | None


class SkippedOut(ResponseModel):
    """An article that the library holds and the generation does not, and why."""

    article: str
    reason: str


class BuildResultOut(ResponseModel):
    """What a build did; `built` is false where there was nothing to do."""

    generation: str
    built: bool
    articles: int
    articles_added: int
    articles_updated: int
    articles_removed: int
    chunks_embedded: int
    chunks_reused: int
    chunks_resumed: int
    reason: str | None
    skipped: list[SkippedOut]


class PlanOut(ResponseModel):
    """What a build was about to do, in articles; `reason` says why unchanged ones are embedded again.

    `resumed` were embedded by a build that did not end; `seconds` is how long embedding was thought to take.
    """

    articles: int
    embedded: int
    resumed: int
    reason: str | None
    seconds: float | None


class BuildOut(ResponseModel):
    """A build as it is now."""

    id: str
    full: bool
    state: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    plan: PlanOut | None
    progress: ProgressOut | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    result: BuildResultOut | None
    error: str | None


class PendingOut(ResponseModel):
    """What the next build would change, in articles."""

    added: int
    updated: int
    removed: int


class GenerationOut(ResponseModel):
    """A generation that is kept; `served` is the one that answers now."""

    generation: str
    served: bool


class VectorIndexOut(ResponseModel):
    """How vectors are searched: `flat` looks at all, `ivf` at `probes` of `lists`; `recall` was measured at 10."""

    kind: str
    lists: int
    probes: int
    recall: float


class IndexOut(ResponseModel):
    """The index that answers now; its fields are null or 0 while there is none."""

    generation: str | None
    built_at: str | None
    articles: int
    chunks: int
    embedding_model: str
    dimension: int | None
    pending: PendingOut
    generations: list[GenerationOut]
    vector_index: VectorIndexOut | None
    problems: list[str]


class RollbackRequest(RequestModel):
    """Which generation to serve."""

    generation: str = Field(pattern=r"^[0-9]{6}$")


class LiveOut(ResponseModel):
    """The process runs."""

    status: Literal["alive"] = "alive"


class EmbeddingOut(ResponseModel):
    """What embeds questions, and why that; see the setting `embedding_runtime`."""

    runtime: str
    precision: str
    why: str


class ReadyOut(ResponseModel):
    """Questions can be answered; `problems` says what is wrong all the same."""

    status: Literal["ready"] = "ready"
    generation: str
    embedding: EmbeddingOut
    problems: list[str]


class VersionOut(ResponseModel):
    """Which program this is."""

    name: Literal["byline"] = "byline"
    version: str


def search_reply(found: Found) -> SearchOut:
    """Give what a search found in the form of the contract."""
    return SearchOut.model_validate(_search_values(found))


def search_json(found: Found) -> bytes:
    """Give `search_reply` as JSON: the same bytes, without a model of every hit on the way."""
    return to_json(_search_values(found))


def _search_values(found: Found) -> dict[str, object]:
    return {
        "hits": [_hit_values(hit) for hit in found.result.hits],
        "generation": found.generation.name,
        "timings_ms": {"search": found.search_ms},
    }


def _hit_values(hit: Hit) -> dict[str, object]:
    article, span, scores = hit.article, hit.chunk.span, hit.scores
    return {
        "chunk_id": hit.chunk.id,
        "article_id": article.id,
        "title": article.title,
        "source": article.source,
        "url": article.url,
        "published_at": article.published_at,
        "text": hit.text,
        "start": span.start,
        "end": span.end,
        "score": hit.score,
        "scores": {"dense": scores.dense, "lexical": scores.lexical, "rerank": scores.rerank},
    }


def in_utc(moment: datetime) -> datetime:
    """Give a time in UTC, as all times of the contract are."""
    return moment.astimezone(UTC)


def _require_order(first: date | None, last: date | None) -> None:
    if first is not None and last is not None and first > last:
        raise _refused("published_from is after published_to")
