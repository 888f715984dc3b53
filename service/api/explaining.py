"""Why an answer is as it is: what was found and weighed for it, as it was recorded when it was given."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from index.errors import NoGeneration
from index.searcher import Searcher
from ingest.article import ArticleId, Span
from service.answering.account import NotAsked, Outcome
from service.answering.answer import AbstainReason, AnswererName, Status
from service.api.access import REFUSALS, Reader
from service.api.bodies import StrictRoute
from service.api.errors import NotFound, responses
from service.api.fields import ResponseModel
from service.api.state import ApiState, State
from service.explanation import FORMAT, EvidenceWhy, PassageWhy

router = APIRouter(prefix="/v1", tags=["chat"], route_class=StrictRoute, responses=REFUSALS)


class PlaceOut(ResponseModel):
    """Words of an article, by their place."""

    article_id: str
    start: int
    end: int


class ShownOut(PlaceOut):
    """Words of an article; they themselves and its title are there while the generation is served that was searched."""

    title: str | None = None
    text: str | None = None


class FeatureOut(ResponseModel):
    """What the abstention model knows: `contribution` is weight times value."""

    name: str
    value: float
    weight: float
    contribution: float


class DecisionOut(ResponseModel):
    """Whether the evidence answers: the logistic function of intercept and contributions must reach the threshold."""

    answers: bool
    reason: AbstainReason | None
    probability: float
    threshold: float
    relevant_from: float
    intercept: float
    features: list[FeatureOut]
    against: PlaceOut | None


class PassageScoresOut(ResponseModel):
    """What each side said of a passage; `fused` is null where a reranker's score counts."""

    dense: float
    lexical: float
    fused: float | None
    rerank: float | None


class PassageOut(ShownOut):
    """A passage that was found. `why` says what became of it, `instead` which article took its place."""

    rank: int
    chunk_id: str
    scores: PassageScoresOut
    used: bool
    citations: list[int]
    why: PassageWhy
    instead: str | None


class EvidenceOut(ShownOut):
    """A sentence or list that was weighed; `passage` is the rank of the passage that it came with.

    `read` is what the reader gave it, as a logit; null where it did not read it.
    """

    rank: int
    passage: int | None
    score: float
    likelihood: float
    cosine: float
    coverage: float
    context: float
    expected: float
    read: float | None = None
    is_list: bool
    used: bool
    citations: list[int]
    why: EvidenceWhy
    also_in: list[str]


class PartOut(ResponseModel):
    """The question, or one of the things that it asks, with the best of what was found and weighed for it."""

    role: str
    question: str
    decision: DecisionOut
    passages: list[PassageOut]
    passages_found: int
    evidence: list[EvidenceOut]
    evidence_found: int


class SaidOut(ResponseModel):
    """What became of a sentence of the LLM, why, and which passages it named."""

    outcome: Outcome
    reason: str
    cited: list[int]


class LlmOut(ResponseModel):
    """What an LLM was shown and did."""

    not_asked: NotAsked | None
    passages_shown: int
    failure: str | None
    sentences: list[SaidOut]


class FiltersUsedOut(ResponseModel):
    """What bounded the search: days, and how many sources and articles were named."""

    published_from: str | None
    published_to: str | None
    sources: int
    article_ids: int


class AdmittedOut(ResponseModel):
    """How many articles there were, and how many might be found."""

    in_generation: int
    admitted: int


class StageOut(ResponseModel):
    """What a stage took, and when it began."""

    stage: str
    at_ms: float
    ms: float


class ExplanationOut(ResponseModel):
    """How an answer came about."""

    id: str
    question: str
    generation: str
    served: bool
    status: Status
    abstain_reason: AbstainReason | None
    answerer: AnswererName
    degraded: bool
    filters: FiltersUsedOut
    articles: AdmittedOut
    parts: list[PartOut]
    llm: LlmOut | None
    stages: list[StageOut]


@router.get("/messages/{message_id}/explain", responses=responses(404, 422, 503))
async def explain(message_id: str, state: State, caller: Reader) -> ExplanationOut:
    """Say how a stored answer came about, as it was recorded when it was given."""
    kept = await state.storage.run(state.parts.conversations.explained, message_id, owner=caller.owner)
    if kept is None:
        raise NotFound("there is no stored answer of this id")
    reply, explanation = kept
    if explanation is None or explanation.get("format") != FORMAT:
        raise NotFound("how this answer came about was not recorded: it is of another version of Byline")
    return await state.questions.run(_out, message_id, reply, explanation, state)


def _out(message_id: str, reply: dict[str, Any], explanation: dict[str, Any], state: ApiState) -> ExplanationOut:
    of_reply = ("question", "generation", "status", "abstain_reason", "answerer", "degraded")
    told = {name: reply.get(name) for name in of_reply} | explanation
    out = ExplanationOut.model_validate(told | {"id": message_id, "served": False})
    try:
        searcher = state.parts.live.searcher()
    except NoGeneration:
        return out
    if searcher.generation.name != out.generation:
        return out
    for part in out.parts:
        for place in (*part.passages, *part.evidence):
            _show(place, searcher)
    return out.model_copy(update={"served": True})


def _show(place: ShownOut, searcher: Searcher) -> None:
    """Add title and words, unless the article was removed."""
    article = ArticleId(place.article_id)
    row = searcher.generation.article_row(article)
    if row is not None and article not in searcher.removed:
        found = searcher.generation.articles[row]
        place.title, place.text = found.title, Span(place.start, place.end).of(found.text)
