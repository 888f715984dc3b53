"""What operators see of every request: a line in the log, the metrics, and a trace where there is a collector."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import structlog
from starlette.types import Scope

from service.api.access import CALLER_KEY
from service.api.notes import NOTES_KEY, RequestNotes
from service.metrics import Metrics

if TYPE_CHECKING:
    from service.tracing import Tracing

log = structlog.get_logger(__name__)


class Observer:
    """Watches requests from their beginning to their end.

    Args:
        metrics: Where they are counted.
        log_questions: Whether the line of a request has its question.
        tracing: Where traces go; None for nowhere.
    """

    def __init__(self, metrics: Metrics, *, log_questions: bool = False, tracing: Tracing | None = None) -> None:
        self._metrics = metrics
        self._log_questions = log_questions
        self._tracing = tracing

    def begin(self, scope: Scope, request_id: str) -> RequestNotes:
        """Begin to watch a request; its routes find the notes by `notes_of`."""
        notes = RequestNotes()
        scope[NOTES_KEY] = notes
        self._metrics.in_flight.inc()
        if self._tracing is not None:
            self._tracing.begin(request_id)
        return notes

    def streams(self, notes: RequestNotes) -> None:
        """Note that the response of a request is a stream of events."""
        notes.streams = True
        self._metrics.streams.inc()

    def end(self, notes: RequestNotes, scope: Scope, request_id: str, status: int | None) -> None:
        """Say how a request ended; `status` is None where the client left before there was a response."""
        seconds = time.perf_counter() - notes.began
        # The template, not the path: a path is the client's own text.
        route = getattr(scope.get("route"), "path", None)
        metrics = self._metrics
        metrics.in_flight.dec()
        if notes.streams:
            metrics.streams.dec()
        metrics.request(route, scope["method"], status, seconds)
        metrics.stages(notes.stages)
        if notes.status is not None and notes.answerer is not None:
            metrics.answer(notes.status, notes.answerer, degraded=bool(notes.degraded))
        if self._tracing is not None:
            self._tracing.end(notes)
        known: dict[str, Any] = {
            "key": getattr(scope.get(CALLER_KEY), "owner", None) or None,
            "generation": notes.generation,
            "answer": notes.status,
            "answerer": notes.answerer,
            "degraded": notes.degraded,
            "question": notes.question if self._log_questions else None,
        }
        log.info(
            "request",
            id=request_id,
            method=scope["method"],
            route=route,
            status=status,
            ms=round(seconds * 1000, 1),
            **{name: value for name, value in known.items() if value is not None},
        )
