"""OpenAI's API, so that its clients and Open WebUI work unchanged: chat completions and the list of models."""

from __future__ import annotations

import time
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from service.answering.answer import Answer, AnswererName
from service.answering.reply import Reply, Timings
from service.api.access import READ
from service.api.article_urls import base_url_of
from service.api.asking import CLIENT_LEFT, Asked, answer_unless_left
from service.api.bodies import StrictRoute
from service.api.chat_stream import stream_answer, stream_of, told
from service.api.errors import UnknownModel, request_id_of
from service.api.events import EVENT_STREAM, described
from service.api.notes import notes_of
from service.api.openai_replies import ChunkForm, CompletionOut, completion_of
from service.api.openai_requests import CompletionRequest, require_length
from service.api.state import ApiState, State, StateNow

router = APIRouter(prefix="/v1", tags=["openai"], route_class=StrictRoute, dependencies=[READ])

MODELS: dict[str, AnswererName | None] = {"byline": None, "byline-extractive": "extractive", "byline-llm": "llm"}
"""Each model, and who answers for it; None for whom the settings name."""

_SINCE = int(time.time())
_ERROR = {"application/json": {"schema": {"$ref": "#/components/schemas/OpenAiError"}}}
_RESPONSES: dict[int | str, dict[str, Any]] = {"default": {"description": "An error", "content": _ERROR}}
_COMPLETION_RESPONSES = _RESPONSES | {
    200: {
        "description": "The answer: whole, or with `stream` in chunks.",
        "content": {EVENT_STREAM: described()},
    }
}


class ModelOut(BaseModel):
    """A way of answering."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: Literal["byline"] = "byline"


class ModelsOut(BaseModel):
    """All ways of answering."""

    object: Literal["list"] = "list"
    data: list[ModelOut]


@router.post("/chat/completions", response_model=CompletionOut, responses=_COMPLETION_RESPONSES)
async def create_completion(body: CompletionRequest, request: Request, state: State) -> Response | CompletionOut:
    """Answer the last message of the user from the articles, every sentence cited; nothing is stored."""
    notes = notes_of(request)
    answerer = _answerer_of(body.model, state)
    base_url = base_url_of(request, state.opening.settings.public_url)
    question, turns = body.question()
    notes.asked(question)
    declined = _declined(question) if _is_task(question) else None
    if declined is None:
        require_length(question)
    asked = Asked(
        message=question,
        turns=turns,
        answerer=state.parts.assistant.answerer(answerer),
        max_citations=body.byline.max_citations,
        as_of=body.byline.as_of,
        filters=body.filters(),
        notes=notes,
    )
    if body.stream:
        form = _form(body, base_url, state)
        if declined is not None:
            return stream_of(told(declined), form, request_id_of(request))
        return await stream_answer(asked, form, state, request_id_of(request))
    reply = declined or await answer_unless_left(asked, state, request)
    if reply is None:
        return Response(status_code=CLIENT_LEFT)
    return completion_of(reply, model=body.model, base_url=base_url)


@router.get("/models", responses=_RESPONSES)
async def list_models(state: StateNow) -> ModelsOut:
    """List the models: who may answer."""
    return ModelsOut(data=[ModelOut(id=name, created=_SINCE) for name in _served(state)])


@router.get("/models/{model:path}", responses=_RESPONSES)
async def get_model(model: str, state: StateNow) -> ModelOut:
    """Give one model."""
    if model not in _served(state):
        raise _unknown_model(state)
    return ModelOut(id=model, created=_SINCE)


def _served(state: ApiState) -> list[str]:
    has_llm = state.opening.settings.llm_base_url is not None
    return [name for name, answerer in MODELS.items() if answerer != "llm" or has_llm]


def _answerer_of(model: str, state: ApiState) -> AnswererName | None:
    if model not in _served(state):
        raise _unknown_model(state)
    return MODELS[model]


def _unknown_model(state: ApiState) -> UnknownModel:
    return UnknownModel(f"there is no such model; those of this server are {', '.join(_served(state))}")


def _form(body: CompletionRequest, base_url: str, state: ApiState) -> ChunkForm:
    wanted = body.byline.source_events
    return ChunkForm(
        model=body.model,
        base_url=base_url,
        include_usage=body.stream_options is not None and body.stream_options.include_usage is True,
        source_events=state.opening.settings.openai_source_events if wanted is None else wanted,
    )


def _is_task(question: str) -> bool:
    """Tell whether Open WebUI asks for a title, tags or questions to a chat, as it does beside every answer."""
    return question.startswith("### Task:") and "<chat_history>" in question


def _declined(task: str) -> Reply:
    """Answer a task at once and with nothing: it wants a JSON object, and what it leaves out is not shown."""
    answer = Answer("abstained", "{}", (), (), abstain_reason="no_relevant_passage")
    return Reply(answer, task, "none", "extractive", False, Timings(0, 0, 0))
