"""For operators: whether the process lives, whether it can answer, and which version it is."""

from __future__ import annotations

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
from service.api.schemas import LiveOut, ReadyOut, VersionOut
from service.api.state import ApiState, State
from service.version import byline_version

router = APIRouter(tags=["operations"])

_NO_STORE = {"Cache-Control": "no-store"}


@router.head("/livez", include_in_schema=False)
@router.get("/livez")
async def livez(response: Response) -> LiveOut:
    """Say that the process runs, and nothing else."""
    response.headers.update(_NO_STORE)
    return LiveOut()


@router.head("/readyz", include_in_schema=False, response_model=None)
@router.get("/readyz", response_model=ReadyOut, responses=responses(503))
async def readyz(request: Request, response: Response, state: State) -> Response | ReadyOut:
    """Say whether questions can be answered, by which generation, and what is wrong all the same."""
    response.headers.update(_NO_STORE)
    try:
        failure = await state.storage.run(_failing_check, state)
    except Overloaded as error:
        failure = f"storage: {error}"
    generation = _generation(state)
    problems = [str(problem) for problem in state.parts.live.problems]
    problems.extend(state.parts.conversations.problems)
    if state.parts.assistant.llm_problem is not None:
        problems.append(state.parts.assistant.llm_problem)
    if failure is None and generation is not None:
        return ReadyOut(generation=generation, problems=problems)
    problem = problem_of(NotReady(failure or "index: there is none"), request_id_of(request))
    return problem_response(
        problem, _NO_STORE | {"Retry-After": "5"}, extra={"generation": generation, "problems": problems}
    )


@router.get("/version")
async def show_version(response: Response) -> VersionOut:
    """Say which version of Byline this is."""
    response.headers.update(_NO_STORE)
    return VersionOut(version=byline_version())


def _failing_check(state: ApiState) -> str | None:
    if state.stopping:
        return "shutdown: the server is about to stop"
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
