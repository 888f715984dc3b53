"""What a build says of itself: what it will do, how far it is, what it did."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from index.manifest import Manifest

Phase = Literal["read", "chunk", "embed", "write", "verify", "publish"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a build is: `done` of `total` articles (read, chunk, embed) or steps.

    `share` is that of the phase's work, by the length of the texts, where it is known; None where only `done` is.
    """

    phase: Phase
    done: int
    total: int
    share: float | None = None


class Work:
    """How much of a build's embedding is done.

    Characters are counted, not articles: the number of tokens follows them, and the time that of tokens.
    """

    def __init__(self, articles: int, characters: int) -> None:
        self.total_articles = articles
        self.articles = 0
        self._total = characters
        self._characters = 0
        self._began = time.monotonic()

    def note(self, articles: int, characters: int) -> None:
        """Count what is done."""
        self.articles += articles
        self._characters += characters

    def share(self, more: float) -> float:
        """Give the share that is done, with some characters more than were counted."""
        return min(1.0, (self._characters + more) / max(self._total, 1))

    def pace(self) -> float:
        """Give the characters of articles embedded a second so far."""
        return round(self._characters / max(time.monotonic() - self._began, 1e-3), 1)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a build is about to do.

    Attributes:
        articles: In the library.
        embedded: How many of them are cut and embedded.
        resumed: How many were embedded by a build that did not end, and are taken from it.
        reason: Why those that did not change are not taken over; None where they are.
        seconds: How long embedding will take by the pace of the last build; None where there is none.
    """

    articles: int
    embedded: int
    resumed: int
    reason: str | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Skipped:
    """An article that is in the library but not in the generation, and why."""

    article: str
    reason: str


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did. `generation` is the current one afterwards; `built` is False where nothing was to do.

    `chunks_resumed` of the `chunks_reused` were embedded by a build that did not end. `reason` says why articles
    that did not change were embedded again, None where they were not.
    """

    generation: str
    built: bool
    articles: int
    articles_added: int
    articles_updated: int
    articles_removed: int
    chunks_embedded: int
    chunks_reused: int
    skipped: tuple[Skipped, ...]
    chunks_resumed: int = 0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """How the library differs from a generation, in articles."""

    added: int
    updated: int
    removed: int

    @classmethod
    def between(cls, held: dict[str, str], wanted: dict[str, str]) -> Changes:
        """Compare content hashes by article id: those of a generation with those of the library."""
        return cls(
            added=len(wanted.keys() - held.keys()),
            updated=sum(held[known] != wanted[known] for known in held.keys() & wanted.keys()),
            removed=len(held.keys() - wanted.keys()),
        )

    @property
    def any(self) -> bool:
        """Tell whether there is a difference."""
        return bool(self.added or self.updated or self.removed)


def difference(
    manifest: Manifest,
    *,
    model: str,
    model_sha256: str,
    engine: str | None,
    chunking: dict[str, int | str],
    cleaning: int,
) -> str | None:
    """Say why a generation's chunks and vectors cannot be taken over, as a clause; None where they can.

    Args:
        manifest: Of the generation.
        model: Name of the embedding model that is set now.
        model_sha256: SHA-256 (hex) of its files.
        engine: Why what computed the vectors does not do any more, as a clause; None where it does.
        chunking: How articles are cut now; see `index.builder.chunking_record`.
        cleaning: Version of the cleaning rules.
    """
    if manifest.embedding.model_sha256 != model_sha256:
        return f"the embedding model is now {model!r}, the index has {manifest.embedding.model!r}"
    if engine is not None:
        return engine
    if manifest.chunking != chunking:
        changed = sorted(
            name for name in chunking.keys() | manifest.chunking if chunking.get(name) != manifest.chunking.get(name)
        )
        values = (f"{name} is now {chunking.get(name)}, was {manifest.chunking.get(name)}" for name in changed)
        return f"articles are cut otherwise: {'; '.join(values)}"
    if manifest.cleaning_version != cleaning:
        return (
            f"the cleaning rules are now of version {cleaning}, the index has {manifest.cleaning_version}; articles "
            "that were added before keep their text until they are added again"
        )
    return None
