"""Requests of OpenAI's clients: what is read, what is ignored, and what is refused because ignoring it would mislead.

Ignored is what steers how a language model words its text; it changes nothing of what the articles say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from index.searcher import Filters
from service.answering.reply import Turn
from service.api.chat_schemas import MAX_HISTORY, MAX_TURN_CHARS
from service.api.errors import InvalidValue, QuestionTooLong, UnknownParameter, UnsupportedParameter
from service.api.fields import MAX_MESSAGE_CHARS, Day, FiltersIn, RequestModel

MAX_MESSAGES = 1000

OPENAI_HEADERS = [
    f"X-Stainless-{name}"
    for name in (
        "Arch",
        "Helper-Method",
        "Lang",
        "OS",
        "Package-Version",
        "Retry-Count",
        "Runtime",
        "Runtime-Version",
        "Timeout",
    )
]
"""What OpenAI's client for JavaScript says of itself; in a browser it has to be let."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_US_DAY = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")
_NO_TOOLS = "no tools are called here; leave it out, or send 'none' or 'auto'"
_CHOICES = ("none", "auto")


def _day(value: object) -> object:
    if isinstance(value, str) and (found := _US_DAY.fullmatch(value)):
        return f"{found[3]}-{int(found[1]):02}-{int(found[2]):02}"
    return value


def _parts(value: object) -> object:
    if isinstance(value, str):
        return [{"type": "text", "text": value}]
    if value is None or isinstance(value, list):
        return value
    raise PydanticCustomError("byline", "expected a text, or a list of parts")


def _texts(value: object) -> object:
    return [value] if isinstance(value, str) else value


_US_PATTERN = "^(0?[1-9]|1[0-2])/(0?[1-9]|[12][0-9]|3[01])/[1-9][0-9]{3}$"
_DAY_SCHEMA = {"anyOf": [{"format": "date"}, {"pattern": _US_PATTERN}]}
FilterDay = Annotated[
    Day, BeforeValidator(_day, json_schema_input_type=Annotated[str, Field(json_schema_extra=_DAY_SCHEMA)])
]
Ignored = Field(default=None, description="Ignored.")
Text = Annotated[str, Field(max_length=1000)]


class PartIn(BaseModel):
    """A part of a message; of other kinds than text nothing is read."""

    model_config = ConfigDict(strict=True)

    type: Annotated[str, Field(max_length=100)]
    text: str | None = None


class MessageIn(RequestModel):
    """A message. Those of other roles than user and assistant are ignored, and so is all but their text."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Annotated[
        Annotated[list[PartIn], Field(max_length=100)] | None,
        BeforeValidator(_parts, json_schema_input_type=str | list[PartIn] | None),
    ] = None
    name: Text | None = Ignored
    refusal: str | None = Ignored
    annotations: list[Any] | None = Ignored
    audio: dict[str, Any] | None = Ignored
    tool_calls: list[Any] | None = Ignored
    tool_call_id: Text | None = Ignored
    function_call: dict[str, Any] | None = Ignored

    @property
    def text(self) -> str:
        """Its text, without the white space around it."""
        return "\n".join(part.text for part in self.content or () if part.type == "text" and part.text).strip()


class StreamOptionsIn(RequestModel):
    """What a stream holds besides the answer."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = Ignored


class ResponseFormatIn(RequestModel):
    """The form of an answer: text."""

    type: Literal["text"]


class BylineIn(RequestModel):
    """What Byline can do and OpenAI's API has no name for."""

    as_of: Day | None = None
    filters: FiltersIn | None = None
    max_citations: int = Field(default=5, ge=1, le=20)
    source_events: bool | None = Field(
        default=None,
        description="In a stream, the citations as Open WebUI's events of the kind `source`, quotes and all, in the "
        "place of `annotations`.",
    )


class CompletionRequest(RequestModel):
    """A conversation whose last message by the user is the question; nothing of it is stored."""

    model: Annotated[str, Field(min_length=1, max_length=200, examples=["byline"])]
    messages: list[MessageIn] = Field(
        min_length=1,
        max_length=MAX_MESSAGES,
        examples=[[{"role": "user", "content": "What does the Merrin Coast order prohibit?"}]],
    )
    stream: bool | None = None
    stream_options: StreamOptionsIn | None = None
    byline: BylineIn = BylineIn()
    search_after_date_filter: FilterDay | None = Field(
        default=None, description="Only articles of this day (MM/DD/YYYY or YYYY-MM-DD) or later."
    )
    search_before_date_filter: FilterDay | None = Field(
        default=None, description="Only articles of this day (MM/DD/YYYY or YYYY-MM-DD) or earlier."
    )

    n: Annotated[int, Field(ge=1, le=1)] | None = None
    response_format: ResponseFormatIn | None = None
    modalities: list[Literal["text"]] | None = None
    tool_choice: Literal["none", "auto"] | None = None
    function_call: Literal["none", "auto"] | None = None
    audio: None = None
    # Not Literal[False]: that takes 0 as well.
    logprobs: Annotated[bool, Field(json_schema_extra={"const": False})] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=0)] | None = None
    search_domain_filter: Annotated[list[str], Field(max_length=0)] | None = None

    frequency_penalty: float | None = Ignored
    functions: list[dict[str, Any]] | None = Ignored
    logit_bias: dict[str, float] | None = Ignored
    max_completion_tokens: int | None = Ignored
    max_tokens: int | None = Ignored
    metadata: dict[str, Any] | None = Ignored
    min_p: float | None = Ignored
    moderation: dict[str, Any] | None = Ignored
    parallel_tool_calls: bool | None = Ignored
    prediction: dict[str, Any] | None = Ignored
    presence_penalty: float | None = Ignored
    prompt_cache_key: Text | None = Ignored
    prompt_cache_options: dict[str, Any] | None = Ignored
    prompt_cache_retention: Text | None = Ignored
    reasoning_effort: Text | None = Ignored
    return_images: bool | None = Ignored
    return_related_questions: bool | None = Ignored
    safety_identifier: Text | None = Ignored
    seed: int | None = Ignored
    service_tier: Text | None = Ignored
    stop: Annotated[list[str] | None, BeforeValidator(_texts, json_schema_input_type=str | list[str] | None)] = Ignored
    store: bool | None = Ignored
    temperature: float | None = Ignored
    tools: list[dict[str, Any]] | None = Ignored
    top_k: int | None = Ignored
    top_p: float | None = Ignored
    user: Text | None = Ignored
    verbosity: Text | None = Ignored
    web_search_options: dict[str, Any] | None = Ignored

    @model_validator(mode="before")
    @classmethod
    def _only_known_fields(cls, values: Any) -> Any:  # noqa: ANN401  # whatever a client sent
        if isinstance(values, dict):
            unknown = next((name for name in values if name not in cls.model_fields), None)
            # A name is said back only if it looks like one.
            if unknown is not None and _NAME.fullmatch(unknown):
                raise UnknownParameter(f"the parameter {unknown!r} is not known here", pointer=f"#/{unknown}")
            if unknown is not None:
                raise UnknownParameter("a parameter is not known here", pointer="#")
            _refuse_what_would_mislead(values)
        return values

    def question(self) -> tuple[str, list[Turn]]:
        """Give the question, and the turns before it as far as they are used.

        Raises:
            InvalidValue: There is no question, or it is more than text.
        """
        last = next((at for at in reversed(range(len(self.messages))) if self.messages[at].role == "user"), None)
        if last is None:
            raise InvalidValue("there is no message with the role 'user'", pointer="#/messages")
        asked, where = self.messages[last], f"#/messages/{last}/content"
        if any(part.type != "text" for part in asked.content or ()):
            raise UnsupportedParameter("only text is read, no images, sound or files", pointer=where)
        if not asked.text:
            raise InvalidValue("the question is blank; expected some text", pointer=where)
        turns = [
            Turn(message.role, message.text[:MAX_TURN_CHARS])
            for message in self.messages[:last]
            if message.role in ("user", "assistant") and message.text
        ]
        return asked.text, turns[-MAX_HISTORY:]

    def filters(self) -> Filters | None:
        """Give which articles may be used.

        Raises:
            InvalidValue: Two places say it, or the days are in the wrong order.
        """
        after, before = self.search_after_date_filter, self.search_before_date_filter
        if after is None and before is None:
            return self.byline.filters.to_filters() if self.byline.filters else None
        if self.byline.filters is not None:
            raise InvalidValue("give byline.filters or the search_…_date_filter, not both", pointer="#/byline/filters")
        return _between(after, before)


def require_length(question: str) -> None:
    """Refuse a question that is too long.

    Raises:
        QuestionTooLong: It is.
    """
    if len(question) > MAX_MESSAGE_CHARS:
        raise QuestionTooLong(
            f"the last message of the user has {len(question)} characters, the limit is {MAX_MESSAGE_CHARS}; send the "
            "question alone: the articles are searched here, and no text needs to go with it"
        )


def _between(after: date | None, before: date | None) -> Filters:
    if after is not None and before is not None and before < after:
        raise InvalidValue("is before search_after_date_filter", pointer="#/search_before_date_filter")
    return Filters(published_from=after, published_to=before)


def _refuse_what_would_mislead(values: Mapping[str, Any]) -> None:
    """Refuse what is known and cannot be had, each with its reason; what is of a wrong type is not looked at."""

    def refuse(name: str, misleads: bool, reason: str) -> None:
        if misleads:
            raise UnsupportedParameter(reason, pointer=f"#/{name}")

    n, logprobs, top = (values.get(name) for name in ("n", "logprobs", "top_logprobs"))
    modalities, form = values.get("modalities"), values.get("response_format")
    kind = form.get("type") if isinstance(form, dict) else None
    refuse("n", type(n) is int and n > 1, "there is one answer to a question; leave n out")
    refuse("audio", values.get("audio") is not None, "answers are text")
    refuse("modalities", isinstance(modalities, list) and "audio" in modalities, "answers are text")
    refuse("logprobs", logprobs is True, "answers are quotes of articles and have no log probabilities")
    refuse("top_logprobs", type(top) is int and top > 0, "answers have no log probabilities")
    refuse("response_format", kind in ("json_object", "json_schema"), "answers are text; /v1/chat answers in JSON")
    for name in ("tool_choice", "function_call"):
        choice = values.get(name)
        refuse(name, isinstance(choice, dict) or (isinstance(choice, str) and choice not in _CHOICES), _NO_TOOLS)
    refuse("search_domain_filter", bool(values.get("search_domain_filter")), "name sources in byline.filters.sources")
