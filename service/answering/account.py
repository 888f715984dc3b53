"""How an answer came about: what was weighed for it, and what an LLM was asked and did.

Kept with a reply for as long as its request takes; `service.explanation` says it in ids, offsets and scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from index.generation import Generation
from index.searcher import Hit, SearchResult
from service.answering.abstention import AbstentionModel, Decision
from service.answering.evidence import Evidence, Question

Outcome = Literal["kept", "repaired", "dropped"]
"""Of a sentence of an LLM: said, said with another citation or in an article's words, or not said."""

NotAsked = Literal["no_relevant_passage", "no_room", "circuit_open"]


@dataclass(frozen=True, slots=True)
class Weighed:
    """A question, or a part of one, with what was found for it, the evidence, best first, and what was decided."""

    question: Question
    result: SearchResult
    ranked: Sequence[Evidence]
    decision: Decision


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a sentence of an LLM, why, and the numbers of the passages that it named."""

    outcome: Outcome
    reason: str
    cited: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class LlmAccount:
    """What an LLM was shown and did: `failure` is the kind of error that ended its reply."""

    not_asked: NotAsked | None = None
    shown: tuple[Hit, ...] = ()
    fates: tuple[Fate, ...] = ()
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """All that was weighed: the whole question first, then its parts, if it was answered by them.

    Attributes:
        weighed: At least one.
        generation: The generation that was searched.
        model: What decided.
        most: Most pieces of evidence that might be said.
        llm: None where no LLM was wanted.
    """

    weighed: tuple[Weighed, ...]
    generation: Generation
    model: AbstentionModel
    most: int
    llm: LlmAccount | None = None
