"""Backups: library and conversations in one file that is checked before it counts, and back from it.

A backup is a zip with `library.sqlite`, `conversations.sqlite` where there are any, and `backup.json`, which has the
size and the SHA-256 of the others. It holds every article, so it is made and put back whole or not at all.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import sqlite3
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from index.durable import sha256_of
from ingest import database
from ingest.failpoints import reach
from ingest.library import ArticleLibrary
from service.assembly import LIBRARY_FILE, has_library, open_library
from service.conversation_file import CONVERSATIONS_FILE, fault_of
from service.errors import ServiceError, first_fault
from service.version import byline_version

FORMAT: Literal[1] = 1
RECORD_FILE = "backup.json"
_MEMBERS = (LIBRARY_FILE, CONVERSATIONS_FILE)
_MOST_RECORD_BYTES = 65_536
_PIECE_BYTES = 1 << 20
_BUSY_SECONDS = 30
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class BackupFailed(ServiceError):
    """A backup could not be made, or what was given is none; nothing was changed."""


class Member(BaseModel):
    """One file of a backup."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    bytes: int = Field(ge=1)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class BackupRecord(BaseModel):
    """`backup.json`: what a backup holds, and what made it when."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1]
    byline: str
    created_at: datetime
    articles: int = Field(ge=0)
    members: dict[str, Member]


@dataclass(frozen=True, slots=True)
class BackupReport:
    """A backup that was made."""

    file: str
    bytes: int
    articles: int
    conversations: bool
    created_at: str


def back_up(data: Path, file: Path, *, force: bool = False) -> BackupReport:
    """Write the library and the conversations of a data folder to a file, while a server may be using them.

    Args:
        data: The data folder.
        file: The backup; it appears when it is whole and checked.
        force: Whether an existing file is replaced.

    Raises:
        BackupFailed: There is nothing to back up, something of it is damaged, or the disk refuses.
        LibraryDamaged: The library is damaged and was set aside.
    """
    if not has_library(data):
        raise BackupFailed(f"there are no articles in {data}; nothing was backed up")
    _require_free(file, force)
    open_library(data).close()
    with naming_failures(f"the backup {file} could not be written"), workspace(file, "backup") as work:
        for name in _MEMBERS:
            if (data / name).exists():
                _copy(data / name, work / name)
        reach("backup.copied")
        record = BackupRecord(
            format=FORMAT,
            byline=byline_version(),
            created_at=datetime.now(UTC).replace(microsecond=0),
            articles=_require_sound(work, "back up"),
            members={name: _member(work / name) for name in _MEMBERS if (work / name).exists()},
        )
        reach("backup.verified")
        packed = work / "packed.zip"
        _pack(work, packed, record)
        reach("backup.written")
        size = packed.stat().st_size
        _publish(packed, file, force)
    reach("backup.published")
    return BackupReport(
        file=str(file),
        bytes=size,
        articles=record.articles,
        conversations=CONVERSATIONS_FILE in record.members,
        created_at=record.created_at.isoformat(),
    )


@contextmanager
def unpacked(file: Path, data: Path) -> Iterator[tuple[Path, BackupRecord]]:
    """Unpack a backup beside the data it is for, every file and every article of it checked.

    Raises:
        BackupFailed: The file is no sound backup, or there is no room for it.
    """
    what = f"the backup {file} could not be unpacked"
    with naming_failures(what), workspace(data / "restore", "restore") as work:
        try:
            with zipfile.ZipFile(file) as archive:
                record = _record_of(archive, file)
                _require_room(work, record)
                for name, member in record.members.items():
                    _unpack(archive, name, member, work / name, file)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
            raise BackupFailed(f"{file} is no sound backup ({error}); take another one") from error
        reach("restore.unpacked")
        if _require_sound(work, "restore") != record.articles:
            raise BackupFailed(f"{file} holds another number of articles than its record says; take another one")
        reach("restore.verified")
        yield work, record


@contextmanager
def workspace(beside: Path, purpose: str) -> Iterator[Path]:
    """Give an empty folder on the file system of `beside`, removed at the end; one that a dead process left is emptied.

    Raises:
        BackupFailed: Another process is at the same work.
    """
    folder = beside.absolute().with_name(f".{beside.name}.partial")
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BackupFailed(f"another {purpose} is at work in {folder}; wait until it has ended") from error
        for left in folder.iterdir():
            left.unlink()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)


def _copy(source: Path, target: Path) -> None:
    with (
        closing(database.connect(source, busy_seconds=_BUSY_SECONDS)) as live,
        closing(sqlite3.connect(target)) as copy,
    ):
        # In one step, which is one read transaction: others go on writing, and none of it is seen here.
        live.backup(copy)
    # A removed article must not live on in the gaps of a backup.
    database.scrub(target)
    with closing(sqlite3.connect(target)) as copy:
        copy.execute("PRAGMA journal_mode=DELETE")  # all in one file


def _require_sound(folder: Path, verb: str) -> int:
    """Check the copies in a folder; gives the number of articles."""
    library = ArticleLibrary.open_copy(folder / LIBRARY_FILE)
    try:
        faults = library.faults()
        count = 0 if faults else len(library.digests())
    finally:
        library.close()
    if (folder / CONVERSATIONS_FILE).exists() and (fault := fault_of(folder / CONVERSATIONS_FILE)):
        faults.append(f"the conversations are damaged ({fault}); the next start of the server moves them aside")
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise BackupFailed(f"there is damage in what was to {verb}: {faults[0]}{more}; nothing was changed")
    return count


def _member(path: Path) -> Member:
    return Member(bytes=path.stat().st_size, sha256=sha256_of(path))


def _pack(folder: Path, packed: Path, record: BackupRecord) -> None:
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
        archive.writestr(RECORD_FILE, record.model_dump_json(indent=2) + "\n")
        for name in record.members:
            archive.write(folder / name, name)
    with zipfile.ZipFile(packed) as archive:
        for name, member in record.members.items():
            for _ in _pieces(archive, name, member, packed):
                pass
    database.sync(packed)


def _publish(packed: Path, file: Path, force: bool) -> None:
    if force:
        packed.replace(file)
    else:
        try:
            os.link(packed, file)  # unlike renaming, it replaces nothing
        except FileExistsError:
            _require_free(file, force)
            raise
        except OSError:  # there are no links on this file system
            _require_free(file, force)
            packed.rename(file)
    database.sync(file.absolute().parent)


def _require_free(file: Path, force: bool) -> None:
    if file.is_dir():
        raise BackupFailed(f"{file} is a folder; name a file for the backup")
    if not force and os.path.lexists(file):
        raise BackupFailed(f"{file} exists and is kept; name another file, or give --force to replace it")


def _record_of(archive: zipfile.ZipFile, file: Path) -> BackupRecord:
    names = archive.namelist()
    if RECORD_FILE not in names:
        raise BackupFailed(f"{file} is no backup of Byline: it has no {RECORD_FILE}; name one made by 'byline backup'")
    if archive.getinfo(RECORD_FILE).file_size > _MOST_RECORD_BYTES:
        raise BackupFailed(f"{file} is no sound backup: its {RECORD_FILE} is too long; take another one")
    with archive.open(RECORD_FILE) as stream:
        text = stream.read(_MOST_RECORD_BYTES)
    try:
        record = BackupRecord.model_validate_json(text)
    except ValidationError as error:
        raise BackupFailed(
            f"{file}: its {RECORD_FILE} is not one of this version ({first_fault(error)}); "
            "take another backup, or the version of Byline that made this one"
        ) from error
    expected = [RECORD_FILE, *record.members]
    if sorted(names) != sorted(expected) or not {LIBRARY_FILE} <= record.members.keys() <= set(_MEMBERS):
        raise BackupFailed(f"{file} is no sound backup: it does not hold just {', '.join(expected)}; take another one")
    return record


def _require_room(folder: Path, record: BackupRecord) -> None:
    needed = sum(member.bytes for member in record.members.values())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise BackupFailed(f"restoring needs {needed} bytes, {free} are free beside {folder.parent}; free some space")


def _unpack(archive: zipfile.ZipFile, name: str, member: Member, target: Path, file: Path) -> None:
    with target.open("xb") as out:
        for piece in _pieces(archive, name, member, file):
            out.write(piece)


def _pieces(archive: zipfile.ZipFile, name: str, member: Member, file: Path) -> Iterator[bytes]:
    """Read a member piece by piece, no further than its record says, and check it at its end."""
    digest, size = hashlib.sha256(), 0
    with archive.open(name) as stream:
        while size <= member.bytes and (piece := stream.read(_PIECE_BYTES)):
            size += len(piece)
            digest.update(piece)
            yield piece
    if size != member.bytes or digest.hexdigest() != member.sha256:
        raise BackupFailed(f"{file} is no sound backup: its {name} is not what was written; take another one")


@contextmanager
def naming_failures(what: str, kept: str = "nothing was changed") -> Iterator[None]:
    """Turn what disk and database refuse into BackupFailed: what could not be done, and what of it was `kept`."""
    try:
        yield
    except OSError as error:
        remedy = "free some space" if error.errno in _FULL else "see that both folders can be read and written"
        raise BackupFailed(f"{what} ({error.strerror}); {kept}; {remedy} and try again") from error
    except sqlite3.Error as error:
        remedy = "see that the disk is not full and nobody locks the database"
        raise BackupFailed(f"{what} ({error}); {kept}; {remedy}, and try again") from error
