"""A reply: an answer, and how it came about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from service.answering.answer import Answer, AnswererName


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
    """An answer, whether it is less than what was asked for, and what it took of an LLM."""

    answer: Answer
    degraded: bool
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with its circumstances: what was searched, in which generation, by which answerer."""

    answer: Answer
    question: str
    generation: str
    answerer: AnswererName
    degraded: bool
    timings: Timings
    prompt_tokens: int = 0
    completion_tokens: int = 0
