"""What can go wrong with an index, named for what a caller does about it."""

from __future__ import annotations


class IndexingError(Exception):
    """Base of what goes wrong between the articles and an open index; the message is for a person."""


class NoGeneration(IndexingError):
    """There is no index yet, or not the generation that was asked for: build one."""


class GenerationDamaged(IndexingError):
    """A file of a generation is not as it was written: serve another generation.

    Attributes:
        generation: Name of the generation ("000007"), or empty where none is known, as for a lost CURRENT.
        file: The file at fault, relative to the generation's folder.
        reason: What is wrong with the file, as a clause about "it".
    """

    def __init__(self, generation: str, file: str, reason: str) -> None:
        # The arguments, not the message, go to the base class: pickling for a process pool needs them.
        super().__init__(generation, file, reason)
        self.generation = generation
        self.file = file
        self.reason = reason

    def __str__(self) -> str:
        place = f"generation {self.generation!r}: " if self.generation else ""
        remedy = "roll back to a good generation or run 'byline build'"
        return f"{place}file {self.file!r}: {self.reason}; {remedy}"


class GenerationIncompatible(IndexingError):
    """A generation is whole but of another format version or embedding model: a rebuild is needed."""


class BuildRunning(IndexingError):
    """Another process, or another thread of this one, is writing: try again later.

    Attributes:
        pid: The process that writes, or None where it has not said so.
    """

    def __init__(self, pid: int | None) -> None:
        super().__init__(pid)
        self.pid = pid

    def __str__(self) -> str:
        process = "process unknown" if self.pid is None else f"process {self.pid}"
        return f"another build is already running ({process}); wait until it ends, or stop it"


class BuildCancelled(IndexingError):
    """A build was stopped on request; the current index is kept."""


class StorageFull(IndexingError):
    """No space was left on the device; the current index is kept."""
