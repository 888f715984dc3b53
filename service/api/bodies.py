"""JSON bodies, read strictly: what two programs could understand differently is refused, with its reason.

The framework's own parser takes NaN, lone surrogates and doubled keys, and answers some of them with a 500.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from service.api.errors import InvalidValue, MalformedBody, UnsupportedBody

MAX_DEPTH = 32
_MAX_DIGITS = 19
_WHOLE_UP_TO = 2**53
_LARGE_BYTES = 64_000
"""From here on parsing takes so long that it must not hold up the event loop."""


class StrictRoute(APIRoute):
    """A route whose JSON body, where it has one, is read by `parse_json`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Give the framework's handler with the body read before it."""
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        may_be_empty = not self.body_field.field_info.is_required()

        async def handle_strictly(request: Request) -> Response:
            if may_be_empty and not (await request.body()).strip():
                return await handle(request)
            return await handle(_ReadRequest(request, *await _read(request)))

        return handle_strictly


class _ReadRequest(Request):
    """A request whose body has been read and parsed."""

    def __init__(self, request: Request, content: bytes, value: object) -> None:
        super().__init__(request.scope, request.receive)
        self._content = content
        self._value = value

    async def body(self) -> bytes:
        return self._content

    async def json(self) -> Any:  # noqa: ANN401  # the base's signature
        return self._value


async def _read(request: Request) -> tuple[bytes, object]:
    content = await request.body()
    if not content.strip():
        raise InvalidValue("the body is empty; expected a JSON object", pointer="#")
    _require_json(request)
    if len(content) > _LARGE_BYTES:
        return content, await run_in_threadpool(parse_json, content)
    return content, parse_json(content)


def _require_json(request: Request) -> None:
    kind, *parameters = request.headers.get("content-type", "").lower().split(";")
    kind = kind.strip()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise UnsupportedBody("the body must be JSON, and the header Content-Type say application/json")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in ("utf-8", "utf8"):
            raise UnsupportedBody("the body must be in UTF-8")
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise UnsupportedBody("the body must not be compressed")


def parse_json(content: bytes) -> object:
    """Parse a JSON document that means the same to everybody.

    Raises:
        MalformedBody: It is not UTF-8 or not JSON (RFC 8259, so no NaN and no Infinity), names a key of an
            object twice, holds a lone surrogate, a number beyond a double or 19 digits, or nests too deep.
        InvalidValue: A text holds a NUL character.
    """
    try:
        value: object = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_object,
            parse_float=_float,
            parse_int=_int,
            parse_constant=_constant,
        )
    except UnicodeDecodeError as error:
        raise MalformedBody(f"the body is not UTF-8 (byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise MalformedBody(f"the body is not JSON: {error.msg} (character {error.pos})") from error
    except RecursionError as error:
        raise _too_deep() from error
    _check(value, 0)
    return value


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise MalformedBody("an object of the body has the same key twice; which one is meant is not clear")
    return values


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise MalformedBody("a number of the body is too large; the limit is that of a double")
    # JSON has one kind of number: 5.0 is 5.
    return int(value) if value.is_integer() and abs(value) < _WHOLE_UP_TO else value


def _int(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise MalformedBody(f"an integer of the body has too many digits; the limit is {_MAX_DIGITS}")
    return int(text)


def _constant(_name: str) -> NoReturn:
    raise MalformedBody("the body holds NaN or Infinity, which are no JSON")


def _check(value: object, depth: int) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, (dict, list)):
        if depth == MAX_DEPTH:
            raise _too_deep()
        if isinstance(value, dict):
            for key in value:
                _check_text(key)
        for inner in value.values() if isinstance(value, dict) else value:
            _check(inner, depth + 1)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise InvalidValue("a text of the body holds a NUL character; leave it out", pointer="#")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise MalformedBody(
            "a text of the body holds a lone surrogate (half of a \\uXXXX pair), which is no character"
        ) from error


def _too_deep() -> MalformedBody:
    return MalformedBody(f"the body is nested too deeply; the limit is {MAX_DEPTH}")
