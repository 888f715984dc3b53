"""Replies of an LLM that end: bounded before they are read, as the client reads the whole of one into memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

from httpx2 import AsyncByteStream, Response

from service.llm import LlmReplyUnusable

MAX_REPLY_BYTES = 1_000_000
"""Far above what the longest reply with its JSON takes: beyond it something else than an LLM is talking."""

MAX_ERROR_BYTES = 20_000


class BoundedStream(AsyncByteStream):
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
        """Close the stream behind it."""
        await self._stream.aclose()


async def bound(response: Response) -> None:
    """Bound a reply before it is read. A hook, because the client reads the whole of it into memory."""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise LlmReplyUnusable("the LLM's server packs its replies though asked not to; turn its compression off")
    if not isinstance(response.stream, AsyncByteStream):
        raise TypeError(f"expected a stream of bytes, got {type(response.stream).__name__}")
    limit_bytes = MAX_ERROR_BYTES if response.status_code >= 300 else MAX_REPLY_BYTES
    response.stream = BoundedStream(response.stream, limit_bytes=limit_bytes, strict=response.status_code < 300)
