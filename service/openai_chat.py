"""An LLM behind any server that speaks OpenAI's chat API: OpenAI's own, Ollama, llama.cpp, vLLM and others.

Imported only where an LLM is set: the `openai` package takes half a second to load.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from httpx2 import URL, AsyncByteStream, InvalidURL, Response, Timeout
from openai import (
    APIConnectionError,
    APIStatusError,
    AsyncOpenAI,
    BadRequestError,
    DefaultAsyncHttpxClient,
    Omit,
    UnprocessableEntityError,
)
from pydantic import BaseModel, Field, SecretStr, ValidationError

from service.errors import first_fault
from service.llm import Completion, LlmError, LlmRefused, LlmReplyUnusable, LlmUnavailable

MAX_REPLY_BYTES = 1_000_000
"""Far above what the longest reply with its JSON takes: beyond it something else than an LLM is talking."""

_MAX_ERROR_BYTES = 20_000
_MAX_QUOTED_CHARS = 300
_TRIES = 2
_RETRY_PAUSE_SECONDS = 0.5
_CONNECT_SECONDS = 10.0
_PASSING_STATUSES = (408, 409, 429)


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Reply(BaseModel):
    """What is needed of a chat completion; servers add fields of their own."""

    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


class OpenAiChatModel:
    """A model of one server. Each call has a connection of its own; several threads may call at once.

    Must not be called where an event loop runs: it waits.

    Args:
        base_url: The address that `/chat/completions` is put after.
        model: The server's name for the model.
        api_key: Sent as a bearer token; None sends none.
        timeout_seconds: Longest time for one call, a second try included.

    Raises:
        LlmRefused: The address cannot be one.
    """

    def __init__(self, *, base_url: str, model: str, api_key: SecretStr | None, timeout_seconds: float) -> None:
        try:
            URL(base_url)
        except InvalidURL as error:
            raise LlmRefused(f"llm_base_url {base_url!r} is not a web address ({error}); correct it") from error
        self._base_url = base_url
        self._model = model
        self._api_key = api_key
        self._timeout_seconds = timeout_seconds
        self._refused_schemas: set[str] = set()

    def complete(
        self, system: str, user: str, *, max_tokens: int, json_schema: Mapping[str, Any] | None = None
    ) -> Completion:
        """Ask once, with temperature 0; see `ChatModel.complete`.

        A server that fails in passing is asked a second time. One that refuses a request with a schema is asked
        without it, and the schema is told in words; if that goes well, it is not asked with this one again.
        """
        return self._read(asyncio.run(self._within_limit(system, user, max_tokens, json_schema)))

    async def _within_limit(
        self, system: str, user: str, max_tokens: int, json_schema: Mapping[str, Any] | None
    ) -> bytes:
        # The client's own timeouts are for one read each: a server that sends a byte now and then never meets them.
        try:
            async with asyncio.timeout(self._timeout_seconds), self._client() as client:
                return await self._ask(client, system, user, max_tokens, json_schema)
        except TimeoutError as error:
            raise LlmUnavailable(
                f"{self._place} gave no whole reply within {self._timeout_seconds:g} seconds; "
                "raise llm_timeout_seconds, or take a faster model"
            ) from error
        except APIStatusError as error:
            # Not chained: a server may repeat the key, and a traceback would show it.
            raise self._status_error(error) from None
        except APIConnectionError as error:
            raise LlmUnavailable(
                f"{self._place} cannot be reached, or broke off ({_cause(error)}); "
                "check that it runs and that llm_base_url is right"
            ) from error

    def _client(self) -> AsyncOpenAI:
        timeout = Timeout(None, connect=min(_CONNECT_SECONDS, self._timeout_seconds))
        http_client = DefaultAsyncHttpxClient(
            timeout=timeout,
            # Articles and the key go to the address that was set, and nowhere that it points to.
            follow_redirects=False,
            # Nor does what is meant for this machine go through a proxy.
            trust_env=not _is_loopback(urlsplit(self._base_url).hostname or ""),
            event_hooks={"response": [_bound]},
        )
        # A key has to be given: the client would take one from OPENAI_API_KEY, which is not for this server.
        return AsyncOpenAI(
            base_url=self._base_url, api_key="none", max_retries=0, timeout=timeout, http_client=http_client
        )

    async def _ask(
        self, client: AsyncOpenAI, system: str, user: str, max_tokens: int, json_schema: Mapping[str, Any] | None
    ) -> bytes:
        if json_schema is None:
            return await self._send(client, system, user, max_tokens)
        schema = json.dumps(json_schema, ensure_ascii=False)
        if schema not in self._refused_schemas:
            try:
                return await self._send(client, system, user, max_tokens, response_format=_response_format(json_schema))
            except (BadRequestError, UnprocessableEntityError):
                # Perhaps for another reason, too long a text for one: then the plain request is refused as well.
                pass
        told = f"{system}\n\nReply with nothing but one JSON object that keeps to this JSON Schema:\n{schema}"
        body = await self._send(client, told, user, max_tokens)
        self._refused_schemas.add(schema)
        return body

    async def _send(self, client: AsyncOpenAI, system: str, user: str, max_tokens: int, **extra: object) -> bytes:
        request: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": user}],
            "temperature": 0,
            # Not max_completion_tokens, which many local servers do not know.
            "max_tokens": max_tokens,
            "extra_headers": self._headers(),
            **extra,
        }
        for left in reversed(range(_TRIES)):
            try:
                reply = await client.chat.completions.with_raw_response.create(**request)
            except (APIConnectionError, APIStatusError) as error:
                pause = _pause_seconds(error)
                if left == 0 or pause is None or pause >= self._timeout_seconds:
                    raise
                await asyncio.sleep(pause)
            else:
                body: bytes = reply.http_response.content
                return body
        raise AssertionError("the last try returns or raises")

    def _headers(self) -> dict[str, str | Omit]:
        key = Omit() if self._api_key is None else f"Bearer {self._api_key.get_secret_value()}"
        # The client would send what OPENAI_ORG_ID and OPENAI_PROJECT_ID hold.
        account: dict[str, str | Omit] = {"OpenAI-Organization": Omit(), "OpenAI-Project": Omit()}
        # Packed, a small reply can become a large one.
        return {"Authorization": key, "Accept-Encoding": "identity", **account}

    def _read(self, body: bytes) -> Completion:
        try:
            reply = _Reply.model_validate_json(body)
        except ValidationError as error:
            raise LlmReplyUnusable(
                f"{self._place} sent no chat completion ({first_fault(error)}); "
                "check that llm_base_url is that of an OpenAI-compatible API (it often ends in /v1)"
            ) from error
        choice, usage = reply.choices[0], reply.usage or _Usage()
        if choice.message.refusal or choice.finish_reason == "content_filter":
            raise LlmReplyUnusable(f"the model {self._model!r} declined to reply")
        if choice.finish_reason == "length":
            raise LlmReplyUnusable(
                f"the reply of the model {self._model!r} was cut off: it is longer than the most tokens allowed, "
                "or the model's context is full"
            )
        text = choice.message.content or ""
        if not text.strip():
            raise LlmReplyUnusable(f"the reply of the model {self._model!r} is empty")
        return Completion(text, usage.prompt_tokens, usage.completion_tokens)

    def _status_error(self, error: APIStatusError) -> LlmError:
        status, said = error.status_code, self._said(error)
        if status in _PASSING_STATUSES:
            return LlmUnavailable(f"{self._place} is busy (status {status}{said}); try again later")
        if status >= 500:
            return LlmUnavailable(f"{self._place} failed (status {status}{said}); look at its log, or try again later")
        if status in (401, 403):
            return LlmRefused(f"{self._place} refuses the key (status {status}{said}); correct llm_api_key")
        if status < 400 or status in (404, 405):
            return LlmRefused(
                f"{self._place} has no chat API there, or no model {self._model!r} (status {status}{said}); "
                "correct llm_base_url or llm_model"
            )
        return LlmRefused(f"{self._place} refuses the request (status {status}{said})")

    def _said(self, error: APIStatusError) -> str:
        """Give the server's own words, in one short line, without the key if they repeat it."""
        stated = error.body.get("message") if isinstance(error.body, Mapping) else None
        text = " ".join((stated if isinstance(stated, str) else error.response.text).split())
        if self._api_key is not None:
            text = text.replace(self._api_key.get_secret_value(), "***")
        if not text or text.startswith("<"):  # a page for a browser
            return ""
        return f": {text[:_MAX_QUOTED_CHARS]}{'…' if len(text) > _MAX_QUOTED_CHARS else ''}"

    @property
    def _place(self) -> str:
        return f"the LLM at {self._base_url}"


class _BoundedStream(AsyncByteStream):
    """The bytes of a reply up to a limit; beyond it an error, or, for the words of an error, silence."""

    def __init__(self, stream: AsyncByteStream, *, limit_bytes: int, strict: bool) -> None:
        self._stream = stream
        self._limit_bytes = limit_bytes
        self._strict = strict

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._limit_bytes
        async for part in self._stream:
            if len(part) > left:
                if self._strict:
                    raise LlmReplyUnusable(f"the LLM's reply is larger than {self._limit_bytes} bytes")
                yield part[:left]
                return
            left -= len(part)
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _bound(response: Response) -> None:
    """Bound a reply before it is read. A hook, because the client reads the whole of it into memory."""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise LlmReplyUnusable("the LLM's server packs its replies though asked not to; turn its compression off")
    if not isinstance(response.stream, AsyncByteStream):
        raise TypeError(f"expected a stream of bytes, got {type(response.stream).__name__}")
    limit_bytes = _MAX_ERROR_BYTES if response.status_code >= 300 else MAX_REPLY_BYTES
    response.stream = _BoundedStream(response.stream, limit_bytes=limit_bytes, strict=response.status_code < 300)


def _response_format(json_schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "reply", "strict": True, "schema": dict(json_schema)}}


def _pause_seconds(error: APIConnectionError | APIStatusError) -> float | None:
    """Say how long to wait before a second try; None where it would go no better."""
    if isinstance(error, APIConnectionError):
        return _RETRY_PAUSE_SECONDS
    if error.status_code < 500 and error.status_code not in _PASSING_STATUSES:
        return None
    try:
        asked = float(error.response.headers.get("Retry-After", ""))
    except ValueError:  # none, or a date
        return _RETRY_PAUSE_SECONDS
    return asked if asked >= 0 else _RETRY_PAUSE_SECONDS


def _cause(error: APIConnectionError) -> str:
    cause = error.__cause__ or error
    return str(cause) or type(cause).__name__


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
