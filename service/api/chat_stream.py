"""An answer as it comes: each sentence goes out as soon as it is checked, in the form that the client reads.

A thread asks the LLM and checks; what it finds goes through a queue to the response. When the client leaves or the
server stops, the thread is told, and ends its request to the LLM. An extractive answer is there before the first byte,
and goes out in the same pieces.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol, TypeVar

import structlog

from service.answering.composition import Piece
from service.answering.marks import pieces_of
from service.answering.reply import Reply
from service.api.asking import Asked, Gone, answer_whole
from service.api.errors import ShuttingDown, kind_of
from service.api.events import KEEPALIVE, EventStream
from service.api.state import ApiState
from service.assistant import Found
from service.llm import Cancelled

T = TypeVar("T")

log = structlog.get_logger(__name__)

KEEPALIVE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Begun:
    """An answer begins: the question that was searched, standing alone, and the generation."""

    question: str
    generation: str


Happening = Begun | Piece | Reply | None
"""A stream is `Begun`, the pieces, and the reply with all of them; None now and then, while nothing comes."""


class Form(Protocol):
    """How a stream looks on the wire."""

    def begin(self, begun: Begun) -> Iterable[bytes]:
        """Give what opens it."""

    def piece(self, piece: Piece) -> Iterable[bytes]:
        """Give one more sentence."""

    async def end(self, reply: Reply) -> Iterable[bytes]:
        """Give what is left of the reply after its pieces, and the end."""

    def error(self, error: Exception) -> Iterable[bytes]:
        """Give the end of a stream that cannot go on."""


async def stream_answer(asked: Asked, form: Form, state: ApiState, request_id: str) -> EventStream:
    """Answer as a stream. What fails before anything is asked of an LLM is an ordinary error."""
    if asked.answerer != "llm":
        return stream_of(told(await answer_whole(asked, state)), form, request_id)
    found = await state.questions.run(
        state.parts.assistant.find,
        asked.message,
        history=asked.turns,
        as_of=asked.as_of,
        filters=asked.filters,
        answerer=asked.answerer,
    )
    return stream_of(_as_it_comes(asked, found, state), form, request_id)


def stream_of(happenings: AsyncGenerator[Happening], form: Form, request_id: str) -> EventStream:
    """Give the response that tells what happens in a form; it has one end, whatever goes wrong."""
    return EventStream(_written(happenings, form, request_id))


async def told(reply: Reply) -> AsyncGenerator[Happening]:
    """Give a reply that is there already as a stream."""
    yield Begun(reply.question, reply.generation)
    for piece in pieces_of(reply.answer):
        yield piece
    yield reply


async def _written(happenings: AsyncGenerator[Happening], form: Form, request_id: str) -> AsyncIterator[bytes]:
    try:
        async with aclosing(happenings):
            async for one in happenings:
                for event in await _events(one, form):
                    yield event
    except Exception as error:  # a stream that has begun ends with an event, whatever went wrong
        shown = ShuttingDown("the server is about to stop; ask again") if isinstance(error, Cancelled) else error
        if kind_of(shown).status == 500:
            log.error("stream failed", request=request_id, exc_info=error)
        for event in form.error(shown):
            yield event


async def _events(one: Happening, form: Form) -> Iterable[bytes]:
    if one is None:
        return (KEEPALIVE,)
    if isinstance(one, Begun):
        return form.begin(one)
    return form.piece(one) if isinstance(one, Piece) else await form.end(one)


async def _as_it_comes(asked: Asked, found: Found, state: ApiState) -> AsyncGenerator[Happening]:
    loop = asyncio.get_running_loop()
    coming: asyncio.Queue[Piece | asyncio.Future[Reply]] = asyncio.Queue()
    begun = False

    def on_piece(piece: Piece) -> None:
        loop.call_soon_threadsafe(coming.put_nowait, piece)

    yield Begun(found.question, found.generation.name)
    with Gone(state) as gone:
        work = asyncio.ensure_future(
            state.llm.run(
                state.parts.assistant.answer,
                found,
                answerer=asked.answerer,
                max_citations=asked.max_citations,
                on_piece=on_piece,
                cancelled=gone,
            )
        )
        work.add_done_callback(coming.put_nowait)
        try:
            while not isinstance(one := await _next(coming), asyncio.Future):
                begun = begun or one is not None
                yield one
            reply = one.result()
            asked.notes.answered(reply)
        finally:
            work.cancel()
    if not begun:  # the extractive answer, in the place of the LLM's
        for piece in pieces_of(reply.answer):
            yield piece
    yield reply


async def _next(queue: asyncio.Queue[T]) -> T | None:
    """Give what comes next; None when nothing comes for a while."""
    try:
        async with asyncio.timeout(KEEPALIVE_SECONDS):
            return await queue.get()
    except TimeoutError:
        return None
