"""Server-sent events: how one looks on the wire, and the response that carries them."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Any

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from pydantic import BaseModel
from starlette.responses import StreamingResponse

EVENT_STREAM = "text/event-stream"
KEEPALIVE = KEEPALIVE_COMMENT
LAST_EVENT = b"event: done"
"""How the event begins that ends a stream well."""

STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def described(*names: str) -> dict[str, Any]:
    """Give what the OpenAPI document says of a stream of these events; without names, of data alone."""
    data = {"type": "string", "contentMediaType": "application/json"}
    event: dict[str, Any] = {"type": "object", "required": ["data"], "properties": {"data": data}}
    if names:
        event["required"].append("event")
        event["properties"]["event"] = {"type": "string", "enum": list(names)}
    return {"itemSchema": event}


def event(name: str, value: BaseModel) -> bytes:
    """Give one event with JSON as its data."""
    return format_sse_event(event=name, data_str=value.model_dump_json())


class EventStream(StreamingResponse):
    """A response of events that no cache keeps and no proxy holds back."""

    media_type = EVENT_STREAM

    # The framework reads `status_code` off this signature when it describes the route.
    def __init__(self, content: AsyncIterable[bytes], status_code: int = 200) -> None:
        super().__init__(content, status_code, STREAM_HEADERS)
