"""Refusals as bytes, for requests that the application never sees."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus

from service.api.errors import ApiError, error_response

_ID = "req_"
"""Stands where the id of a request goes."""


def raw_refusal(
    error: ApiError, request_id: str | None, *, closes: bool, headers: Iterable[tuple[bytes, bytes]] = ()
) -> bytes:
    """Give a whole response, head and body.

    Args:
        error: What is wrong; its text is remembered, so it must be one of few.
        request_id: As the client gave it, of letters, digits, "-", "_" and "." only; None makes one.
        closes: Whether the connection is closed behind it.
        headers: Those that all responses have.
    """
    given = (request_id or f"req_{secrets.token_hex(12)}").encode()
    head, before, behind = _rendered(type(error), str(error), closes)  # type: ignore[arg-type]  # classes do have hashes
    body = before + given + behind
    more = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    return b"%bx-request-id: %b\r\ncontent-length: %d\r\n%b\r\n%b" % (head, given, len(body), more, body)


@lru_cache(maxsize=32)
def _rendered(kind: type[ApiError], detail: str, closes: bool) -> tuple[bytes, bytes, bytes]:
    """Give the head as far as all such refusals share it, and the body before and behind the request's id."""
    error = kind(detail)
    response = error_response(error, _ID, path="")
    kept = [pair for pair in response.raw_headers if pair[0] not in (b"content-length", b"connection")]
    kept.append((b"x-content-type-options", b"nosniff"))
    if closes:
        kept.append((b"connection", b"close"))
    head = b"HTTP/1.1 %d %b\r\n" % (response.status_code, HTTPStatus(response.status_code).phrase.encode())
    before, mark, behind = bytes(response.body).partition(f"urn:byline:request:{_ID}".encode())
    return head + b"".join(b"%b: %b\r\n" % pair for pair in kept), before + mark[: -len(_ID)], behind
