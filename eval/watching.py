"""How a run tells of its progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from index.reports import Progress


@contextmanager
def _no_building() -> Iterator[Callable[[Progress], None]]:
    yield lambda _: None


@contextmanager
def _silent(_what: str, _total: int) -> Iterator[Callable[[], None]]:
    yield lambda: None


@dataclass(frozen=True, slots=True)
class Watch:
    """Told of the phases of building an index, and of the steps of a stage (its name, how many steps)."""

    building: Callable[[], AbstractContextManager[Callable[[Progress], None]]] = _no_building
    steps: Callable[[str, int], AbstractContextManager[Callable[[], None]]] = _silent
