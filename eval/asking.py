"""Asking the questions of a set as the service would, and making a run of what comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from eval.answers import is_cited, is_right, judge, sentence_supported
from eval.circumstances import circumstances
from eval.index_cache import indexed
from eval.metrics import figures
from eval.records import (
    AnswerRecord,
    CitationRecord,
    ConflictRecord,
    GoldRecord,
    HitRecord,
    Passage,
    Result,
    Run,
    SentenceRecord,
)
from eval.retrieval import (
    DEPTH,
    RELEVANT,
    Grades,
    article_grades,
    chunk_grades,
    rank_articles,
    score,
    sentence_grades,
)
from eval.sets.lines import DatasetError
from eval.sets.questions import LabelledQuestion, QuestionSet, article_key
from eval.watching import Watch
from index.embedding import Embedder
from index.generation import Generation
from index.searcher import Filters, Hit, Mode
from ingest.article import Article, Span
from service.answering.answer import Answer, Citation
from service.answering.reply import Reply, Turn
from service.assembly import open_assistant
from service.assistant import Assistant, Found
from service.settings import Settings

Part = Literal["tune", "held_out", "all"]

SHOWN_HITS = 10
"""Hits of a ranking that go into the run file; the metrics see all."""


def run_questions(
    opened: QuestionSet,
    place: Path,
    settings: Settings,
    split: Part,
    mode: Mode | None,
    watch: Watch,
    embedder: Embedder,
) -> Run:
    """Ask the questions of one half or all, or, with a mode, only search for them; see `eval.running.run_set`."""
    asked = [question for question in opened.questions if split in ("all", question.split)]
    if not asked:
        raise DatasetError(f"{opened.name} has no question in the half {split!r}; leave --split out to ask all")
    with watch.building() as step:
        catalog = indexed(settings, opened.name, opened.articles, embedder=embedder, on_progress=step)
    live, assistant = open_assistant(settings, catalog, embedder)
    asking = _Asking(assistant, live.searcher().generation, mode, opened)
    made = circumstances(
        place,
        set_name=opened.name,
        split=split,
        mode=mode or "answers",
        settings=settings,
        manifest=asking.generation.manifest,
        excluded=dict(opened.excluded),
    )
    with watch.steps("asking" if mode is None else "searching", len(asked)) as step:
        seen = [asking.ask(question, step) for question in asked]
    results = tuple(asking.results(seen))
    return Run(circumstances=made, figures=figures(results), results=results)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one question gave, before rankings are scored all together."""

    question: LabelledQuestion
    reply: Reply | None
    cpu_ms: float
    hits: tuple[Hit, ...]
    rankings: Mapping[str, Sequence[str]]
    grades: Mapping[str, Grades]


class _Asking:
    """Asks the questions of a set of one generation and makes results of what comes."""

    def __init__(self, assistant: Assistant, generation: Generation, mode: Mode | None, opened: QuestionSet) -> None:
        self.generation = generation
        self._assistant = assistant
        self._answers = mode is None
        self._mode: Mode = mode or "hybrid"
        self._articles = {article.id: article for article in opened.articles}
        self._texts = {article.id: article.text for article in opened.articles}
        self._names = {article.id: article_key(article) for article in opened.articles}

    def ask(self, question: LabelledQuestion, step: Callable[[], None]) -> _Seen:
        """Ask by itself, with only the history that the question brings."""
        started = time.process_time()
        found = find_for(self._assistant, question, mode=self._mode)
        reply = self._assistant.answer(found) if self._answers else None
        cpu_ms = (time.process_time() - started) * 1000
        deep = self._assistant.search(found.question, top_k=DEPTH, mode=self._mode, filters=_scope(question))
        # What the product looks at comes first, in its order; beyond it the ranking goes on, whatever the day.
        hits = tuple({hit.row: hit for hit in (*found.result.hits, *deep.result.hits)}.values())
        step()
        rankings: dict[str, Sequence[str]] = {
            "article": rank_articles(hits),
            "chunk": [hit.chunk.id for hit in hits],
        }
        if reply is not None:
            rankings["sentence"] = _rank_sentences(self._assistant, found)
        return _Seen(question, reply, cpu_ms, hits, rankings, self._grades(question, rankings))

    def _grades(self, question: LabelledQuestion, levels: Mapping[str, object]) -> dict[str, Grades]:
        grades: dict[str, Grades] = {
            "article": article_grades(question.gold, self._names),
            "chunk": chunk_grades(question.gold, self.generation),
        }
        if "sentence" in levels:
            grades["sentence"] = sentence_grades(question.gold, self.generation)
        return grades

    def results(self, seen: Sequence[_Seen]) -> Iterator[Result]:
        """Score all rankings and put the results together, in the order of the questions."""
        scored: dict[str, dict[str, dict[str, float]]] = {}
        for level in ("article", "chunk", "sentence"):
            rankings = {one.question.row.id: one.rankings.get(level, ()) for one in seen}
            qrels = {one.question.row.id: one.grades.get(level, {}) for one in seen}
            scored[level] = score(rankings, qrels, relevant=RELEVANT if level == "chunk" else 1)
        for one in seen:
            metrics = {
                f"{level}.{measure}": value
                for level, values in scored.items()
                for measure, value in values.get(one.question.row.id, {}).items()
            }
            yield self._result(one, metrics)

    def _result(self, seen: _Seen, metrics: dict[str, float]) -> Result:
        question, row, reply = seen.question, seen.question.row, seen.reply
        if reply is not None:
            metrics = judge(question, reply.answer, self._texts) | metrics
            metrics |= {"latency_ms": reply.timings.total, "cpu_ms": round(seen.cpu_ms, 2)}
            if reply.prompt_tokens or reply.completion_tokens:
                metrics |= {
                    "prompt_tokens": reply.prompt_tokens,
                    "completion_tokens": reply.completion_tokens,
                }
        return Result(
            id=row.id,
            system=reply.answerer if reply else self._mode,
            question=row.question,
            type=row.type,
            split=question.split,
            unanswerable=row.unanswerable,
            history=row.history,
            as_of=row.as_of,
            expected=row.answer,
            answer_keys=row.answer_keys,
            gold=tuple(self._gold(seen)),
            answer=self._answer(reply, question) if reply else None,
            hits=tuple(_hit_record(hit, hit.chunk.id, seen.grades["chunk"]) for hit in seen.hits[:SHOWN_HITS]),
            metrics=metrics,
        )

    def _gold(self, seen: _Seen) -> Iterator[GoldRecord]:
        for gold in seen.question.gold:
            article = self._articles[gold.article_id]
            grades = chunk_grades((gold,), self.generation)
            holding = (n for n, hit in enumerate(seen.hits, start=1) if grades.get(hit.chunk.id, 0) >= RELEVANT)
            yield GoldRecord(
                article_id=article.id,
                title=article.title,
                start=gold.span.start,
                end=gold.span.end,
                quote=gold.span.of(article.text),
                cited=is_cited(gold, seen.reply.answer.citations) if seen.reply else None,
                rank=next(holding, None),
            )

    def _answer(self, reply: Reply, question: LabelledQuestion) -> AnswerRecord:
        answer = reply.answer
        return AnswerRecord(
            status=answer.status,
            abstain_reason=answer.abstain_reason,
            text=answer.text,
            answerer=reply.answerer,
            degraded=reply.degraded,
            searched=reply.question,
            confidence=round(answer.confidence, 4),
            sentences=_sentences(answer),
            citations=tuple(self._citation(citation, question) for citation in answer.citations),
            nearest=tuple(self._citation(citation, question) for citation in answer.nearest),
            conflicts=tuple(
                ConflictRecord(
                    about=conflict.about,
                    values=tuple(position.value for position in conflict.positions),
                    citations=tuple(position.citation for position in conflict.positions),
                )
                for conflict in answer.conflicts
            ),
            search_ms=reply.timings.search,
            answer_ms=reply.timings.answer,
            total_ms=reply.timings.total,
        )

    def _citation(self, citation: Citation, question: LabelledQuestion) -> CitationRecord:
        return CitationRecord(
            number=citation.number,
            article_id=citation.article_id,
            title=citation.title,
            source=citation.source,
            url=citation.url,
            published_at=citation.published_at,
            start=citation.start,
            end=citation.end,
            quote=citation.quote,
            score=citation.score,
            right=is_right(citation, question.gold) if question.gold else None,
            passage=_passage(citation, self._articles[citation.article_id]),
        )


def find_for(assistant: Assistant, question: LabelledQuestion, *, mode: Mode = "hybrid") -> Found:
    """Find what an answer to a question of a set may draw on, as `Assistant.find` does for a user's message."""
    row = question.row
    return assistant.find(
        row.question,
        history=[Turn(turn.role, turn.content) for turn in row.history],
        as_of=row.as_of,
        filters=_scope(question),
        mode=mode,
    )


def _scope(question: LabelledQuestion) -> Filters:
    return Filters(article_ids=(question.scope,) if question.scope else ())


def _rank_sentences(assistant: Assistant, found: Found) -> list[str]:
    """Rank the sentences of the passages as the answerer does; lists, which are many sentences, are left out."""
    generation = found.generation
    rows: list[str] = []
    for evidence in assistant.evidence(found):
        if not evidence.is_list:
            rows.extend(str(row) for row in generation.sentences_in(evidence.hit.article_row, evidence.span))
    return list(dict.fromkeys(rows))


def _sentences(answer: Answer) -> tuple[SentenceRecord, ...]:
    return tuple(
        SentenceRecord(
            start=sentence.start,
            end=sentence.end,
            citations=sentence.citations,
            support=sentence.support,
            supported=sentence_supported(sentence, answer.citations),
        )
        for sentence in answer.sentences
    )


def _passage(citation: Citation, article: Article) -> Passage:
    """Give the chunk around a quote; a list may reach beyond its chunk, and the passage then grows with it."""
    start, end = (int(place) for place in citation.chunk_id.rpartition(":")[2].split("-"))
    span = Span(min(start, citation.start), max(end, citation.end))
    return Passage(start=span.start, end=span.end, text=span.of(article.text))


def _hit_record(hit: Hit, name: str, grades: Grades) -> HitRecord:
    return HitRecord(
        id=name,
        article_id=hit.article.id,
        title=hit.article.title,
        score=round(hit.score, 4),
        gain=grades.get(name, 0),
    )
