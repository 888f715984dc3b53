"""An LLM behind any server that speaks OpenAI's chat API: OpenAI's own, Ollama, llama.cpp, vLLM and others.

Imported only where an LLM is set: the `openai` package takes half a second to load.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from httpx2 import URL, HTTPError, InvalidURL, Timeout
from openai import (
    APIConnectionError,
    APIError,
    APIStatusError,
    AsyncOpenAI,
    AsyncStream,
    BadRequestError,
    DefaultAsyncHttpxClient,
    Omit,
    UnprocessableEntityError,
)
from openai.types.chat import ChatCompletionChunk
from pydantic import BaseModel, Field, SecretStr, ValidationError

from service.bounded_replies import bound
from service.errors import first_fault
from service.llm import (
    Cancelled,
    Completion,
    Delta,
    LlmError,
    LlmRefused,
    LlmReplyUnusable,
    LlmRequestRefused,
    LlmUnavailable,
)

_MAX_QUOTED_CHARS = 300
_TRIES = 2
_RETRY_PAUSE_SECONDS = 0.5
_CONNECT_SECONDS = 10.0
_LOOK_SECONDS = 0.1
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


class _ChunkDelta(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _ChunkChoice(BaseModel):
    delta: _ChunkDelta = _ChunkDelta()
    finish_reason: str | None = None


class _Chunk(BaseModel):
    """What is needed of a chunk of a streamed completion."""

    choices: list[_ChunkChoice] = []
    usage: _Usage | None = None


class OpenAiChatModel:
    """A model of one server. Each call has a connection of its own; several threads may call at once.

    Must not be called where an event loop runs: it waits.

    Args:
        base_url: The address that `/chat/completions` is put after.
        model: The server's name for the model.
        api_key: Sent as a bearer token; None sends none.
        timeout_seconds: Longest time for one call, a second try included.
        when_too_slow: What somebody is to do where that is not enough.

    Raises:
        LlmRefused: The address cannot be one.
    """

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        api_key: SecretStr | None,
        timeout_seconds: float,
        when_too_slow: str,
    ) -> None:
        try:
            URL(base_url)
        except InvalidURL as error:
            raise LlmRefused(f"llm_base_url {base_url!r} is not a web address ({error}); correct it") from error
        self._base_url = base_url
        self._model = model
        self._api_key = api_key
        self._timeout_seconds = timeout_seconds
        self._when_too_slow = when_too_slow
        self._refused_schemas: set[str] = set()

    def complete(
        self, system: str, user: str, *, max_tokens: int, json_schema: Mapping[str, Any] | None = None
    ) -> Completion:
        """Ask once, with temperature 0; see `ChatModel.complete`.

        A server that fails in passing is asked a second time. One that refuses a request with a schema is asked
        without it, and the schema is told in words; if that goes well, it is not asked with this one again.
        """
        return self._read(asyncio.run(self._within_limit(system, user, max_tokens, json_schema)))

    def stream(self, system: str, user: str, *, max_tokens: int, cancelled: Callable[[], bool]) -> Iterator[Delta]:
        """Ask once, with temperature 0, and give the reply as it comes; see `ChatModel.stream`.

        A server that fails in passing before anything came is asked a second time.
        """
        deadline = time.monotonic() + self._timeout_seconds
        with asyncio.Runner() as runner:
            deltas = self._deltas(system, user, max_tokens)
            try:
                while True:
                    try:
                        yield runner.run(_next(deltas, deadline, cancelled))
                    except StopAsyncIteration:
                        return
                    except TimeoutError as error:
                        raise self._too_slow() from error
                    except APIStatusError as error:
                        raise self._status_error(error) from None
                    except (APIConnectionError, HTTPError) as error:
                        raise self._broke_off(error) from error
            finally:
                runner.run(deltas.aclose())

    async def _deltas(self, system: str, user: str, max_tokens: int) -> AsyncGenerator[Delta, None]:
        async with self._client() as client:
            stream = await self._open_stream(client, system, user, max_tokens)
            finished, said = None, False
            try:
                async for chunk in stream:
                    delta, reason = self._read_chunk(chunk)
                    finished = reason or finished
                    said = said or bool(delta.text.strip())
                    if delta != Delta():
                        yield delta
            except (ValueError, RecursionError, APIError) as error:  # the client parses whatever comes
                if isinstance(error, (APIStatusError, APIConnectionError)):
                    raise
                raise LlmReplyUnusable(f"{self._place} broke its stream with something that is no chunk") from error
            self._check_end(finished, said)

    async def _open_stream(
        self, client: AsyncOpenAI, system: str, user: str, max_tokens: int
    ) -> AsyncStream[ChatCompletionChunk]:
        request = self._request(system, user, max_tokens, stream=True, stream_options={"include_usage": True})
        for left in reversed(range(_TRIES)):
            try:
                stream: AsyncStream[ChatCompletionChunk] = await client.chat.completions.create(**request)
            except (BadRequestError, UnprocessableEntityError):
                if left == 0 or request.pop("stream_options", None) is None:  # which older servers do not know
                    raise
            except (APIConnectionError, APIStatusError) as error:
                await self._pause_before_another(error, left)
            else:
                kind = stream.response.headers.get("Content-Type", "")
                if "event-stream" not in kind:
                    raise LlmReplyUnusable(
                        f"{self._place} sent no stream; check that llm_base_url is that of a chat API"
                    )
                return stream
        raise AssertionError("the last try returns or raises")

    async def _pause_before_another(self, error: APIConnectionError | APIStatusError, left: int) -> None:
        pause = _pause_seconds(error)
        if left == 0 or pause is None or pause >= self._timeout_seconds:
            raise error
        await asyncio.sleep(pause)

    def _read_chunk(self, chunk: object) -> tuple[Delta, str | None]:
        # The client takes any JSON for a chunk.
        try:
            read = _Chunk.model_validate(chunk, from_attributes=True)
        except ValidationError as error:
            raise LlmReplyUnusable(f"{self._place} sent a chunk that is none ({first_fault(error)})") from error
        usage = read.usage or _Usage()
        choice = read.choices[0] if read.choices else _ChunkChoice()
        if choice.delta.refusal or choice.finish_reason == "content_filter":
            raise LlmReplyUnusable(f"the model {self._model!r} declined to reply")
        delta = Delta(choice.delta.content or "", usage.prompt_tokens, usage.completion_tokens)
        return delta, choice.finish_reason

    def _check_end(self, finished: str | None, said: bool) -> None:
        if finished == "length":
            raise self._cut_off()
        if finished is None:
            raise LlmUnavailable(f"{self._place} broke off in the middle of its reply; look at its log, or try again")
        if not said:
            raise LlmReplyUnusable(f"the reply of the model {self._model!r} is empty")

    async def _within_limit(
        self, system: str, user: str, max_tokens: int, json_schema: Mapping[str, Any] | None
    ) -> bytes:
        # The client's own timeouts are for one read each: a server that sends a byte now and then never meets them.
        try:
            async with asyncio.timeout(self._timeout_seconds), self._client() as client:
                return await self._ask(client, system, user, max_tokens, json_schema)
        except TimeoutError as error:
            raise self._too_slow() from error
        except APIStatusError as error:
            # Not chained: a server may repeat the key, and a traceback would show it.
            raise self._status_error(error) from None
        except APIConnectionError as error:
            raise self._broke_off(error) from error

    def _client(self) -> AsyncOpenAI:
        timeout = Timeout(None, connect=min(_CONNECT_SECONDS, self._timeout_seconds))
        http_client = DefaultAsyncHttpxClient(
            timeout=timeout,
            # Articles and the key go to the address that was set, and nowhere that it points to.
            follow_redirects=False,
            # Nor does what is meant for this machine go through a proxy.
            trust_env=not _is_loopback(urlsplit(self._base_url).hostname or ""),
            event_hooks={"response": [bound]},
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
        request = self._request(system, user, max_tokens, **extra)
        for left in reversed(range(_TRIES)):
            try:
                reply = await client.chat.completions.with_raw_response.create(**request)
            except (APIConnectionError, APIStatusError) as error:
                await self._pause_before_another(error, left)
            else:
                body: bytes = reply.http_response.content
                return body
        raise AssertionError("the last try returns or raises")

    def _request(self, system: str, user: str, max_tokens: int, **extra: object) -> dict[str, Any]:
        return {
            "model": self._model,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": user}],
            "temperature": 0,
            # Not max_completion_tokens, which many local servers do not know.
            "max_tokens": max_tokens,
            "extra_headers": self._headers(),
            **extra,
        }

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
            raise self._cut_off()
        text = choice.message.content or ""
        if not text.strip():
            raise LlmReplyUnusable(f"the reply of the model {self._model!r} is empty")
        return Completion(text, usage.prompt_tokens, usage.completion_tokens)

    def _cut_off(self) -> LlmReplyUnusable:
        return LlmReplyUnusable(
            f"the reply of the model {self._model!r} was cut off: it is longer than the most tokens allowed, "
            "or the model's context is full"
        )

    def _too_slow(self) -> LlmUnavailable:
        return LlmUnavailable(
            f"{self._place} gave no whole reply within {self._timeout_seconds:g} seconds; {self._when_too_slow}"
        )

    def _broke_off(self, error: APIConnectionError | HTTPError) -> LlmUnavailable:
        return LlmUnavailable(
            f"{self._place} cannot be reached, or broke off ({_cause(error)}); "
            "check that it runs and that llm_base_url is right"
        )

    def _status_error(self, error: APIStatusError) -> LlmError:
        status = error.status_code
        kind, fault, remedy = self._fault(status)
        return kind(
            f"{self._place} {fault} (status {status}{self._said(error)}){remedy}",
            for_log=f"{self._place} {fault} (status {status}){remedy}",
        )

    def _fault(self, status: int) -> tuple[type[LlmError], str, str]:
        """Say what a status means, and what to do."""
        if status in _PASSING_STATUSES:
            return LlmUnavailable, "is busy", "; try again later"
        if status >= 500:
            return LlmUnavailable, "failed", "; look at its log, or try again later"
        if status in (401, 403):
            return LlmRefused, "refuses the key", "; correct llm_api_key"
        if status < 400 or status in (404, 405):
            nothing = f"has no chat API there, or no model {self._model!r}"
            return LlmRefused, nothing, "; correct llm_base_url or llm_model"
        return LlmRequestRefused, "refuses the request", ""

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


async def _next(deltas: AsyncGenerator[Delta, None], deadline: float, cancelled: Callable[[], bool]) -> Delta:
    """Wait for the next piece, and look now and then whether anybody still wants it.

    Raises:
        StopAsyncIteration: There is none.
        TimeoutError: The deadline, by `time.monotonic`, has passed.
        Cancelled: `cancelled` said so.
    """
    waiting = asyncio.ensure_future(anext(deltas))
    try:
        while True:
            # Also where pieces keep coming.
            if cancelled():
                raise Cancelled
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            done, _ = await asyncio.wait([waiting], timeout=min(_LOOK_SECONDS, left))
            if done:
                return waiting.result()
    finally:
        if not waiting.done():
            waiting.cancel()
            await asyncio.wait([waiting])


def _cause(error: APIConnectionError | HTTPError) -> str:
    cause = error.__cause__ or error
    return str(cause) or type(cause).__name__


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
