"""A question in, a reply out: search, then answer, on one generation, with the time that each took."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from index.generation import Generation
from index.searcher import Filters, Mode, SearchResult
from index.stages import Stage, StageClock, stage_since
from service.answering.answer import AnswererName
from service.answering.composition import Piece
from service.answering.days import Period, publication_period
from service.answering.evidence import Evidence, Question
from service.answering.extractive import ExtractiveAnswerer, FoundPart
from service.answering.parts import parts_of
from service.answering.question import stand_alone
from service.answering.reply import Reply, Timings, Turn
from service.errors import ServiceError
from service.live_index import LiveIndex

if TYPE_CHECKING:
    from service.answering.llm import LlmAnswerer


Rewrite = Callable[[str, Sequence[Turn]], str]
"""Makes a message with the turns before it a question that stands alone."""


class AnswererUnavailable(ServiceError):
    """The answerer that was asked for is not set up."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search gave, for which question, standing alone, in which generation, in how many milliseconds.

    `parts` has what was found for each thing that the question asks, if it asks several; `filters` are those that were
    searched with, and `stages` what it took.
    """

    question: str
    result: SearchResult
    generation: Generation
    search_ms: float
    parts: tuple[FoundPart, ...] = ()
    filters: Filters | None = None
    stages: tuple[Stage, ...] = ()


class Assistant:
    """Answers questions out of the best `passages` chunks, by itself or by an LLM.

    Its methods compute and block: call them outside of an event loop.
    """

    def __init__(
        self,
        live: LiveIndex,
        extractive: ExtractiveAnswerer,
        *,
        passages: int = 12,
        llm: LlmAnswerer | None = None,
        answerer: AnswererName = "extractive",
        rewrite: Rewrite = stand_alone,
    ) -> None:
        self._live = live
        self._passages = passages
        self._extractive = extractive
        self._llm = llm
        self._answerer = answerer
        self._rewrite = rewrite

    def answerer(self, wanted: AnswererName | None = None) -> AnswererName:
        """Say who answers a request that names an answerer, or none.

        Raises:
            AnswererUnavailable: The one that is named is not set up.
        """
        if wanted == "llm" and self._llm is None:
            raise AnswererUnavailable("no LLM is configured; leave 'answerer' out or ask for 'extractive'")
        return wanted or self._answerer

    @property
    def llm(self) -> LlmAnswerer | None:
        """What answers by an LLM, None where none is set up."""
        return self._llm

    @property
    def llm_problem(self) -> str | None:
        """What is wrong with the LLM, as far as its last answers show; None where all is well or there is none."""
        return self._llm.problem if self._llm is not None else None

    def search(self, query: str, *, top_k: int = 10, mode: Mode = "hybrid", filters: Filters | None = None) -> Found:
        """Find passages; see `Searcher.search`.

        Raises:
            NoGeneration: There is no index yet.
        """
        searcher = self._live.searcher()
        started = time.perf_counter()
        result = searcher.search(query, top_k=top_k, mode=mode, filters=filters)
        stages = (*result.stages, stage_since("search", started))
        return Found(query, result, searcher.generation, _ms_since(started), stages=stages)

    def evidence(self, found: Found) -> list[Evidence]:
        """Rank what could answer a question among what was found for it, as the extractive answer does."""
        asked = Question.read(found.question, found.generation)
        return self._extractive.evidence(asked, found.result, found.generation)

    def find(
        self,
        message: str,
        *,
        history: Sequence[Turn] = (),
        as_of: date | None = None,
        filters: Filters | None = None,
        mode: Mode = "hybrid",
        answerer: AnswererName | None = None,
    ) -> Found:
        """Find what an answer to a message may draw on: the first half of `ask`, whose arguments it takes.

        Args:
            message: The user's words.
            history: The turns before it.
            as_of: Search as on this day.
            filters: Which articles may be found.
            mode: Both sides fused, as for an answer, or one alone.
            answerer: Who will answer; an LLM also says what a message means that leans on those before it.

        Raises:
            NoGeneration: There is no index yet.
            AnswererUnavailable: `answerer` is not set up.
        """
        clock = StageClock()
        rewrite = self._rewrite if self.answerer(answerer) == "llm" else stand_alone
        question = rewrite(message, history)
        parts = parts_of(question)
        until = _within(_until(filters or Filters(), as_of), publication_period(question, as_of=as_of))
        searcher = self._live.searcher()
        clock.lap("rewrite")
        started = time.perf_counter()
        # All at once, and each text once: what a model takes for several is hardly more than for one.
        texts = list(dict.fromkeys([question, *(part.search for part in parts)]))
        vectors = searcher.embedder.encode(texts)  # (n_texts, dimension)
        clock.lap("embed")
        results = {
            text: searcher.search(text, top_k=self._passages, mode=mode, filters=until, vector=vector)
            for text, vector in zip(texts, vectors, strict=True)
        }
        found = tuple(FoundPart(part, results[part.search]) for part in parts)
        searched = (stage for result in results.values() for stage in result.stages)
        stages = (*clock.stages, *searched, stage_since("search", started))
        return Found(question, results[question], searcher.generation, _ms_since(started), found, until, stages)

    def answer(
        self,
        found: Found,
        *,
        answerer: AnswererName | None = None,
        max_citations: int = 5,
        on_piece: Callable[[Piece], None] = lambda _: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Reply:
        """Answer from what was found, in the generation that was searched: the second half of `ask`.

        Args:
            found: What `find` gave.
            answerer: Which answerer; None for the configured one.
            max_citations: Most citations of the answer, above 0.
            on_piece: Told of each sentence that an LLM says once it is checked. The extractive answer comes whole.
            cancelled: Asked often while an LLM is waited for; True ends the request to it.

        Raises:
            AnswererUnavailable: `answerer` is not set up.
            LlmDown: The LLM gave no answer, and the settings allow no other.
            Cancelled: `cancelled` said so.
        """
        started = time.perf_counter()
        name = self.answerer(answerer)
        if name == "llm" and self._llm is not None:
            told = self._llm.answer(
                found.question,
                found.result,
                found.generation,
                parts=found.parts,
                max_citations=max_citations,
                on_piece=on_piece,
                cancelled=cancelled,
            )
        else:
            told = self._extractive.tell(
                found.question, found.result, found.generation, parts=found.parts, max_citations=max_citations
            )
        answer_ms = _ms_since(started)
        return Reply(
            answer=told.answer,
            question=found.question,
            generation=found.generation.name,
            answerer=name,
            degraded=told.degraded,
            timings=Timings(search=found.search_ms, answer=answer_ms, total=round(found.search_ms + answer_ms, 2)),
            prompt_tokens=told.prompt_tokens,
            completion_tokens=told.completion_tokens,
            filters=found.filters,
            stages=(*found.stages, *told.stages, stage_since("answer", started)),
            account=told.account,
        )

    def ask(
        self,
        message: str,
        *,
        history: Sequence[Turn] = (),
        answerer: AnswererName | None = None,
        max_citations: int = 5,
        as_of: date | None = None,
        filters: Filters | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Reply:
        """Answer a message.

        Args:
            message: The user's words.
            history: The turns before it, oldest first, for a message that leans on them.
            answerer: Which answerer; None for the configured one.
            max_citations: Most citations of the answer, above 0.
            as_of: Answer as on this day: articles published later are left out.
            filters: Which articles may be used.
            cancelled: As for `answer`.

        Raises:
            NoGeneration: There is no index yet.
            AnswererUnavailable, LlmDown, Cancelled: As `answer`.
        """
        name = self.answerer(answerer)  # before anything is searched
        found = self.find(message, history=history, as_of=as_of, filters=filters, answerer=name)
        return self.answer(found, answerer=name, max_citations=max_citations, cancelled=cancelled)


def _until(filters: Filters, as_of: date | None) -> Filters:
    """Leave out what was published after a day, and, as nobody knows when, what has no date."""
    if as_of is None:
        return filters
    latest = min(as_of, filters.published_to or as_of)
    return Filters(filters.published_from, latest, filters.sources, filters.article_ids)


def _within(filters: Filters, period: Period | None) -> Filters:
    """Leave out what was not published in a period that the question names ("articles published in March 2025")."""
    if period is None:
        return filters
    earliest = max((day for day in (filters.published_from, period.first) if day is not None), default=None)
    latest = min((day for day in (filters.published_to, period.last) if day is not None), default=None)
    return Filters(earliest, latest, filters.sources, filters.article_ids)


def _ms_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)
