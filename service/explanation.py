"""How a reply came about, as it is kept beside it: ids, offsets and scores, and no words of articles.

The index may be another one when somebody asks; so it is recorded when the answer is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from index.generation import Generation
from index.searcher import Filters, Hit, SearchResult
from ingest.article import ArticleId, Span
from service.answering.abstention import AbstentionModel, features
from service.answering.account import Account, LlmAccount, Weighed
from service.answering.answer import Citation
from service.answering.evidence import Evidence
from service.answering.extractive import likelihoods, verdicts
from service.answering.reply import Reply

FORMAT = 1
MOST_PASSAGES = 20
MOST_EVIDENCE = 8
"""So many of each are kept for a question, the best first: some kilobytes."""

PassageWhy = Literal[
    "cited", "superseded", "copy", "not_shown", "nothing_of_its_own", "abstained", "not_cited", "not_needed"
]
EvidenceWhy = Literal["cited", "abstained", "not_cited", "repeats", "no_room", "enough", "unlikely", "list"]


def explanation_of(reply: Reply) -> dict[str, Any] | None:
    """Give the explanation of a reply as JSON values, None where nobody kept an account of it."""
    account = reply.account
    if account is None:
        return None
    by_llm = account.llm is not None and not _stands_in(reply)
    telling = _Telling(account, reply.answer.citations, by_llm=by_llm)
    result = account.weighed[0].result
    return {
        "format": FORMAT,
        "filters": _filters(reply.filters),
        "articles": _articles(result, account.generation),
        "parts": [
            telling.part(weighed, "part" if number else "whole") for number, weighed in enumerate(account.weighed)
        ],
        "llm": _llm(account.llm) if account.llm is not None else None,
        "stages": _stages(reply),
    }


def _stands_in(reply: Reply) -> bool:
    """Tell whether the extractive answer took the place of an LLM's."""
    llm = reply.account.llm if reply.account is not None else None
    return reply.degraded and llm is not None and not any(fate.outcome != "dropped" for fate in llm.fates)


class _Telling:
    """Says what was weighed in the light of what was said in the end."""

    def __init__(self, account: Account, citations: Sequence[Citation], *, by_llm: bool) -> None:
        self._account = account
        self._generation = account.generation
        self._citations = citations
        self._by_llm = by_llm
        shown = account.llm.shown if account.llm is not None else ()
        self._shown = frozenset(hit.row for hit in shown)

    def part(self, weighed: Weighed, role: str) -> dict[str, Any]:
        """Say what was found for a question, how it was judged, and what became of it."""
        hits = weighed.result.hits[:MOST_PASSAGES]
        return {
            "role": role,
            "question": weighed.question.text,
            "decision": _decision(weighed, self._account.model),
            "passages": [self._passage(rank, hit, weighed) for rank, hit in enumerate(hits, start=1)],
            "passages_found": len(weighed.result.hits),
            "evidence": list(self._evidence(weighed)),
            "evidence_found": len(weighed.ranked),
        }

    def _passage(self, rank: int, hit: Hit, weighed: Weighed) -> dict[str, Any]:
        cited = self._cited(hit.article.id, hit.chunk.span, whole=True)
        why, instead = self._why(hit, weighed)
        scores = hit.scores
        return _place(hit.article.id, hit.chunk.span) | {
            "rank": rank,
            "chunk_id": hit.chunk.id,
            "scores": {
                "dense": _rounded(scores.dense),
                "lexical": _rounded(scores.lexical),
                # Where a reranker read the passage, its score is the one that counts.
                "fused": _rounded(hit.score) if scores.rerank is None else None,
                "rerank": _rounded(scores.rerank) if scores.rerank is not None else None,
            },
            "used": bool(cited),
            "citations": cited,
            "why": "cited" if cited else why,
            "instead": None if cited else instead,
        }

    def _why(self, hit: Hit, weighed: Weighed) -> tuple[PassageWhy, ArticleId | None]:
        """Say why a passage is not cited, and which article took its place."""
        copies, admitted = self._generation.copies, weighed.result.admitted
        group = [row for row in copies.group(hit.article_row) if admitted is None or admitted[row]]
        if len(group) > 1 and (best := copies.best(group)) != hit.article_row:
            why: PassageWhy = "superseded" if copies.corrected(hit.article_row, group) else "copy"
            return why, self._generation.articles[best].id
        if weighed.decision.reason is not None:
            return "abstained", None
        if self._by_llm:
            return "not_cited" if hit.row in self._shown else "not_shown", None
        if not any(evidence.hit.row == hit.row for evidence in weighed.ranked):
            return "nothing_of_its_own", None
        return "not_needed", None

    def _evidence(self, weighed: Weighed) -> Iterator[dict[str, Any]]:
        if not weighed.ranked:
            return
        likely = likelihoods(weighed.ranked)
        reached = verdicts(weighed.question, weighed.ranked, most=self._account.most)
        ranks = {hit.row: rank for rank, hit in enumerate(weighed.result.hits, start=1)}
        for number, evidence in enumerate(weighed.ranked[:MOST_EVIDENCE]):
            cited = self._cited(evidence.article.id, evidence.span)
            verdict = reached[number]
            # What was chosen and is not cited had to give way: to another part, or to a dispute.
            why: EvidenceWhy = verdict if verdict != "chosen" else "no_room"
            if weighed.decision.reason is not None:
                why = "abstained"
            elif self._by_llm:
                why = "not_cited"
            yield _place(evidence.article.id, evidence.span) | {
                "rank": number + 1,
                "passage": ranks.get(evidence.hit.row),
                "score": _rounded(evidence.score),
                "likelihood": _rounded(likely[number]),
                **_measures(evidence),
                "used": bool(cited),
                "citations": cited,
                "why": "cited" if cited else why,
                "also_in": list(evidence.also_in),
            }

    def _cited(self, article: ArticleId, span: Span, *, whole: bool = False) -> list[int]:
        """Give the numbers of the citations of some words: those that overlap, or those that are all in there."""
        return [
            citation.number
            for citation in self._citations
            if citation.article_id == article
            and (
                span.start <= citation.start and citation.end <= span.end
                if whole
                else span.overlaps(Span(citation.start, citation.end))
            )
        ]


def _measures(evidence: Evidence) -> dict[str, Any]:
    return {
        "cosine": _rounded(evidence.cosine),
        "coverage": _rounded(evidence.coverage),
        "context": _rounded(evidence.context),
        "expected": _rounded(evidence.expected),
        "read": _rounded(evidence.read) if evidence.read is not None else None,
        "is_list": evidence.is_list,
    }


def _decision(weighed: Weighed, model: AbstentionModel) -> dict[str, Any]:
    decision, found = weighed.decision, features(weighed.ranked) if weighed.ranked else {}
    against = decision.against
    return {
        "answers": decision.reason is None,
        "reason": decision.reason,
        "probability": _rounded(decision.confidence),
        "threshold": model.threshold,
        "relevant_from": model.relevant,
        "intercept": model.intercept,
        "features": [
            {
                "name": name,
                "value": _rounded(value),
                "weight": model.weights[name],
                "contribution": _rounded(model.weights[name] * value),
            }
            for name, value in found.items()
        ],
        "against": _place(against.article.id, against.span) if against is not None else None,
    }


def _filters(filters: Filters | None) -> dict[str, Any]:
    """Say what bounded the search: days as they are, and of the rest how many were named."""
    filters = filters or Filters()
    return {
        "published_from": filters.published_from.isoformat() if filters.published_from else None,
        "published_to": filters.published_to.isoformat() if filters.published_to else None,
        "sources": len(filters.sources),
        "article_ids": len(filters.article_ids),
    }


def _articles(result: SearchResult, generation: Generation) -> dict[str, int]:
    count = len(generation.articles)
    return {"in_generation": count, "admitted": count if result.admitted is None else int(result.admitted.sum())}


def _llm(llm: LlmAccount) -> dict[str, Any]:
    return {
        "not_asked": llm.not_asked,
        "passages_shown": len(llm.shown),
        "failure": llm.failure,
        "sentences": [
            {"outcome": fate.outcome, "reason": fate.reason, "cited": list(fate.cited)} for fate in llm.fates
        ],
    }


def _stages(reply: Reply) -> list[Mapping[str, Any]]:
    first = min((stage.began for stage in reply.stages), default=0.0)
    return [
        {"stage": stage.name, "at_ms": round((stage.began - first) * 1000, 3), "ms": round(stage.seconds * 1000, 3)}
        for stage in reply.stages
    ]


def _place(article: ArticleId, span: Span) -> dict[str, Any]:
    return {"article_id": article, "start": span.start, "end": span.end}


def _rounded(value: float) -> float:
    return round(float(value), 4)
