"""Errors as OpenAI's API has them, for the routes that its clients call.

Knows none of our exceptions: `errors.py` says what happened, this module how such a client is told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import BaseModel, Field
from starlette.responses import Response

OPENAI_PATHS = (
    "/v1/chat/completions",
    "/v1/models",
    # Not served, but asked for by the same clients, who read no other form of a 404.
    "/v1/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/moderations",
    "/v1/images",
    "/v1/audio",
)

_CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded"}
"""What clients look for; all other codes are the names of our problems."""

_TYPES = {429: "rate_limit_error"}


class OpenAiErrorBody(BaseModel):
    """What went wrong. `param` names a field of the request as "messages[0].content"."""

    message: str
    type: str = Field(examples=["invalid_request_error"])
    param: str | None
    code: str | None = Field(examples=["model_not_found"])


class OpenAiError(BaseModel):
    """Every error of these routes; it never holds what the client sent, but for the name of an unknown parameter."""

    error: OpenAiErrorBody


def speaks_openai(path: str) -> bool:
    """Tell whether the clients of a path read errors in OpenAI's form."""
    return any(path == one or path.startswith(f"{one}/") for one in OPENAI_PATHS)


def openai_status(status: int) -> int:
    """Give the status by which OpenAI's clients know an error: what is not allowed is a bad request there."""
    return 400 if status == 422 else status


def openai_error(status: int, name: str, detail: str, pointer: str | None) -> OpenAiError:
    """Describe an error.

    Args:
        status: As on the native routes.
        name: Of the problem, as in "model-not-found".
        detail: For a person.
        pointer: To the place of the fault: "#/messages/0/content", "?limit", or "#" for the whole body.
    """
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    code = _CODES.get(status, name.replace("-", "_"))
    return OpenAiError(error=OpenAiErrorBody(message=detail, type=kind, param=_param(pointer), code=code))


def openai_response(error: OpenAiError, status: int, headers: Mapping[str, str]) -> Response:
    """Answer with an error."""
    content = json.dumps(error.model_dump(), ensure_ascii=False).encode()
    return Response(content, openai_status(status), dict(headers), media_type="application/json")


def _param(pointer: str | None) -> str | None:
    if pointer is None:
        return None
    if pointer.startswith("?"):
        return pointer[1:] or None
    param = ""
    for part in pointer.removeprefix("#").removeprefix("/").split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        param += f"[{name}]" if name.isdigit() else f".{name}" if param else name
    return param or None
