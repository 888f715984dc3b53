"""What every request goes through: an id, limits of size and time, safe headers, one line in the log."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.errors import (
    HEADERS_KEY,
    REQUEST_ID_KEY,
    ApiError,
    BodyTooLarge,
    BodyTooSlow,
    HeadersTooLarge,
    MalformedBody,
    MalformedRequest,
    Overloaded,
    TooSlow,
    error_response,
)
from service.api.observing import Observer
from service.api.workers import BUSY

log = structlog.get_logger(__name__)

STREAM_SECONDS = 3600.0
"""The longest stream of events; it ends with an `error` event then, and the client asks again."""

MAX_HEAD_BYTES = 32_768
_MAX_ID_CHARS = 128


class RequestGate:
    """ASGI middleware around the whole application; no exception leaves it.

    A request gets `timeout_seconds` until its response starts, and the same again until a response that is no
    stream has been sent; `paths` have limits of their own. A request to a path of which `refuses` says so is refused
    before any of it is read.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_body_bytes: int,
        timeout_seconds: float,
        paths: Mapping[str, tuple[int, float]],
        observer: Observer,
        refuses: Callable[[str], bool],
    ) -> None:
        self._app = app
        self._refuses = refuses
        self._observer = observer
        self._limits = (max_body_bytes, timeout_seconds)
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, *self._paths.get(scope["path"], self._limits))
        notes = self._observer.begin(scope, exchange.request_id)
        exchange.on_stream = lambda: self._observer.streams(notes)
        try:
            await self._serve(exchange)
        finally:
            self._observer.end(notes, scope, exchange.request_id, exchange.status)

    async def _serve(self, exchange: _Exchange) -> None:
        try:
            async with exchange.limit:
                exchange.check_head()
                if exchange.scope["method"] == "POST" and self._refuses(exchange.scope["path"]):
                    raise Overloaded(BUSY)
                await self._app(exchange.scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            log.info("client left", request=exchange.request_id)
        except TimeoutError as error:
            await exchange.fail(exchange.overdue() if exchange.limit.expired() else error)
        except Exception as error:  # noqa: BLE001  # the last resort; `fail` logs what is not a refusal of ours
            await exchange.fail(error)


class _Exchange:
    """One request and its response, with the limits on both."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, max_body_bytes: int, timeout_seconds: float) -> None:
        self.scope = scope
        self.status: int | None = None
        self.on_stream: Callable[[], None] = lambda: None
        self.limit = asyncio.timeout(timeout_seconds)
        self._receive = receive
        self._send = send
        self._max_body_bytes = max_body_bytes
        self._timeout_seconds = timeout_seconds
        self._body_bytes = 0
        self._waiting_for_body = False
        self._body_ended = False
        self._timed = True  # until the time is over or the application has ended
        self._headers = Headers(scope=scope)
        self.request_id = _request_id(self._headers.get("x-request-id"))
        scope[REQUEST_ID_KEY] = self.request_id

    def check_head(self) -> None:
        """Refuse by the headers, before any of the body is read.

        Raises:
            HeadersTooLarge: Address and headers are too long together.
            BodyTooLarge: The declared length of the body is above the limit.
            MalformedBody: The declared length is not a number.
            MalformedRequest: The body ends in two ways.
        """
        head = len(self.scope.get("raw_path") or b"") + len(self.scope.get("query_string", b""))
        head += sum(len(name) + len(value) for name, value in self._headers.raw)
        if head > MAX_HEAD_BYTES:
            raise HeadersTooLarge(f"address and headers are longer than {MAX_HEAD_BYTES} bytes")
        declared = self._headers.get("content-length")
        if declared is None:
            return
        if "transfer-encoding" in self._headers:
            # Whoever stands between and believes the other one sees other requests than this server does.
            raise MalformedRequest("the headers Content-Length and Transfer-Encoding exclude each other")
        if not (declared.isascii() and declared.isdigit()):
            raise MalformedBody("the header Content-Length is not a number")
        # By its digits first: a very long number must not even be converted.
        if len(declared.lstrip("0")) > len(str(self._max_body_bytes)) or int(declared) > self._max_body_bytes:
            raise self._too_large()

    async def receive(self) -> Message:
        """Pass on a part of the body, up to the limit."""
        # Behind the body there is only the news that the client has left.
        self._waiting_for_body = not self._body_ended
        message = await self._receive()
        self._waiting_for_body = False
        self._body_ended = self._body_ended or not message.get("more_body", False)
        self._body_bytes += len(message.get("body", b""))
        if self._body_bytes > self._max_body_bytes:
            raise self._too_large()
        return message

    async def send(self, message: Message) -> None:
        """Pass on a part of the response, with the headers that all have."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self.request_id
            headers["X-Content-Type-Options"] = "nosniff"
            headers.update(self.scope.get(HEADERS_KEY, {}))
            streams = headers.get("content-type", "").startswith("text/event-stream")
            if streams:
                self.on_stream()
            if self._timed:
                seconds = self._timeout_seconds + (STREAM_SECONDS if streams else 0)
                self.limit.reschedule(asyncio.get_running_loop().time() + seconds)
        await self._send(message)

    def overdue(self) -> ApiError:
        """Say who was too slow: a client that did not send its body, or this server."""
        if self._waiting_for_body:
            return BodyTooSlow(f"the body did not arrive within {self._timeout_seconds:g} seconds")
        return TooSlow(f"no answer within {self._timeout_seconds:g} seconds; ask again, or for less")

    async def fail(self, error: Exception) -> None:
        """Answer with an error; an answer that has begun is broken off with its connection."""
        self._timed = False
        if self.status is None:
            response = error_response(error, self.request_id, path=self.scope["path"])
            await response(self.scope, self._receive, self.send)
        else:
            log.error("response broken off", request=self.request_id, exc_info=error)

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"the body is larger than {self._max_body_bytes} bytes, the limit of this server")


def _request_id(given: str | None) -> str:
    if given and len(given) <= _MAX_ID_CHARS and given.isascii() and given.isprintable():
        return given
    return f"req_{secrets.token_hex(12)}"
