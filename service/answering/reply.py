"""A reply: an answer, and how it came about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from service.answering.answer import Answer, AnswererName

if TYPE_CHECKING:
    from index.searcher import Filters
    from index.stages import Stage
    from service.answering.account import Account


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier message of a conversation."""

    role: Literal["user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Timings:
    """Wall time of the stages of one reply, in milliseconds."""

    search: float
    answer: float
    total: float


@dataclass(frozen=True, slots=True)
class Told:
    """An answer, whether it is less than what was asked for, what it took of an LLM, and how it came about."""

    answer: Answer
    degraded: bool
    prompt_tokens: int = 0
    completion_tokens: int = 0
    stages: tuple[Stage, ...] = ()
    account: Account | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with its circumstances: what was searched, how, in which generation, by which answerer."""

    answer: Answer
    question: str
    generation: str
    answerer: AnswererName
    degraded: bool
    timings: Timings
    prompt_tokens: int = 0
    completion_tokens: int = 0
    filters: Filters | None = None
    stages: tuple[Stage, ...] = ()
    account: Account | None = None
