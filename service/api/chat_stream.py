"""An LLM's answer as it comes: each sentence goes out as soon as it is checked.

A thread asks the LLM and checks; what it finds goes through a queue to the response. When the client leaves or the
server stops, the thread is told, and ends its request to the LLM.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from types import TracebackType
from typing import Any

import structlog
from fastapi import Request

from service.answering.composition import Piece
from service.answering.reply import Reply, Turn
from service.api.access import Caller
from service.api.errors import ShuttingDown, kind_of, problem_of
from service.api.events import KEEPALIVE, EventStream
from service.api.replies import error_event, last_events, piece_events, reply_out, start_event
from service.api.schemas import ChatRequest, ReplyOut
from service.api.state import ApiState
from service.assistant import Found
from service.conversations import ConversationsUnavailable, new_conversation_id, new_message_id
from service.llm import Cancelled

log = structlog.get_logger(__name__)

KEEPALIVE_SECONDS = 10.0
LOOK_SECONDS = 0.5
"""How often it is looked whether the client of a whole reply is still there."""

CLIENT_LEFT = 499
"""Status for the log; nobody is there to read it."""


class Gone:
    """Tells a thread whether its answer is still wanted: until the block is left, and the server is not stopping."""

    def __init__(self, state: ApiState) -> None:
        self._state = state
        self._left = False

    def __enter__(self) -> Gone:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._left = True

    def __call__(self) -> bool:
        """Tell whether nobody waits any more."""
        return self._left or self._state.stopping


async def unless_left(work: Coroutine[Any, Any, Reply], request: Request) -> Reply | None:
    """Wait for a reply as long as its client does; None once that has left."""
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait([task], timeout=LOOK_SECONDS))[0]:
            if await request.is_disconnected():
                return None
        return task.result()
    finally:
        task.cancel()


async def stream_chat(
    body: ChatRequest, turns: Sequence[Turn], state: ApiState, caller: Caller, request_id: str
) -> EventStream:
    """Answer by the LLM as a stream. What fails before anything is asked of the LLM is an ordinary error."""
    found = await state.questions.run(
        state.parts.assistant.find,
        body.message,
        history=turns,
        as_of=body.as_of,
        filters=body.filters.to_filters() if body.filters else None,
        answerer=body.answerer,
    )
    return EventStream(_events(body, found, state, caller, request_id))


async def _events(
    body: ChatRequest, found: Found, state: ApiState, caller: Caller, request_id: str
) -> AsyncIterator[bytes]:
    message_id = new_message_id()
    begins = body.history is None and body.conversation_id is None
    conversation_id = new_conversation_id() if begins else body.conversation_id
    yield start_event(found, message_id=message_id, conversation_id=conversation_id)
    said = 0
    try:
        async for one in _answer(body, found, state):
            if isinstance(one, Piece):
                said += len(one.text)
                for event in piece_events(one):
                    yield event
            elif isinstance(one, Reply):
                out = reply_out(one, message_id=message_id, conversation_id=conversation_id)
                for event in last_events(await remembered(body, out, state, caller), said):
                    yield event
            else:
                yield KEEPALIVE
    except Exception as error:  # a stream that has begun ends with an event, whatever went wrong
        shown = ShuttingDown("the server is about to stop; ask again") if isinstance(error, Cancelled) else error
        if kind_of(shown).status == 500:
            log.error("stream failed", request=request_id, exc_info=error)
        yield error_event(problem_of(shown, request_id))


async def _answer(body: ChatRequest, found: Found, state: ApiState) -> AsyncIterator[Piece | Reply | None]:
    """Give the pieces of an answer and then the reply; None now and then, while nothing comes."""
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[Piece] = asyncio.Queue()

    def on_piece(piece: Piece) -> None:
        loop.call_soon_threadsafe(pieces.put_nowait, piece)

    with Gone(state) as gone:
        work = asyncio.ensure_future(
            state.llm.run(
                state.parts.assistant.answer,
                found,
                answerer="llm",
                max_citations=body.max_citations,
                on_piece=on_piece,
                cancelled=gone,
            )
        )
        try:
            while not (work.done() and pieces.empty()):
                next_piece = asyncio.ensure_future(pieces.get())
                await asyncio.wait([work, next_piece], timeout=KEEPALIVE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if next_piece.done():
                    yield next_piece.result()
                    continue
                next_piece.cancel()
                if not work.done():
                    yield None
            yield await work
        finally:
            work.cancel()


async def remembered(body: ChatRequest, out: ReplyOut, state: ApiState, caller: Caller) -> ReplyOut:
    """Give a reply with its ids, stored, unless the client keeps the history itself."""
    if body.history is not None:
        return out
    store = state.parts.conversations
    try:
        conversation_id, message_id = await state.storage.run(
            store.add_exchange,
            body.conversation_id,
            body.message,
            out.model_dump(mode="json"),
            begin_as=out.conversation_id,
            message_id=out.id,
            owner=caller.owner,
        )
    except ConversationsUnavailable as error:
        # The answer is worth more than its record; /readyz names the problem.
        log.warning("exchange not stored", reason=str(error))
        return out.model_copy(update={"conversation_id": body.conversation_id})
    return out.model_copy(update={"id": message_id, "conversation_id": conversation_id})
