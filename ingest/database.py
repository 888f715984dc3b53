"""What the SQLite stores share: finding damage, moving a damaged file aside, overwriting what was deleted.

Damage is what makes a file unreadable whoever opens it. A file that is locked, or not ours to write, is not damaged.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa

SIDE_FILES = ("-wal", "-shm")
"""What SQLite keeps beside a database, by what is put after its name; the first holds commits."""

OVERWRITTEN = 1
"""`user_version` of a file in which nothing of deleted text is left.

A page that SQLite rewrites can keep an old copy of a row between its cells, which `secure_delete` does not reach:
whoever deletes or replaces text sets it to `LEFTOVERS` in the same transaction, and `scrub` makes the file anew.
"""
LEFTOVERS = 0
_SCRUBBING = 2
_SCRUB_TRIES = 3

_HEADER = b"SQLite format 3\x00"
# Raised as OperationalError, as is a locked file; these say that the file itself is at fault.
_SAYS_DAMAGE = (
    "malformed",
    "no such column",
    "no such table",
    "not a database",
    "unsupported file format",
    "could not decode",
)


def connect(path: Path, *, busy_seconds: float, mode: Literal["ro", "rw", "rwc"] = "rw") -> sqlite3.Connection:
    """Open a database file; without `rwc` a missing one is an error instead of an empty database.

    Raises:
        sqlite3.OperationalError: There is no such file, or it cannot be opened.
    """
    address = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(address, uri=True, timeout=busy_seconds, check_same_thread=False)


def engine_of_words(path: Path, *, busy_seconds: float) -> sa.Engine:
    """Give what connects to a file of people's words that are a convenience: conversations, kept replies.

    A crash of the process loses nothing; a power cut may cost the last writes, never the file. What is removed is
    overwritten with zeros, as in the library.
    """

    def prepare(connection: Any, _record: object) -> None:  # noqa: ANN401  # the driver's own connection
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    # Without parameters: they are people's words, and errors go to the log.
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": busy_seconds}, hide_parameters=True)
    sa.event.listen(engine, "connect", prepare)
    return engine


def header_fault(path: Path) -> str | None:
    """Say what is wrong with the first bytes of a file, None for those of a database.

    SQLite takes an empty file for an empty database, and an unknown write version for a read-only one.
    """
    with path.open("rb") as file:
        header = file.read(100)
    if not header:
        return "the file is empty"
    if len(header) < 100 or not header.startswith(_HEADER):
        return "file is not a database"
    # Versions of the format for writing and reading: 1 is a rollback journal, 2 a write-ahead log.
    if not {header[18], header[19]} <= {1, 2}:
        return "its header names an unknown version of the format"
    return None


def damage(
    engine: sa.Engine,
    tables: sa.MetaData,
    *,
    required: Collection[str] = (),
    check: Literal["quick_check", "integrity_check"] = "quick_check",
) -> str | None:
    """Say what is wrong with a database, None where nothing is; disposes of the engine.

    Args:
        engine: Opens the file, which exists.
        tables: Each of these is read, if it is there.
        required: Names of tables that must be there.
        check: `integrity_check` finds rows that an index lost or moved, too.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: The file cannot be looked at now: it is locked, or not ours.
    """
    try:
        with engine.connect() as connection:
            verdict = str(connection.execute(sa.text(f"PRAGMA {check}(1)")).scalar())
            inspector = sa.inspect(connection)
            for table in tables.sorted_tables:
                if inspector.has_table(table.name):
                    missing = {column.name for column in _missing_later(inspector, table)}
                    columns = [column for column in table.columns if column.name not in missing]
                    connection.execute(sa.select(*columns).limit(1)).all()
                elif table.name in required:
                    return f"it has no table {table.name!r}"
        return None if verdict == "ok" else verdict
    except UnicodeDecodeError:
        # The driver cannot read SQLite's own message, which quotes the damaged schema.
        return "its schema is malformed"
    except sa.exc.DatabaseError as error:
        if says_damage(error):
            return str(error.orig)
        raise
    finally:
        engine.dispose()


def later(column: sa.Column[Any]) -> sa.Column[Any]:
    """Mark a column as one that files of an earlier version lack: `add_later` adds it, and `damage` can do without."""
    column.info["later"] = True
    return column


def add_later(engine: sa.Engine, tables: sa.MetaData) -> None:
    """Add the columns that files of an earlier version lack; others may be doing the same.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: The file cannot be written.
    """
    with engine.begin() as connection:
        for table in tables.sorted_tables:
            for column in _missing_later(sa.inspect(connection), table):
                described = str(sa.schema.CreateColumn(column).compile(dialect=engine.dialect))
                try:
                    connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {described}")
                except sa.exc.OperationalError:
                    if column.name in {one.name for one in _missing_later(sa.inspect(connection), table)}:
                        raise


def _missing_later(inspector: sa.Inspector, table: sa.Table) -> list[sa.Column[Any]]:
    present = {column["name"] for column in inspector.get_columns(table.name)}
    return [column for column in table.columns if column.info.get("later") and column.name not in present]


def says_damage(error: sa.exc.DBAPIError) -> bool:
    """Tell whether an error of the database means that its file is damaged, rather than locked, full or not ours."""
    reason = str(error.orig).lower()
    if isinstance(error, sa.exc.OperationalError):
        return any(words in reason for words in _SAYS_DAMAGE)
    # SQLITE_CORRUPT and SQLITE_NOTADB come as the base class itself.
    return type(error.orig) is sqlite3.DatabaseError


def move_aside(path: Path) -> Path:
    """Move a database file with what SQLite keeps beside it to `<name>.corrupt-<UTC time>`; gives its new place.

    A process that dies half way leaves the log under its old name; `move_log_aside` moves it after.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    path.rename(aside)
    move_log_aside(path, aside)
    return aside


def move_log_aside(path: Path, aside: Path) -> None:
    """Move what SQLite kept beside a database that is gone to where the database was moved.

    A log of commits that is left would be played into the next database of that name.
    """
    for suffix in SIDE_FILES:
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    sync(path.parent)


def kept_aside(path: Path) -> list[Path]:
    """Give what was moved aside of a database file, the newest last, the database before its log."""
    return sorted(path.parent.glob(f"{path.name}.corrupt-*"))


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Be the only one, in all processes, who makes, moves or replaces database files of a folder.

    The lock is on the folder itself and dies with the process; reading and writing a database needs none.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def leave_to_scrub(connection: sa.Connection) -> None:
    """Note, in the transaction that deletes or replaces text, that something of it may be left in the file."""
    connection.exec_driver_sql(f"PRAGMA user_version={LEFTOVERS}")


def scrub_at_last(path: Path) -> bool:
    """Overwrite as `scrub` does, again where others wrote meanwhile; for one caller at a time, see `folder_lock`."""
    return any(scrub(path) for _ in range(_SCRUB_TRIES))


def scrub(path: Path, *, busy_seconds: float = 2.0) -> bool:
    """Overwrite what is left of deleted and replaced text in a database file and its log.

    Costs one checkpoint, and the writing of the whole file only where text was deleted since it was last written.

    Args:
        path: The file, which exists.
        busy_seconds: How long to wait for others who read or write; each of the steps waits so long at most.

    Returns:
        False where others were busy: something may be left, and it is to be tried again.

    Raises:
        sqlite3.Error: The database cannot be written.
    """
    with closing(connect(path, busy_seconds=busy_seconds)) as connection:
        connection.isolation_level = None
        connection.execute("PRAGMA secure_delete=ON")
        try:
            if _version(connection) != OVERWRITTEN:
                # In steps: a deletion meanwhile, or a crash, leaves a version that has it done again.
                connection.execute(f"PRAGMA user_version={_SCRUBBING}")
                connection.execute("VACUUM")
                connection.execute("BEGIN IMMEDIATE")
                if _version(connection) == _SCRUBBING:
                    connection.execute(f"PRAGMA user_version={OVERWRITTEN}")
                connection.execute("COMMIT")
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return busy == 0 and _version(connection) == OVERWRITTEN
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or "busy" in str(error):
                return False
            raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
