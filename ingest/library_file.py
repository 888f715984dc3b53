"""The file of the article library: made whole or not at all, checked when it is opened, set aside where it is damaged.

An empty library must never take the place of a lost one without a word: the next build would empty the index.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ingest import database
from ingest.article import IngestError

_BUSY_SECONDS = 30

METADATA = sa.MetaData()
ARTICLES = sa.Table(
    "articles",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String, nullable=False, unique=True),
    sa.Column("content_hash", sa.String, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False, index=True),
    sa.Column("published_at", sa.String, nullable=True, index=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("fields", sa.Text, nullable=False),
    sa.Column("stored_at", sa.String, nullable=False),
)
REMOVALS = sa.Table(
    "removals",
    METADATA,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("removed_at", sa.String, nullable=False),
)


class LibraryDamaged(IngestError):
    """A stored article does not match its hash, or the database cannot be read."""


class LibraryUnavailable(IngestError):
    """The database cannot be used now: locked, not ours to write, or moved away by another process."""


def open_file(path: Path) -> sa.Engine:
    """Open the database of a library, making file and folder where there never were any.

    Raises:
        LibraryDamaged: The file is damaged and was set aside, now or before; the message says how to go on.
        LibraryUnavailable: The file or its folder cannot be used now.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            with database.folder_lock(path.parent):
                refuse_if_lost(path)
                if not path.exists():
                    make_file(path)
        elif _fault(path) is not None:
            with database.folder_lock(path.parent):
                # Looked at again: another process may have set it aside, or put a good one in its place.
                refuse_if_lost(path)
                if path.exists() and (fault := _fault(path)) is not None:
                    raise LibraryDamaged(_lost_message(path, database.move_aside(path), fault))
        engine = _engine(path)
        METADATA.create_all(engine)  # tables that an older version did not have
        return engine
    except (OSError, sa.exc.SQLAlchemyError) as error:
        reason = getattr(error, "orig", None) or error
        raise LibraryUnavailable(
            f"the article library {path} cannot be opened ({reason}); "
            "free the file and its folder for reading and writing, and see that nobody locks it"
        ) from error


def open_copy(path: Path) -> sa.Engine:
    """Open a file that nobody else uses for reading, as it is: nothing is made, checked or moved."""
    engine = sa.create_engine(
        f"sqlite:///{path}",
        creator=lambda: database.connect(path, busy_seconds=_BUSY_SECONDS, mode="ro"),
        hide_parameters=True,
    )
    sa.event.listen(engine, "connect", _tolerate)
    return engine


def make_file(path: Path) -> None:
    """Make an empty library under another name and move it into its place; the caller holds the folder's lock.

    So a file that is empty, or has no tables, is never one that is just being made.
    """
    new = path.with_name(f"{path.name}.new")
    for suffix in ("", *database.SIDE_FILES):
        new.with_name(new.name + suffix).unlink(missing_ok=True)
    engine = _engine(new, mode="rwc")
    METADATA.create_all(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"PRAGMA user_version={database.OVERWRITTEN}")
    engine.dispose()
    database.sync(new)
    new.rename(path)
    database.sync(path.parent)


def refuse_if_lost(path: Path) -> None:
    """Refuse if there is no library where there was one; the caller holds the folder's lock.

    Raises:
        LibraryDamaged: The library was set aside, or only its log is left.
    """
    if path.exists():
        return
    if kept := database.kept_aside(path):
        newest = [one for one in kept if not one.name.endswith(database.SIDE_FILES)][-1:] or kept[-1:]
        database.move_log_aside(path, newest[0])
        raise LibraryDamaged(_lost_message(path, newest[0], None))
    log = path.with_name(path.name + database.SIDE_FILES[0])
    # Empty, it is what a reader leaves behind; otherwise it holds articles of a library that is gone.
    if log.exists() and log.stat().st_size:
        raise LibraryDamaged(
            f"the article library {path} is gone and its log {log.name} is not; put the file back, "
            f"run 'byline restore', or remove {log.name} to begin anew"
        )


def stands_in_place(connection: sa.Connection, path: Path) -> bool:
    """Tell whether a connection has the file open that is now at `path`: another may have been put there."""
    return bool(connection.info.get("file") == _identity(path))


def file_of(engine: sa.Engine) -> Path:
    """Give the file that an engine opens."""
    return Path(str(engine.url.database))


def _lost_message(path: Path, kept: Path, fault: str | None) -> str:
    what = "is damaged and was set aside" if fault is None else f"is damaged ({fault}) and was set aside"
    return (
        f"the article library {path} {what}, kept as {kept.name}; run 'byline restore FILE' with a backup, or "
        f"'byline restore --from-index' to take the articles from the index, or remove {kept.name}* to begin anew"
    )


def _fault(path: Path) -> str | None:
    """Say what is wrong with a file that was there a moment ago, None for a good one."""
    try:
        fault = database.header_fault(path)
        return fault or database.damage(_engine(path), METADATA, required=("articles",), check="integrity_check")
    except (FileNotFoundError, sa.exc.OperationalError):
        if path.exists():
            raise
        return "it was moved away by another process just now"


def _engine(path: Path, *, mode: Any = "rw") -> sa.Engine:  # noqa: ANN401  # as database.connect has it
    engine = sa.create_engine(
        f"sqlite:///{path}",
        creator=lambda: database.connect(path, busy_seconds=_BUSY_SECONDS, mode=mode),
        hide_parameters=True,
    )

    def prepare(connection: Any, record: Any) -> None:  # noqa: ANN401  # the driver's own connection
        _tolerate(connection, record)
        _make_durable(connection)
        record.info["file"] = _identity(path)

    def look_again(_connection: object, record: Any, _proxy: object) -> None:  # noqa: ANN401
        # A connection goes on with the file it has opened, wherever that was moved.
        if record.info.get("file") != _identity(path):
            raise sa.exc.DisconnectionError

    sa.event.listen(engine, "connect", prepare)
    sa.event.listen(engine, "checkout", look_again)
    return engine


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116  # at every use of a connection: half the time of Path.stat
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _tolerate(connection: Any, _record: object) -> None:  # noqa: ANN401
    # Flipped bits that are no UTF-8 must fail the hash of their article, not the reading of all of them.
    connection.text_factory = _text


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _make_durable(connection: Any) -> None:  # noqa: ANN401
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    # What is removed or replaced is overwritten with zeros: deleted text must not stay in the file.
    cursor.execute("PRAGMA secure_delete=ON")
    # FULL: a commit is on disk, not only in the log's page cache, before it is acknowledged.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()
