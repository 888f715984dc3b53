"""The base of what goes wrong in the service; modules subclass it beside what raises them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # `byline --help` needs no pydantic
    from pydantic import ValidationError


class ServiceError(Exception):
    """Something cannot be done as asked; the message is for a person and says what to do."""


class WrongUse(ServiceError):
    """What was asked for can never be done: a setting or argument has to change."""


def first_fault(error: ValidationError) -> str:
    """Say in one line, without the value, where the first fault is and which."""
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = ".".join(str(part) for part in fault["loc"])
    message = fault["msg"].removeprefix("Value error, ")
    return f"{field}: {message}" if field else message
