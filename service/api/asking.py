"""A question on its way through the server, whichever route it came by; and its answer as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import date
from types import TracebackType
from typing import Any

from fastapi import Request

from index.searcher import Filters
from service.answering.answer import AnswererName
from service.answering.reply import Reply, Turn
from service.api.notes import RequestNotes
from service.api.state import ApiState

LOOK_SECONDS = 0.5
"""How often it is looked whether the client of a whole reply is still there."""

CLIENT_LEFT = 499
"""Status for the log; nobody is there to read it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client asks: a message, the turns before it, who answers, out of what, and where that is noted."""

    message: str
    turns: Sequence[Turn]
    answerer: AnswererName
    max_citations: int
    as_of: date | None
    filters: Filters | None
    notes: RequestNotes


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


async def answer_whole(asked: Asked, state: ApiState) -> Reply:
    """Answer as a whole."""
    workers = state.llm if asked.answerer == "llm" else state.questions
    with Gone(state) as gone:
        reply = await workers.run(
            state.parts.assistant.ask,
            asked.message,
            history=asked.turns,
            answerer=asked.answerer,
            max_citations=asked.max_citations,
            as_of=asked.as_of,
            filters=asked.filters,
            cancelled=gone,
        )
    asked.notes.answered(reply)
    return reply


async def answer_unless_left(asked: Asked, state: ApiState, request: Request) -> Reply | None:
    """Answer as a whole; None once the client has left."""
    work = answer_whole(asked, state)
    # Only an LLM takes so long that it pays to look whether the client is still there.
    return await (_unless_left(work, request) if asked.answerer == "llm" else work)


async def _unless_left(work: Coroutine[Any, Any, Reply], request: Request) -> Reply | None:
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait([task], timeout=LOOK_SECONDS))[0]:
            if await request.is_disconnected():
                return None
        return task.result()
    finally:
        task.cancel()
