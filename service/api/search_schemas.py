"""The JSON of searches, as in the contract."""

from __future__ import annotations

from datetime import date

from pydantic import ConfigDict, Field
from pydantic_core import to_json

from index.searcher import Hit, Mode
from service.api.fields import FiltersIn, Question, RequestModel, ResponseModel
from service.assistant import Found


class SearchRequest(RequestModel):
    """What to look for."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"query": "Merrin Coast order", "top_k": 5}]})

    query: Question
    top_k: int = Field(default=10, ge=1, le=100)
    mode: Mode = "hybrid"
    filters: FiltersIn | None = None


class ScoresOut(ResponseModel):
    """What each side said of a hit."""

    dense: float
    lexical: float
    rerank: float | None


class HitOut(ResponseModel):
    """A passage that was found: `article.text[start:end] == text`."""

    chunk_id: str
    article_id: str
    title: str
    source: str
    url: str | None
    published_at: date | None
    text: str
    start: int
    end: int
    score: float
    scores: ScoresOut


class SearchTimingsOut(ResponseModel):
    """Milliseconds of a search."""

    search: float


class SearchOut(ResponseModel):
    """Passages, best first."""

    hits: list[HitOut]
    generation: str
    timings_ms: SearchTimingsOut


def search_reply(found: Found) -> SearchOut:
    """Give what a search found in the form of the contract."""
    return SearchOut.model_validate(_search_values(found))


def search_json(found: Found) -> bytes:
    """Give `search_reply` as JSON: the same bytes, without a model of every hit on the way."""
    return to_json(_search_values(found))


def _search_values(found: Found) -> dict[str, object]:
    return {
        "hits": [_hit_values(hit) for hit in found.result.hits],
        "generation": found.generation.name,
        "timings_ms": {"search": found.search_ms},
    }


def _hit_values(hit: Hit) -> dict[str, object]:
    article, span, scores = hit.article, hit.chunk.span, hit.scores
    return {
        "chunk_id": hit.chunk.id,
        "article_id": article.id,
        "title": article.title,
        "source": article.source,
        "url": article.url,
        "published_at": article.published_at,
        "text": hit.text,
        "start": span.start,
        "end": span.end,
        "score": hit.score,
        "scores": {"dense": scores.dense, "lexical": scores.lexical, "rerank": scores.rerank},
    }
