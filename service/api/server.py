"""The server process: uvicorn around the application, with limits and an end that streams are told of."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from service.api.app import build_app
from service.api.requests import MAX_HEAD_BYTES
from service.api.state import ApiState
from service.assembly import Parts
from service.errors import ServiceError, WrongUse
from service.logs import configure_logging

SHUTDOWN_SECONDS = 4
"""What open requests get after a signal; then their connections are closed."""

_KEEP_ALIVE_SECONDS = 5


class ServeError(ServiceError):
    """The server cannot start as asked for; the message says why."""


class PublicHostRefused(ServeError, WrongUse):
    """The host would let others in, and there are no API keys to tell who may."""


class PortUnavailable(ServeError):
    """Nothing can listen at the host and port."""


class _Server(uvicorn.Server):
    """Tells the application of a signal before it waits for open connections."""

    def __init__(self, config: uvicorn.Config, state: ApiState, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._state = state
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        if self.started:
            self._on_started()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop at the first signal, at once at the second.

        The base would raise the signal again after a good end, and so make the exit code that of a crash.
        """
        self._state.stopping = True
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True


def serve(parts: Parts, host: str, port: int, on_ready: Callable[[str], None] = lambda _: None) -> None:
    """Serve until SIGTERM or SIGINT; the parts are closed then.

    Args:
        parts: What to serve.
        host: A loopback address or name.
        port: 0 for any free one.
        on_ready: Called with the base URL once connections are accepted.

    Raises:
        PublicHostRefused: The host is not a loopback one.
        PortUnavailable: Nothing can listen there.
    """
    require_loopback(host)
    configure_logging()
    app = build_app(parts)
    with _listen(host, port) as listener:
        place = f"[{host}]" if ":" in host else host
        url = f"http://{place}:{listener.getsockname()[1]}"
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            server_header=False,
            proxy_headers=False,
            access_log=False,
            log_config=None,
        )
        _Server(config, app.state.byline, lambda: on_ready(url)).run(sockets=[listener])


def require_loopback(host: str) -> None:
    """Refuse a host that other machines can reach.

    Raises:
        PublicHostRefused: It is not a loopback address or "localhost".
    """
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback:
        raise PublicHostRefused(
            f"host {host!r} can be reached from other machines, and no API keys say who may ask; "
            "use 127.0.0.1, and in front of it a proxy that checks its users"
        )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise PortUnavailable(
            f"cannot listen on {host} port {port} ({error.strerror or error}); "
            "name another --port, or stop what listens there"
        ) from error
    # Connections inherit it. Without it the second packet of every reply waits 40 ms for the first one's receipt:
    # asyncio sets it only on sockets that name their protocol, which create_server's do not.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
