"""Connections of the server: what it bears of clients that send or read too slowly, and a cheap no under overload."""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from random import uniform
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from service.api.errors import ApiError, HeadersTooLarge, HeadTooSlow, MalformedRequest, Overloaded, kind_of
from service.api.refusals import raw_refusal
from service.api.workers import BUSY

if TYPE_CHECKING:
    import asyncio

    from service.api.state import ApiState

LEAST_SENT_BYTES = 16_384
"""A client that takes fewer bytes than this in `send_timeout_seconds`, while more are there for it, is left."""

LINGER_SECONDS = 2.0
"""How long more of a refused request is read and thrown away: closed at once, the refusal itself might be lost."""

LOOK_SECONDS = 0.5
"""How often all connections are looked at."""

LIVENESS = (b"GET /livez ", b"HEAD /livez ")
"""How the question begins whether the process lives: it has the right of way."""

SPARE_CONNECTIONS = 100
"""So many more than the limit are told that there are too many; the rest is closed without a word."""

RESERVED_DESCRIPTORS = 400
"""For all but connections: databases, index, builds, requests to an LLM, and those above the limit."""

STEP_SECONDS = 0.003
"""How long requests are read in one step of the loop; what they ask for takes about three times as long."""

_HELD_BYTES = 65_536
_TOO_LARGE = 431
_TOO_LONG = "address and headers are too long"
_NO_HTTP = "the request is no HTTP/1.1 that this server reads"
_REFUSABLE = re.compile(rb"POST (/v1/(?:chat|search)) HTTP/1\.1\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*(?=\r|\Z)")
_REQUEST_ID = re.compile(rb"\r\nx-request-id:[ \t]*([\w.-]{1,128})[ \t]*(?=\r|\Z)", re.IGNORECASE)
_UNUSUAL = (b"\r\ntransfer-encoding:", b"\r\nexpect:", b"\r\norigin:", b"\r\nupgrade:", b"\r\nconnection: close")
"""Headers on which more depends than a refusal can say in a few lines: they are answered by the application."""


def _never() -> bool:
    return False


class Outlet:
    """A transport that sends all that is written in one step of the loop at once, and counts it.

    Every call of the system lets another thread have the interpreter, and waits to get it back: under load that is
    what a response costs most.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self.written_bytes = 0
        self.lingers: Callable[[], bool] = _never
        self.lingering = False
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []
        self._held_bytes = 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # all else of a transport
        return getattr(self._transport, name)

    @property
    def unsent_bytes(self) -> int:
        """What the client has not taken yet."""
        return self._held_bytes + self._transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        """Send bytes at the end of this step, or now where they are many."""
        if not data or self.lingering:
            return
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)
        self._held_bytes += len(data)
        self.written_bytes += len(data)
        if self._held_bytes > _HELD_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._held:
            held, self._held, self._held_bytes = b"".join(self._held), [], 0
            self._transport.write(held)

    def is_closing(self) -> bool:
        """Tell whether nothing more can be written."""
        return self.lingering or self._transport.is_closing()

    def close(self) -> None:
        """Send what is held and close; a client that is still sending gets time to see why."""
        self._flush()
        if self.is_closing():
            return
        if self.lingers():
            self.lingering = True
            self._transport.write_eof()
            if not self._transport.is_reading():
                self._transport.resume_reading()
        else:
            self._transport.close()


class Intake:
    """Takes in what all clients of a server send, so that none holds up the others.

    One step of the loop would otherwise read all requests that have come, a thousand at a time of overload, before it
    does anything else. Here it reads a few milliseconds' worth and keeps the rest for the next steps, in the order in
    which it came; only the question whether the process lives has the right of way.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[Connection, bytes]] = deque()
        self._left_seconds = STEP_SECONDS
        self._is_planned = False

    def take(self, connection: Connection, data: bytes) -> None:
        """Have a connection read what has come for it, now or soon."""
        if not connection.waiting and (data.startswith(LIVENESS) or not (self._waiting or self._left_seconds <= 0)):
            self._read(connection, data)
        else:
            connection.waiting += 1
            if connection.waiting > 1:
                connection.flow.pause_reading()
            self._waiting.append((connection, data))
        if not self._is_planned:
            self._is_planned = True
            connection.loop.call_soon(self._step, connection.loop)

    def _step(self, loop: asyncio.AbstractEventLoop) -> None:
        self._left_seconds = STEP_SECONDS
        while self._waiting and self._left_seconds > 0:
            connection, data = self._waiting.popleft()
            connection.waiting -= 1
            if not connection.waiting:
                connection.flow.resume_reading()
            self._read(connection, data)
        self._is_planned = bool(self._waiting)
        if self._is_planned:
            loop.call_soon(self._step, loop)

    def _read(self, connection: Connection, data: bytes) -> None:
        began = perf_counter()
        if not connection.outlet.is_closing():
            connection.read(data)
        self._left_seconds -= perf_counter() - began


class Connection(H11Protocol):
    """uvicorn's connection, with limits on time, and refusals that cost little.

    Attributes:
        state, intake, limit: What all connections of an application share; see `connection_class`.
        outlet: Where responses go.
        waiting: How often something came that was not read yet.
    """

    state: ApiState
    intake: Intake
    limit: int

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base
        """Begin."""
        self.waiting = 0
        self.outlet = Outlet(transport, self.loop)
        self.outlet.lingers = self._is_still_sending
        super().connection_made(cast("asyncio.Transport", self.outlet))
        now = self.loop.time()
        self._head_since: float | None = now
        self._linger_since = now
        self._sent_bytes, self._sent_at = 0, now
        if len(self.connections) > self.limit:
            self._answer_raw(Overloaded("too many connections are open; try again shortly"), close=True)

    def connection_lost(self, exc: Exception | None) -> None:
        """End, and leave no ring of objects: looking for such garbage holds everybody up."""
        super().connection_lost(exc)
        self.outlet.lingers = _never
        self.cycle = None  # type: ignore[assignment]  # as before the first request

    def _is_still_sending(self) -> bool:
        self._linger_since = self.loop.time()
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY, h11.ERROR) and not self._is_at_rest()

    def data_received(self, data: bytes) -> None:
        """Take what the client sent; see `Intake`."""
        if not self.outlet.lingering:
            self.intake.take(self, data)

    def read(self, data: bytes) -> None:
        """Read what the client sent."""
        if self.state.questions.is_full and self._is_idle() and self._refused(data):
            return
        super().data_received(data)
        if not (self._has_half_a_head() or self._sends_unread_body()):
            self._head_since = None
        elif self._head_since is None:
            self._head_since = self.loop.time()

    def _is_idle(self) -> bool:
        """Whether nothing of a request is there."""
        return self.conn.their_state is h11.IDLE and self.conn.our_state is h11.IDLE and not self.conn.trailing_data[0]

    def _has_half_a_head(self) -> bool:
        return self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])

    def _sends_unread_body(self) -> bool:
        """Whether more comes of a request that was answered already."""
        return self.conn.their_state is h11.SEND_BODY and self.cycle is not None and self.cycle.response_complete

    def _is_at_rest(self) -> bool:
        return self._head_since is None and self._is_idle()

    def _refused(self, data: bytes) -> bool:
        """Refuse a question for overload if that is all there is to it; false if the application has to look.

        It is read no further than to know where it ends. Whoever asks again at once waits a little.
        """
        found = _REFUSABLE.match(data)
        head, mark, body = data.partition(b"\r\n\r\n")
        if not found or not mark or not self.state.refuses(found[1].decode()):
            return False
        lowered = head.lower()
        if _LENGTH.findall(lowered) != [str(len(body)).encode()] or any(name in lowered for name in _UNUSUAL):
            return False
        self._unset_keepalive_if_required()
        self._head_since = None
        self.state.questions.count_refusal()
        given = _REQUEST_ID.search(head)
        refusal = Overloaded(BUSY)
        self._answer_raw(refusal, request_id=given[1].decode() if given else None)
        self.flow.pause_reading()
        # Nearly as long as it was told to stay away, and not all to the same moment: they would come again together.
        rest = (kind_of(refusal).retry_after or 0) * uniform(0.75, 1)  # noqa: S311  # nothing secret
        self.timeout_keep_alive_task = self.loop.call_later(rest, self._rested)
        return True

    def _rested(self) -> None:
        self.flow.resume_reading()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _answer_raw(self, error: ApiError, *, request_id: str | None = None, close: bool = False) -> None:
        """Answer without the application, to a request that it will not see."""
        closes = close or kind_of(error).closes
        self.outlet.write(raw_refusal(error, request_id, closes=closes, headers=self.server_state.default_headers))
        if closes:
            self.outlet.close()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP; where a response has begun already, it is broken off."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.outlet.abort()
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # nothing that the application says can follow
            self.cycle.message_event.set()
        error = sys.exception()
        too_large = isinstance(error, h11.RemoteProtocolError) and error.error_status_hint == _TOO_LARGE
        self._answer_raw(HeadersTooLarge(_TOO_LONG) if too_large else MalformedRequest(_NO_HTTP), close=True)

    def shutdown(self) -> None:
        """End once what is under way has been answered."""
        if self.cycle is None or self.cycle.response_complete:
            self.outlet.close()
        else:
            self.cycle.keep_alive = False

    def look(self, now: float) -> None:
        """Let go of a client that is too slow."""
        if self.outlet.lingering:
            if now - self._linger_since > LINGER_SECONDS:
                self.outlet.abort()
        elif self._head_since is not None and now - self._head_since > self.state.opening.settings.head_timeout_seconds:
            if self._has_half_a_head():
                self._answer_raw(HeadTooSlow("the headers did not arrive in time"), close=True)
            else:
                self.outlet.close()
        sent = self.outlet.written_bytes - self.outlet.unsent_bytes
        if not self.outlet.unsent_bytes or sent - self._sent_bytes >= LEAST_SENT_BYTES:
            self._sent_bytes, self._sent_at = sent, now
        elif now - self._sent_at > self.state.opening.settings.send_timeout_seconds:
            self.outlet.abort()


def connection_class(state: ApiState) -> type[Connection]:
    """Give the class of the connections of one application."""
    most = state.opening.settings.max_connections
    limit = min(most, max(1, _descriptors() - RESERVED_DESCRIPTORS))
    return type("Connection", (Connection,), {"state": state, "intake": Intake(), "limit": limit})


def _descriptors() -> int:
    """Give how many descriptors this process may have, after asking for as many as it may ask for."""
    try:
        import resource
    except ImportError:  # not on Windows
        return sys.maxsize
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return soft if soft != resource.RLIM_INFINITY else sys.maxsize
