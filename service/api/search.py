"""Search: passages, without an answer."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service.api.access import READ, REFUSALS
from service.api.bodies import StrictRoute
from service.api.errors import responses
from service.api.notes import notes_of
from service.api.search_schemas import SearchOut, SearchRequest, search_json
from service.api.state import State

router = APIRouter(prefix="/v1", tags=["search"], route_class=StrictRoute, dependencies=[READ], responses=REFUSALS)


@router.post("/search", response_model=SearchOut, responses=responses(400, 408, 413, 415, 422, 503))
async def search(body: SearchRequest, request: Request, state: State) -> Response:
    """Find passages, best first."""
    notes = notes_of(request)
    notes.asked(body.query)
    found = await state.questions.run(
        state.parts.assistant.search,
        body.query,
        top_k=body.top_k,
        mode=body.mode,
        filters=body.filters.to_filters() if body.filters else None,
    )
    notes.found(found)
    return Response(search_json(found), media_type="application/json")
