"""What an assistant may ask of the articles: three tools, their arguments, and what they give as values and as text.

Knows nothing of the protocol that carries them (`mcp_server.py`); none of them changes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from pydantic import BaseModel, Field, model_validator

from index.searcher import Hit, Mode
from ingest.article import Article, ArticleId, DateSource
from service.answering.answer import AnswererName, Citation
from service.answering.reply import Reply
from service.api.chat_schemas import ReplyOut
from service.api.fields import Day, FiltersIn, Name, Question, RequestModel, ResponseModel
from service.api.replies import reply_out
from service.api.search_schemas import SearchOut, search_reply
from service.conversations import new_message_id
from service.errors import ServiceError
from service.rendering import printed, render_reply

if TYPE_CHECKING:
    from service.assembly import Reading
    from service.assistant import Found

MAX_PART_CHARS = 20_000
"""Most characters of an article that one call gives: some 5,000 tokens of the assistant's context."""

Gone = Callable[[], bool]
"""Whether the client has left or cancelled its call; asked often while an LLM is waited for."""


class BadArguments(ServiceError):
    """The arguments of a call ask for what is not there."""


class AskArguments(FiltersIn):
    """What to answer, and from which articles."""

    question: Question = Field(description="The question, standing alone, in English.")
    as_of: Day | None = Field(
        default=None, description="Answer as on this day: articles published later, or without a date, are left out."
    )
    answerer: AnswererName | None = Field(
        default=None, description="'extractive' quotes the articles, 'llm' asks the configured LLM; null: the default."
    )
    max_citations: int = Field(default=5, ge=1, le=20, description="Most citations of the answer.")


class SearchArguments(FiltersIn):
    """What to look for, and in which articles."""

    query: Question = Field(description="Words or a question.")
    top_k: int = Field(default=10, ge=1, le=50, description="Most passages.")
    mode: Mode = Field(default="hybrid", description="By words and meaning ('hybrid'), or by one of them.")


class ArticleArguments(RequestModel):
    """Which article, and which part of it."""

    article_id: Name = Field(description="As in the citations of an answer or the hits of a search.")
    start: int = Field(default=0, ge=0, description="First character, counted from 0.")
    end: int | None = Field(
        default=None,
        ge=1,
        description=f"The character behind the last; {MAX_PART_CHARS} are given at most, and next_start goes on.",
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end is not None and self.end <= self.start:
            raise ValueError("end has to be above start")
        return self


class ArticlePartOut(ResponseModel):
    """A part of an article: its characters from `start` up to `end`, which citations count in, too."""

    article_id: str
    title: str
    source: str
    url: str | None
    authors: list[str]
    published_at: date | None
    date_source: DateSource
    characters: int
    start: int
    end: int
    next_start: int | None
    text: str
    generation: str


@dataclass(frozen=True, slots=True)
class Given:
    """What a tool gives: values, and the same for readers."""

    values: BaseModel
    text: str


A = TypeVar("A", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Tool(Generic[A]):
    """One tool: what it is called and does, what it takes and gives."""

    name: str
    title: str
    description: str
    arguments: type[A]
    values: type[BaseModel]
    use: Callable[[Reading, A, Gone], Given]


def _ask(reading: Reading, arguments: AskArguments, gone: Gone) -> Given:
    reply = reading.assistant.ask(
        arguments.question,
        answerer=arguments.answerer,
        max_citations=arguments.max_citations,
        as_of=arguments.as_of,
        filters=arguments.to_filters(),
        cancelled=gone,
    )
    # Nothing is stored: the id is one of its own, as over HTTP for clients that keep their conversations.
    values = reply_out(reply, message_id=new_message_id(), conversation_id=None)
    return Given(values, render_reply(reply) + "".join(_places(reply)))


def _search(reading: Reading, arguments: SearchArguments, _gone: Gone) -> Given:
    found = reading.assistant.search(
        arguments.query, top_k=arguments.top_k, mode=arguments.mode, filters=arguments.to_filters()
    )
    return Given(search_reply(found), _render_found(found))


def _get_article(reading: Reading, arguments: ArticleArguments, _gone: Gone) -> Given:
    searcher = reading.live.searcher()
    generation = searcher.generation
    article_id = ArticleId(arguments.article_id)
    row = generation.article_row(article_id)
    if row is None or article_id in searcher.removed:
        raise BadArguments("there is no article of this id; take one from a citation or a hit of this server")
    article = generation.articles[row]
    length = len(article.text)
    if arguments.start >= length:
        raise BadArguments(f"start is behind the end of the article, which has {length} characters")
    end = min(arguments.end or length, arguments.start + MAX_PART_CHARS, length)
    part = ArticlePartOut(
        article_id=article.id,
        title=article.title,
        source=article.source,
        url=article.url,
        authors=list(article.authors),
        published_at=article.published_at,
        date_source=article.date_source,
        characters=length,
        start=arguments.start,
        end=end,
        next_start=end if end < length else None,
        text=article.text[arguments.start : end],
        generation=generation.name,
    )
    return Given(part, _render_part(part, article))


def _places(reply: Reply) -> Iterator[str]:
    """Say where each quote stands, so that an assistant that sees the text alone can read on there."""
    marked: list[tuple[str, Citation]] = [(f"[{quoted.number}]", quoted) for quoted in reply.answer.citations]
    marked = marked or [("-", near) for near in reply.answer.nearest]
    if marked:
        yield "\nWhere the quotes stand (get_article reads there):\n"
    for mark, citation in marked:
        yield f"{mark} {citation.article_id}, characters {citation.start} to {citation.end}\n"


def _render_found(found: Found) -> str:
    lines = [line for number, hit in enumerate(found.result.hits, start=1) for line in _hit_lines(number, hit)]
    return printed("\n".join(lines) or "Nothing found.") + "\n"


def _hit_lines(number: int, hit: Hit) -> Iterator[str]:
    span = hit.chunk.span
    yield f"{number}. {_head(hit.article)}"
    yield f"   {hit.article.id}, characters {span.start} to {span.end}"
    yield "   " + hit.text.replace("\n", "\n   ")


def _render_part(part: ArticlePartOut, article: Article) -> str:
    whole = part.start == 0 and part.next_start is None
    extent = "whole" if whole else f"characters {part.start} to {part.end} of {part.characters}"
    more = f"\n\n(It goes on: start={part.next_start}.)" if part.next_start is not None else ""
    return printed(f"{_head(article)}\n({extent})\n\n{part.text}{more}") + "\n"


def _head(article: Article) -> str:
    day = f", {article.published_at.isoformat()}" if article.published_at else ""
    url = f" ({article.url})" if article.url else ""
    return f"{article.title} — {article.source}{day}{url}"


ASK: Tool[AskArguments] = Tool(
    "ask",
    "Ask the articles",
    "Answers a question from the collection of articles. Every sentence of the answer is cited with the exact words of "
    "the article that it rests on. Where the articles do not answer, the status is 'abstained' and the nearest "
    "passages are given instead.",
    AskArguments,
    ReplyOut,
    _ask,
)
SEARCH: Tool[SearchArguments] = Tool(
    "search",
    "Search the articles",
    "Gives the passages of the collection that match best, with article, place and score, and no answer.",
    SearchArguments,
    SearchOut,
    _search,
)
GET_ARTICLE: Tool[ArticleArguments] = Tool(
    "get_article",
    "Read an article",
    "Gives the text of an article with its title, source and date; long ones in parts, by start and end.",
    ArticleArguments,
    ArticlePartOut,
    _get_article,
)
