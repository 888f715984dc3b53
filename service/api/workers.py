"""Blocking work off the event loop, by few threads and with a bounded line in front of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from service.api.errors import Overloaded

P = ParamSpec("P")
T = TypeVar("T")


class Workers:
    """Some threads, and at most `waiting` calls in line for them; what comes on top is refused at once."""

    def __init__(self, name: str, *, threads: int, waiting: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._room = threading.Semaphore(threads + waiting)

    async def run(self, func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in one of the threads.

        When the caller is cancelled the call leaves the line; one that runs already goes on to its end.

        Raises:
            Overloaded: The line is full.
        """
        if not self._room.acquire(blocking=False):
            raise Overloaded("too many requests are waiting; try again shortly")
        try:
            future = self._executor.submit(partial(func, *args, **kwargs))
        except RuntimeError as error:  # only a closed executor refuses
            self._room.release()
            raise Overloaded("the server is shutting down") from error
        future.add_done_callback(self._leave)
        return await asyncio.wrap_future(future)

    def _leave(self, _future: Future[T]) -> None:
        self._room.release()

    def close(self) -> None:
        """Drop what is waiting; calls that run are not waited for."""
        self._executor.shutdown(wait=False, cancel_futures=True)
