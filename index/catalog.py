"""The generations of one index: which there are, which one is current, and how that changes.

`<root>/000007/` is a generation and never changes. `<root>/CURRENT` names the one to serve.
`<root>/000008.tmp/` is being built or thrown away. `<root>/writer.lock` is held by whoever writes. What a
generation holds is not known here.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from index.durable import fsync_folder, fsync_tree, make_folder, naming_full_storage, replace_text
from index.errors import (
    BuildRunning,
    GenerationDamaged,
    GenerationIncompatible,
    IndexingError,
    NoGeneration,
)
from index.manifest import (
    MANIFEST_FILE,
    STAGING_SUFFIX,
    generation_of,
    is_generation_name,
    unreadable,
    verify,
)
from ingest.failpoints import reach

T = TypeVar("T")

CURRENT_FILE = "CURRENT"
_LOCK_FILE = "writer.lock"
_HIGHEST = 999_999


@dataclass(frozen=True, slots=True)
class Opened(Generic[T]):
    """A generation that opened, and the problems that were met on the way to it, the first one first."""

    value: T
    name: str
    problems: tuple[GenerationDamaged | GenerationIncompatible, ...]


class Catalog:
    """The folder of generations `<data>/index/`; it need not exist before the first build.

    Reading needs no lock. Whoever changes something holds `writer()`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._current_file = root / CURRENT_FILE
        self._writing_thread: int | None = None

    @contextmanager
    def writer(self) -> Iterator[None]:
        """Be the only writer of this index, in all processes, until the block or the process ends.

        Staging folders that a dead writer or this block leaves behind are removed. A full disk met anywhere
        in the block becomes StorageFull.

        Raises:
            BuildRunning: Another process or thread holds the lock.
            StorageFull: No space was left on the device.
        """
        with naming_full_storage():
            make_folder(self.root)
            descriptor = os.open(self.root / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                _lock(descriptor)
                self._writing_thread = threading.get_ident()
                try:
                    self._sweep()
                    yield
                finally:
                    # A failed build gives its space back now; what cannot be removed waits for the next.
                    with suppress(OSError):
                        self._sweep()
                    self._writing_thread = None
                    _unlock(descriptor)
            finally:
                os.close(descriptor)

    @naming_full_storage()
    def stage(self) -> Path:
        """Make an empty folder for the next generation; `generation_of` gives the name it will have.

        Raises:
            RuntimeError: The caller does not hold `writer()`.
            IndexingError: The six digits are used up.
            StorageFull: No space was left on the device.
        """
        self._require_writer()
        # Everything with a number counts, staged or broken: a number is never used for two generations.
        taken = [name for name in map(generation_of, self.root.iterdir()) if is_generation_name(name)]
        number = 1 + max(map(int, [*taken, self.current() or "0"]))
        if number > _HIGHEST:
            raise IndexingError(f"{self.root} has used up its numbers at {_HIGHEST}; use a new data folder")
        staged = self.root / f"{number:06}{STAGING_SUFFIX}"
        staged.mkdir()
        return staged

    @naming_full_storage()
    def publish(self, staged: Path) -> str:
        """Make a sealed staging folder the current generation.

        After an error the generation that was current still is, and the staged folder is where it was.

        Returns:
            The name of the generation.

        Raises:
            RuntimeError: The caller does not hold `writer()`.
            ValueError: `staged` is not a staging folder of this catalog.
            GenerationDamaged: The staged folder is not as it was sealed, or was sealed under another name.
            GenerationIncompatible: It was sealed with a format version that this program does not read.
            IndexingError: There is a generation of that name already.
            StorageFull: No space was left on the device.
        """
        self._require_writer()
        name = generation_of(staged)
        if staged != self.root / f"{name}{STAGING_SUFFIX}" or not is_generation_name(name):
            raise ValueError(f"{staged} is no staging folder of {self.root}; pass what stage() gave")
        manifest = verify(staged)
        reach("publish.verified")
        if manifest.generation != name:
            reason = f"it belongs to generation {manifest.generation!r}, the folder is staged for {name!r}"
            raise GenerationDamaged(name, MANIFEST_FILE, reason)
        fsync_tree(staged)
        self._move_in(staged, self.folder(name))
        return name

    def names(self) -> list[str]:
        """Give the names of the generations, oldest first; whether they are good is not looked at."""
        if not self.root.is_dir():
            return []
        return sorted(
            path.name
            for path in self.root.iterdir()
            if is_generation_name(path.name) and path.is_dir() and not path.is_symlink()
        )

    def current(self) -> str | None:
        """Give the name in CURRENT, whether or not that generation is there; None if it holds no name."""
        try:
            return self._read_current()
        except GenerationDamaged:
            return None

    def folder(self, name: str) -> Path:
        """Give the folder of a generation, whether or not it exists.

        Raises:
            ValueError: `name` is not six digits.
        """
        if not is_generation_name(name):
            raise ValueError(f"{name!r} is no name of a generation; expected six digits")
        return self.root / name

    def open_newest_good(self, open_folder: Callable[[Path], T]) -> Opened[T]:
        """Open the current generation, or, if it is damaged, the newest one that opens.

        Args:
            open_folder: Verifies and opens a folder; raises GenerationDamaged or GenerationIncompatible if it
                must not be served. Its OSErrors count as damage.

        Raises:
            NoGeneration: There is no generation at all.
            GenerationDamaged: None opened, and this was the first problem.
            GenerationIncompatible: None opened, and this was the first problem.
        """
        current, names, problems = self._look()
        opened: Opened[T] | None = None
        for name in sorted(names, key=lambda name: (name == current, name), reverse=True):
            try:
                opened = Opened(_open(open_folder, self.folder(name)), name, tuple(problems))
                break
            except (GenerationDamaged, GenerationIncompatible) as problem:
                problems.append(problem)
        if problems and self.current() != current:
            # Another one was published meanwhile, and what is missing may have been pruned: no damage at all.
            return self.open_newest_good(open_folder)
        if opened:
            return opened
        if names:
            raise problems[0]
        gone = f" ({CURRENT_FILE} names {current!r}, which is gone)" if current else ""
        raise NoGeneration(f"there is no index in {self.root} yet{gone}; run 'byline build'")

    @naming_full_storage()
    def rollback(self, name: str) -> None:
        """Make another generation, older or newer, the current one, if it is good.

        Takes the lock unless the calling thread holds it.

        Raises:
            NoGeneration: There is no generation of that name.
            BuildRunning: Another process or thread is writing.
            GenerationDamaged: The generation is not as it was written.
            GenerationIncompatible: It has a format version that this program does not read.
            StorageFull: No space was left on the device.
        """
        with self._writing():
            known = self.names()
            if name not in known:
                raise NoGeneration(f"there is no generation {name!r}; there are {', '.join(known) or 'none'}")
            verify(self.folder(name))
            reach("rollback.verified")
            replace_text(self._current_file, f"{name}\n")
            reach("rollback.current")

    def prune(self, keep: int) -> list[str]:
        """Remove all but the newest `keep` generations and the current one.

        Takes the lock unless the calling thread holds it.

        Args:
            keep: At least 1.

        Returns:
            The names of the removed ones, oldest first.

        Raises:
            ValueError: `keep` is below 1.
            BuildRunning: Another process or thread is writing.
            GenerationDamaged: CURRENT does not say which one is served, so none can be spared for certain.
        """
        if keep < 1:
            raise ValueError(f"keep is {keep}; expected at least 1")
        with self._writing():
            current, names, problems = self._look()
            doomed = [name for name in names[:-keep] if name != current]
            if not doomed:
                return []
            if problems:
                raise problems[0]
            reach("prune.begun")
            # Renamed first: a crash half way through removing leaves no half generation under a good name.
            for name in doomed:
                self.folder(name).rename(self.root / f"{name}{STAGING_SUFFIX}")
                reach("prune.renamed")
            fsync_folder(self.root)
            self._sweep()
            reach("prune.removed")
        return doomed

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the writer's lock, be it that the calling thread holds it already."""
        if self._writing_thread == threading.get_ident():
            yield
        else:
            with self.writer():
                yield

    def _require_writer(self) -> None:
        if self._writing_thread is None:
            raise RuntimeError("only the writer may do this; call it inside 'with catalog.writer():'")

    def _sweep(self) -> None:
        """Remove what was being built or thrown away."""
        for path in self.root.glob(f"*{STAGING_SUFFIX}"):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def _move_in(self, staged: Path, target: Path) -> None:
        # Renaming would replace an empty folder of that name without a word.
        if os.path.lexists(target):
            raise IndexingError(f"generation {target.name!r} exists already and is kept; build again")
        staged.rename(target)
        reach("publish.renamed")
        try:
            fsync_folder(self.root)
            replace_text(self._current_file, f"{target.name}\n")
            reach("publish.current")
        except OSError:
            if self.current() != target.name:
                with suppress(OSError):
                    target.rename(staged)
            raise

    def _read_current(self) -> str:
        """Give the name in CURRENT; GenerationDamaged where there is none."""
        try:
            with self._current_file.open("rb") as file:
                text = file.read(64).decode("ascii", errors="replace")
        except FileNotFoundError as error:
            raise GenerationDamaged("", CURRENT_FILE, "it is missing") from error
        except OSError as error:
            raise GenerationDamaged("", CURRENT_FILE, f"it cannot be read ({error.strerror})") from error
        if not (text.endswith("\n") and is_generation_name(text[:-1])):
            raise GenerationDamaged("", CURRENT_FILE, f"it says {text!r}; expected six digits and a line end")
        return text[:-1]

    def _look(self) -> tuple[str | None, list[str], list[GenerationDamaged | GenerationIncompatible]]:
        """Give the name in CURRENT, all names, and what keeps the one from being among the others."""
        try:
            current = self._read_current()
        except GenerationDamaged as problem:
            return None, self.names(), [problem]
        # Listed after CURRENT is read: a generation gets its name before CURRENT says it.
        names = self.names()
        if current in names:
            return current, names, []
        reason = f"it names {current!r}, and there is no such folder"
        return current, names, [GenerationDamaged(current, CURRENT_FILE, reason)]


def _open(open_folder: Callable[[Path], T], folder: Path) -> T:
    try:
        return open_folder(folder)
    except OSError as error:
        raise unreadable(folder, error) from error


def _lock(descriptor: int) -> None:
    """Lock the file for as long as it is open, and write in it who did."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 32, 0).strip()
        raise BuildRunning(int(holder) if holder.isdigit() else None) from error
    # The number only serves the message: on a full disk, pruning must still be possible.
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)


def _unlock(descriptor: int) -> None:
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
    # Closing would not do: a forked child may hold the same open file.
    fcntl.flock(descriptor, fcntl.LOCK_UN)
