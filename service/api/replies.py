"""Replies in the three forms in which they leave: one JSON document, events, and (elsewhere) plain text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from service.answering.composition import Piece
from service.answering.reply import Reply
from service.api.errors import Problem
from service.api.events import event
from service.api.schemas import (
    CitationOut,
    ConflictOut,
    ReplyOut,
    SentenceOut,
    TimingsOut,
    UsageOut,
)
from service.assistant import Found


class StartEvent(BaseModel):
    """Opens the stream of an answer."""

    id: str
    conversation_id: str | None
    question: str
    generation: str


class DeltaEvent(BaseModel):
    """A piece of the answer; all of them joined are the answer."""

    text: str


def reply_out(reply: Reply, *, message_id: str, conversation_id: str | None) -> ReplyOut:
    """Give a reply in the form of the contract."""
    answer = reply.answer
    return ReplyOut(
        id=message_id,
        conversation_id=conversation_id,
        status=answer.status,
        answer=answer.text,
        sentences=[SentenceOut.model_validate(sentence) for sentence in answer.sentences],
        citations=[CitationOut.model_validate(citation) for citation in answer.citations],
        conflicts=[ConflictOut.model_validate(conflict) for conflict in answer.conflicts],
        question=reply.question,
        generation=reply.generation,
        answerer=reply.answerer,
        degraded=reply.degraded,
        abstain_reason=answer.abstain_reason,
        nearest=[CitationOut.model_validate(citation) for citation in answer.nearest],
        timings_ms=TimingsOut.model_validate(reply.timings),
        usage=UsageOut(prompt_tokens=reply.prompt_tokens, completion_tokens=reply.completion_tokens),
    )


def start_event(found: Found, *, message_id: str, conversation_id: str | None) -> bytes:
    """Give the event that opens the stream of an answer to what was found."""
    start = StartEvent(
        id=message_id,
        conversation_id=conversation_id,
        question=found.question,
        generation=found.generation.name,
    )
    return event("start", start)


def piece_events(piece: Piece) -> Iterator[bytes]:
    """Give what one more sentence adds to a stream."""
    for citation in piece.citations:
        yield event("citation", CitationOut.model_validate(citation))
    yield from _deltas(piece.text)
    yield event("sentence", SentenceOut.model_validate(piece.sentence))


def last_events(reply: ReplyOut, said: int) -> Iterator[bytes]:
    """Give what is left of a reply whose first `said` characters went out by `piece_events`, and `done`."""
    if said:
        yield from _deltas(reply.answer[said:])
        yield event("done", reply)
    else:
        _, *rest = reply_events(reply)
        yield from rest


def error_event(problem: Problem) -> bytes:
    """Give the event that ends a stream that cannot go on."""
    return event("error", problem)


def reply_events(reply: ReplyOut) -> Iterator[bytes]:
    """Give a reply as events: `start`, each sentence after its citations and its words, `done`."""
    start: dict[str, Any] = reply.model_dump(include=set(StartEvent.model_fields))
    yield event("start", StartEvent(**start))
    citations = {citation.number: citation for citation in reply.citations}
    said = 0
    for sentence in reply.sentences:
        for number in sentence.citations:
            if number in citations:
                yield event("citation", citations.pop(number))
        yield from _deltas(reply.answer[said : sentence.end])
        said = sentence.end
        yield event("sentence", sentence)
        # The mark follows its sentence, up to where the next one begins.
        following = next((other.start for other in reply.sentences if other.start >= said), len(reply.answer))
        yield from _deltas(reply.answer[said:following])
        said = following
    for citation in citations.values():
        yield event("citation", citation)
    yield from _deltas(reply.answer[said:])
    yield event("done", reply)


def _deltas(text: str) -> Iterator[bytes]:
    if text:
        yield event("delta", DeltaEvent(text=text))
