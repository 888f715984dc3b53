"""What the routes share: the parts, the threads that use them, and whether the server is about to stop."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from service import niceness
from service.api.errors import NotReady, Overloaded, ShuttingDown
from service.api.opening import Opening
from service.api.workers import Workers
from service.metrics import Metrics

if TYPE_CHECKING:
    from service.assembly import Parts
    from service.tracing import Tracing

STARTING = "starting: the index and the embedding model are being opened"
"""What a client is told who cannot be answered yet."""

QUESTION_THREADS = min(6, (os.cpu_count() or 1) + 1)
"""More than cores: questions that wait for their vectors together are embedded together. Only one more: whoever has the
interpreter and waits for a core holds up the event loop, and with it everybody else. More than six were of no use."""

QUESTION_PATHS = frozenset({"/v1/chat", "/v1/chat/completions", "/v1/search"})

STORAGE_THREADS = 8
LLM_THREADS = 8
"""They wait for the disk, or for another server, not for the processor."""

UPLOAD_THREADS = 2
"""Each holds a file of up to 20 MB and all its articles."""

SCRAPES_WAITING = 8

_LOOK_SECONDS = 0.02
"""Between two looks, while requests wait for the parts, whether these are open or the server is told to stop."""


@dataclass(slots=True)
class ApiState:
    """Collaborators of one application.

    `questions` runs what computes (search, answers, reading of articles), `storage` what waits for databases
    and files, `llm` what waits for an LLM, `uploads` what reads uploaded files, of which `uploading` are under way,
    `scrapes` what operators' programs ask for, however busy the others are. `metrics` count what happens, `tracing`
    sends traces where there is a collector. `stopping` is set when the process was told to stop: open streams then
    come to their end.
    """

    opening: Opening
    questions: Workers
    storage: Workers
    llm: Workers
    uploads: Workers
    scrapes: Workers
    metrics: Metrics = field(default_factory=Metrics)
    tracing: Tracing | None = None
    uploading: int = field(default=0, init=False)
    stopping: bool = False
    _waiting: int = field(default=0, init=False)

    @classmethod
    def of(cls, opening: Opening) -> ApiState:
        """Make the state for parts that are open or being opened, by their settings.

        Raises:
            WrongUse: The settings name a collector, and what sends traces is not installed.
        """
        waiting = opening.settings.max_waiting_requests
        return cls(
            opening=opening,
            questions=Workers("questions", threads=QUESTION_THREADS, waiting=waiting, niceness=niceness.QUESTIONS),
            storage=Workers("storage", threads=STORAGE_THREADS, waiting=waiting),
            llm=Workers("llm", threads=LLM_THREADS, waiting=waiting),
            uploads=Workers("uploads", threads=UPLOAD_THREADS, waiting=waiting),
            scrapes=Workers("scrapes", threads=1, waiting=SCRAPES_WAITING),
            tracing=_tracing(opening.settings.otel_endpoint),
        )

    @property
    def parts(self) -> Parts:
        """The parts.

        Raises:
            NotReady: They are not open yet.
        """
        parts = self.opening.parts
        if parts is None:
            raise NotReady(STARTING)
        return parts

    def refuses(self, path: str) -> bool:
        """Tell whether a question to this path would find no place in line, whatever it asks."""
        if path not in QUESTION_PATHS or not self.questions.is_full:
            return False
        # Who is to answer stands in the body.
        return path == "/v1/search" or self.opening.settings.llm_base_url is None or self.llm.is_full

    async def opened(self) -> None:
        """Wait until the parts are open; how long is up to the limit of the request that waits.

        Raises:
            Overloaded: As many requests as may wait do so already.
            ShuttingDown: The server was told to stop, or cannot open the parts and stops for that.
        """
        if self._waiting >= self.opening.settings.max_waiting_requests:
            raise Overloaded("too many requests are waiting for the server to start; try again shortly")
        self._waiting += 1
        try:
            # A look now and then, as a signal sets a flag and cannot wake anybody.
            while self.opening.parts is None:
                if self.stopping or self.opening.failure is not None:
                    raise ShuttingDown("the server stops before it could answer; ask again when it is back")
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End streams, take no more work and close the parts; blocks until a build has stopped."""
        self.stopping = True
        self.questions.close()
        self.storage.close()
        self.llm.close()
        self.uploads.close()
        self.scrapes.close()
        if self.tracing is not None:
            self.tracing.close()
        if self.opening.parts is not None:
            self.opening.parts.close()
        else:
            self.opening.when_over(self._close_late)

    def _close_late(self) -> None:
        if self.opening.parts is not None:
            self.opening.parts.close()


def _tracing(endpoint: str | None) -> Tracing | None:
    if endpoint is None:
        return None
    from service.tracing import Tracing  # and with it what sends traces

    return Tracing(endpoint)


async def get_state_now(request: Request) -> ApiState:
    """Give the state of the application that a request came to, whether or not its parts are open."""
    state = request.app.state.byline
    if not isinstance(state, ApiState):
        raise TypeError(f"app.state.byline is a {type(state).__name__}; build the application by build_app()")
    return state


async def get_state(request: Request) -> ApiState:
    """Give the state of the application that a request came to, once its parts are open; see `ApiState.opened`."""
    state = await get_state_now(request)
    if state.opening.parts is None:
        await state.opened()
    return state


State = Annotated[ApiState, Depends(get_state)]
StateNow = Annotated[ApiState, Depends(get_state_now)]
