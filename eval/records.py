"""The run file: one JSON document with all that a run asked, got and measured, and under what circumstances.

It stands alone: tables, comparisons, the gate and the report read it and need neither the set nor the index.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eval.sets.lines import DatasetError
from eval.sets.questions import EarlierTurn, Split, Unanswerable
from service.errors import first_fault

RUN_FORMAT: Literal["byline-run/1"] = "byline-run/1"
_REMEDY = "make one with 'byline eval run --out FILE'"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Machine(_Record):
    """What the run ran on; times of different machines do not compare."""

    cpu: str
    cores: int
    memory_bytes: int
    platform: str


class Circumstances(_Record):
    """All that can move a figure. `git_revision` ends in `-dirty` where files were changed since.

    `mode` and `unit` say how a ranking was made; `excluded` counts the entries of the set that were left out.
    """

    date: str
    set: str
    set_sha256: str
    split: str
    mode: str
    unit: str
    settings: dict[str, Any]
    generation: str | None
    model: str | None
    model_sha256: str | None
    articles: int
    chunks: int
    excluded: dict[str, int] = Field(default_factory=dict)
    byline_version: str | None
    git_revision: str | None
    python: str
    machine: Machine


class Passage(_Record):
    """The chunk that a quote stands in, at `start`..`end` of its article."""

    start: int
    end: int
    text: str


class CitationRecord(_Record):
    """A citation of an answer, or a near passage of an abstention.

    `right` says whether it overlaps a gold quote, None where none is known; `passage` is the chunk around it, so
    that `passage.text[start - passage.start : end - passage.start] == quote`.
    """

    number: int
    article_id: str
    title: str
    source: str
    url: str | None
    published_at: date | None
    start: int
    end: int
    quote: str
    score: float
    right: bool | None
    passage: Passage


class SentenceRecord(_Record):
    """A sentence of an answer, at `start`..`end` of its text; `supported` says whether its citations bear it out."""

    start: int
    end: int
    citations: tuple[int, ...]
    support: str
    supported: bool


class ConflictRecord(_Record):
    """A disagreement that an answer shows: what about, and the values with their citations."""

    about: str
    values: tuple[str, ...]
    citations: tuple[int, ...]


class AnswerRecord(_Record):
    """What was answered. `confidence` is the answerer's own, in [0, 1]; times are wall milliseconds."""

    status: str
    abstain_reason: str | None
    text: str
    answerer: str
    degraded: bool
    searched: str
    confidence: float
    sentences: tuple[SentenceRecord, ...]
    citations: tuple[CitationRecord, ...]
    nearest: tuple[CitationRecord, ...]
    conflicts: tuple[ConflictRecord, ...]
    search_ms: float
    answer_ms: float
    total_ms: float
    judged: str | None = None
    judged_because: str | None = None


class GoldRecord(_Record):
    """A quote that answers. `cited` says whether the answer cites it.

    `rank` says which hit, from 1, was the first that counts as relevant for it (`eval.retrieval.chunk_grades`).
    """

    article_id: str
    title: str
    start: int
    end: int
    quote: str
    cited: bool | None
    rank: int | None


class HitRecord(_Record):
    """A hit of a ranking: a chunk, or an article where articles are ranked. `gain` is its grade, 0 for none."""

    id: str
    article_id: str
    title: str
    score: float
    gain: float


class Result(_Record):
    """One question under one system: what was due, what came, and the metrics that apply to it, by name."""

    id: str
    system: str
    question: str
    type: str | None
    split: Split | None
    unanswerable: Unanswerable | None
    history: tuple[EarlierTurn, ...] = ()
    as_of: date | None = None
    expected: str | None = None
    answer_keys: tuple[tuple[str, ...], ...] = ()
    gold: tuple[GoldRecord, ...] = ()
    answer: AnswerRecord | None = None
    hits: tuple[HitRecord, ...] = ()
    metrics: dict[str, float]


class Run(_Record):
    """A run. `figures` has the means by system, group of questions and metric; they follow from `results`."""

    format: Literal["byline-run/1"] = RUN_FORMAT
    circumstances: Circumstances
    figures: dict[str, dict[str, dict[str, FigureRecord]]]
    results: tuple[Result, ...]

    @property
    def systems(self) -> tuple[str, ...]:
        """The names of the systems, in the order in which they ran."""
        return tuple(dict.fromkeys(result.system for result in self.results))

    def of_system(self, system: str) -> tuple[Result, ...]:
        """Give the results of one system, in the order of the set."""
        return tuple(result for result in self.results if result.system == system)


class FigureRecord(_Record):
    """A figure over `n` cases with its 95 % interval, where one was computed."""

    value: float
    n: int
    low: float | None = None
    high: float | None = None


Run.model_rebuild()


def write_run(run: Run, file: Path) -> None:
    """Write a run as JSON; the same run gives the same bytes."""
    file.write_text(run.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_run(file: Path) -> Run:
    """Read what `write_run` wrote.

    Raises:
        DatasetError: The file is missing, or is no run of this format.
    """
    try:
        return Run.model_validate_json(file.read_bytes())
    except OSError as error:
        raise DatasetError(f"{file} cannot be read: {error.strerror or error}; {_REMEDY}") from error
    except ValidationError as error:
        fault = first_fault(error)
        raise DatasetError(f"{file} is no run of the format {RUN_FORMAT!r} ({fault}); {_REMEDY}") from error


def by_id(results: tuple[Result, ...]) -> Mapping[str, Result]:
    """Give results by the id of their question."""
    return {result.id: result for result in results}
