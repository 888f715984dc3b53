"""The index: what is served, builds and how far they are, going back to an earlier generation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from index.errors import NoGeneration
from service.api.access import ADMIN, READ, REFUSALS, WRITE
from service.api.errors import (
    ApiError,
    Conflict,
    NotFound,
    Overloaded,
    ShuttingDown,
    TooSlow,
    problem_of,
    request_id_of,
    responses,
)
from service.api.events import EVENT_STREAM, KEEPALIVE, EventStream, described, event
from service.api.index_schemas import (
    BuildOut,
    BuildRequest,
    GenerationOut,
    IndexOut,
    PendingOut,
    RollbackRequest,
    VectorIndexOut,
)
from service.api.keyed import KEY_PARAMETER, KeyedRoute
from service.api.requests import STREAM_SECONDS
from service.api.state import ApiState, State
from service.jobs import BuildJob

router = APIRouter(prefix="/v1/index", tags=["index"], route_class=KeyedRoute, responses=REFUSALS)

_AS_USUAL = BuildRequest()
_KEEPALIVE_SECONDS = 15.0
_LOOK_SECONDS = 0.2
"""Between two looks at a build that is followed; its record is written no more often."""


@router.get("", responses=responses(503), dependencies=[READ])
async def show_index(state: State) -> IndexOut:
    """Say what is served, and what the next build would change."""
    return await state.storage.run(_describe, state)


@router.post(
    "/rollback",
    responses=responses(400, 404, 408, 409, 413, 415, 422, 503),
    dependencies=[ADMIN],
    openapi_extra=KEY_PARAMETER,
)
async def roll_back(body: RollbackRequest, state: State) -> IndexOut:
    """Serve another generation that is kept, older or newer."""
    return await state.storage.run(_roll_back, state, body.generation)


@router.post(
    "/builds",
    status_code=202,
    response_model=BuildOut,
    dependencies=[WRITE],
    responses=responses(400, 408, 409, 413, 415, 422, 503),
    openapi_extra=KEY_PARAMETER,
)
async def start_build(state: State, body: BuildRequest = _AS_USUAL) -> Response:
    """Bring the index up to date in the background; while a build runs, that one is given."""
    if state.stopping:
        raise ShuttingDown("the server is shutting down; build again when it is back")
    job = await state.storage.run(state.parts.builds.start, body.full)
    return JSONResponse(
        _out(job).model_dump(mode="json"),
        status_code=202,
        headers={"Location": f"/v1/index/builds/{job.id}"},
    )


async def _job(build_id: str, state: ApiState) -> BuildJob:
    job = await state.storage.run(state.parts.builds.get, build_id)
    if job is None:
        raise NotFound("there is no build of this id; the last 50 are kept")
    return job


@router.get("/builds/{build_id}", responses=responses(404, 422, 503), dependencies=[READ])
async def show_build(build_id: str, state: State) -> BuildOut:
    """Say how far a build is."""
    return _out(await _job(build_id, state))


@router.get(
    "/builds/{build_id}/events",
    dependencies=[READ],
    response_class=Response,  # EventStream would be described as one text
    responses=responses(404, 422, 503)
    | {200: {"description": "Events.", "content": {EVENT_STREAM: described("progress", "done", "error")}}},
)
async def watch_build(build_id: str, request: Request, state: State) -> EventStream:
    """Follow a build: `progress` events, then one `done` (the build) or `error` (a problem)."""
    return EventStream(_build_events(await _job(build_id, state), state, request_id_of(request)))


@router.delete("/builds/{build_id}", status_code=204, responses=responses(404, 409, 422, 503), dependencies=[WRITE])
async def cancel_build(build_id: str, state: State) -> None:
    """Stop a build at its next step; the index stays as it is."""
    job = await _job(build_id, state)
    if not await state.storage.run(state.parts.builds.cancel, job.id):
        raise Conflict("the build has ended already; there is nothing to cancel")


async def _build_events(job: BuildJob | None, state: ApiState, request_id: str) -> AsyncIterator[bytes]:
    """Give the changes of a build, which may run in any process: its record is looked at now and then."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + STREAM_SECONDS
    job_id, seen, said_at = job.id if job else "", -1, loop.time()
    while True:
        ending = _ending(job, late=loop.time() > deadline, stopping=state.stopping)
        if isinstance(ending, ApiError):
            yield event("error", problem_of(ending, request_id))
            return
        if ending is not None:
            yield event("done", _out(ending))
            return
        if job is not None and job.version != seen:
            seen, said_at = job.version, loop.time()
            yield event("progress", _out(job))
        elif loop.time() - said_at >= _KEEPALIVE_SECONDS:
            said_at = loop.time()
            yield KEEPALIVE
        await asyncio.sleep(_LOOK_SECONDS)
        with suppress(Overloaded):  # it is seen a little later
            job = await state.storage.run(state.parts.builds.get, job_id)


def _ending(job: BuildJob | None, *, late: bool, stopping: bool) -> BuildJob | ApiError | None:
    """Give what ends a stream: the build that is done, an error, or None while it goes on."""
    if job is None:
        return NotFound("the build is no longer kept")
    if job.state == "failed":
        return Conflict(f"the build failed: {job.error}")
    if stopping and job.state != "succeeded":  # it may be cancelled by now, for that very reason
        return ShuttingDown("shutting down; the build is cancelled and the index kept")
    if job.finished:
        return job
    if late:
        return TooSlow("the stream has reached its time limit; ask for it again, the build goes on")
    return None


def _out(job: BuildJob) -> BuildOut:
    return BuildOut.model_validate(job)


def _roll_back(state: ApiState, generation: str) -> IndexOut:
    catalog = state.parts.catalog
    if generation not in catalog.names():
        raise NotFound("there is no such generation; GET /v1/index lists those that are kept", pointer="#/generation")
    catalog.rollback(generation)
    state.parts.live.refresh()
    return _describe(state)


def _describe(state: ApiState) -> IndexOut:
    parts = state.parts
    wanted = parts.library.digests()
    try:
        served = parts.live.searcher().generation
    except NoGeneration:
        served = None
    held = served.manifest.articles if served is not None else {}
    return IndexOut(
        generation=served.name if served else None,
        built_at=served.manifest.built_at if served else None,
        articles=served.manifest.counts.articles if served else 0,
        chunks=served.manifest.counts.chunks if served else 0,
        embedding_model=served.manifest.embedding.model if served else parts.settings.embedding_model,
        dimension=served.manifest.embedding.dimension if served else None,
        pending=PendingOut(
            added=sum(article not in held for article in wanted),
            updated=sum(article in held and held[article] != digest for article, digest in wanted.items()),
            removed=sum(article not in wanted for article in held),
        ),
        generations=[
            GenerationOut(generation=name, served=served is not None and name == served.name)
            for name in parts.catalog.names()
        ],
        vector_index=VectorIndexOut.model_validate(served.manifest.dense) if served else None,
        problems=[str(problem) for problem in parts.live.problems],
    )
