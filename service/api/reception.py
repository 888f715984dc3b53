"""Takes connections as they come, and lets them in a few at a time.

A connection costs little to take and much to let in: a transport, a protocol, and most often a question at once. Of a
thousand that come in one moment the last one would wait half a second, and it may be the one that asks whether the
process lives. So all are taken, each is looked at as soon as it has said something, and that question goes first.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
from collections import deque
from collections.abc import Callable, Collection
from time import perf_counter
from typing import cast

import structlog

from service.api.connections import LIVENESS

log = structlog.get_logger(__name__)

TAKING_SECONDS = 0.005
"""How long connections are taken in one step of the loop."""

LET_IN = 2
"""Connections that are let in in one step; with what they ask for that takes some milliseconds."""

SILENCE_SECONDS = 0.5
"""After so long a connection is let in though it has said nothing: its protocol has the limits for that."""

PAUSE_SECONDS = 1.0
"""How long none is taken after the system has refused to give one, as when there are no descriptors left."""


_LOOKED_AT_BYTES = max(map(len, LIVENESS))


class Reception:
    """Where connections wait between the system and the server."""

    def __init__(
        self,
        listener: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        inside: Collection[object],
        most: int,
    ) -> None:
        """Prepare.

        Args:
            listener: Where they come; stays the caller's to close.
            protocol: Makes what a connection is given to once it is let in.
            inside: The connections that were let in and have not gone.
            most: Connections, waiting and inside, beyond which one that comes is closed without a word.
        """
        self._listener = listener
        self._protocol = protocol
        self._inside = inside
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._silent = selectors.DefaultSelector()
        self._heard: deque[socket.socket] = deque()
        self._entering: set[asyncio.Task[object]] = set()
        self._is_letting_in = False
        self._pause: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Begin to take connections."""
        self._listener.setblocking(False)
        self._loop.add_reader(self._silent.fileno(), self._hear)
        self._listen()

    def close(self) -> None:
        """Take no more, and close those that wait: nothing of what they asked has been read."""
        self._loop.remove_reader(self._listener)
        self._loop.remove_reader(self._silent.fileno())
        if self._pause is not None:
            self._pause.cancel()
        self._heard.extend(self._no_longer_silent(key) for key in list(self._silent.get_map().values()))
        while self._heard:
            self._heard.popleft().close()
        self._silent.close()

    def look(self, now: float) -> None:
        """Let in who has been silent for long, by the time of the loop."""
        for key in list(self._silent.get_map().values()):
            if key.data <= now - SILENCE_SECONDS:
                self._heard.append(self._no_longer_silent(key))
        self._plan()

    def _listen(self) -> None:
        self._loop.add_reader(self._listener, self._take)

    def _count(self) -> int:
        return len(self._silent.get_map()) + len(self._heard) + len(self._entering)

    def _take(self) -> None:
        """Take who has come; most have said what they want by then."""
        now = self._loop.time()
        until = perf_counter() + TAKING_SECONDS
        while perf_counter() < until:
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                break
            except OSError as error:
                log.error("connections cannot be taken; trying again in a second", error=str(error))
                self._loop.remove_reader(self._listener)
                self._pause = self._loop.call_later(PAUSE_SECONDS, self._listen)
                break
            if len(self._inside) + self._count() >= self._most:
                connection.close()
                continue
            connection.setblocking(False)
            self._silent.register(connection, selectors.EVENT_READ, now)
        self._hear()

    def _hear(self) -> None:
        """See who has said something, and let in at once who asks whether the process lives."""
        for key, _ in self._silent.select(0):
            connection = self._no_longer_silent(key)
            if _asks_whether_it_lives(connection):
                self._enter(connection)
            else:
                self._heard.append(connection)
        self._plan()

    def _no_longer_silent(self, key: selectors.SelectorKey) -> socket.socket:
        self._silent.unregister(key.fileobj)
        return cast("socket.socket", key.fileobj)

    def _plan(self) -> None:
        if self._heard and not self._is_letting_in:
            self._is_letting_in = True
            self._loop.call_soon(self._let_in)

    def _let_in(self) -> None:
        for _ in range(LET_IN):
            if self._heard:
                self._enter(self._heard.popleft())
        self._is_letting_in = False
        self._plan()

    def _enter(self, connection: socket.socket) -> None:
        task: asyncio.Task[object] = self._loop.create_task(
            self._loop.connect_accepted_socket(self._protocol, connection)
        )
        self._entering.add(task)
        task.add_done_callback(self._entering.discard)


def _asks_whether_it_lives(connection: socket.socket) -> bool:
    try:
        return connection.recv(_LOOKED_AT_BYTES, socket.MSG_PEEK).startswith(LIVENESS)
    except OSError:  # it has gone; its protocol will be told
        return False
