"""The article library: each article once, durably, in a database.

SQLite by default, through SQLAlchemy Core so that another database URL can serve several machines. An article that
`put` returned for is on disk: the transaction is committed with full synchronisation before it returns.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from ingest.article import Article, ArticleId, IngestError
from ingest.failpoints import reach

Outcome = Literal["added", "updated", "unchanged"]

_metadata = sa.MetaData()
_articles = sa.Table(
    "articles",
    _metadata,
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

_removals = sa.Table(
    "removals",
    _metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("removed_at", sa.String, nullable=False),
)

_READ_AT_ONCE = 500
"""Articles asked for in one statement; databases bound the number of its parameters."""


class LibraryDamaged(IngestError):
    """A stored article does not match its hash, or the database cannot be read."""


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
        _metadata.create_all(engine)

    @classmethod
    def open(cls, path: Path) -> ArticleLibrary:
        """Open the library in a SQLite file, making file and folder where they are missing.

        Raises:
            LibraryDamaged: The file is there but is no readable database.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 30}, hide_parameters=True)
        sa.event.listen(engine, "connect", _make_durable)
        try:
            return cls(engine)
        except sa.exc.DatabaseError as error:
            raise LibraryDamaged(
                f"the article library {path} cannot be read ({error.orig}); "
                "put a copy of it back, or move it away and add the articles again"
            ) from error

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
        with self._engine.begin() as connection:
            outcomes = [self._put(connection, article) for article in articles]
            reach("add.written")
        reach("add.committed")
        return outcomes

    def _put(self, connection: sa.Connection, article: Article) -> Outcome:
        fields = article.to_json()
        row = {
            "id": article.id,
            "content_hash": article.content_hash,
            "title": article.title,
            "source": article.source,
            "published_at": fields["published_at"],
            "text": fields.pop("text"),
            "fields": json.dumps(fields, ensure_ascii=False),
            "stored_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        # Writing first takes the lock: between looking and writing, another writer could add the same article.
        added = connection.execute(insert(_articles).values(row).on_conflict_do_nothing(index_elements=["id"]))
        if added.rowcount == 1:
            connection.execute(sa.delete(_removals).where(_removals.c.id == article.id))
            return "added"
        this_one = _articles.c.id == article.id
        known = connection.execute(sa.select(_articles.c.content_hash).where(this_one)).scalar_one()
        if known == row["content_hash"]:
            return "unchanged"
        connection.execute(sa.update(_articles).where(this_one).values(row))
        return "updated"

    def get(self, article: ArticleId) -> Stored | None:
        """Give an article by its id, None where there is none.

        Raises:
            LibraryDamaged: What is stored is not what was put there.
        """
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(_articles).where(_articles.c.id == article)).one_or_none()
        return _stored(row) if row else None

    def remove(self, article: ArticleId) -> bool:
        """Remove an article; tells whether it was there.

        That it was removed stays on record (`removed`), so that no index made before shows it.
        """
        with self._engine.begin() as connection:
            there = connection.execute(sa.delete(_articles).where(_articles.c.id == article)).rowcount > 0
            if there:
                now = datetime.now(UTC).isoformat(timespec="seconds")
                row = {"id": article, "removed_at": now}
                connection.execute(insert(_removals).values(row).on_conflict_do_nothing(index_elements=["id"]))
            reach("remove.written")
        reach("remove.committed")
        return there

    def removed(self) -> frozenset[ArticleId]:
        """Give the ids of articles that were removed and not added again."""
        with self._engine.connect() as connection:
            return frozenset(ArticleId(row.id) for row in connection.execute(sa.select(_removals.c.id)))

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
        query = sa.select(_articles).where(_articles.c.number > after, *_conditions(where))
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(_articles.c.number).limit(limit + 1)).all()
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
            with self._engine.connect() as connection:
                rows = connection.execute(sa.select(_articles).where(_articles.c.id.in_(wanted))).all()
            by_id = {row.id: row for row in rows}
            for article in wanted:
                if article in by_id:
                    entry = _read(by_id[article])
                    yield entry.article if isinstance(entry, Stored) else entry

    def characters(self, articles: Sequence[ArticleId]) -> int:
        """Count the characters of the texts of some articles."""
        total = 0
        with self._engine.connect() as connection:
            for first in range(0, len(articles), _READ_AT_ONCE):
                these = _articles.c.id.in_(articles[first : first + _READ_AT_ONCE])
                query = sa.select(sa.func.sum(sa.func.length(_articles.c.text))).where(these)
                total += connection.execute(query).scalar() or 0
        return total

    def digests(self) -> dict[ArticleId, str]:
        """Give the content hash of every article, by id: what an index must hold to be up to date."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(_articles.c.id, _articles.c.content_hash))
            return {ArticleId(row.id): row.content_hash for row in rows}


def _make_durable(connection: Any, _record: object) -> None:  # noqa: ANN401  # the driver's own connection
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    # What is removed or replaced is overwritten with zeros: deleted text must not stay in the file.
    cursor.execute("PRAGMA secure_delete=ON")
    # FULL: a commit is on disk, not only in the log's page cache, before it is acknowledged.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _stored(row: sa.Row[Any]) -> Stored:
    try:
        article = Article.from_json(json.loads(row.fields) | {"text": row.text})
    except (ValueError, TypeError, KeyError) as error:
        raise LibraryDamaged(f"article {row.id}: its stored form is broken; add it again") from error
    # SQLite does not notice flipped bits in a page; the hash does.
    if article.content_hash != row.content_hash:
        raise LibraryDamaged(f"article {row.id}: what is stored does not match its hash; add it again")
    return Stored(article, datetime.fromisoformat(row.stored_at))


def _read(row: sa.Row[Any]) -> Stored | LibraryDamaged:
    try:
        return _stored(row)
    except LibraryDamaged as error:
        return error


def _conditions(where: ListFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if where.source is not None:
        conditions.append(_articles.c.source == where.source)
    if where.published_from is not None:
        conditions.append(_articles.c.published_at >= where.published_from.isoformat())
    if where.published_to is not None:
        conditions.append(_articles.c.published_at <= where.published_to.isoformat())
    if where.query is not None:
        words = (column.icontains(where.query, autoescape=True) for column in (_articles.c.title, _articles.c.text))
        conditions.append(sa.or_(*words))
    return conditions


def _cursor(number: int) -> str:
    return base64.urlsafe_b64encode(f"after:{number}".encode()).decode()


def _cursor_number(cursor: str) -> int:
    try:
        label, number = base64.urlsafe_b64decode(cursor.encode()).decode().split(":")
        if label == "after" and number.isascii() and number.isdigit() and len(number) < 19:
            return int(number)
    except (ValueError, binascii.Error):
        pass
    raise BadCursor("the cursor is not one that this list gave; start again without it")
