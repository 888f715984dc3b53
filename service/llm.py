"""The seam to an LLM: one question in, one whole reply out, or an error that says what to do.

No client is named here: `assembly.open_llm` chooses one, and whoever asks sees only `ChatModel`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from service.errors import ServiceError, first_fault

Form = TypeVar("Form", bound=BaseModel)

# Where a server does not enforce a schema, models like to put their JSON into a code block.
_FENCED = re.compile(r"\s*```(?:json)?\s*(?P<inside>.*?)\s*```\s*", re.DOTALL | re.IGNORECASE)


class LlmError(ServiceError):
    """Base of what goes wrong with an LLM; one of those below is raised.

    Attributes:
        for_log: The message without words of the LLM's server, which may repeat what it was asked.
    """

    def __init__(self, message: str, *, for_log: str | None = None) -> None:
        super().__init__(message)
        self.for_log = for_log or message


class LlmUnavailable(LlmError):
    """The LLM cannot be reached, is busy, failed or took too long: the same request may succeed later."""


class LlmRefused(LlmError):
    """The server refuses the request: its key, model, address or length has to change."""


class LlmRequestRefused(LlmRefused):
    """The server refuses this one request, such as one that is too long for it: others may go through."""


class LlmReplyUnusable(LlmError):
    """A reply came, and it is not what was asked for: empty, cut off, too large or in another form."""


class LlmDown(ServiceError):
    """The LLM gave no answer, and the settings allow no other one."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What an LLM said, never blank. The numbers of tokens are None where the server does not count them."""

    text: str
    prompt_tokens: int | None
    completion_tokens: int | None


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a reply as it comes, or, at its end, the number of tokens where the server counts them."""

    text: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Cancelled(Exception):
    """Nobody waits for the reply any more."""


class ChatModel(Protocol):
    """What Byline needs of an LLM. May be used by several threads."""

    def complete(
        self, system: str, user: str, *, max_tokens: int, json_schema: Mapping[str, Any] | None = None
    ) -> Completion:
        """Ask once and wait for the whole reply.

        Args:
            system: What the LLM is to do.
            user: What it is to do it with.
            max_tokens: Longest reply; a reply that is cut off there is an error.
            json_schema: The JSON Schema of the reply. Servers differ in how well they keep to it, so the text
                still has to be checked: `parse_reply`.

        Raises:
            LlmUnavailable: No reply in time, or none at all.
            LlmRefused: The server does not take the request.
            LlmReplyUnusable: The reply is empty, cut off or too large.
        """


class StreamingChatModel(ChatModel, Protocol):
    """An LLM whose replies can be read as they come."""

    def stream(self, system: str, user: str, *, max_tokens: int, cancelled: Callable[[], bool]) -> Iterator[Delta]:
        """Ask once and give the reply as it comes. Closing the iterator ends the request.

        Args:
            system: What the LLM is to do.
            user: What it is to do it with.
            max_tokens: Longest reply.
            cancelled: Asked several times a second; True ends the request.

        Raises:
            LlmUnavailable: No reply in time, none at all, or one that broke off; pieces may have come before.
            LlmRefused: The server does not take the request.
            LlmReplyUnusable: The reply is empty, too large, in another form, or was cut off at `max_tokens`.
            Cancelled: `cancelled` said so.
        """


def parse_reply(text: str, form: type[Form]) -> Form:
    """Read a reply that should be one JSON object of a form, in a code block or not.

    Raises:
        LlmReplyUnusable: It is not; the message names the first fault and does not repeat the reply.
    """
    fenced = _FENCED.fullmatch(text)
    try:
        return form.model_validate_json(fenced["inside"] if fenced else text)
    except ValidationError as error:
        raise LlmReplyUnusable(f"the reply is not the JSON that was asked for: {first_fault(error)}") from error
