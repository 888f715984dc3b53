"""How long the stages of a piece of work took, noted while it goes on."""

from __future__ import annotations

import time
from typing import NamedTuple


class Stage(NamedTuple):
    """One stage: its name, when it began by `time.perf_counter`, and how long it took."""

    name: str
    began: float
    seconds: float


class StageClock:
    """Notes stages that follow one another. For one thread."""

    def __init__(self) -> None:
        self._stages: list[Stage] = []
        self._at = time.perf_counter()

    def lap(self, name: str) -> None:
        """Note what was done since the last lap, or since the clock was made, under a name."""
        now = time.perf_counter()
        self._stages.append(Stage(name, self._at, now - self._at))
        self._at = now

    @property
    def stages(self) -> tuple[Stage, ...]:
        """What was noted, in order."""
        return tuple(self._stages)


def stage_since(name: str, began: float) -> Stage:
    """Give the stage that began at a time of `time.perf_counter` and ends now."""
    return Stage(name, began, time.perf_counter() - began)
