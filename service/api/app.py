"""The application, built from its parts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig
from starlette.middleware.cors import CORSMiddleware

from service.api import articles, chat, explaining, index, openai, operations, pages, search
from service.api.access import AccessGate
from service.api.errors import Problem, install_handlers
from service.api.gauges import StateCollector, watch_loop
from service.api.observing import Observer
from service.api.openai_errors import OpenAiError
from service.api.openai_requests import OPENAI_HEADERS
from service.api.opening import Opening
from service.api.requests import RequestGate
from service.api.state import ApiState
from service.keys import KEYS_FILE, KeyRing
from service.version import byline_version

if TYPE_CHECKING:
    from service.assembly import Parts

ROUTERS: tuple[APIRouter, ...] = (
    chat.router,
    explaining.router,
    openai.router,
    search.router,
    articles.router,
    index.router,
    operations.router,
    pages.router,
)

_DESCRIPTION = (
    "Answers questions from a collection of articles; every sentence of an answer names the exact words of "
    "the article it rests on. Offsets count Unicode code points of an article's `text`."
)

_NO_TELEMETRY: TelemetryConfig = {"auto_configure": False, "tracing": False, "metrics": False, "logs": False}


class BylineApi(FastAPI):
    """FastAPI whose document describes the errors as they are sent."""

    def openapi(self) -> dict[str, Any]:
        """Give the OpenAPI document."""
        if self.openapi_schema is None:
            document = super().openapi()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            for model in (Problem, OpenAiError):
                schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
                schemas.update(schema.pop("$defs", {}))
                schemas[model.__name__] = schema
        return super().openapi()


def build_app(parts: Parts | Opening) -> FastAPI:
    """Build the application over parts; it closes them when it ends.

    Args:
        parts: What `service.assembly.assemble` gave, or fakes of it; or their opening, which may not be over yet:
            what needs the parts waits for them then.
    """
    opening = parts if isinstance(parts, Opening) else Opening.of(parts)
    state = ApiState.of(opening)
    state.metrics.registry.register(StateCollector(state))
    app = BylineApi(
        title="Byline",
        summary="Cited answers from articles",
        description=_DESCRIPTION,
        version=byline_version(),
        lifespan=_lifespan(state),
        # Both would run scripts of other hosts where a reader's key is; `pages` has a page of ours.
        docs_url=None,
        redoc_url=None,
        # A redirect would take its address from the header Host.
        redirect_slashes=False,
        # Nothing is sent but where the settings say, whatever OTEL_… variables the environment happens to hold.
        telemetry=state.tracing.of_requests if state.tracing is not None else _NO_TELEMETRY,
    )
    app.state.byline = state
    for router in ROUTERS:
        app.include_router(router)
    install_handlers(app, _methods())
    app.add_middleware(AccessGate, settings=opening.settings, keys=KeyRing(opening.settings.data / KEYS_FILE))
    app.add_middleware(
        RequestGate,
        max_body_bytes=opening.settings.max_body_bytes,
        timeout_seconds=opening.settings.request_timeout_seconds,
        observer=Observer(state.metrics, log_questions=opening.settings.log_questions, tracing=state.tracing),
        paths={
            articles.FILES_PATH: (opening.settings.max_upload_bytes, opening.settings.upload_timeout_seconds),
        },
        refuses=state.refuses,
    )
    if opening.settings.cors_origins:
        # Outermost: a page must be able to read a refusal, too.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=opening.settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=[
                "Authorization",
                "Content-Type",
                "Idempotency-Key",
                "If-None-Match",
                "X-Request-ID",
                *OPENAI_HEADERS,
            ],
            expose_headers=[
                "ETag",
                "Location",
                "RateLimit-Limit",
                "RateLimit-Remaining",
                "RateLimit-Reset",
                "Retry-After",
                "X-Request-ID",
            ],
        )
    return app


def _lifespan(state: ApiState) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    def watch() -> None:
        if state.opening.parts is not None:
            state.opening.parts.live.watch()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        state.opening.when_over(watch)
        watching_loop = asyncio.create_task(watch_loop(state.metrics))
        try:
            yield
        finally:
            watching_loop.cancel()
            await asyncio.to_thread(state.close)

    return lifespan


def _methods() -> dict[str, set[str]]:
    methods: dict[str, set[str]] = {}
    for router in ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute):
                methods.setdefault(route.path, set()).update(route.methods or ())
    return methods
