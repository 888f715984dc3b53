"""The pages for people: the chat at `/`, an article at `/articles/{id}`, the API at `/docs`, and the files of them.

They hold no data: what they show, their scripts ask of the API, with the reader's key where there are keys.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.api.errors import NotFound

router = APIRouter(include_in_schema=False)

_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        # No script may make markup out of text, ours included.
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)

_HEADERS = {
    # Kept, and asked for again each time: a new version of the server is a new page at once.
    "Cache-Control": "no-cache",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, slots=True)
class _File:
    """A file of the pages, as it is sent."""

    content: bytes
    media_type: str
    tag: str


@cache
def _files() -> dict[str, _File]:
    """Read all files of the pages, by their names; no other name leads to a file."""
    files = {}
    for entry in resources.files("service").joinpath("web").iterdir():
        media_type = _MEDIA_TYPES.get(f".{entry.name.rpartition('.')[2]}")
        if media_type is not None:
            content = entry.read_bytes()
            files[entry.name] = _File(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"')
    return files


@router.api_route("/", methods=["GET", "HEAD"])
async def chat_page(request: Request) -> Response:
    """Give the chat page."""
    return _send("index.html", request)


@router.api_route("/articles/{article_id}", methods=["GET", "HEAD"])
async def article_page(article_id: str, request: Request) -> Response:
    """Give the page of any article; whether there is one, its script learns from the API."""
    return _send("article.html", request)


@router.api_route("/docs", methods=["GET", "HEAD"])
async def docs_page(request: Request) -> Response:
    """Give the page that describes the API; its script reads the OpenAPI document."""
    return _send("docs.html", request)


@router.api_route("/web/{name}", methods=["GET", "HEAD"])
async def page_file(name: str, request: Request) -> Response:
    """Give a style, script or picture of the pages."""
    return _send(name, request)


@router.api_route("/favicon.ico", methods=["GET", "HEAD"])
async def favicon(request: Request) -> Response:
    """Give the icon where browsers look for it unasked."""
    return _send("favicon.svg", request)


def _send(name: str, request: Request) -> Response:
    file = _files().get(name)
    if file is None:
        raise NotFound("there is no file of this name")
    headers = _HEADERS | {"ETag": file.tag}
    given = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if file.tag in given:
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers=headers, media_type=file.media_type)
