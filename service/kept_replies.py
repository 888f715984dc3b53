"""Replies that are kept under a client's key for a day, so that a request that is sent again is not done again.

`<data>/replies/` holds a database with a row for each key, and for each server that runs a file that this server
locks. The lock goes with the process: a row without a reply whose server is gone is that of a request that was
cut off, and may be tried again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import sqlite3
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NewType

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.sqlite import insert

from ingest.database import damage, engine_of_words, folder_lock, leave_to_scrub, move_aside, scrub_at_last
from service.errors import ServiceError

log = structlog.get_logger(__name__)

REPLIES_FOLDER = "replies"
KEPT_SECONDS = 24 * 3600
MAX_KEPT = 10_000
MAX_KEPT_BYTES = 100_000_000
"""Of all replies; the oldest go first."""

MAX_REPLY_BYTES = 10_000_000
_FILE = "replies.sqlite"
_BUSY_SECONDS = 5
_RUNNING, _FORGOTTEN = 0, -1
_NAMED = re.compile(rb"(?:art|conv)_[0-9a-f]+")

_METADATA = sa.MetaData()
_REPLIES = sa.Table(
    "replies",
    _METADATA,
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("request", sa.String, nullable=False),
    sa.Column("server", sa.String, nullable=False),
    sa.Column("attempt", sa.String, nullable=False),
    sa.Column("begun_at", sa.Float, nullable=False, index=True),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("location", sa.String, nullable=True),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)


Attempt = NewType("Attempt", str)
"""A request that is being worked on under a key."""


class KeptRepliesError(ServiceError):
    """Base of what goes wrong with requests that carry a key."""


class KeyReused(KeptRepliesError):
    """The key was used for another request."""


class KeyInUse(KeptRepliesError):
    """A request with this key is being worked on."""


class ReplyForgotten(KeptRepliesError):
    """The request was answered, and what was answered had to go."""


class KeptRepliesUnavailable(KeptRepliesError):
    """The database cannot be read or written at present; the message says why."""


@dataclass(frozen=True, slots=True)
class KeptReply:
    """A reply as it was sent: status, content type, the header Location if it had one, and body."""

    status: int
    kind: str
    location: str | None
    body: bytes


class KeptReplies:
    """The kept replies of a data folder. Safe to use from several threads and processes."""

    def __init__(self, engine: sa.Engine, folder: Path, *, problem: str | None = None) -> None:
        self._engine = engine
        self._folder = folder
        self.problems: tuple[str, ...] = (problem,) if problem else ()
        self._server = secrets.token_hex(8)
        self._descriptor: int | None = None
        self._running: set[Attempt] = set()
        self._lock = threading.Lock()
        _METADATA.create_all(engine)

    @classmethod
    def open(cls, data: Path) -> KeptReplies:
        """Open the kept replies of a data folder, making file and folder where they are missing.

        A damaged file is moved to `<name>.corrupt-<time>` beside it, and an empty one is begun.

        Raises:
            KeptRepliesUnavailable: The file can neither be used nor replaced.
        """
        folder = data / REPLIES_FOLDER
        file = folder / _FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            problem = None
            if file.exists() and (found := damage(engine_of_words(file, busy_seconds=_BUSY_SECONDS), _METADATA)):
                aside = move_aside(file)
                log.error("kept replies moved aside", file=str(aside), reason=found)
                problem = f"the kept replies were damaged ({found}); they are in {aside.name}, new ones are begun"
            return cls(engine_of_words(file, busy_seconds=_BUSY_SECONDS), folder, problem=problem)
        except (OSError, sa.exc.SQLAlchemyError) as error:
            raise _unavailable(error) from error

    @staticmethod
    def exist(data: Path) -> bool:
        """Tell whether a data folder has any, without making a place for them."""
        return (data / REPLIES_FOLDER / _FILE).is_file()

    def close(self) -> None:
        """Close all connections; what this server was working on may be tried again."""
        self._engine.dispose()
        with self._lock:
            if self._descriptor is not None:
                self._lock_file(self._server).unlink(missing_ok=True)
                os.close(self._descriptor)
                self._descriptor = None

    def begin(self, owner: str, key: str, request: str) -> KeptReply | Attempt:
        """Say that a request is about to be worked on, unless it was before.

        Args:
            owner: Whose key it is; the same words of another are another key.
            key: The client's own words.
            request: A hash of all that makes the request what it is.

        Returns:
            The reply that it got before; or else what has to be given to `keep` or `release`, and to `leave`.

        Raises:
            KeyReused, KeyInUse, ReplyForgotten: It is not to be worked on.
            KeptRepliesUnavailable: The database refused.
        """
        name, attempt = _name(owner, key), Attempt(secrets.token_hex(8))
        row = {"key": name, "request": request, "server": self._serving(), "attempt": attempt, "begun_at": time.time()}
        row |= _NOTHING
        with self._writing() as connection:
            _prune(connection)
            # Writing takes the lock: between looking and writing, another server could begin the same.
            added = connection.execute(insert(_REPLIES).values(row).on_conflict_do_nothing(index_elements=["key"]))
            if added.rowcount == 0:
                found = connection.execute(sa.select(_REPLIES).where(_REPLIES.c.key == name)).one()
                if (reply := self._judge(found, request)) is not None:
                    return reply
                connection.execute(sa.update(_REPLIES).where(_REPLIES.c.key == name).values(row))
            self._running.add(attempt)
        return attempt

    def keep(self, attempt: Attempt, reply: KeptReply) -> None:
        """Keep the reply to a request; one that is too large is let go, and so is its key.

        Raises:
            KeptRepliesUnavailable: The database refused; the request may be done again.
        """
        if len(reply.body) > MAX_REPLY_BYTES:
            self.release(attempt)
            return
        values = {"status": reply.status, "kind": reply.kind, "location": reply.location}
        values |= {"size": len(reply.body), "body": reply.body}
        with self._writing() as connection:
            connection.execute(sa.update(_REPLIES).where(_is_worked_on(attempt)).values(values))
            _prune(connection)

    def release(self, attempt: Attempt) -> None:
        """Say that a request got no reply worth keeping: it may be sent again.

        Raises:
            KeptRepliesUnavailable: The database refused; once it was left, it may be sent again all the same.
        """
        with self._writing() as connection:
            connection.execute(sa.delete(_REPLIES).where(_is_worked_on(attempt)))

    def leave(self, attempt: Attempt) -> None:
        """Say that a request is not worked on any more, whatever became of its reply."""
        self._running.discard(attempt)

    def forget(self, names: Collection[str]) -> int:
        """Let go of what names a removed article or conversation, and overwrite it; the keys stay used.

        What is kept as plain text names nothing, and goes as well.

        Returns:
            How many replies were let go.

        Raises:
            KeptRepliesUnavailable: The database refused, or others kept it from being overwritten.
        """
        try:
            # One at a time: what others forget meanwhile would have to be overwritten again.
            with folder_lock(self._folder):
                forgotten = self._forget({name.encode() for name in names})
                if scrub_at_last(self._folder / _FILE):
                    return forgotten
        except (OSError, sqlite3.Error) as error:
            raise _unavailable(error) from error
        raise KeptRepliesUnavailable("kept replies are forgotten, but not yet overwritten in the file; try again")

    def clear(self) -> None:
        """Let go of all replies that are kept, as what they tell of is not so any more: requests may be sent again.

        Raises:
            KeptRepliesUnavailable: The database refused.
        """
        with self._writing() as connection:
            connection.execute(sa.delete(_REPLIES).where(_REPLIES.c.status > 0))
            leave_to_scrub(connection)

    def _forget(self, names: set[bytes]) -> int:
        with self._writing() as connection:
            kept = sa.select(_REPLIES.c.key, _REPLIES.c.kind, _REPLIES.c.body).where(_REPLIES.c.status > 0)
            doomed = [
                row.key
                for row in connection.execute(kept)
                if row.kind.startswith("text/plain") or not names.isdisjoint(_NAMED.findall(row.body))
            ]
            for key in doomed:
                change = _NOTHING | {"status": _FORGOTTEN}
                connection.execute(sa.update(_REPLIES).where(_REPLIES.c.key == key).values(change))
            if doomed:
                leave_to_scrub(connection)
        return len(doomed)

    def _judge(self, row: sa.Row[Any], request: str) -> KeptReply | None:
        """Give the reply of a key that was used before; None where its request may be tried again."""
        if row.request != request:
            raise KeyReused("the Idempotency-Key was used for another request; take a new one for each request")
        if row.status == _FORGOTTEN:
            raise ReplyForgotten(
                "the request was done, and its reply named what has been removed since; to do it again, take a new key"
            )
        if row.status == _RUNNING:
            if self._works_on(row.server, row.attempt):
                raise KeyInUse("a request with this Idempotency-Key is being worked on; ask again for its reply")
            return None
        return KeptReply(row.status, row.kind, row.location, row.body)

    def _works_on(self, server: str, attempt: str) -> bool:
        if server == self._server:
            return attempt in self._running
        try:
            descriptor = os.open(self._lock_file(server), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _serving(self) -> str:
        """Give the name of this server, which others can see to be alive from then on."""
        with self._lock:
            if self._descriptor is None:
                self._sweep()
                file = self._lock_file(self._server)
                try:
                    descriptor = os.open(file.with_suffix(".new"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                    # Locked before it has the name by which others look whether it is.
                    file.with_suffix(".new").rename(file)
                except OSError as error:
                    raise _unavailable(error) from error
                self._descriptor = descriptor
        return self._server

    def _sweep(self) -> None:
        for file in self._folder.glob("*.lock"):
            if not self._works_on(file.stem, ""):
                file.unlink(missing_ok=True)

    def _lock_file(self, server: str) -> Path:
        return self._folder / f"{server}.lock"

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.SQLAlchemyError as error:
            raise _unavailable(error) from error


_NOTHING = {"status": _RUNNING, "kind": "", "location": None, "size": 0, "body": b""}


def _prune(connection: sa.Connection) -> None:
    """Remove what is older than a day, and the oldest of what is too much."""
    replies, size, order = _REPLIES.c, sa.func.sum(_REPLIES.c.size), _REPLIES.c.begun_at
    expired = connection.execute(sa.delete(_REPLIES).where(order < time.time() - KEPT_SECONDS)).rowcount
    excess = sa.select(replies.key).order_by(order.desc()).offset(MAX_KEPT)
    expired += connection.execute(sa.delete(_REPLIES).where(replies.key.in_(excess))).rowcount
    if (connection.execute(sa.select(size)).scalar() or 0) > MAX_KEPT_BYTES:
        so_far = sa.select(replies.key, size.over(order_by=order.desc()).label("bytes")).subquery()
        too_much = sa.select(so_far.c.key).where(so_far.c.bytes > MAX_KEPT_BYTES)
        expired += connection.execute(sa.delete(_REPLIES).where(replies.key.in_(too_much), replies.status > 0)).rowcount
    if expired:
        leave_to_scrub(connection)


def _is_worked_on(attempt: Attempt) -> sa.ColumnElement[bool]:
    # Another may have taken over what seemed to be left.
    return sa.and_(_REPLIES.c.attempt == attempt, _REPLIES.c.status == _RUNNING)


def _name(owner: str, key: str) -> str:
    return hashlib.sha256(f"{owner}\n{key}".encode()).hexdigest()


def _unavailable(error: Exception) -> KeptRepliesUnavailable:
    reason = getattr(error, "orig", None) or getattr(error, "strerror", None) or error
    return KeptRepliesUnavailable(
        f"replies that are kept under an Idempotency-Key cannot be read or stored ({reason}); "
        "check the data folder's space and rights, or send no key"
    )
