"""Replies in the form of OpenAI's API, with the citations in the three places where its clients look for them.

`annotations` have the place of every mark in the text; `citations` and `search_results`, as Perplexity sends them, list
what the marks stand for: [n] is the n-th. Open WebUI takes quotes from events of its own.
"""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal
from uuid import uuid4

from fastapi.sse import format_sse_event
from pydantic import BaseModel

from service.answering.answer import Citation
from service.answering.composition import Piece
from service.answering.marks import marks_of
from service.answering.reply import Reply
from service.api.article_urls import article_url
from service.api.chat_stream import Begun
from service.api.errors import openai_error_of

DONE = format_sse_event(data_str="[DONE]")


class UrlCitationOut(BaseModel):
    """The mark at `content[start_index:end_index]`, counted in Unicode code points, and what it stands for."""

    start_index: int
    end_index: int
    url: str
    title: str


class AnnotationOut(BaseModel):
    """One mark of a citation in the text."""

    type: Literal["url_citation"] = "url_citation"
    url_citation: UrlCitationOut


class CompletionMessageOut(BaseModel):
    """The answer; `[n]` in it is the n-th of `citations`."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None
    annotations: list[AnnotationOut]


class ChoiceOut(BaseModel):
    """The one choice there is."""

    index: Literal[0] = 0
    message: CompletionMessageOut
    logprobs: None = None
    finish_reason: Literal["stop"] = "stop"


class CompletionUsageOut(BaseModel):
    """Tokens that an LLM took; 0 where none was asked."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class SearchResultOut(BaseModel):
    """An article that the answer quotes; `snippet` has its exact words."""

    title: str
    url: str
    date: datetime.date | None
    snippet: str


class CompletionOut(BaseModel):
    """A chat completion, as OpenAI and Perplexity have it."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChoiceOut]
    usage: CompletionUsageOut
    citations: list[str]
    search_results: list[SearchResultOut]


@dataclass(frozen=True, slots=True)
class Cited:
    """The citations of a reply in all forms, for clients that reach this server by `base_url`."""

    reply: Reply
    base_url: str

    @property
    def _citations(self) -> tuple[Citation, ...]:
        return self.reply.answer.citations

    def urls(self) -> list[str]:
        """Give the address of each, in the order of their numbers."""
        return [article_url(citation, self.base_url) for citation in self._citations]

    def search_results(self) -> list[SearchResultOut]:
        """Give the article and the quote of each."""
        return [
            SearchResultOut(title=citation.title, url=url, date=citation.published_at, snippet=citation.quote)
            for citation, url in zip(self._citations, self.urls(), strict=True)
        ]

    def annotations(self) -> list[AnnotationOut]:
        """Give the place of every mark."""
        cited = {citation.number: citation for citation in self._citations}
        return [
            AnnotationOut(
                url_citation=UrlCitationOut(
                    start_index=mark.start,
                    end_index=mark.end,
                    url=article_url(cited[mark.number], self.base_url),
                    title=cited[mark.number].title,
                )
            )
            for mark in marks_of(self.reply.answer)
            if mark.number in cited
        ]

    def source_events(self) -> Iterator[dict[str, Any]]:
        """Give the events by which Open WebUI shows each, so that [n] is the n-th.

        It takes sources with the same address or the same name for one, which would move the numbers behind it:
        further quotes of an article get addresses and names of their own.
        """
        addresses: set[str] = set()
        names: set[str] = set()
        for citation, url in zip(self._citations, self.urls(), strict=True):
            number, name = citation.number, citation.title
            if url in addresses:
                url += f"-{number}" if "#" in url else f"#{number}"
            if name in names:
                name += f" ({number})"
            addresses.add(url)
            names.add(name)
            day = {"date": citation.published_at.isoformat()} if citation.published_at else {}
            data = {
                "source": {"name": name, "url": url},
                "document": [citation.quote],
                "metadata": [{"source": url, "name": name} | day],
            }
            yield {"type": "source", "data": data}


def usage_of(reply: Reply) -> CompletionUsageOut:
    """Give the tokens that a reply took."""
    total = reply.prompt_tokens + reply.completion_tokens
    return CompletionUsageOut(
        prompt_tokens=reply.prompt_tokens, completion_tokens=reply.completion_tokens, total_tokens=total
    )


def completion_of(reply: Reply, *, model: str, base_url: str) -> CompletionOut:
    """Give a reply as a completion."""
    cited = Cited(reply, base_url)
    message = CompletionMessageOut(content=reply.answer.text, annotations=cited.annotations())
    return CompletionOut(
        id=_new_id(),
        created=int(time.time()),
        model=model,
        system_fingerprint=_fingerprint(reply.generation),
        choices=[ChoiceOut(message=message)],
        usage=usage_of(reply),
        citations=cited.urls(),
        search_results=cited.search_results(),
    )


class ChunkForm:
    """The stream of an answer as completion chunks.

    Args:
        model: As the client named it.
        base_url: By which clients reach this server.
        include_usage: Whether a chunk with the usage ends the stream, and all others say that it comes.
        source_events: Whether citations are told as Open WebUI's events, or as annotations.
    """

    def __init__(self, *, model: str, base_url: str, include_usage: bool, source_events: bool) -> None:
        self._head = {"id": _new_id(), "object": "chat.completion.chunk", "created": int(time.time()), "model": model}
        self._base_url = base_url
        self._include_usage = include_usage
        self._source_events = source_events
        self._said = 0

    def begin(self, begun: Begun) -> Iterator[bytes]:
        """Give the chunk with the role."""
        self._head["system_fingerprint"] = _fingerprint(begun.generation)
        yield self._chunk({"role": "assistant", "content": ""})

    def piece(self, piece: Piece) -> Iterator[bytes]:
        """Give a sentence with its marks."""
        yield from self._content(piece.text)

    async def end(self, reply: Reply) -> list[bytes]:
        """Give the rest of the answer, the citations, and the end."""
        cited = Cited(reply, self._base_url)
        chunks = list(self._content(reply.answer.text[self._said :]))
        if self._source_events:
            chunks += [self._chunk({}, event=event) for event in cited.source_events()]
        elif annotations := [annotation.model_dump() for annotation in cited.annotations()]:
            chunks.append(self._chunk({"annotations": annotations}))
        results = [result.model_dump(mode="json") for result in cited.search_results()]
        chunks.append(self._chunk({}, finish_reason="stop", citations=cited.urls(), search_results=results))
        if self._include_usage:
            chunks.append(_data(self._head | {"choices": [], "usage": usage_of(reply).model_dump()}))
        return [*chunks, DONE]

    def error(self, error: Exception) -> Iterator[bytes]:
        """Give the error; without the mark of a good end."""
        yield _data(openai_error_of(error).model_dump())

    def _content(self, text: str) -> Iterator[bytes]:
        self._said += len(text)
        if text:
            yield self._chunk({"content": text})

    def _chunk(self, delta: dict[str, Any], *, finish_reason: str | None = None, **more: object) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        usage = {"usage": None} if self._include_usage else {}
        return _data(self._head | {"choices": [choice]} | usage | more)


def _new_id() -> str:
    return f"chatcmpl-{uuid4().hex}"


def _fingerprint(generation: str) -> str:
    return f"byline-{generation}"


def _data(value: dict[str, Any]) -> bytes:
    return format_sse_event(data_str=json.dumps(value, ensure_ascii=False))
