"""Chat: answers, whole or as a stream, and the conversations that they make up."""

from __future__ import annotations

import time
from functools import partial
from typing import Annotated

import structlog
from fastapi import APIRouter, Query, Request
from starlette.responses import PlainTextResponse, Response

from index.stages import stage_since
from service.answering.reply import Reply, Turn
from service.api.access import REFUSALS, Caller, Reader
from service.api.asking import CLIENT_LEFT, Asked, answer_unless_left
from service.api.chat_schemas import (
    ChatRequest,
    CitationOut,
    ConflictOut,
    ConversationHeadOut,
    ConversationOut,
    ConversationsOut,
    FeedbackOut,
    FeedbackRequest,
    MessageOut,
    RenameRequest,
    ReplyOut,
    SentenceOut,
)
from service.api.chat_stream import stream_answer
from service.api.errors import NotFound, request_id_of, responses
from service.api.events import EVENT_STREAM, described
from service.api.fields import PageQuery
from service.api.keyed import KEY_PARAMETER, KeyedRoute
from service.api.notes import RequestNotes, notes_of
from service.api.replies import NativeForm, reply_out
from service.api.state import ApiState, State
from service.conversations import ConversationsUnavailable, Message, new_conversation_id, new_message_id
from service.explanation import explanation_of
from service.rendering import render_reply

log = structlog.get_logger(__name__)

router = APIRouter(prefix="/v1", tags=["chat"], route_class=KeyedRoute, responses=REFUSALS)

PLAIN_TEXT = "text/plain"
_FORMS = ("application/json", EVENT_STREAM, PLAIN_TEXT, "application/*", "*/*")

_CHAT_RESPONSES = responses(400, 404, 408, 409, 413, 415, 422, 503) | {
    200: {
        "description": "The answer: whole, as events (`stream` or `Accept`), or as plain text (`Accept`).",
        "content": {
            EVENT_STREAM: described("start", "citation", "delta", "sentence", "done", "error"),
            PLAIN_TEXT: {"schema": {"type": "string"}},
        },
    }
}


@router.post("/chat", response_model=ReplyOut, responses=_CHAT_RESPONSES, openapi_extra=KEY_PARAMETER)
async def chat(body: ChatRequest, request: Request, state: State, caller: Reader) -> Response | ReplyOut:
    """Answer a message from the articles, every sentence cited."""
    notes = notes_of(request)
    notes.asked(body.message)
    asked = await _asked(body, state, caller, notes)
    wanted = _wanted_form(request.headers.get("accept", ""))
    message_id = new_message_id()
    if body.stream or wanted == EVENT_STREAM:
        begins = body.history is None and body.conversation_id is None
        form = NativeForm(
            message_id=message_id,
            conversation_id=new_conversation_id() if begins else body.conversation_id,
            request_id=request_id_of(request),
            keep=partial(_remembered, body, state=state, caller=caller, notes=notes),
        )
        return await stream_answer(asked, form, state, request_id_of(request))
    reply = await answer_unless_left(asked, state, request)
    if reply is None:
        return Response(status_code=CLIENT_LEFT)
    out = reply_out(reply, message_id=message_id, conversation_id=body.conversation_id)
    out = await _remembered(body, out, state=state, caller=caller, notes=notes)
    return PlainTextResponse(render_reply(reply)) if wanted == PLAIN_TEXT else out


@router.get("/conversations", responses=responses(422, 503))
async def list_conversations(page: Annotated[PageQuery, Query()], state: State, caller: Reader) -> ConversationsOut:
    """List conversations, the newest begun first."""
    found = await state.storage.run(state.parts.conversations.page, page.limit, page.cursor, owner=caller.owner)
    heads = [ConversationHeadOut.model_validate(head) for head in found.items]
    return ConversationsOut(data=heads, next_cursor=found.next_cursor)


@router.get("/conversations/{conversation_id}", responses=responses(404, 422, 503))
async def get_conversation(
    conversation_id: str, page: Annotated[PageQuery, Query()], state: State, caller: Reader
) -> ConversationOut:
    """Give a conversation with its messages and their citations, oldest first."""
    found = await state.storage.run(
        state.parts.conversations.get,
        conversation_id,
        limit=page.limit,
        cursor=page.cursor,
        owner=caller.owner,
    )
    if found is None:
        raise NotFound("there is no conversation of this id")
    head = ConversationHeadOut.model_validate(found.head)
    return ConversationOut(
        **head.model_dump(),
        messages=[_message_out(message) for message in found.messages],
        next_cursor=found.next_cursor,
    )


@router.patch("/conversations/{conversation_id}", responses=responses(400, 404, 408, 413, 415, 422, 503))
async def rename_conversation(
    conversation_id: str, body: RenameRequest, state: State, caller: Reader
) -> ConversationHeadOut:
    """Give a conversation another title."""
    head = await state.storage.run(state.parts.conversations.rename, conversation_id, body.title, owner=caller.owner)
    if head is None:
        raise NotFound("there is no conversation of this id")
    return ConversationHeadOut.model_validate(head)


@router.delete("/conversations/{conversation_id}", status_code=204, responses=responses(404, 422, 503))
async def delete_conversation(conversation_id: str, state: State, caller: Reader) -> None:
    """Remove a conversation with its messages."""
    # First, as it may fail and be sent again then.
    await state.storage.run(state.parts.replies.forget, [conversation_id])
    if not await state.storage.run(state.parts.conversations.delete, conversation_id, owner=caller.owner):
        raise NotFound("there is no conversation of this id")


@router.put(
    "/messages/{message_id}/feedback",
    status_code=204,
    responses=responses(400, 404, 408, 413, 415, 422, 503),
)
async def put_feedback(message_id: str, body: FeedbackRequest, state: State, caller: Reader) -> None:
    """Rate an answer; a later rating replaces an earlier one."""
    store = state.parts.conversations
    if not await state.storage.run(store.set_feedback, message_id, body.rating, body.comment, owner=caller.owner):
        raise NotFound("there is no stored answer of this id")


async def _asked(body: ChatRequest, state: ApiState, caller: Caller, notes: RequestNotes) -> Asked:
    turns = await _turns(body, state, caller)
    return Asked(
        message=body.message,
        turns=turns,
        answerer=state.parts.assistant.answerer(body.answerer),
        max_citations=body.max_citations,
        as_of=body.as_of,
        filters=body.filters.to_filters() if body.filters else None,
        notes=notes,
    )


async def _turns(body: ChatRequest, state: ApiState, caller: Caller) -> list[Turn]:
    if body.history is not None:
        return [Turn(turn.role, turn.content) for turn in body.history]
    if body.conversation_id is None:
        return []
    turns = await state.storage.run(state.parts.conversations.turns, body.conversation_id, owner=caller.owner)
    if turns is None:
        raise NotFound("there is no conversation of this id; leave it out to begin one", pointer="#/conversation_id")
    return turns


async def _remembered(
    body: ChatRequest, out: ReplyOut, *, state: ApiState, caller: Caller, notes: RequestNotes
) -> ReplyOut:
    """Give a reply with its ids, stored with how it came about, unless the client keeps the history itself."""
    if body.history is not None:
        return out
    began = time.perf_counter()
    try:
        conversation_id, message_id = await state.storage.run(_keep, body, out, state, caller, notes.reply)
    except ConversationsUnavailable as error:
        # The answer is worth more than its record; /readyz names the problem.
        log.warning("exchange not stored", reason=str(error))
        state.metrics.exchange(stored=False)
        return out.model_copy(update={"conversation_id": body.conversation_id})
    state.metrics.exchange(stored=True)
    notes.stages.append(stage_since("store", began))
    return out.model_copy(update={"id": message_id, "conversation_id": conversation_id})


def _keep(body: ChatRequest, out: ReplyOut, state: ApiState, caller: Caller, reply: Reply | None) -> tuple[str, str]:
    return state.parts.conversations.add_exchange(
        body.conversation_id,
        body.message,
        out.model_dump(mode="json"),
        begin_as=out.conversation_id,
        message_id=out.id,
        owner=caller.owner,
        explanation=explanation_of(reply) if reply is not None else None,
    )


def _message_out(message: Message) -> MessageOut:
    reply = message.reply or {}
    feedback = FeedbackOut(rating=message.rating, comment=message.comment) if message.rating else None
    return MessageOut(
        id=message.id,
        role=message.role,
        content=message.content,
        created_at=message.created_at,
        status=reply.get("status"),
        sentences=[SentenceOut(**sentence) for sentence in reply.get("sentences", [])],
        citations=[CitationOut(**citation) for citation in reply.get("citations", [])],
        conflicts=[ConflictOut(**conflict) for conflict in reply.get("conflicts", [])],
        abstain_reason=reply.get("abstain_reason"),
        nearest=[CitationOut(**citation) for citation in reply.get("nearest", [])],
        question=reply.get("question"),
        degraded=reply.get("degraded", False),
        generation=reply.get("generation"),
        feedback=feedback,
    )


def _wanted_form(accept: str) -> str:
    """Give the form that the header Accept likes best, JSON where it names none of ours."""
    best, best_weight = _FORMS[0], 0.0
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weight = next((_weight(piece[2:]) for piece in parameters if piece.startswith("q=")), 1.0)
        if name in _FORMS and weight > best_weight:
            best, best_weight = name, weight
    return best


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
