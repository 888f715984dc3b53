"""The article library: each article once, durably, in a database.

SQLite by default, through SQLAlchemy Core so that another database URL can serve several machines. An article that
`put` returned for is on disk: the transaction is committed with full synchronisation before it returns.
"""

from __future__ import annotations

import base64
import binascii
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from ingest.article import Article, ArticleId, IngestError
from ingest.database import kept_aside, leave_to_scrub, says_damage, scrub
from ingest.failpoints import reach
from ingest.library_file import (
    ARTICLES,
    REMOVALS,
    LibraryDamaged,
    LibraryUnavailable,
    file_of,
    open_copy,
    open_file,
    stands_in_place,
)

__all__ = [
    "ArticleLibrary",
    "BadCursor",
    "LibraryDamaged",
    "LibraryUnavailable",
    "ListFilter",
    "Outcome",
    "Page",
    "Stored",
]

Outcome = Literal["added", "updated", "unchanged"]

_READ_AT_ONCE = 500
"""Articles asked for in one statement; databases bound the number of its parameters."""


class BadCursor(IngestError):
    """A page cursor was not made by this library."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An article with the time when this version of it was stored (UTC)."""

    article: Article
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing; `next_cursor` is None on the last one.

    `damaged` has an error for each article that belongs here and cannot be read: it hides no other.
    """

    items: tuple[Stored, ...]
    next_cursor: str | None
    damaged: tuple[LibraryDamaged, ...] = ()


@dataclass(frozen=True, slots=True)
class ListFilter:
    """Which articles a listing holds; an unset field lets all pass. `query` is looked for in title and text."""

    source: str | None = None
    published_from: date | None = None
    published_to: date | None = None
    query: str | None = None


class ArticleLibrary:
    """All articles, one row each. Safe to use from several threads and processes."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._path = file_of(engine)

    @classmethod
    def open(cls, path: Path) -> ArticleLibrary:
        """Open the library in a SQLite file, making file and folder where there never were any.

        Raises:
            LibraryDamaged: The file is damaged and was set aside, now or before; the message says how to go on.
            LibraryUnavailable: The file or its folder cannot be used now.
        """
        return cls(open_file(path))

    @classmethod
    def open_copy(cls, path: Path) -> ArticleLibrary:
        """Open a copy that nobody else uses, for reading only and as it is; `faults` says whether it is sound."""
        return cls(open_copy(path))

    @staticmethod
    def exists(path: Path) -> bool:
        """Tell whether there is a library at `path`, or one was set aside there; opening says which."""
        return path.is_file() or bool(kept_aside(path))

    def close(self) -> None:
        """Close all connections; the library cannot be used afterwards."""
        self._engine.dispose()

    def put(self, article: Article) -> Outcome:
        """Store an article, or replace the version that has the same id; on disk when this returns."""
        return self.put_all([article])[0]

    def put_all(self, articles: Sequence[Article]) -> list[Outcome]:
        """Store several articles in one transaction: all of them or, if it fails, none.

        Returns:
            The outcome of each, in order.
        """
        reach("add.begun")
        with self._writing() as connection:
            outcomes = [self._put(connection, article) for article in articles]
            reach("add.written")
        reach("add.committed")
        return outcomes

    def _put(self, connection: sa.Connection, article: Article) -> Outcome:
        fields = article.to_json()
        row = _columns(article) | {
            "content_hash": article.content_hash,
            "text": fields.pop("text"),
            "fields": json.dumps(fields, ensure_ascii=False),
            "stored_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        # Writing first takes the lock: between looking and writing, another writer could add the same article.
        added = connection.execute(insert(ARTICLES).values(row).on_conflict_do_nothing(index_elements=["id"]))
        if added.rowcount == 1:
            connection.execute(sa.delete(REMOVALS).where(REMOVALS.c.id == article.id))
            return "added"
        this_one = ARTICLES.c.id == article.id
        known = connection.execute(sa.select(ARTICLES.c.content_hash).where(this_one)).scalar_one()
        if known == row["content_hash"]:
            return "unchanged"
        connection.execute(sa.update(ARTICLES).where(this_one).values(row))
        leave_to_scrub(connection)
        return "updated"

    def get(self, article: ArticleId) -> Stored | None:
        """Give an article by its id, None where there is none.

        Raises:
            LibraryDamaged: What is stored is not what was put there.
        """
        with self._reading() as connection:
            row = connection.execute(sa.select(ARTICLES).where(ARTICLES.c.id == article)).one_or_none()
        return _stored(row) if row else None

    def remove(self, article: ArticleId) -> bool:
        """Remove an article; tells whether it was there.

        That it was removed stays on record (`removed`), so that no index made before shows it.
        """
        with self._writing() as connection:
            there = connection.execute(sa.delete(ARTICLES).where(ARTICLES.c.id == article)).rowcount > 0
            if there:
                leave_to_scrub(connection)
                now = datetime.now(UTC).isoformat(timespec="seconds")
                row = {"id": article, "removed_at": now}
                connection.execute(insert(REMOVALS).values(row).on_conflict_do_nothing(index_elements=["id"]))
            reach("remove.written")
        reach("remove.committed")
        return there

    def removed(self) -> frozenset[ArticleId]:
        """Give the ids of articles that were removed and not added again."""
        with self._reading() as connection:
            return frozenset(ArticleId(row.id) for row in connection.execute(sa.select(REMOVALS.c.id)))

    def page(self, where: ListFilter, *, limit: int, cursor: str | None = None) -> Page:
        """List articles in the order in which they were first added.

        Args:
            where: Which articles.
            limit: Most items of the page, above 0.
            cursor: The `next_cursor` of the page before.

        Raises:
            BadCursor: `cursor` is not one of ours.
        """
        after = _cursor_number(cursor) if cursor is not None else 0
        query = sa.select(ARTICLES).where(ARTICLES.c.number > after, *_conditions(where))
        with self._reading() as connection:
            rows = connection.execute(query.order_by(ARTICLES.c.number).limit(limit + 1)).all()
        more = len(rows) > limit
        read = [_read(row) for row in rows[:limit]]
        return Page(
            items=tuple(entry for entry in read if isinstance(entry, Stored)),
            next_cursor=_cursor(rows[limit - 1].number) if more else None,
            damaged=tuple(entry for entry in read if isinstance(entry, LibraryDamaged)),
        )

    def read(self, articles: Sequence[ArticleId]) -> Iterator[Article | LibraryDamaged]:
        """Give articles by their ids, in the order asked for; a damaged one comes as the error that describes it.

        One that was removed meanwhile does not come. Each is as it was at one moment, which need not be the same for
        all.
        """
        for first in range(0, len(articles), _READ_AT_ONCE):
            wanted = articles[first : first + _READ_AT_ONCE]
            with self._reading() as connection:
                rows = connection.execute(sa.select(ARTICLES).where(ARTICLES.c.id.in_(wanted))).all()
            by_id = {row.id: row for row in rows}
            for article in wanted:
                if article in by_id:
                    entry = _read(by_id[article])
                    yield entry.article if isinstance(entry, Stored) else entry

    def characters(self, articles: Sequence[ArticleId]) -> int:
        """Count the characters of the texts of some articles."""
        total = 0
        with self._reading() as connection:
            for first in range(0, len(articles), _READ_AT_ONCE):
                these = ARTICLES.c.id.in_(articles[first : first + _READ_AT_ONCE])
                query = sa.select(sa.func.sum(sa.func.length(ARTICLES.c.text))).where(these)
                total += connection.execute(query).scalar() or 0
        return total

    def digests(self) -> dict[ArticleId, str]:
        """Give the content hash of every article, by id: what an index must hold to be up to date."""
        with self._reading() as connection:
            rows = connection.execute(sa.select(ARTICLES.c.id, ARTICLES.c.content_hash))
            return {ArticleId(row.id): row.content_hash for row in rows}

    def faults(self) -> list[str]:
        """Check the whole database, and every article against its hash; gives what is wrong, nothing where all is well.

        Reads everything: some seconds for 10,000 articles.
        """
        try:
            with self._engine.connect() as connection:
                found = connection.exec_driver_sql("PRAGMA integrity_check(20)").scalars().all()
            faults = [str(line) for line in found if line != "ok"]
            return faults + [
                str(entry) for entry in self.read(sorted(self.digests())) if isinstance(entry, LibraryDamaged)
            ]
        except sa.exc.DatabaseError as error:
            return [str(error.orig)]
        except LibraryDamaged as error:
            return [str(error)]

    def scrub(self, *, busy_seconds: float = 2.0) -> bool:
        """Overwrite what the files still hold of removed and replaced articles; cheap where there is nothing to do.

        Args:
            busy_seconds: How long each step waits for others who read or write.

        Returns:
            False where others were busy: it is to be tried again.

        Raises:
            LibraryUnavailable: The database cannot be written, for want of space for instance.
        """
        try:
            return scrub(self._path, busy_seconds=busy_seconds)
        except sqlite3.Error as error:
            raise LibraryUnavailable(
                f"what was removed cannot be overwritten in {self._path} ({error}); "
                "free some space for a second copy of the file and build again"
            ) from error

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except sa.exc.DatabaseError as error:
            if not says_damage(error):
                raise
            raise self._damaged(error) from error

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect() as connection:
                with connection.begin():
                    yield connection
                if not stands_in_place(connection, self._path):
                    raise LibraryUnavailable(
                        f"the article library {self._path} was moved away by another process while it was written to; "
                        "nothing was stored, try again"
                    )
        except sa.exc.DatabaseError as error:
            if not says_damage(error):
                raise
            raise self._damaged(error) from error

    def _damaged(self, error: sa.exc.DatabaseError) -> LibraryDamaged:
        return LibraryDamaged(
            f"the article library {self._path} is damaged ({error.orig}); stop what uses it and run 'byline doctor'"
        )


def _stored(row: sa.Row[Any]) -> Stored:
    try:
        article = Article.from_json(json.loads(row.fields) | {"text": row.text})
        same = article.content_hash == row.content_hash
        columns = _columns(article)
        stored_at = datetime.fromisoformat(row.stored_at)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise LibraryDamaged(f"article {row.id}: its stored form is broken; add it again") from error
    # SQLite does not notice flipped bits in a page; the hash does.
    if not same:
        raise LibraryDamaged(f"article {row.id}: what is stored does not match its hash; add it again")
    # What is searched by stands in columns of its own, outside of the hash.
    wrong = [name for name, value in columns.items() if getattr(row, name) != value]
    if wrong:
        raise LibraryDamaged(
            f"article {article.id}: its column {wrong[0]!r} does not match what is stored; add it again"
        )
    return Stored(article, stored_at)


def _columns(article: Article) -> dict[str, str | None]:
    """Give what is searched by, as it stands in columns of its own."""
    published = article.published_at.isoformat() if article.published_at else None
    return {"id": article.id, "title": article.title, "source": article.source, "published_at": published}


def _read(row: sa.Row[Any]) -> Stored | LibraryDamaged:
    try:
        return _stored(row)
    except LibraryDamaged as error:
        return error


def _conditions(where: ListFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if where.source is not None:
        conditions.append(ARTICLES.c.source == where.source)
    if where.published_from is not None:
        conditions.append(ARTICLES.c.published_at >= where.published_from.isoformat())
    if where.published_to is not None:
        conditions.append(ARTICLES.c.published_at <= where.published_to.isoformat())
    if where.query is not None:
        words = (column.icontains(where.query, autoescape=True) for column in (ARTICLES.c.title, ARTICLES.c.text))
        conditions.append(sa.or_(*words))
    return conditions


def _cursor(number: int) -> str:
    return base64.urlsafe_b64encode(f"after:{number}".encode()).decode()


def _cursor_number(cursor: str) -> int:
    try:
        label, number = base64.urlsafe_b64decode(cursor.encode()).decode().split(":")
        # The decoder passes over what is no base64, and over what stands behind its end.
        if (
            label == "after"
            and number.isascii()
            and number.isdigit()
            and len(number) < 19
            and _cursor(int(number)) == cursor
        ):
            return int(number)
    except (ValueError, binascii.Error):
        pass
    raise BadCursor("the cursor is not one that this list gave; start again without it")
