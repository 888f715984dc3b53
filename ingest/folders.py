"""Which files to read: those named, and those inside named folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ingest.readers import SUPPORTED_SUFFIXES
from ingest.readers.raw import Refusal


def find_files(paths: Sequence[Path]) -> tuple[list[Path], list[Refusal]]:
    """Find the files to read.

    A file named directly is kept whatever it is: reading it says what is wrong. A folder gives the supported
    files within, its own first, then those of its folders, by name; hidden ones are skipped. Each file comes
    once.

    Returns:
        The files, and a refusal for each path that is missing and for each entry of a folder that is of an
        unsupported kind, cannot be looked at, or is a symbolic link that is broken or leaves the folder.
    """
    entries = [entry for path in paths for entry in _find(path)]
    files = _each_once(entry for entry in entries if isinstance(entry, Path))
    return files, [entry for entry in entries if isinstance(entry, Refusal)]


def _find(path: Path) -> Iterator[Path | Refusal]:
    try:
        if path.is_dir():
            yield from _walk(path)
        elif path.exists() or path.is_symlink():
            yield path
        else:
            yield Refusal(_printable(path), "missing: there is no such file or folder")
    except OSError as error:
        yield Refusal(_printable(path), f"unreadable: {error.strerror}")


def _walk(folder: Path) -> Iterator[Path | Refusal]:
    root = folder.resolve()
    waiting = [folder]
    # A stack, not recursion: folders can be nested deeper than Python calls.
    while waiting:
        current = waiting.pop()
        inner: list[Path] = []
        try:
            for entry in sorted(current.iterdir()):
                if entry.name.startswith("."):
                    continue
                if entry.is_dir() and not entry.is_symlink():
                    inner.append(entry)
                elif (found := _judge(entry, root)) is not None:
                    yield found
        except OSError as error:
            yield Refusal(_printable(current), f"unreadable folder: {error.strerror}")
        waiting += reversed(inner)


def _judge(entry: Path, root: Path) -> Path | Refusal | None:
    """Accept or refuse what is no folder; None for a link to a folder that is walked anyway."""
    name = _printable(entry)
    if name != str(entry):
        return Refusal(name, "the file name is not valid text")
    if entry.is_symlink():
        try:
            target = entry.resolve(strict=True)
        except (OSError, RuntimeError):  # RuntimeError: links in a circle
            return Refusal(name, "broken symbolic link")
        if not target.is_relative_to(root):
            return Refusal(name, "symbolic link that leaves the folder")
        if target.is_dir():
            return None
    if entry.suffix.lower() not in SUPPORTED_SUFFIXES:
        supported = ", ".join(sorted(SUPPORTED_SUFFIXES))
        return Refusal(name, f"unsupported kind of file {entry.suffix!r}; supported are {supported}")
    return entry if entry.is_file() else Refusal(name, "not a regular file")


def _each_once(files: Iterable[Path]) -> list[Path]:
    first_by_place: dict[str, Path] = {}
    for path in files:
        first_by_place.setdefault(os.path.realpath(path), path)
    return list(first_by_place.values())


def _printable(path: Path) -> str:
    """Give a path as text that can be written anywhere: bytes that are no UTF-8 are spelled out."""
    return str(path).encode("utf-8", "backslashreplace").decode("utf-8")
