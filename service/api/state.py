"""What the routes share: the parts, the threads that use them, and whether the server is about to stop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from service.api.workers import Workers
from service.assembly import Parts

QUESTION_THREADS = 2
STORAGE_THREADS = 8
LLM_THREADS = 8
"""More than for questions: they wait for the disk, or for another server, not for the processor."""


@dataclass(slots=True)
class ApiState:
    """Collaborators of one application.

    `questions` runs what computes (search, answers, reading of articles), `storage` what waits for databases
    and files, `llm` what waits for an LLM. `stopping` is set when the process was told to stop: open streams then
    come to their end.
    """

    parts: Parts
    questions: Workers
    storage: Workers
    llm: Workers
    stopping: bool = False

    @classmethod
    def of(cls, parts: Parts) -> ApiState:
        """Make the state for parts, by their settings."""
        waiting = parts.settings.max_waiting_requests
        return cls(
            parts=parts,
            questions=Workers("questions", threads=QUESTION_THREADS, waiting=waiting),
            storage=Workers("storage", threads=STORAGE_THREADS, waiting=waiting),
            llm=Workers("llm", threads=LLM_THREADS, waiting=waiting),
        )

    def close(self) -> None:
        """End streams, take no more work and close the parts; blocks until a build has stopped."""
        self.stopping = True
        self.questions.close()
        self.storage.close()
        self.llm.close()
        self.parts.close()


def get_state(request: Request) -> ApiState:
    """Give the state of the application that a request came to."""
    state = request.app.state.byline
    if not isinstance(state, ApiState):
        raise TypeError(f"app.state.byline is a {type(state).__name__}; build the application by build_app()")
    return state


State = Annotated[ApiState, Depends(get_state)]
