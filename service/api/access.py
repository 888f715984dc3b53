"""Who may do what: keys and scopes, shares of the server, and requests that a browser was tricked into.

Where there are keys, `/v1/` is open to nobody without one. Without keys everybody who reaches the server may do
everything, which is why it listens on loopback only then; but a browser on that machine runs other people's pages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil
from time import time
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.errors import HEADERS_KEY, ApiError, KeyRequired, NotAllowed, TooManyRequests, WrongHost, responses
from service.keys import SCOPES, KeyRing
from service.keys import Scope as KeyScope
from service.settings import Settings

CALLER_KEY = "byline.caller"
"""Where in the ASGI scope the caller stands."""

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: an API key, or, where there are none, anybody on this machine.

    `owner` is the id of the key, "" without keys; conversations belong to it.
    """

    owner: str
    scopes: frozenset[KeyScope]


_BEARER = HTTPBearer(auto_error=False, description="Where there are API keys; see `byline keys`.")

LOCAL = Caller("", frozenset(SCOPES))


class AccessGate:
    """ASGI middleware that lets in to `/v1/` who may; what it raises, `RequestGate` answers."""

    def __init__(self, app: ASGIApp, *, settings: Settings, keys: KeyRing) -> None:
        self._app = app
        self._keys = keys
        # Who began in public must not become open to all by losing the file of its keys.
        self._public = not is_loopback(settings.host)
        self._hosts = frozenset(host.lower() for host in settings.allowed_hosts)
        self._origins = frozenset(settings.cors_origins)
        self._shares = _Shares(settings.requests_per_minute, settings.concurrent_requests)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request.

        Raises:
            KeyRequired: It carries no key that works, and needs one.
            WrongHost, NotAllowed: A page of another site seems to have sent it.
            TooManyRequests: Its caller has used up its share.
            KeysUnavailable: The file of the keys cannot be read.
        """
        if scope["type"] != "http" or not _needs_caller(scope["path"]):
            await self._app(scope, receive, send)
            return
        share = _network(scope)
        try:
            caller = self._caller(Headers(scope=scope), scope["method"])
        except ApiError:
            self._shares.count(share, scope)  # a wrong key counts as well, for its address
            raise
        share = caller.owner or share
        self._shares.count(share, scope)
        scope[CALLER_KEY] = caller
        with self._shares.running(share):
            await self._app(scope, receive, send)

    def _caller(self, headers: Headers, method: str) -> Caller:
        if not (self._public or self._keys.are_required):
            self._check_browser(headers, method)
            return LOCAL
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            raise KeyRequired("send an API key, as 'Authorization: Bearer KEY'; 'byline keys create' makes one")
        key = self._keys.find(token.strip())
        if key is None:
            raise KeyRequired("the API key is not known here, or was revoked")
        return Caller(key.id, key.scopes)

    def _check_browser(self, headers: Headers, method: str) -> None:
        """Refuse what a page of another site makes a browser on this machine send."""
        host = headers.get("host", "")
        # By a name of its own that points to this machine, a site would pass for ours (DNS rebinding).
        if not (is_loopback(_name_of(host)) or _name_of(host) in self._hosts):
            raise WrongHost(
                "the header Host names none of this server's hosts; use 127.0.0.1 or localhost, "
                "or add the name to the setting allowed_hosts"
            )
        if method in _SAFE_METHODS:
            return
        if headers.get("origin") not in self._origins and _is_foreign(headers, host):
            raise NotAllowed("the page of another site sent this; add the site to the setting cors_origins")


class _Shares:
    """What each caller has used: requests in the last minute, and those that run. The share None has no limit."""

    def __init__(self, per_minute: int, at_once: int) -> None:
        self._per_minute = RateLimitItemPerMinute(per_minute) if per_minute else None
        self._at_once = at_once
        self._windows = MovingWindowRateLimiter(MemoryStorage())
        self._running: Counter[str] = Counter()

    def count(self, share: str | None, scope: Scope) -> None:
        """Count a request, and put what is left into the headers of its response.

        Raises:
            TooManyRequests: Nothing is.
        """
        if self._per_minute is None or share is None:
            return
        let_in = self._windows.hit(self._per_minute, share)
        window = self._windows.get_window_stats(self._per_minute, share)
        seconds = max(1, ceil(window.reset_time - time()))
        scope[HEADERS_KEY] = {
            "RateLimit-Limit": str(self._per_minute.amount),
            "RateLimit-Remaining": str(max(0, window.remaining)),
            "RateLimit-Reset": str(seconds),
        }
        if not let_in:
            raise TooManyRequests(
                f"more than {self._per_minute.amount} requests within a minute; try again in {seconds} s",
                retry_after=seconds,
            )

    @contextmanager
    def running(self, share: str | None) -> Iterator[None]:
        """Let a request run beside the others of its caller.

        Raises:
            TooManyRequests: As many as may run do so already.
        """
        if not self._at_once or share is None:
            yield
            return
        if self._running[share] >= self._at_once:
            raise TooManyRequests(
                f"more than {self._at_once} requests at the same time; wait for the others", retry_after=1
            )
        self._running[share] += 1
        try:
            yield
        finally:
            self._running[share] -= 1
            if not self._running[share]:
                del self._running[share]


class Needs:
    """Dependency of a route: gives the caller, who must have a scope."""

    def __init__(self, scope: KeyScope) -> None:
        self._scope = scope

    async def __call__(
        self,
        request: Request,
        _key: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    ) -> Caller:
        """Give the caller.

        Raises:
            NotAllowed: Its key lacks the scope.
        """
        caller = request.scope[CALLER_KEY]
        if not isinstance(caller, Caller):
            raise TypeError(f"scope[{CALLER_KEY!r}] is a {type(caller).__name__}; build the application by build_app()")
        if self._scope not in caller.scopes:
            raise NotAllowed(f"the API key lacks the scope '{self._scope}'; 'byline keys create' makes one that has it")
        return caller


REFUSALS = responses(401, 403, 421, 429, 503)
"""What every route that needs a caller may answer."""

READ, WRITE, ADMIN = Depends(Needs("read")), Depends(Needs("write")), Depends(Needs("admin"))
Reader = Annotated[Caller, READ]
"""The caller of a route that takes one with the scope "read"."""


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach a host that is listened at."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _needs_caller(path: str) -> bool:
    return path.startswith("/v1/") or path == "/v1"


def _network(scope: Scope) -> str | None:
    """Give whom an address stands for: itself, its /64 in IPv6, which is one customer's, or, on loopback, nobody."""
    try:
        address = ip_address(scope["client"][0])
    except (KeyError, TypeError, ValueError):
        return None  # not over a network
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return None if address.is_loopback else str(ip_network((address, 64), strict=False))
        address = address.ipv4_mapped
    return None if address.is_loopback else str(address)


def _name_of(host: str) -> str:
    """Give the name in a header Host, without the port; "" where it is none."""
    try:
        parts = urlsplit(f"//{host}")
        return (parts.hostname or "") if parts.netloc == host and "@" not in host else ""
    except ValueError:
        return ""


def _is_foreign(headers: Headers, host: str) -> bool:
    origin = headers.get("origin")
    if origin is not None:
        _, _, place = origin.partition("://")
        return place.lower() != host.lower()
    return headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
