"""Errors: one table says which exception has which status.

They leave as problem documents (RFC 9457), and on the paths that OpenAI's clients call in the form of OpenAI's API.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from index.errors import (
    BuildRunning,
    GenerationDamaged,
    GenerationIncompatible,
    IndexingError,
    NoGeneration,
    StorageFull,
)
from ingest.article import IngestError, RefusedInput
from ingest.library import BadCursor, LibraryUnavailable
from service.api.openai_errors import OpenAiError, openai_error, openai_response, speaks_openai
from service.assistant import AnswererUnavailable
from service.conversations import (
    BadConversationCursor,
    ConversationError,
    ConversationsUnavailable,
    UnknownConversation,
)
from service.errors import words_of
from service.kept_replies import KeptRepliesError, KeptRepliesUnavailable, KeyInUse, KeyReused, ReplyForgotten
from service.keys import KeysUnavailable
from service.llm import Cancelled, LlmDown

log = structlog.get_logger(__name__)

PROBLEM_TYPE = "application/problem+json"
MAX_PROBLEM_BYTES = 4096
MAX_ERRORS = 10
REQUEST_ID_KEY = "byline.request_id"
"""Where in the ASGI scope the middleware puts the request's id."""

HEADERS_KEY = "byline.headers"
"""Where in the ASGI scope headers stand that the response gets, whatever it is."""

_MAX_DETAIL_CHARS = 500
_MAX_ERROR_CHARS = 200
_MAX_POINTER_CHARS = 100


class ProblemError(BaseModel):
    """One fault of a request: a JSON pointer into the body ("#/filters/sources"), or "?name" in the query."""

    pointer: str
    detail: str


class Problem(BaseModel):
    """Every error of these routes (RFC 9457): at most 4 KB, and never what the client sent."""

    type: str = Field(examples=["urn:byline:problem:invalid-value"])
    title: str
    status: int
    detail: str
    instance: str = Field(description="Names the request, by its X-Request-ID.")
    errors: list[ProblemError]


class ApiError(Exception):
    """Base of what an endpoint refuses. The message is for a person and holds nothing that the client sent.

    Attributes:
        pointer: Where in the request the fault is, if at one place.
    """

    def __init__(self, detail: str, *, pointer: str | None = None) -> None:
        super().__init__(detail)
        self.pointer = pointer


class MalformedBody(ApiError):
    """The body is not the JSON, or the form, that a program can rely on."""


class UnsupportedBody(ApiError):
    """The body is not said to be of the kind that the route reads: JSON in UTF-8, or a form with files."""


class KeyRequired(ApiError):
    """The request carries no API key that works."""


class NotAllowed(ApiError):
    """The key is not one that may do this, or the request came from another site's page."""


class WrongHost(ApiError):
    """The request names a host that this server does not answer for."""


class TooManyRequests(ApiError):
    """One caller asks for more than its share.

    Attributes:
        retry_after: Seconds until the next request is let in.
    """

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class BodyTooLarge(ApiError):
    """The body is larger than the settings allow."""


class BodyTooSlow(ApiError):
    """The body did not arrive in time."""


class HeadersTooLarge(ApiError):
    """Address and headers are longer than any honest request's."""


class HeadTooSlow(ApiError):
    """Address and headers did not arrive in time."""


class MalformedRequest(ApiError):
    """What came is no HTTP."""


class InvalidValue(ApiError):
    """A well-formed request asks for something that its fields do not allow."""


class QuestionTooLong(InvalidValue):
    """The question is longer than questions may be."""


class UnknownParameter(InvalidValue):
    """A client of the OpenAI routes sends a parameter that is not known."""


class UnsupportedParameter(InvalidValue):
    """A client of the OpenAI routes asks for what these cannot do."""


class NotFound(ApiError):
    """What the address names is not there."""


class UnknownModel(NotFound):
    """There is no model of the name that a client of the OpenAI routes gave."""


class Conflict(ApiError):
    """What was asked for does not go with the state of things."""


class Overloaded(ApiError):
    """More requests than can be worked on: try again."""


class TooSlow(ApiError):
    """The time limit of a request is over."""


class ShuttingDown(ApiError):
    """The server is about to stop."""


class NotReady(ApiError):
    """Questions cannot be answered now; the message begins with the failing check."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How an error looks: its status, its name in `type`, its title, and when to come back (seconds).

    `closes`: a part of the request was not read, so the connection cannot be used again.
    """

    status: int
    name: str
    title: str
    retry_after: int | None = None
    pointer: str | None = None
    closes: bool = False


_INTERNAL = Kind(500, "internal", "Internal error")

KINDS: Mapping[type[Exception], Kind] = {
    MalformedBody: Kind(400, "malformed-body", "The body cannot be relied on"),
    KeyRequired: Kind(401, "key-required", "An API key is required"),
    NotAllowed: Kind(403, "not-allowed", "Not allowed"),
    NotFound: Kind(404, "not-found", "Not found"),
    UnknownModel: Kind(404, "model-not-found", "There is no such model", pointer="#/model"),
    UnknownConversation: Kind(404, "not-found", "Not found", pointer="#/conversation_id"),
    BodyTooSlow: Kind(408, "body-too-slow", "The body took too long", closes=True),
    Conflict: Kind(409, "conflict", "Conflict"),
    BuildRunning: Kind(409, "build-running", "A build is running"),
    KeyInUse: Kind(409, "idempotency-key-in-use", "The request is being worked on", retry_after=2),
    ReplyForgotten: Kind(409, "reply-forgotten", "The reply is not kept any more"),
    GenerationDamaged: Kind(409, "generation-damaged", "The generation is damaged"),
    GenerationIncompatible: Kind(409, "generation-incompatible", "The generation does not fit"),
    BodyTooLarge: Kind(413, "body-too-large", "The body is too large", closes=True),
    UnsupportedBody: Kind(415, "unsupported-body", "The body is of another kind"),
    WrongHost: Kind(421, "wrong-host", "Not a name of this server"),
    InvalidValue: Kind(422, "invalid-value", "A value is not allowed"),
    QuestionTooLong: Kind(422, "context-length-exceeded", "The question is too long", pointer="#/messages"),
    UnknownParameter: Kind(422, "unknown-parameter", "A parameter is not known"),
    UnsupportedParameter: Kind(422, "unsupported-parameter", "A parameter is not supported"),
    KeyReused: Kind(422, "idempotency-key-reused", "The key was used for another request"),
    RefusedInput: Kind(422, "article-refused", "The article cannot be taken in"),
    BadCursor: Kind(422, "invalid-value", "A value is not allowed", pointer="?cursor"),
    BadConversationCursor: Kind(422, "invalid-value", "A value is not allowed", pointer="?cursor"),
    AnswererUnavailable: Kind(422, "answerer-unavailable", "The answerer is not set up", pointer="#/answerer"),
    IndexingError: _INTERNAL,
    IngestError: _INTERNAL,
    ConversationError: _INTERNAL,
    TooManyRequests: Kind(429, "too-many-requests", "Too many requests"),
    KeptRepliesError: _INTERNAL,
    HeadTooSlow: Kind(408, "headers-too-slow", "The headers took too long", closes=True),
    MalformedRequest: Kind(400, "malformed-request", "The request is no HTTP", closes=True),
    HeadersTooLarge: Kind(431, "headers-too-large", "The headers are too large", closes=True),
    NoGeneration: Kind(503, "no-index", "There is no index yet", retry_after=30),
    Overloaded: Kind(503, "overloaded", "Overloaded", retry_after=2),
    LlmDown: Kind(503, "llm-down", "The LLM gives no answer", retry_after=10),
    Cancelled: Kind(503, "shutting-down", "The server is shutting down", retry_after=10),
    TooSlow: Kind(503, "too-slow", "The request took too long", retry_after=5),
    NotReady: Kind(503, "not-ready", "Not ready", retry_after=5),
    ShuttingDown: Kind(503, "shutting-down", "The server is shutting down", retry_after=10),
    StorageFull: Kind(503, "storage", "The storage refuses", retry_after=60),
    KeysUnavailable: Kind(503, "storage", "The storage refuses", retry_after=60),
    LibraryUnavailable: Kind(503, "storage", "The storage refuses", retry_after=60),
    KeptRepliesUnavailable: Kind(503, "storage", "The storage refuses", retry_after=60),
    ConversationsUnavailable: Kind(503, "storage", "The storage refuses", retry_after=60),
    sa.exc.OperationalError: Kind(503, "storage", "The storage refuses", retry_after=60),
}
"""The status belongs to the class of the exception; a subclass that is not listed has that of its base."""

_DETAIL_OF_STATUS = {
    400: "the request cannot be read",
    404: "there is nothing at this address; /docs lists the routes",
    405: "this address does not know that method; the header Allow names those it knows",
}


def kind_of(error: Exception) -> Kind:
    """Give how an error looks; what the table does not know is internal."""
    return next((KINDS[base] for base in type(error).__mro__ if base in KINDS), _INTERNAL)


def problem_of(error: Exception, request_id: str) -> Problem:
    """Describe an error to a client."""
    kind = kind_of(error)
    if kind is _INTERNAL:
        detail = "something went wrong in the server; its log has the details under this request's id"
    elif isinstance(error, Cancelled):
        detail = "the server is about to stop; ask again when it is back"
    elif isinstance(error, LlmDown):
        # The reason names the LLM's address and may hold its words: it is the operator's.
        detail = "no answer by the LLM at present; ask again shortly, or for the extractive answer"
    elif isinstance(error, KeysUnavailable):
        detail = "the API keys cannot be read at present; the server's log says why"
    elif isinstance(error, sa.exc.OperationalError | LibraryUnavailable):
        detail = "the article library cannot be read or written at present; the server's log says why"
    else:
        detail = str(error)
    pointer = error.pointer if isinstance(error, ApiError) and error.pointer else kind.pointer
    errors = [ProblemError(pointer=pointer, detail=_cut(detail, _MAX_ERROR_CHARS))] if pointer else []
    return _problem(kind, detail, request_id, errors)


def openai_error_of(error: Exception) -> OpenAiError:
    """Describe an error to a client of the OpenAI routes."""
    return _as_openai(problem_of(error, ""))


def error_response(error: Exception, request_id: str, *, path: str) -> Response:
    """Answer with an error, in the form of the path; logs the traceback of those that are ours."""
    kind = kind_of(error)
    if kind is _INTERNAL or isinstance(error, sa.exc.OperationalError | LibraryUnavailable | KeysUnavailable):
        log.error("request failed", request=request_id, exc_info=error)
    retry_after = error.retry_after if isinstance(error, TooManyRequests) else kind.retry_after
    headers = {"Retry-After": str(retry_after)} if retry_after is not None else {}
    if kind.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if kind.closes:
        headers["Connection"] = "close"
    return _respond(problem_of(error, request_id), headers, path)


def _respond(problem: Problem, headers: Mapping[str, str], path: str) -> Response:
    if speaks_openai(path):
        return openai_response(_as_openai(problem), problem.status, headers)
    return problem_response(problem, headers)


def _as_openai(problem: Problem) -> OpenAiError:
    fault = problem.errors[0] if problem.errors else None
    name = problem.type.rpartition(":")[2]
    if fault is None:
        return openai_error(problem.status, name, problem.detail, None)
    return openai_error(problem.status, name, fault.detail, fault.pointer)


def problem_response(
    problem: Problem, headers: Mapping[str, str], *, extra: Mapping[str, Any] | None = None
) -> Response:
    """Render a problem, dropping faults from its end until it fits in `MAX_PROBLEM_BYTES`."""
    values = problem.model_dump(mode="json") | dict(extra or {})
    while len(content := json.dumps(values, ensure_ascii=False).encode()) > MAX_PROBLEM_BYTES:
        if not values["errors"]:
            values["detail"] = problem.title
            for name in extra or {}:
                values.pop(name, None)
            content = json.dumps(values, ensure_ascii=False).encode()
            break
        values["errors"].pop()
    return Response(content, problem.status, dict(headers), media_type=PROBLEM_TYPE)


def request_id_of(request: Request) -> str:
    """Give the id that the middleware took or made for a request."""
    return str(request.scope.get(REQUEST_ID_KEY, ""))


def install_handlers(app: FastAPI, methods: Mapping[str, set[str]]) -> None:
    """Make an application answer every error in the form of its path.

    Args:
        app: The application.
        methods: All methods of each route template, for `Allow`: the framework names those of one route only.
    """

    async def known(request: Request, error: Exception) -> Response:
        return error_response(error, request_id_of(request), path=request.scope["path"])

    async def validation(request: Request, error: Exception) -> Response:
        faults = error.errors() if isinstance(error, RequestValidationError) else ()
        return _respond(_invalid(faults, request_id_of(request)), {}, request.scope["path"])

    async def http(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        headers = dict(getattr(error, "headers", None) or {})
        template = getattr(request.scope.get("route"), "path", "")
        if status == HTTPStatus.METHOD_NOT_ALLOWED and template in methods:
            headers["Allow"] = ", ".join(sorted(methods[template]))
        phrase = HTTPStatus(status).phrase
        kind = Kind(status, phrase.lower().replace(" ", "-"), phrase)
        detail = _DETAIL_OF_STATUS.get(status, phrase)
        return _respond(_problem(kind, detail, request_id_of(request), []), headers, request.scope["path"])

    for error in KINDS:
        app.add_exception_handler(error, known)
    app.add_exception_handler(RequestValidationError, validation)
    app.add_exception_handler(HTTPException, http)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document statuses of a route as problems, for its OpenAPI description."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {PROBLEM_TYPE: schema}} for status in statuses
    }


def _problem(kind: Kind, detail: str, request_id: str, errors: list[ProblemError]) -> Problem:
    return Problem(
        type=f"urn:byline:problem:{kind.name}",
        title=kind.title,
        status=kind.status,
        detail=_cut(detail, _MAX_DETAIL_CHARS),
        instance=f"urn:byline:request:{quote(request_id, safe='')}",
        errors=errors,
    )


def _invalid(faults: Sequence[Any], request_id: str) -> Problem:
    """Describe what pydantic found: places and messages only, as its own report quotes the input."""
    errors = [
        ProblemError(pointer=_pointer(fault["loc"]), detail=_cut(words_of(fault), _MAX_ERROR_CHARS))
        for fault in faults[:MAX_ERRORS]
    ]
    if not errors:
        return _problem(KINDS[InvalidValue], "a value is not allowed", request_id, errors)
    name = errors[0].pointer.lstrip("#/?").replace("/", ".")
    more = f"; and {len(faults) - 1} more" if len(faults) > 1 else ""
    return _problem(KINDS[InvalidValue], f"{name or 'the body'}: {errors[0].detail}{more}", request_id, errors)


def _pointer(place: Sequence[str | int]) -> str:
    """Give the place of a fault; the names in it are ours, as unknown ones are reported at their object."""
    where, *path = place
    names = [str(part).replace("~", "~0").replace("/", "~1") for part in path]
    if where == "body":
        return _cut("/".join(["#", *names]), _MAX_POINTER_CHARS)
    return _cut(f"?{'/'.join(names)}", _MAX_POINTER_CHARS)


def _cut(text: str, chars: int) -> str:
    return text if len(text) <= chars else text[: chars - 1] + "…"
