"""The header Idempotency-Key: a request that is sent again gets the reply that it got, and is not done again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing, suppress
from typing import Any

import structlog
from fastapi import Request
from starlette.responses import Response, StreamingResponse

from service.api.access import CALLER_KEY, LOCAL
from service.api.bodies import StrictRoute
from service.api.errors import InvalidValue, Overloaded
from service.api.events import EVENT_STREAM, LAST_EVENT, STREAM_HEADERS
from service.api.state import ApiState, get_state
from service.kept_replies import MAX_REPLY_BYTES, Attempt, KeptRepliesUnavailable, KeptReply

log = structlog.get_logger(__name__)

KEY_HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"
_KEY = re.compile(r"[!-~]{1,255}")

KEY_PARAMETER: dict[str, Any] = {
    "parameters": [
        {
            "name": KEY_HEADER,
            "in": "header",
            "required": False,
            "description": "A name of the client's own for this request, new for each. Sent again within 24 hours, "
            "the request gets the reply that it got, and is not done again.",
            "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
        }
    ]
}
"""What the document says of a route that honours the header."""


class KeyedRoute(StrictRoute):
    """A route that honours Idempotency-Key where it takes a JSON body by POST."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Give the handler, with the key looked at before it."""
        handle = super().get_route_handler()
        if self.body_field is None or "POST" not in (self.methods or ()):
            return handle

        async def handle_once(request: Request) -> Response:
            if KEY_HEADER not in request.headers:
                return await handle(request)
            body = hashlib.sha256(await request.body()).hexdigest()
            return await once(request, await get_state(request), body, lambda: handle(request))

        return handle_once


async def once(request: Request, state: ApiState, body: str, answer: Callable[[], Awaitable[Response]]) -> Response:
    """Answer a request, or give the reply that was given under its key.

    Args:
        request: What was sent; without a key it is just answered.
        state: Of the application.
        body: A hash of the body.
        answer: Does what is asked for.

    Raises:
        InvalidValue: The key is not one.
        KeyReused, KeyInUse, ReplyForgotten, KeptRepliesUnavailable: It is not to be done.
    """
    keys = request.headers.getlist(KEY_HEADER)
    if not keys:
        return await answer()
    if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
        raise InvalidValue(f"the header {KEY_HEADER} must hold 1 to 255 printable ASCII characters without spaces")
    replies, run = state.parts.replies, state.storage.run
    begun = await run(replies.begin, owner_of(request), keys[0], _hash_of(request, body))
    if isinstance(begun, KeptReply):
        return _again(begun)
    work = _Work(state, begun)
    try:
        response = await answer()
    except BaseException:
        await work.failed()
        raise
    if isinstance(response, StreamingResponse):
        response.body_iterator = work.watched(response, response.body_iterator)
    elif response.status_code < 400:
        await work.done(response, bytes(response.body))
    else:
        await work.failed()
    return response


def _again(kept: KeptReply) -> Response:
    headers = {"Content-Type": kept.kind, REPLAYED_HEADER: "true"}
    if kept.location is not None:
        headers["Location"] = kept.location
    if kept.kind.startswith(EVENT_STREAM):
        headers |= STREAM_HEADERS
    return Response(kept.body, kept.status, headers)


def owner_of(request: Request) -> str:
    """Give whose keys those of a request are: the same words of another API key are another key."""
    caller = request.scope.get(CALLER_KEY, LOCAL)
    return str(caller.owner)


class _Work:
    """A request that is worked on under its key. That its end cannot be stored is no reason for it to fail."""

    def __init__(self, state: ApiState, attempt: Attempt) -> None:
        self._run = state.storage.run
        self._replies = state.parts.replies
        self._attempt = attempt

    async def done(self, response: Response, body: bytes) -> None:
        headers = response.headers
        reply = KeptReply(response.status_code, headers.get("content-type", ""), headers.get("location"), body)
        try:
            await self._run(self._replies.keep, self._attempt, reply)
        except (KeptRepliesUnavailable, Overloaded) as error:
            log.warning("reply not kept under its key", reason=str(error))
        finally:
            self._replies.leave(self._attempt)

    async def failed(self) -> None:
        try:
            with suppress(KeptRepliesUnavailable, Overloaded):
                await self._run(self._replies.release, self._attempt)
        finally:
            self._replies.leave(self._attempt)

    async def watched(self, response: Response, events: Any) -> AsyncIterator[Any]:  # noqa: ANN401  # a union of theirs
        """Pass a stream of events on; what went out is the reply once its last one is `done`."""
        seen, size, ended = list[bytes](), 0, False
        try:
            async with aclosing(events):
                async for one in events:
                    size += len(one)
                    if size <= MAX_REPLY_BYTES:
                        seen.append(one)
                    # Before it goes out: whoever has read it may send the request again.
                    if one.startswith(LAST_EVENT) and size <= MAX_REPLY_BYTES:
                        ended = True
                        await self.done(response, b"".join(seen))
                    yield one
        finally:
            if not ended:
                await self.failed()


def _hash_of(request: Request, body: str) -> str:
    url = request.url
    return hashlib.sha256("\n".join((request.method, url.path, url.query, body)).encode()).hexdigest()
