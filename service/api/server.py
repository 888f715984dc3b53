"""The server process: uvicorn around the application, with limits and an end that streams are told of."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, cast

import uvicorn

from service.api.access import is_loopback
from service.api.app import build_app
from service.api.connections import LOOK_SECONDS, SPARE_CONNECTIONS, Connection, connection_class
from service.api.opening import Opening
from service.api.reception import Reception
from service.api.requests import MAX_HEAD_BYTES
from service.api.state import ApiState
from service.errors import ServiceError, WrongUse
from service.keys import KEYS_FILE, KeyRing
from service.logs import configure_logging, level_named
from service.memory import give_memory_back

if TYPE_CHECKING:
    from service.assembly import Parts
    from service.settings import Settings

SHUTDOWN_SECONDS = 4
"""What open requests get after a signal; then their connections are closed."""

CUT_SECONDS = 3
"""What clients get after a signal to take what was sent to them; then their connections are cut."""

SWITCH_SECONDS = 0.0005
"""How long a thread keeps the interpreter while others want it, a tenth of Python's own: the event loop, which gives
it up with every byte that it reads or sends, waits so long each time."""

_KEEP_ALIVE_SECONDS = 7
"""How long an idle connection is kept. Longer than the 5 s after which httpx, and with it openai's client, lets go of
one: were it the same, a question could set out while the server hangs up, and would get no answer."""

MANY_CONNECTIONS = 100
"""When most of so many have gone, the memory that they took is given back."""

_IN_LINE = 4_096
"""Connections that the system keeps until they are taken, if it allows as many."""


class ServeError(ServiceError):
    """The server cannot start as asked for; the message says why."""


class PublicHostRefused(ServeError, WrongUse):
    """The host would let others in, and there are no API keys to tell who may."""


class PortUnavailable(ServeError):
    """Nothing can listen at the host and port."""


class _Server(uvicorn.Server):
    """Opens the parts while it serves, and tells the application of a signal before it waits for open connections."""

    def __init__(
        self,
        config: uvicorn.Config,
        state: ApiState,
        on_listening: Callable[[], None],
        on_ready: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._state = state
        self._on_listening = on_listening
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, say so, and begin to open the parts."""
        await super().startup([])  # the base would let in whoever comes, in the order in which they come
        kind = cast("type[Connection]", self.config.http_protocol_class)
        make = partial(kind, config=self.config, server_state=self.server_state, app_state=self.lifespan.state)
        most = kind.limit + SPARE_CONNECTIONS
        self._receptions = [Reception(one, make, self.server_state.connections, most) for one in sockets or ()]
        for reception in self._receptions:
            reception.open()
        self._on_listening()
        loop = asyncio.get_running_loop()

        def over() -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._opened)

        self._state.opening.when_over(over)
        self._state.opening.start()
        self._looking = loop.create_task(self._look())

    async def _look(self) -> None:
        """Let go of clients that are too slow, and of what many took once most of them have gone, for ever."""
        loop, most = asyncio.get_running_loop(), 0
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for reception in self._receptions:
                reception.look(loop.time())
            connections = self._connections()
            for connection in connections:
                connection.look(loop.time())
            most = max(most, len(connections))
            if most >= MANY_CONNECTIONS and len(connections) < most // 4:
                most = len(connections)
                await loop.run_in_executor(None, give_memory_back)

    def _connections(self) -> list[Connection]:
        return [one for one in self.server_state.connections if isinstance(one, Connection)]

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End all connections: those that do not end by themselves are cut."""
        while self._receptions:  # none is looked at any more once it is closed
            self._receptions.pop().close()
        loop = asyncio.get_running_loop()
        loop.call_later(CUT_SECONDS, self._cut)
        if self._state.opening.parts is not None:
            # Beside the waiting for connections: both take seconds.
            loop.run_in_executor(None, self._state.opening.parts.builds.close)
        await super().shutdown(sockets)
        self._looking.cancel()
        with suppress(asyncio.CancelledError):
            await self._looking

    def _cut(self) -> None:
        for connection in self._connections():
            connection.outlet.abort()

    def _opened(self) -> None:
        if self._state.opening.parts is None:
            self._stop()
        elif not self.should_exit:
            self._on_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop at the first signal, at once at the second.

        The base would raise the signal again after a good end, and so make the exit code that of a crash.
        """
        if self.should_exit:
            self.force_exit = True
        self._stop()

    def _stop(self) -> None:
        self._state.stopping = True
        self.should_exit = True


def serve(
    settings: Settings,
    open_parts: Callable[[], Parts],
    *,
    on_listening: Callable[[str], None] = lambda _: None,
    on_ready: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve until SIGTERM or SIGINT; the parts are closed then.

    The server answers `/livez` while the parts are opened. If it is told to stop before they are open, it ends the
    process, with exit code 0: what is being opened cannot be told to stop.

    Args:
        settings: Where to listen, and the limits.
        open_parts: Opens what to serve, such as `service.assembly.assemble`; called in a thread of its own.
        on_listening: Called with host and port, as "127.0.0.1:8000", once connections are accepted.
        on_ready: Called with the same once the parts are open.

    Raises:
        PublicHostRefused: The host is not a loopback one, and there are no API keys.
        PortUnavailable: Nothing can listen there.
        Exception: What `open_parts` raised.
    """
    host = settings.host
    require_access_control(settings)
    sys.setswitchinterval(SWITCH_SECONDS)
    configure_logging(level_named(settings.log_level), settings.log_format)
    with _listen(host, settings.port) as listener:
        place = f"{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
        opening = Opening(settings, open_parts)
        app = build_app(opening)
        config = uvicorn.Config(
            app,
            http=connection_class(app.state.byline),
            ws="none",
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=settings.trusted_proxies,
            access_log=False,
            log_config=None,
        )
        server = _Server(config, app.state.byline, lambda: on_listening(place), lambda: on_ready(place))
        server.run(sockets=[listener])
    if opening.failure is not None:
        raise opening.failure
    if not opening.is_over:
        # Its thread may be in a library that the interpreter cannot end without a crash; nothing is left to be done.
        sys.stderr.flush()
        os._exit(0)


def require_access_control(settings: Settings) -> None:
    """Refuse a host that other machines can reach, unless API keys say who may ask.

    Raises:
        PublicHostRefused: It is not a loopback one, and there is no key that works.
        KeysUnavailable: The file of the keys cannot be read.
    """
    if is_loopback(settings.host):
        return
    keys = KeyRing(settings.data / KEYS_FILE)
    known = keys.any_active
    keys.close()
    if not known:
        raise PublicHostRefused(
            f"host {settings.host!r} can be reached from other machines, and no API key says who may ask; "
            "make one with 'byline keys create NAME', or use 127.0.0.1"
        )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=_IN_LINE)
    except OSError as error:
        raise PortUnavailable(
            f"cannot listen on {host} port {port} ({error.strerror or error}); "
            "name another --port, or stop what listens there"
        ) from error
    # Connections inherit it. Without it the second packet of every reply waits 40 ms for the first one's receipt:
    # asyncio sets it only on sockets that name their protocol, which create_server's do not.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
