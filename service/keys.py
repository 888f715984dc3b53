"""API keys: who may do what. Only their hashes are kept, and a revoked key stays on record."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

import sqlalchemy as sa

from service.errors import ServiceError, WrongUse

Scope = Literal["read", "write", "admin"]
"""read: ask, search, read articles, keep conversations. write: add and remove articles, build. admin: roll back."""

SCOPES: tuple[Scope, ...] = get_args(Scope)
KEYS_FILE = "keys.sqlite"
MAX_NAME_CHARS = 100

_MARK = "byline"
_LOOK_SECONDS = 0.5
"""Between two looks at the file: so long at most a revoked key goes on."""

_RING_BUSY_SECONDS = 0.2
"""A server waits no longer for somebody who writes the file: all its requests wait with it."""

_metadata = sa.MetaData()
_keys = sa.Table(
    "keys",
    _metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("scopes", sa.String, nullable=False),
    # SHA-256 of the secret, which is 256 random bits: nobody finds those by trying, so that no slow hash is needed.
    sa.Column("secret_sha256", sa.String, nullable=False),
    sa.Column("created_at", sa.String, nullable=False),
    sa.Column("revoked_at", sa.String, nullable=True),
)


class KeysUnavailable(ServiceError):
    """The file of the keys cannot be read or written; the message says why."""


class UnknownKey(ServiceError):
    """There is no key of that id."""


class BadKeyName(WrongUse):
    """A key cannot be named so."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is kept: without its secret."""

    id: str
    name: str
    scopes: frozenset[Scope]
    secret_sha256: str
    created_at: datetime
    revoked_at: datetime | None

    @property
    def is_active(self) -> bool:
        """Whether it opens anything."""
        return self.revoked_at is None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made, with the token that its user sends; it is not kept, and cannot be shown again."""

    key: ApiKey
    token: str


class KeyStore:
    """The keys of a data folder. Safe to use from several threads and processes."""

    def __init__(self, path: Path, *, busy_seconds: float = 5.0) -> None:
        self._path = path
        self._engine = sa.create_engine(
            f"sqlite:///{path}", connect_args={"timeout": busy_seconds}, hide_parameters=True
        )

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def create(self, name: str, scopes: Collection[Scope]) -> NewKey:
        """Make a key.

        Args:
            name: What people call it; not secret, and need not be unique.
            scopes: What it may do; none is implied by another.

        Raises:
            BadKeyName: The name is blank, too long, or holds what is not printable.
            KeysUnavailable: The file cannot be written.
        """
        if not name.strip() or len(name) > MAX_NAME_CHARS or not name.isprintable():
            raise BadKeyName(f"a key needs a printable name of 1 to {MAX_NAME_CHARS} characters")
        secret = secrets.token_urlsafe(32)
        key = ApiKey(
            id=f"key_{secrets.token_hex(6)}",
            name=name,
            scopes=frozenset(scopes),
            secret_sha256=_hash(secret),
            created_at=datetime.now(UTC),
            revoked_at=None,
        )
        row = {
            "id": key.id,
            "name": key.name,
            "scopes": ",".join(scope for scope in SCOPES if scope in key.scopes),
            "secret_sha256": key.secret_sha256,
            "created_at": key.created_at.isoformat(timespec="milliseconds"),
        }
        self._make_file()
        with self._naming_failures(), self._engine.begin() as connection:
            connection.execute(sa.insert(_keys).values(row))
        return NewKey(key, f"{_MARK}_{key.id.removeprefix('key_')}_{secret}")

    def revoke(self, key_id: str) -> ApiKey:
        """Take a key out of use, for good; a second time changes nothing.

        Raises:
            UnknownKey: There is none of that id.
            KeysUnavailable: The file cannot be written.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        found = next((key for key in self.all() if key.id == key_id), None)
        if found is None:
            raise UnknownKey(f"there is no key {key_id!r}; 'byline keys list' shows their ids")
        change = sa.update(_keys).where(_keys.c.id == key_id, _keys.c.revoked_at.is_(None)).values(revoked_at=now)
        with self._naming_failures(), self._engine.begin() as connection:
            connection.execute(change)
        return next(key for key in self.all() if key.id == key_id)

    def all(self) -> tuple[ApiKey, ...]:
        """Give all keys, revoked ones too, oldest first.

        Raises:
            KeysUnavailable: The file cannot be read.
        """
        if not self._path.exists():
            return ()
        with self._naming_failures(), self._engine.connect() as connection:
            rows = connection.execute(sa.select(_keys).order_by(_keys.c.created_at, _keys.c.id)).all()
            return tuple(_as_key(row) for row in rows)

    def _make_file(self) -> None:
        with self._naming_failures():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Others on the machine need not even see names and hashes.
            self._path.touch(mode=0o600)
            _metadata.create_all(self._engine)

    @contextmanager
    def _naming_failures(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, sa.exc.SQLAlchemyError) as error:
            reason = getattr(error, "orig", None) or error
            raise KeysUnavailable(
                f"the API keys {self._path} cannot be read or written ({reason}); "
                "free the file for this user, or remove it and make new keys"
            ) from error


class KeyRing:
    """The keys as a server uses them: in memory, read anew from time to time, looked up for each request."""

    def __init__(self, path: Path) -> None:
        self._store = KeyStore(path, busy_seconds=_RING_BUSY_SECONDS)
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._keys: dict[str, ApiKey] = {}

    @property
    def are_required(self) -> bool:
        """Whether there are keys, so that nobody may do anything without one; revoked ones count.

        Raises:
            KeysUnavailable: The file cannot be read.
        """
        return bool(self._current())

    @property
    def any_active(self) -> bool:
        """Whether anybody has a key that works.

        Raises:
            KeysUnavailable: The file cannot be read.
        """
        return any(key.is_active for key in self._current().values())

    def find(self, token: str) -> ApiKey | None:
        """Give the key that a token belongs to; None where it belongs to none, or to a revoked one.

        Takes the same time whichever part of the token is wrong.

        Raises:
            KeysUnavailable: The file cannot be read.
        """
        mark, part, secret = ([*token.split("_", 2), "", ""])[:3]
        key = self._current().get(f"key_{part}")
        # For an unknown id a hash that no secret has.
        expected = key.secret_sha256 if key is not None else "none" * 16
        matches = hmac.compare_digest(_hash(secret), expected)
        return key if key is not None and matches and mark == _MARK and key.is_active else None

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    def _current(self) -> dict[str, ApiKey]:
        with self._lock:
            if time.monotonic() - self._read_at >= _LOOK_SECONDS:
                self._keys = {key.id: key for key in self._store.all()}
                self._read_at = time.monotonic()
            return self._keys


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _as_key(row: sa.Row[Any]) -> ApiKey:
    known: dict[str, Scope] = {scope: scope for scope in SCOPES}
    return ApiKey(
        id=row.id,
        name=row.name,
        scopes=frozenset(known[name] for name in row.scopes.split(",") if name in known),
        secret_sha256=row.secret_sha256,
        created_at=datetime.fromisoformat(row.created_at),
        revoked_at=datetime.fromisoformat(row.revoked_at) if row.revoked_at else None,
    )
