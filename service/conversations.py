"""Conversations: what was asked and answered, in a database of its own.

They are a convenience, not the articles: a damaged file is moved aside and a new one is begun, and an answer
that cannot be stored is still an answer.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
import structlog

from ingest.article import ArticleId
from ingest.database import damage, leave_to_scrub, move_aside, scrub
from service.answering.reply import Turn
from service.errors import ServiceError
from service.forgetting import forget_in

log = structlog.get_logger(__name__)

Role = Literal["user", "assistant"]
Rating = Literal["up", "down"]

CONVERSATIONS_FILE = "conversations.sqlite"
TITLE_CHARS = 80
_BUSY_SECONDS = 5
_NOT_OVERWRITTEN = "words of removed articles are out of the conversations, but not yet overwritten in the file"

_metadata = sa.MetaData()
_conversations = sa.Table(
    "conversations",
    _metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("id", sa.String, nullable=False, unique=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("created_at", sa.String, nullable=False),
    sa.Column("updated_at", sa.String, nullable=False),
    # Numbers of removed conversations are not given again: a cursor would skip what takes their place.
    sqlite_autoincrement=True,
)
_messages = sa.Table(
    "messages",
    _metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("id", sa.String, nullable=False, unique=True),
    sa.Column("conversation_id", sa.String, nullable=False, index=True),
    sa.Column("role", sa.String, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("reply", sa.Text, nullable=True),
    sa.Column("rating", sa.String, nullable=True),
    sa.Column("comment", sa.Text, nullable=True),
    sa.Column("created_at", sa.String, nullable=False),
    sqlite_autoincrement=True,
)


class ConversationError(ServiceError):
    """Base of what goes wrong with conversations."""


class UnknownConversation(ConversationError):
    """There is no conversation of that id (any more)."""


class BadConversationCursor(ConversationError):
    """A page cursor was not made here."""


class ConversationsUnavailable(ConversationError):
    """The database cannot be read or written at present; the message says why."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `reply` is the JSON of the whole reply for those of the assistant, None for the user's."""

    id: str
    role: Role
    content: str
    created_at: datetime
    reply: dict[str, Any] | None
    rating: Rating | None
    comment: str | None


@dataclass(frozen=True, slots=True)
class ConversationHead:
    """A conversation without its messages; the title is the beginning of its first message."""

    id: str
    title: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ConversationPage:
    """One page of conversations, newest first; `next_cursor` is None on the last one."""

    items: tuple[ConversationHead, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation with one page of its messages, oldest first."""

    head: ConversationHead
    messages: tuple[Message, ...]
    next_cursor: str | None


def new_conversation_id() -> str:
    """Make the id of a conversation that is about to begin."""
    return f"conv_{secrets.token_hex(16)}"


def new_message_id() -> str:
    """Make an id that nobody can guess."""
    return f"msg_{secrets.token_hex(16)}"


class ConversationStore:
    """All conversations. Safe to use from several threads and processes."""

    def __init__(self, engine: sa.Engine, *, problem: str | None = None) -> None:
        self._engine = engine
        self._opening_problem = problem
        self._write_problem: str | None = None
        _metadata.create_all(engine)

    @classmethod
    def open(cls, path: Path) -> ConversationStore:
        """Open the store in a SQLite file, making file and folder where they are missing.

        A damaged file is moved to `<name>.corrupt-<time>` beside it, and an empty store is begun.

        Raises:
            ConversationsUnavailable: The file can neither be used nor replaced.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            found = damage(_engine(path), _metadata) if path.exists() else None
            problem = _move_aside(path, found) if found else None
            return cls(_engine(path), problem=problem)
        except (OSError, sa.exc.SQLAlchemyError) as error:
            raise ConversationsUnavailable(
                f"the conversations {path} cannot be opened ({getattr(error, 'orig', error)}); "
                "free the file and its folder for reading and writing"
            ) from error

    def close(self) -> None:
        """Close all connections; the store cannot be used afterwards."""
        self._engine.dispose()

    @property
    def problems(self) -> tuple[str, ...]:
        """What an operator should know: a damaged file that was moved aside, a write that failed."""
        return tuple(problem for problem in (self._opening_problem, self._write_problem) if problem)

    def turns(self, conversation_id: str, limit: int = 50) -> list[Turn] | None:
        """Give the newest turns of a conversation, oldest first; None where it is unknown."""
        query = (
            sa.select(_messages.c.role, _messages.c.content)
            .where(_messages.c.conversation_id == conversation_id)
            .order_by(_messages.c.number.desc())
            .limit(limit)
        )
        with self._reading() as connection:
            if _head(connection, conversation_id) is None:
                return None
            rows = connection.execute(query).all()
        return [Turn(row.role, row.content) for row in reversed(rows)]

    def add_exchange(
        self,
        conversation_id: str | None,
        message: str,
        reply: dict[str, Any],
        *,
        begin_as: str | None = None,
        message_id: str | None = None,
    ) -> tuple[str, str]:
        """Store a message and the reply to it, both or neither.

        Args:
            conversation_id: The conversation to continue; None begins one.
            message: The user's words.
            reply: The reply as JSON values, its text under `answer`; its ids are set here.
            begin_as: The id of a conversation that is begun; None for any.
            message_id: The id of the assistant's message; None for any.

        Returns:
            The ids of the conversation and of the assistant's message.

        Raises:
            UnknownConversation: There is none of that id.
            ConversationsUnavailable: The database refused.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        conversation = conversation_id or begin_as or new_conversation_id()
        message_id = message_id or new_message_id()
        stored = json.dumps(reply | {"id": message_id, "conversation_id": conversation}, ensure_ascii=False)
        row = {"conversation_id": conversation, "created_at": now}
        with self._writing() as connection:
            if conversation_id is None:
                title = " ".join(message.split())[:TITLE_CHARS]
                head = {"id": conversation, "title": title, "created_at": now, "updated_at": now}
                connection.execute(sa.insert(_conversations).values(head))
            elif not _touch(connection, conversation_id, now):
                raise UnknownConversation("there is no conversation of this id; leave it out to begin one")
            connection.execute(
                sa.insert(_messages),
                [
                    row | {"id": new_message_id(), "role": "user", "content": message, "reply": None},
                    row | {"id": message_id, "role": "assistant", "content": reply["answer"], "reply": stored},
                ],
            )
        return conversation, message_id

    def page(self, limit: int, cursor: str | None = None) -> ConversationPage:
        """List conversations, the newest begun first.

        Raises:
            BadConversationCursor: `cursor` is not one of ours.
        """
        query = sa.select(_conversations).order_by(_conversations.c.number.desc()).limit(limit + 1)
        if cursor is not None:
            query = query.where(_conversations.c.number < _cursor_number(cursor))
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return ConversationPage(
            items=tuple(_as_head(row) for row in rows[:limit]),
            next_cursor=_cursor(rows[limit - 1].number) if len(rows) > limit else None,
        )

    def get(self, conversation_id: str, *, limit: int = 200, cursor: str | None = None) -> Conversation | None:
        """Give a conversation with a page of its messages, None where it is unknown.

        Raises:
            BadConversationCursor: `cursor` is not one of ours.
        """
        after = _cursor_number(cursor) if cursor is not None else 0
        query = (
            sa.select(_messages)
            .where(_messages.c.conversation_id == conversation_id, _messages.c.number > after)
            .order_by(_messages.c.number)
            .limit(limit + 1)
        )
        with self._reading() as connection:
            head = _head(connection, conversation_id)
            rows = connection.execute(query).all()
        if head is None:
            return None
        return Conversation(
            head=head,
            messages=tuple(_as_message(row) for row in rows[:limit]),
            next_cursor=_cursor(rows[limit - 1].number) if len(rows) > limit else None,
        )

    def delete(self, conversation_id: str) -> bool:
        """Remove a conversation with its messages; tells whether it was there."""
        with self._writing() as connection:
            removed = connection.execute(
                sa.delete(_conversations).where(_conversations.c.id == conversation_id)
            ).rowcount
            connection.execute(sa.delete(_messages).where(_messages.c.conversation_id == conversation_id))
            leave_to_scrub(connection)
        return removed > 0

    def set_feedback(self, message_id: str, rating: Rating, comment: str | None) -> bool:
        """Rate a message of the assistant anew; False where there is no such message."""
        change = (
            sa.update(_messages)
            .where(_messages.c.id == message_id, _messages.c.role == "assistant")
            .values(rating=rating, comment=comment)
        )
        with self._writing() as connection:
            return connection.execute(change).rowcount > 0

    def forget(self, articles: Collection[ArticleId]) -> int:
        """Take the words of removed articles out of all stored replies, and overwrite them in the files.

        Doing it again is harmless, and finishes what was busy or interrupted.

        Returns:
            How many replies were changed.

        Raises:
            ConversationsUnavailable: The database refused, or others kept it from being overwritten.
        """
        with self._writing() as connection:
            changed = forget_in(connection, _messages, articles)
        try:
            done = scrub(Path(str(self._engine.url.database)))
        except sqlite3.Error as error:
            raise ConversationsUnavailable(f"{_NOT_OVERWRITTEN} ({error}); free some space and try again") from error
        if done:
            return changed
        raise ConversationsUnavailable(f"{_NOT_OVERWRITTEN}, as others are using it; try again")

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except sa.exc.SQLAlchemyError as error:
            raise _unavailable(error) from error

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.SQLAlchemyError as error:
            refused = _unavailable(error)
            self._write_problem = str(refused)
            raise refused from error
        self._write_problem = None


def _engine(path: Path) -> sa.Engine:
    engine = sa.create_engine(
        f"sqlite:///{path}",
        connect_args={"timeout": _BUSY_SECONDS},
        hide_parameters=True,  # they are people's words, and errors go to the log
    )
    sa.event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401  # the driver's own connection
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    # NORMAL: safe against a crash of the process; a power cut may cost the last exchanges, never the file.
    cursor.execute("PRAGMA synchronous=NORMAL")
    # What is removed is overwritten with zeros, as in the library.
    cursor.execute("PRAGMA secure_delete=ON")
    cursor.close()


def fault_of(path: Path) -> str | None:
    """Say what is wrong with the file of a store, by a full check; None where nothing is. Moves nothing."""
    engine = sa.create_engine(f"sqlite:///{path}", hide_parameters=True)
    return damage(engine, _metadata, required=tuple(_metadata.tables), check="integrity_check")


def _move_aside(path: Path, reason: str) -> str:
    aside = move_aside(path)
    log.error("conversations moved aside", file=str(aside), reason=reason)
    return f"the stored conversations were damaged ({reason}); they are kept as {aside.name}, new ones are begun"


def _unavailable(error: sa.exc.SQLAlchemyError) -> ConversationsUnavailable:
    reason = getattr(error, "orig", None) or type(error).__name__
    return ConversationsUnavailable(
        f"the conversations cannot be read or stored ({reason}); check the data folder's space and rights"
    )


def _head(connection: sa.Connection, conversation_id: str) -> ConversationHead | None:
    row = connection.execute(sa.select(_conversations).where(_conversations.c.id == conversation_id)).one_or_none()
    return _as_head(row) if row is not None else None


def _touch(connection: sa.Connection, conversation_id: str, now: str) -> bool:
    """Mark a conversation as changed; first in its transaction, so that writers wait in line."""
    change = sa.update(_conversations).where(_conversations.c.id == conversation_id).values(updated_at=now)
    return connection.execute(change).rowcount > 0


def _as_head(row: sa.Row[Any]) -> ConversationHead:
    return ConversationHead(
        id=row.id,
        title=row.title,
        created_at=datetime.fromisoformat(row.created_at),
        updated_at=datetime.fromisoformat(row.updated_at),
    )


def _as_message(row: sa.Row[Any]) -> Message:
    return Message(
        id=row.id,
        role=row.role,
        content=row.content,
        created_at=datetime.fromisoformat(row.created_at),
        reply=json.loads(row.reply) if row.reply is not None else None,
        rating=row.rating,
        comment=row.comment,
    )


def _cursor(number: int) -> str:
    return base64.urlsafe_b64encode(f"conversations:{number}".encode()).decode()


def _cursor_number(cursor: str) -> int:
    try:
        label, number = base64.urlsafe_b64decode(cursor.encode()).decode().split(":")
        if label == "conversations" and number.isascii() and number.isdigit() and len(number) < 19:
            return int(number)
    except (ValueError, binascii.Error):
        pass
    raise BadConversationCursor("the cursor is not one that this list gave; start again without it")
