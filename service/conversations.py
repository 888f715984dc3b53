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

from ingest.article import ArticleId
from ingest.database import folder_lock, leave_to_scrub, scrub_at_last
from service.answering.reply import Turn
from service.conversation_file import CONVERSATIONS, MESSAGES, open_file
from service.errors import ServiceError
from service.forgetting import forget_in

Role = Literal["user", "assistant"]
Rating = Literal["up", "down"]

TITLE_CHARS = 80
_NOT_OVERWRITTEN = "words of removed articles are out of the conversations, but not yet overwritten in the file"


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
    """All conversations. Safe to use from several threads and processes.

    Each belongs to the `owner` that began it, the id of an API key, or "" where there are no keys: for all others it
    is not there.
    """

    def __init__(self, engine: sa.Engine, *, problem: str | None = None) -> None:
        self._engine = engine
        self._opening_problem = problem
        self._write_problem: str | None = None

    @classmethod
    def open(cls, path: Path) -> ConversationStore:
        """Open the store in a SQLite file, making file and folder where they are missing.

        A damaged file is moved to `<name>.corrupt-<time>` beside it, and an empty store is begun.

        Raises:
            ConversationsUnavailable: The file can neither be used nor replaced.
        """
        try:
            engine, problem = open_file(path)
        except (OSError, sa.exc.SQLAlchemyError) as error:
            raise ConversationsUnavailable(
                f"the conversations {path} cannot be opened ({getattr(error, 'orig', error)}); "
                "free the file and its folder for reading and writing"
            ) from error
        return cls(engine, problem=problem)

    def close(self) -> None:
        """Close all connections; the store cannot be used afterwards."""
        self._engine.dispose()

    @property
    def problems(self) -> tuple[str, ...]:
        """What an operator should know: a damaged file that was moved aside, a write that failed."""
        return tuple(problem for problem in (self._opening_problem, self._write_problem) if problem)

    def turns(self, conversation_id: str, limit: int = 50, *, owner: str = "") -> list[Turn] | None:
        """Give the newest turns of a conversation, oldest first; None where it is unknown."""
        query = (
            sa.select(MESSAGES.c.role, MESSAGES.c.content)
            .where(MESSAGES.c.conversation_id == conversation_id)
            .order_by(MESSAGES.c.number.desc())
            .limit(limit)
        )
        with self._reading() as connection:
            if _head(connection, conversation_id, owner) is None:
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
        owner: str = "",
        explanation: dict[str, Any] | None = None,
    ) -> tuple[str, str]:
        """Store a message and the reply to it, both or neither.

        Args:
            conversation_id: The conversation to continue; None begins one.
            message: The user's words.
            reply: The reply as JSON values, its text under `answer`; its ids are set here.
            begin_as: The id of a conversation that is begun; None for any.
            message_id: The id of the assistant's message; None for any.
            owner: Whose it is.
            explanation: How the reply came about, as JSON values without words of articles.

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
        explained = json.dumps(explanation, separators=(",", ":")) if explanation is not None else None
        row = {"conversation_id": conversation, "created_at": now, "reply": None, "explanation": None}
        with self._writing() as connection:
            if conversation_id is None:
                title = " ".join(message.split())[:TITLE_CHARS]
                head = {"id": conversation, "owner": owner, "title": title, "created_at": now, "updated_at": now}
                connection.execute(sa.insert(CONVERSATIONS).values(head))
            elif not _change(connection, conversation_id, owner, updated_at=now):
                raise UnknownConversation("there is no conversation of this id; leave it out to begin one")
            connection.execute(
                sa.insert(MESSAGES),
                [
                    row | {"id": new_message_id(), "role": "user", "content": message},
                    row
                    | {"id": message_id, "role": "assistant", "content": reply["answer"], "reply": stored}
                    | {"explanation": explained},
                ],
            )
        return conversation, message_id

    def page(self, limit: int, cursor: str | None = None, *, owner: str = "") -> ConversationPage:
        """List conversations, the newest begun first.

        Raises:
            BadConversationCursor: `cursor` is not one of ours.
        """
        query = (
            sa.select(CONVERSATIONS)
            .where(CONVERSATIONS.c.owner == owner)
            .order_by(CONVERSATIONS.c.number.desc())
            .limit(limit + 1)
        )
        if cursor is not None:
            query = query.where(CONVERSATIONS.c.number < _cursor_number(cursor))
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return ConversationPage(
            items=tuple(_as_head(row) for row in rows[:limit]),
            next_cursor=_cursor(rows[limit - 1].number) if len(rows) > limit else None,
        )

    def get(
        self, conversation_id: str, *, limit: int = 200, cursor: str | None = None, owner: str = ""
    ) -> Conversation | None:
        """Give a conversation with a page of its messages, None where it is unknown.

        Raises:
            BadConversationCursor: `cursor` is not one of ours.
        """
        after = _cursor_number(cursor) if cursor is not None else 0
        query = (
            sa.select(MESSAGES)
            .where(MESSAGES.c.conversation_id == conversation_id, MESSAGES.c.number > after)
            .order_by(MESSAGES.c.number)
            .limit(limit + 1)
        )
        with self._reading() as connection:
            head = _head(connection, conversation_id, owner)
            rows = connection.execute(query).all()
        if head is None:
            return None
        return Conversation(
            head=head,
            messages=tuple(_as_message(row) for row in rows[:limit]),
            next_cursor=_cursor(rows[limit - 1].number) if len(rows) > limit else None,
        )

    def rename(self, conversation_id: str, title: str, *, owner: str = "") -> ConversationHead | None:
        """Give a conversation another title; None where it is unknown."""
        with self._writing() as connection:
            _change(connection, conversation_id, owner, title=title)
            return _head(connection, conversation_id, owner)

    def delete(self, conversation_id: str, *, owner: str = "") -> bool:
        """Remove a conversation with its messages; tells whether it was there."""
        with self._writing() as connection:
            removed = connection.execute(sa.delete(CONVERSATIONS).where(_is(conversation_id, owner))).rowcount
            if removed:
                connection.execute(sa.delete(MESSAGES).where(MESSAGES.c.conversation_id == conversation_id))
                leave_to_scrub(connection)
        return removed > 0

    def set_feedback(self, message_id: str, rating: Rating, comment: str | None, *, owner: str = "") -> bool:
        """Rate a message of the assistant anew; False where there is no such message."""
        owned = sa.select(CONVERSATIONS.c.id).where(CONVERSATIONS.c.owner == owner)
        change = (
            sa.update(MESSAGES)
            .where(MESSAGES.c.id == message_id, MESSAGES.c.role == "assistant", MESSAGES.c.conversation_id.in_(owned))
            .values(rating=rating, comment=comment)
        )
        with self._writing() as connection:
            return connection.execute(change).rowcount > 0

    def explained(self, message_id: str, *, owner: str = "") -> tuple[dict[str, Any], dict[str, Any] | None] | None:
        """Give a stored reply and how it came about, if that is known; None where there is no such reply."""
        owned = sa.select(CONVERSATIONS.c.id).where(CONVERSATIONS.c.owner == owner)
        query = sa.select(MESSAGES.c.reply, MESSAGES.c.explanation).where(
            MESSAGES.c.id == message_id, MESSAGES.c.reply.is_not(None), MESSAGES.c.conversation_id.in_(owned)
        )
        with self._reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return json.loads(row.reply), json.loads(row.explanation) if row.explanation is not None else None

    def forget(self, articles: Collection[ArticleId]) -> int:
        """Take the words of removed articles out of all stored replies, and overwrite them in the files.

        Doing it again is harmless, and finishes what was busy or interrupted.

        Returns:
            How many replies were changed.

        Raises:
            ConversationsUnavailable: The database refused, or others kept it from being overwritten.
        """
        path = Path(str(self._engine.url.database))
        try:
            # One at a time: what others forget meanwhile would have to be overwritten again.
            with folder_lock(path.parent):
                with self._writing() as connection:
                    changed = forget_in(connection, MESSAGES, articles)
                done = scrub_at_last(path)
        except OSError as error:
            raise _unavailable(error) from error
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


def _unavailable(error: sa.exc.SQLAlchemyError | OSError) -> ConversationsUnavailable:
    reason = getattr(error, "orig", None) or getattr(error, "strerror", None) or type(error).__name__
    return ConversationsUnavailable(
        f"the conversations cannot be read or stored ({reason}); check the data folder's space and rights"
    )


def _is(conversation_id: str, owner: str) -> sa.ColumnElement[bool]:
    return sa.and_(CONVERSATIONS.c.id == conversation_id, CONVERSATIONS.c.owner == owner)


def _head(connection: sa.Connection, conversation_id: str, owner: str) -> ConversationHead | None:
    row = connection.execute(sa.select(CONVERSATIONS).where(_is(conversation_id, owner))).one_or_none()
    return _as_head(row) if row is not None else None


def _change(connection: sa.Connection, conversation_id: str, owner: str, **values: str) -> bool:
    """Change a conversation; first in its transaction, so that writers wait in line. Tells whether it was there."""
    return connection.execute(sa.update(CONVERSATIONS).where(_is(conversation_id, owner)).values(values)).rowcount > 0


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
        # The decoder passes over what is no base64, and over what stands behind its end.
        if (
            label == "conversations"
            and number.isascii()
            and number.isdigit()
            and len(number) < 19
            and _cursor(int(number)) == cursor
        ):
            return int(number)
    except (ValueError, binascii.Error):
        pass
    raise BadConversationCursor("the cursor is not one that this list gave; start again without it")
