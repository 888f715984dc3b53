"""Addresses of articles: their own, or that of the page by which this server shows one with the quote marked."""

from __future__ import annotations

import re
from urllib.parse import quote

from fastapi import Request

from service.answering.answer import Citation

# What can stand in an address; a header says whatever its sender likes.
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_PORTS = {"http": 80, "https": 443}


def base_url_of(request: Request, public_url: str | None) -> str:
    """Give the address by which clients reach this server, without a slash at its end.

    Args:
        request: Tells it where no setting does.
        public_url: The setting.
    """
    if public_url is not None:
        return public_url.rstrip("/")
    scheme, host = request.scope["scheme"], request.headers.get("host", "")
    return f"{scheme}://{host if _HOST.fullmatch(host) else _own_host(request, scheme)}"


def _own_host(request: Request, scheme: str) -> str:
    name, port = request.scope.get("server") or ("localhost", None)
    host = f"[{name}]" if ":" in name else name
    return host if port is None or port == _PORTS.get(scheme) else f"{host}:{port}"


def article_url(citation: Citation, base_url: str) -> str:
    """Give the article's own address, or where it has none that of its page, with the quote marked."""
    if citation.url is not None:
        return citation.url
    return f"{base_url}/articles/{quote(citation.article_id, safe='')}#c={citation.start}-{citation.end}"
