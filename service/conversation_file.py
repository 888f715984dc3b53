"""The file of the conversations: its tables, how it is opened, and what becomes of a damaged one."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
import structlog

from ingest.database import add_later, damage, engine_of_words, later, move_aside

log = structlog.get_logger(__name__)

CONVERSATIONS_FILE = "conversations.sqlite"
_BUSY_SECONDS = 5

METADATA = sa.MetaData()
CONVERSATIONS = sa.Table(
    "conversations",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("id", sa.String, nullable=False, unique=True),
    # The id of the API key that made it; empty where there were no keys.
    later(sa.Column("owner", sa.String, nullable=False, server_default="")),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("created_at", sa.String, nullable=False),
    sa.Column("updated_at", sa.String, nullable=False),
    # Numbers of removed conversations are not given again: a cursor would skip what takes their place.
    sqlite_autoincrement=True,
)
MESSAGES = sa.Table(
    "messages",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("id", sa.String, nullable=False, unique=True),
    sa.Column("conversation_id", sa.String, nullable=False, index=True),
    sa.Column("role", sa.String, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("reply", sa.Text, nullable=True),
    sa.Column("rating", sa.String, nullable=True),
    sa.Column("comment", sa.Text, nullable=True),
    sa.Column("created_at", sa.String, nullable=False),
    later(sa.Column("explanation", sa.Text, nullable=True)),
    sqlite_autoincrement=True,
)


def open_file(path: Path) -> tuple[sa.Engine, str | None]:
    """Open the file of a store, making file, folder and tables where they are missing.

    Returns:
        What connects to it, and what an operator should know where a damaged file was moved aside.

    Raises:
        OSError, sqlalchemy.exc.SQLAlchemyError: The file can neither be used nor replaced.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    found = damage(engine_of_words(path, busy_seconds=_BUSY_SECONDS), METADATA) if path.exists() else None
    problem = set_aside(path, found) if found else None
    engine = engine_of_words(path, busy_seconds=_BUSY_SECONDS)
    METADATA.create_all(engine)
    add_later(engine, METADATA)
    return engine, problem


def fault_of(path: Path) -> str | None:
    """Say what is wrong with the file of a store, by a full check; None where nothing is. Moves nothing."""
    engine = sa.create_engine(f"sqlite:///{path}", hide_parameters=True)
    return damage(engine, METADATA, required=tuple(METADATA.tables), check="integrity_check")


def set_aside(path: Path, reason: str) -> str:
    """Move a damaged file aside; says so for an operator."""
    aside = move_aside(path)
    log.error("conversations moved aside", file=str(aside), reason=reason)
    return f"the stored conversations were damaged ({reason}); they are kept as {aside.name}, new ones are begun"
