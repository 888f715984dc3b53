"""Counts of what happened, by name, from several threads."""

from __future__ import annotations

import threading
from collections import Counter


class Tally:
    """Counts by name, from 0 at the start of the process. May be used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def note(self, name: str) -> None:
        """Count one more."""
        with self._lock:
            self._counts[name] += 1

    @property
    def counts(self) -> dict[str, int]:
        """All counts so far."""
        with self._lock:
            return dict(self._counts)
