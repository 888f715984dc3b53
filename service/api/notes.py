"""What is known of a request beside its status, for the log, the metrics and the traces: noted by its route."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from starlette.requests import Request

from index.stages import Stage
from service.answering.reply import Reply
from service.assistant import Found

NOTES_KEY = "byline.notes"
"""Where in the ASGI scope the middleware puts them."""


@dataclass(slots=True)
class RequestNotes:
    """Of one request; a route notes what it knows, as soon as it knows it."""

    began: float = field(default_factory=time.perf_counter)
    streams: bool = False
    question: str | None = None
    generation: str | None = None
    status: str | None = None
    answerer: str | None = None
    degraded: bool | None = None
    stages: list[Stage] = field(default_factory=list)
    reply: Reply | None = None

    def asked(self, question: str) -> None:
        """Note the words of a user."""
        self.question = question

    def found(self, found: Found) -> None:
        """Note what was found, where there will be no answer."""
        self.generation = found.generation.name
        self.stages += found.stages

    def answered(self, reply: Reply) -> None:
        """Note a reply."""
        self.reply = reply
        self.generation = reply.generation
        self.status = reply.answer.status
        self.answerer = reply.answerer
        self.degraded = reply.degraded
        self.stages += reply.stages


def notes_of(request: Request) -> RequestNotes:
    """Give the notes of a request."""
    notes = request.scope.get(NOTES_KEY)
    return notes if isinstance(notes, RequestNotes) else RequestNotes()
