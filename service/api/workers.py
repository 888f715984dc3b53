"""Blocking work off the event loop, by few threads and with a bounded line in front of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from service.api.errors import Overloaded
from service.niceness import thread_stands_back

BUSY = "too many requests are waiting; try again shortly"
"""What a client is told for whom there is no place in line."""

P = ParamSpec("P")
T = TypeVar("T")


class Workers:
    """Some threads, and at most `waiting` calls in line for them; what comes on top is refused at once.

    By `niceness` the threads stand back for the others of the process, where the system counts it by thread.
    """

    def __init__(self, name: str, *, threads: int, waiting: int, niceness: int = 0) -> None:
        self._executor = ThreadPoolExecutor(threads, name, initializer=partial(thread_stands_back, niceness))
        self._places = threads + waiting
        self._lock = threading.Lock()
        self._taken = 0
        self._running = 0
        self._refused = 0

    @property
    def running(self) -> int:
        """Calls that run now."""
        return self._running

    @property
    def waiting(self) -> int:
        """Calls that wait in line now."""
        with self._lock:
            return self._taken - self._running

    @property
    def refused(self) -> int:
        """Calls that were refused so far, as the line was full."""
        return self._refused

    @property
    def is_full(self) -> bool:
        """Whether another call would be refused."""
        return self._taken >= self._places

    def count_refusal(self) -> None:
        """Count a call that was refused before anybody had it made."""
        with self._lock:
            self._refused += 1

    async def run(self, func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in one of the threads.

        When the caller is cancelled the call leaves the line; one that runs already goes on to its end.

        Raises:
            Overloaded: The line is full.
        """
        with self._lock:
            if self.is_full:
                self._refused += 1
                raise Overloaded(BUSY)
            self._taken += 1
        try:
            future = self._executor.submit(self._call, partial(func, *args, **kwargs))
        except RuntimeError as error:  # only a closed executor refuses
            self._leave(None)
            raise Overloaded("the server is shutting down") from error
        future.add_done_callback(self._leave)
        return await asyncio.wrap_future(future)

    def _call(self, call: Callable[[], T]) -> T:
        with self._lock:
            self._running += 1
        try:
            return call()
        finally:
            with self._lock:
                self._running -= 1

    def _leave(self, _future: Future[T] | None) -> None:
        with self._lock:
            self._taken -= 1

    def close(self) -> None:
        """Drop what is waiting; calls that run are not waited for."""
        self._executor.shutdown(wait=False, cancel_futures=True)
