"""A question in, a reply out: search, then answer, on one generation, with the time that each took."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from index.generation import Generation
from index.searcher import Filters, Mode, SearchResult
from service.answering.answer import AnswererName
from service.answering.extractive import ExtractiveAnswerer, FoundPart
from service.answering.parts import parts_of
from service.answering.question import stand_alone
from service.answering.reply import Reply, Timings, Turn
from service.errors import ServiceError
from service.live_index import LiveIndex


class AnswererUnavailable(ServiceError):
    """The answerer that was asked for is not set up."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search gave, for which question, standing alone, in which generation, in how many milliseconds.

    `parts` has what was found for each thing that the question asks, if it asks several.
    """

    question: str
    result: SearchResult
    generation: Generation
    search_ms: float
    parts: tuple[FoundPart, ...] = ()


class Assistant:
    """Answers questions out of the best `passages` chunks.

    Its methods compute and block: call them outside of an event loop.
    """

    def __init__(self, live: LiveIndex, extractive: ExtractiveAnswerer, *, passages: int = 12) -> None:
        self._live = live
        self._passages = passages
        self._extractive = extractive

    def search(self, query: str, *, top_k: int = 10, mode: Mode = "hybrid", filters: Filters | None = None) -> Found:
        """Find passages; see `Searcher.search`.

        Raises:
            NoGeneration: There is no index yet.
        """
        searcher = self._live.searcher()
        started = time.perf_counter()
        result = searcher.search(query, top_k=top_k, mode=mode, filters=filters)
        return Found(query, result, searcher.generation, _ms_since(started))

    def find(
        self,
        message: str,
        *,
        history: Sequence[Turn] = (),
        as_of: date | None = None,
        filters: Filters | None = None,
        mode: Mode = "hybrid",
    ) -> Found:
        """Find what an answer to a message may draw on: the first half of `ask`, whose arguments it takes.

        Args:
            message: The user's words.
            history: The turns before it.
            as_of: Search as on this day.
            filters: Which articles may be found.
            mode: Both sides fused, as for an answer, or one alone.

        Raises:
            NoGeneration: There is no index yet.
        """
        until = _until(filters or Filters(), as_of)
        question = stand_alone(message, history)
        # What a message leans on is no part of what it asks.
        parts = parts_of(question) if question == message.strip() else ()
        searcher = self._live.searcher()
        started = time.perf_counter()

        def search(text: str) -> SearchResult:
            return searcher.search(text, top_k=self._passages, mode=mode, filters=until)

        result = search(question)
        found = tuple(FoundPart(part, search(part.search)) for part in parts)
        return Found(question, result, searcher.generation, _ms_since(started), found)

    def answer(self, found: Found, *, max_citations: int = 5) -> Reply:
        """Answer from what was found, in the generation that was searched: the second half of `ask`.

        Args:
            found: What `find` gave.
            max_citations: Most citations of the answer, above 0.
        """
        started = time.perf_counter()
        answer = self._extractive.answer(
            found.question, found.result, found.generation, parts=found.parts, max_citations=max_citations
        )
        answer_ms = _ms_since(started)
        return Reply(
            answer=answer,
            question=found.question,
            generation=found.generation.name,
            answerer="extractive",
            degraded=False,
            timings=Timings(search=found.search_ms, answer=answer_ms, total=round(found.search_ms + answer_ms, 2)),
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
    ) -> Reply:
        """Answer a message.

        Args:
            message: The user's words.
            history: The turns before it, oldest first, for a message that leans on them.
            answerer: Which answerer; None for the configured one.
            max_citations: Most citations of the answer, above 0.
            as_of: Answer as on this day: articles published later are left out.
            filters: Which articles may be used.

        Raises:
            NoGeneration: There is no index yet.
            AnswererUnavailable: `answerer` is not set up.
        """
        if answerer == "llm":
            raise AnswererUnavailable("no LLM is configured; leave 'answerer' out or ask for 'extractive'")
        found = self.find(message, history=history, as_of=as_of, filters=filters)
        return self.answer(found, max_citations=max_citations)


def _until(filters: Filters, as_of: date | None) -> Filters:
    """Leave out what was published after a day, and, as nobody knows when, what has no date."""
    if as_of is None:
        return filters
    latest = min(as_of, filters.published_to or as_of)
    return Filters(filters.published_from, latest, filters.sources, filters.article_ids)


def _ms_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)
