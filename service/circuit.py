"""A circuit that opens when a service keeps failing, so that nobody waits for it, and closes when it is back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

FAILURES = 3
OPEN_SECONDS = 30.0


class Circuit:
    """Counts failures in a row. May be used by several threads.

    Closed, all calls go through. After `failures` in a row it is open for `open_seconds`: none does. Then one call is
    let through as a probe; if it succeeds the circuit closes, if not it is open again.

    Source: M. Nygard, Release It! (2007), "Circuit Breaker".
    """

    def __init__(
        self,
        *,
        failures: int = FAILURES,
        open_seconds: float = OPEN_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.failures = failures
        self._open_seconds = open_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._opened_at: float | None = None

    def allows(self) -> bool:
        """Tell whether a call may be made now; whoever is told yes says how it went."""
        with self._lock:
            if self._opened_at is None:
                return True
            if self._clock() - self._opened_at < self._open_seconds:
                return False
            self._opened_at = self._clock()  # a probe: the next one no earlier than after as long again
            return True

    def succeeded(self) -> None:
        """Note that a call went well."""
        with self._lock:
            self._failures, self._opened_at = 0, None

    def failed(self) -> None:
        """Note that a call did not."""
        with self._lock:
            self._failures += 1
            if self._failures >= self.failures:
                self._opened_at = self._clock()

    @property
    def is_open(self) -> bool:
        """Whether calls are kept back, or one is on its way as a probe."""
        with self._lock:
            return self._opened_at is not None

    @property
    def seconds_left(self) -> float:
        """Seconds until a probe is let through; 0 where calls are."""
        with self._lock:
            if self._opened_at is None:
                return 0.0
            return max(0.0, self._opened_at + self._open_seconds - self._clock())
