"""Files that survive a power cut: what is synced, in which order, and what a full disk is called."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import DTypeLike, NDArray

from index.errors import StorageFull

# A quota and a file-size limit ask the same of the operator as a full disk does.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def naming_full_storage() -> Iterator[None]:
    """Turn the system's "no space left" into StorageFull; other errors pass. Works as a decorator, too.

    Raises:
        StorageFull: The body met a full disk, a used-up quota or a file-size limit.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise StorageFull(
            f"no space left on the device ({error}); the current index is kept; free some space and retry"
        ) from error


def write(file: BinaryIO, data: bytes | memoryview) -> None:
    """Write bytes to a file: the one door through which an index gets onto the disk, so that it can be seen to fail."""
    file.write(data)


@contextmanager
def array_file(path: Path, shape: Sequence[int], dtype: DTypeLike) -> Iterator[Callable[[NDArray[np.generic]], None]]:
    """Write a `.npy` file of a known shape piece by piece; gives what takes the next rows.

    What `np.save` writes, but that loses the end of a real file on a full disk, or the number of the error.

    Raises:
        ValueError: The pieces are not `shape` in all.
    """
    kind, rows = np.dtype(dtype), 0
    with path.open("wb") as file:
        header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": tuple(shape)}
        np.lib.format.write_array_header_1_0(_Header(file), header)

        def append(piece: NDArray[np.generic]) -> None:
            nonlocal rows
            rows += len(piece)
            if len(piece):
                write(file, np.ascontiguousarray(piece, dtype=kind).data)

        yield append
    if rows != shape[0]:
        raise ValueError(f"{path.name} was to have {shape[0]} rows and got {rows}")


class _Header:
    """A file as numpy's header writer wants it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, data: bytes) -> None:
        write(self._file, data)


def save_array(path: Path, array: NDArray[np.generic]) -> None:
    """Write an array as a `.npy` file."""
    with array_file(path, array.shape, array.dtype) as append:
        append(array)


def map_array(path: Path) -> NDArray[Any]:
    """Map a `.npy` file into memory; its pages are read when they are used."""
    # As a plain array: numpy's own class for maps takes microseconds more at every access.
    mapped: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return mapped.view(np.ndarray)


def sha256_of(path: Path) -> str:
    """Give the SHA-256 (hex) of a file, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fsync_file(path: Path) -> None:
    """Wait until the bytes of a file are on the disk."""
    _fsync(path, os.O_RDONLY)


def fsync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk; syncing a file does not sync its name."""
    _fsync(path, os.O_RDONLY | os.O_DIRECTORY)


def fsync_tree(folder: Path) -> None:
    """Wait until every file and folder below `folder`, and `folder` itself, are on the disk."""
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            fsync_file(Path(parent, name))
        fsync_folder(Path(parent))


def make_folder(path: Path) -> None:
    """Make a folder and the missing ones above it, each name synced; an existing folder is left as it is."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    fsync_folder(path.parent)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock that a file stands for, waiting for whoever has it; it ends with its process."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def replace_text(path: Path, text: str) -> None:
    """Write a file so that readers, and a restart after a crash, see the old text or the new, never a part.

    Works with `<name>.tmp` and `<name>.before.tmp` beside the file: one writer at a time.

    Raises:
        OSError: The disk refused; the old text stands.
    """
    beside = path.with_name(f"{path.name}.tmp")
    spare = path.with_name(f"{path.name}.before.tmp")
    before: bytes | None = None
    with suppress(OSError):  # there may be none, and one that cannot be read must not keep a new one out
        before = path.read_bytes()
    try:
        # A copy made first: putting the old text back must need no space.
        if before is not None:
            with spare.open("wb") as file:
                write(file, before)
        with beside.open("wb") as file:
            write(file, text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        try:
            fsync_folder(path.parent)
        except OSError:
            with suppress(OSError):
                path.unlink() if before is None else spare.replace(path)
            raise
    finally:
        beside.unlink(missing_ok=True)
        spare.unlink(missing_ok=True)


def _fsync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
