"""The base of what goes wrong in the service; modules subclass it beside what raises them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # `byline --help` needs no pydantic
    from pydantic import ValidationError


class ServiceError(Exception):
    """Something cannot be done as asked; the message is for a person and says what to do."""


class WrongUse(ServiceError):
    """What was asked for can never be done: a setting or argument has to change."""


_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not a known name",
    "string_type": "must be a text",
    "string_too_short": "must have at least {min_length} character{s}",
    "string_too_long": "must have at most {max_length} character{s}",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "too_short": "must have at least {min_length} item{s}",
    "too_long": "must have at most {max_length} item{s}",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be one of {expected}",
    "string_pattern_mismatch": "must be of the form {pattern}",
}
"""What pydantic's usual faults are for a person; `{s}` is for a count other than one."""


def words_of(fault: Mapping[str, Any]) -> str:
    """Say what is wrong with a value, without it: the end of a sentence that begins with its name."""
    limits: dict[str, Any] = fault.get("ctx") or {}
    words = _WORDS.get(fault["type"])
    if words is None:
        return str(fault["msg"]).removeprefix("Value error, ")
    count = limits.get("min_length", limits.get("max_length"))
    return words.format(**limits, s="" if count == 1 else "s")


def first_fault(error: ValidationError) -> str:
    """Say in one line, without the value, where the first fault is and which."""
    fault = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in fault["loc"])
    return f"{field}: {words_of(fault)}" if field else words_of(fault)
