"""The JSON of the index and its builds, as in the contract."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from service.api.fields import RequestModel, ResponseModel


class BuildRequest(RequestModel):
    """How to build: `full` embeds everything again."""

    full: bool = False


class ProgressOut(ResponseModel):
    """How far a build is; `eta_s` is the rest of the phase."""

    phase: Literal["read", "chunk", "embed", "write", "verify", "publish"]
    done: int
    total: int
    eta_s: float | None


class SkippedOut(ResponseModel):
    """An article that the library holds and the generation does not, and why."""

    article: str
    reason: str


class BuildResultOut(ResponseModel):
    """What a build did; `built` is false where there was nothing to do."""

    generation: str
    built: bool
    articles: int
    articles_added: int
    articles_updated: int
    articles_removed: int
    chunks_embedded: int
    chunks_reused: int
    chunks_resumed: int
    reason: str | None
    skipped: list[SkippedOut]


class PlanOut(ResponseModel):
    """What a build was about to do, in articles; `reason` says why unchanged ones are embedded again.

    `resumed` were embedded by a build that did not end; `seconds` is how long embedding was thought to take.
    """

    articles: int
    embedded: int
    resumed: int
    reason: str | None
    seconds: float | None


class BuildOut(ResponseModel):
    """A build as it is now."""

    id: str
    full: bool
    state: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    plan: PlanOut | None
    progress: ProgressOut | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    result: BuildResultOut | None
    error: str | None


class PendingOut(ResponseModel):
    """What the next build would change, in articles."""

    added: int
    updated: int
    removed: int


class GenerationOut(ResponseModel):
    """A generation that is kept; `served` is the one that answers now."""

    generation: str
    served: bool


class VectorIndexOut(ResponseModel):
    """How vectors are searched: `flat` looks at all, `ivf` at `probes` of `lists`; `recall` was measured at 10."""

    kind: str
    lists: int
    probes: int
    recall: float


class IndexOut(ResponseModel):
    """The index that answers now; its fields are null or 0 while there is none."""

    generation: str | None
    built_at: str | None
    articles: int
    chunks: int
    embedding_model: str
    dimension: int | None
    pending: PendingOut
    generations: list[GenerationOut]
    vector_index: VectorIndexOut | None
    problems: list[str]


class RollbackRequest(RequestModel):
    """Which generation to serve."""

    generation: str = Field(pattern=r"^[0-9]{6}$", examples=["000001"])
