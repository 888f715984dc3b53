"""Putting another library's content in the place of a library's, whole and at once, while others use it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection

from ingest.article import ArticleId, IngestError
from ingest.database import (
    LEFTOVERS,
    connect,
    folder_lock,
    kept_aside,
    move_log_aside,
    sync,
)
from ingest.failpoints import reach
from ingest.library_file import ARTICLES, REMOVALS

_BUSY_SECONDS = 30


class WouldLose(IngestError):
    """The library has articles that the copy lacks, and nobody said that they may go."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What taking over changed, in articles.

    `articles` are there now; of those that were there before, `lost` are not any more and `changed` are in another
    version. `returned` had been removed since the copy was made, and are back: their ids, with their titles.
    """

    articles: int
    lost: int = 0
    changed: int = 0
    returned: tuple[tuple[ArticleId, str], ...] = ()


def put_in_place(path: Path, copy: Path) -> bool:
    """Move a copy to where there is no library, synced; False where there is one.

    The copy is closed, checked, and on the same file system.
    """
    with folder_lock(path.parent):
        if path.exists():
            return False
        # The log of the library that was there would be played into this one.
        kept = kept_aside(path)[:1] or [path.with_name(f"{path.name}.corrupt-log")]
        move_log_aside(path, kept[0])
        sync(copy)
        copy.rename(path)
        sync(path.parent)
    reach("restore.placed")
    return True


def take_over(path: Path, copy: Path, *, may_lose: bool) -> Exchange:
    """Give a library the content of a copy, in one transaction: readers see the old or the new, whole.

    Articles that were removed and that the copy lacks stay on record as removed.

    Args:
        path: The library; other processes may be using it.
        copy: A sound library that nobody writes to.
        may_lose: Whether articles that the copy lacks may go.

    Raises:
        WouldLose: There are such articles and they may not go; nothing was changed.
        sqlite3.Error: The database refused, and nothing was changed.
    """
    with closing(connect(path, busy_seconds=_BUSY_SECONDS)) as connection:
        connection.isolation_level = None
        connection.execute("PRAGMA secure_delete=ON")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("ATTACH ? AS copy", [f"{copy.absolute().as_uri()}?mode=ro"])
        # Counted under the lock: what is added meanwhile waits, and is then added to the new content.
        with _at_once(connection):
            exchange = _compare(connection)
            if exchange.lost and not may_lose:
                raise WouldLose(
                    f"the library {path} has {exchange.lost} articles that would be lost; "
                    "keep them by 'byline backup' first, then give --replace to go on"
                )
            _replace(connection)
            reach("restore.written")
    reach("restore.placed")
    return exchange


@contextmanager
def _at_once(connection: Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _compare(connection: Connection) -> Exchange:
    def count(condition: str) -> int:
        return int(connection.execute(f"SELECT count(*) FROM {condition}").fetchone()[0])  # noqa: S608  # ours

    same_id = "copy.articles AS theirs JOIN main.articles AS ours ON theirs.id = ours.id"
    return Exchange(
        articles=count("copy.articles"),
        lost=count("main.articles WHERE id NOT IN (SELECT id FROM copy.articles)"),
        changed=count(f"{same_id} WHERE theirs.content_hash <> ours.content_hash"),
        returned=tuple(
            (ArticleId(article), str(title))
            for article, title in connection.execute(
                "SELECT theirs.id, theirs.title FROM copy.articles AS theirs "
                "JOIN main.removals AS gone ON gone.id = theirs.id ORDER BY theirs.id"
            )
        ),
    )


def _replace(connection: Connection) -> None:
    articles = ", ".join(column.name for column in ARTICLES.columns)
    removals = ", ".join(column.name for column in REMOVALS.columns)
    for statement in (
        "DELETE FROM main.articles",
        f"INSERT INTO main.articles ({articles}) SELECT {articles} FROM copy.articles ORDER BY number",  # noqa: S608
        f"INSERT OR IGNORE INTO main.removals ({removals}) SELECT {removals} FROM copy.removals",  # noqa: S608
        "DELETE FROM main.removals WHERE id IN (SELECT id FROM main.articles)",
        f"PRAGMA main.user_version={LEFTOVERS}",
    ):
        connection.execute(statement)
