"""For operators: whether the process lives, whether it can answer, and which version it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from fastapi import APIRouter, Request, Response
from sqlalchemy.exc import SQLAlchemyError

from index.errors import NoGeneration
from ingest.article import ArticleId, IngestError
from service.api.errors import (
    NotReady,
    Overloaded,
    problem_of,
    problem_response,
    request_id_of,
    responses,
)
from service.api.fields import ResponseModel
from service.api.state import STARTING, ApiState, StateNow
from service.metrics import CONTENT_TYPE
from service.version import byline_version

router = APIRouter(tags=["operations"])


class LiveOut(ResponseModel):
    """The process runs."""

    status: Literal["alive"] = "alive"


class EmbeddingOut(ResponseModel):
    """What embeds questions, and why that; see the setting `embedding_runtime`."""

    runtime: str
    precision: str
    why: str


class ReadyOut(ResponseModel):
    """Questions can be answered; `problems` says what is wrong all the same."""

    status: Literal["ready"] = "ready"
    generation: str
    embedding: EmbeddingOut
    problems: list[str]


class VersionOut(ResponseModel):
    """Which program this is."""

    name: Literal["byline"] = "byline"
    version: str


_NO_STORE = {"Cache-Control": "no-store"}
_STOPPING = "shutdown: the server is about to stop"


@router.head("/livez", include_in_schema=False)
@router.get("/livez")
async def livez(response: Response) -> LiveOut:
    """Say that the process runs, and nothing else."""
    response.headers.update(_NO_STORE)
    return LiveOut()


@router.head("/readyz", include_in_schema=False, response_model=None)
@router.get("/readyz", response_model=ReadyOut, responses=responses(503))
async def readyz(request: Request, response: Response, state: StateNow) -> Response | ReadyOut:
    """Say whether questions can be answered, by which generation, and what is wrong all the same."""
    response.headers.update(_NO_STORE)
    if state.opening.parts is None:
        return _not_ready(request, _STOPPING if state.stopping else STARTING, retry_after=1)
    try:
        failure = await state.storage.run(failing_check, state)
    except Overloaded as error:
        failure = f"storage: {error}"
    generation = _generation(state)
    problems = [str(problem) for problem in state.parts.live.problems]
    problems.extend(state.parts.conversations.problems)
    problems.extend(state.parts.replies.problems)
    problems.extend(_other_engine(state))
    if state.parts.assistant.llm_problem is not None:
        problems.append(state.parts.assistant.llm_problem)
    if failure is None and generation is not None:
        return ReadyOut(generation=generation, embedding=_embedding(state), problems=problems)
    failure = failure or "index: there is none"
    return _not_ready(request, failure, retry_after=5, generation=generation, problems=problems)


def _embedding(state: ApiState) -> EmbeddingOut:
    embedding = state.parts.embedding
    return EmbeddingOut(runtime=embedding.engine.runtime, precision=embedding.engine.precision, why=embedding.why)


def _other_engine(state: ApiState) -> Iterator[str]:
    """Say where questions are embedded otherwise than the passages were; all engines agree, so they are answered."""
    try:
        generation = state.parts.live.searcher().generation
    except NoGeneration:
        return
    made_with, asked_with = generation.manifest.embedding.engine, state.parts.embedding.engine
    if made_with != asked_with:
        yield (
            f"generation {generation.name} was embedded by {made_with}, questions are by {asked_with}; "
            "start the server again, or build the index anew where it cannot run that"
        )


def _not_ready(
    request: Request,
    failure: str,
    *,
    retry_after: int,
    generation: str | None = None,
    problems: Sequence[str] = (),
) -> Response:
    problem = problem_of(NotReady(failure), request_id_of(request))
    headers = _NO_STORE | {"Retry-After": str(retry_after)}
    return problem_response(problem, headers, extra={"generation": generation, "problems": list(problems)})


@router.head("/metrics", include_in_schema=False)
@router.get(
    "/metrics",
    response_class=Response,
    responses=responses(503)
    | {200: {"description": "Metrics.", "content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def show_metrics(state: StateNow) -> Response:
    """Give all metrics in Prometheus' text format."""
    text = await state.scrapes.run(state.metrics.render)
    return Response(text, headers=_NO_STORE | {"Content-Type": CONTENT_TYPE})


@router.get("/version")
async def show_version(response: Response) -> VersionOut:
    """Say which version of Byline this is."""
    response.headers.update(_NO_STORE)
    return VersionOut(version=byline_version())


def failing_check(state: ApiState) -> str | None:
    """Say why questions cannot be answered, beginning with the check's name; None where they can."""
    if state.stopping:
        return _STOPPING
    try:
        state.parts.library.get(ArticleId("readyz"))
    except (SQLAlchemyError, IngestError) as error:
        return f"library: {getattr(error, 'orig', error)}"
    try:
        state.parts.live.searcher()
    except NoGeneration as error:
        return f"index: {error}"
    return None


def _generation(state: ApiState) -> str | None:
    try:
        return state.parts.live.searcher().generation.name
    except NoGeneration:
        return None
