"""Bringing a library back: from a backup, or from the articles that the index holds."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from index.generation import Generation
from ingest import database
from ingest.article import Article, ArticleId
from ingest.library import ArticleLibrary, LibraryDamaged
from ingest.library_file import make_file
from ingest.taking_over import Exchange, put_in_place, take_over
from service.assembly import LIBRARY_FILE, open_catalog
from service.backup import BackupFailed, naming_failures, unpacked, workspace
from service.conversation_file import CONVERSATIONS_FILE
from service.conversations import ConversationStore
from service.kept_replies import KeptReplies, KeptRepliesUnavailable

_BUSY_SECONDS = 30
_AT_ONCE = 500


class RestoreRefused(BackupFailed):
    """Restoring would lose something, or there is nothing to restore from; nothing was changed."""


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What was restored.

    `articles` are in the library now; of those in it before, `lost` are not any more and `changed` are in another
    version; `returned` had been removed since, and are back: ids and titles. `conversations` counts those that came
    back. `removals_known` is False where the record of removals was damaged, and more may be back than is told.
    """

    source: str
    articles: int
    lost: int
    changed: int
    returned: tuple[tuple[ArticleId, str], ...]
    conversations: int
    removals_known: bool


def restore(data: Path, file: Path, *, replace: bool = False) -> RestoreReport:
    """Put the content of a backup in the place of a library, while a server may be using it.

    Conversations of the backup come back beside those that are there; with `replace` they take their place.

    Args:
        data: The data folder; it need not exist.
        file: What `back_up` wrote.
        replace: Whether what the backup lacks may be lost.

    Raises:
        BackupFailed: The file is no sound backup, or the disk refuses.
        WouldLose: The library has articles that the backup lacks.
    """
    if not file.is_file():
        raise BackupFailed(f"there is no file {file}; name a backup, or give --from-index")
    conversations = 0
    with unpacked(file, data) as (work, record):
        with naming_failures(f"the library in {data} could not be restored"):
            exchange = _put_back(data / LIBRARY_FILE, work / LIBRARY_FILE, may_lose=replace)
        if CONVERSATIONS_FILE in record.members:
            copy = work / CONVERSATIONS_FILE
            with naming_failures(f"the conversations in {data} could not be restored", kept="the library was"):
                conversations = _return_conversations(data / CONVERSATIONS_FILE, copy, replace=replace)
    _clear_kept_replies(data)
    return _report(str(file), exchange, conversations=conversations)


def restore_from_index(data: Path, *, replace: bool = False) -> RestoreReport:
    """Make the library anew from the articles of the newest good generation.

    Articles that are on record as removed stay removed, as far as the record can be read. The order in which
    articles were first added is not in the index.

    Args:
        data: The data folder.
        replace: Whether this may take the place of a library that can be used.

    Raises:
        RestoreRefused: There is a usable library, or no article in the index.
        IndexingError: There is no good generation.
    """
    library = data / LIBRARY_FILE
    usable = _is_usable(library)
    if usable and not replace:
        raise RestoreRefused(
            f"the article library {library} can be used; restoring from the index would drop what was added since: "
            "give --replace to do it all the same"
        )
    opened = open_catalog(data).open_newest_good(Generation.open)
    with naming_failures(f"{data} could not be restored"), workspace(data / "restore", "restore") as work:
        removed, all_known = _removals_in(library) if usable else _removals_set_aside(library, work)
        articles = [article for article in opened.value.articles if article.id not in removed]
        if not articles:
            raise RestoreRefused(
                f"generation {opened.name} holds no articles; restore a backup, or add the articles again"
            )
        copy = work / LIBRARY_FILE
        _write(copy, articles, removed)
        exchange = _put_back(library, copy, may_lose=replace)
    _clear_kept_replies(data)
    return _report(f"generation {opened.name}", exchange, removals_known=all_known)


def _report(source: str, exchange: Exchange, *, conversations: int = 0, removals_known: bool = True) -> RestoreReport:
    return RestoreReport(
        source=source,
        articles=exchange.articles,
        lost=exchange.lost,
        changed=exchange.changed,
        returned=exchange.returned,
        conversations=conversations,
        removals_known=removals_known,
    )


def _put_back(library: Path, copy: Path, *, may_lose: bool) -> Exchange:
    while True:
        if _is_usable(library):
            exchange = take_over(library, copy, may_lose=may_lose)
            database.scrub(library)  # as far as others let it; the next build does it again
            return exchange
        counted = ArticleLibrary.open_copy(copy)
        exchange = Exchange(articles=len(counted.digests()))
        counted.close()
        if put_in_place(library, copy):
            return exchange
        # Somebody else put one there just now: it is to be looked at like any other.


def _is_usable(library: Path) -> bool:
    """Tell whether there is a sound library; a damaged one is set aside."""
    if not library.exists():
        return False
    try:
        ArticleLibrary.open(library).close()
    except LibraryDamaged:
        return False
    return True


def _clear_kept_replies(data: Path) -> None:
    """Have requests that were done before the restore done again when they are sent again: they may have been lost."""
    if not KeptReplies.exist(data):
        return
    try:
        replies = KeptReplies.open(data)
        try:
            replies.clear()
        finally:
            replies.close()
    except KeptRepliesUnavailable as error:
        raise BackupFailed(
            f"all was restored, but requests of before may still get the replies they had ({error}); restore once more"
        ) from error


def _write(copy: Path, articles: list[Article], removed: dict[ArticleId, str]) -> None:
    make_file(copy)
    library = ArticleLibrary.open(copy)
    for first in range(0, len(articles), _AT_ONCE):
        library.put_all(articles[first : first + _AT_ONCE])
    library.close()
    with closing(database.connect(copy, busy_seconds=_BUSY_SECONDS)) as connection:
        connection.executemany("INSERT INTO removals (id, removed_at) VALUES (?, ?)", removed.items())
        connection.commit()
        connection.execute("PRAGMA journal_mode=DELETE")  # all in one file


def _removals_in(library: Path) -> tuple[dict[ArticleId, str], bool]:
    """Read when which articles were removed, from a library that may be damaged.

    Returns:
        What could be read, and whether that is all of it.
    """
    found: dict[ArticleId, str] = {}
    try:
        with closing(database.connect(library, busy_seconds=_BUSY_SECONDS)) as connection:
            for article, moment in connection.execute("SELECT id, removed_at FROM removals NOT INDEXED"):
                if isinstance(article, str) and isinstance(moment, str):
                    found[ArticleId(article)] = moment
    except (sqlite3.Error, UnicodeDecodeError):
        return found, False
    return found, True


def _removals_set_aside(library: Path, work: Path) -> tuple[dict[ArticleId, str], bool]:
    """Read the removals of the library that was set aside last, from a copy: the file itself is evidence."""
    kept = [one for one in database.kept_aside(library) if not one.name.endswith(database.SIDE_FILES)]
    if not kept:
        return {}, True
    copy = work / "set-aside.sqlite"
    for suffix in ("", "-wal"):
        with suppress(FileNotFoundError):
            shutil.copyfile(kept[-1].with_name(kept[-1].name + suffix), copy.with_name(copy.name + suffix))
    with copy.open("r+b") as file:
        header = file.read(100).ljust(100, b"\0")
        page_bytes, pages = int.from_bytes(header[16:18], "big"), int.from_bytes(header[28:32], "big")
        # SQLite reads nothing of a file that is too short; with an end of zeros it reads what is there.
        with suppress(OSError):
            file.truncate(max(copy.stat().st_size, (65_536 if page_bytes == 1 else page_bytes) * pages))
    return _removals_in(copy)


def _return_conversations(path: Path, copy: Path, *, replace: bool) -> int:
    """Bring back the conversations that are missing, or all of them in the place of those that are there."""
    ConversationStore.open(path).close()
    with closing(database.connect(path, busy_seconds=_BUSY_SECONDS)) as connection:
        connection.isolation_level = None
        connection.execute("PRAGMA secure_delete=ON")
        connection.execute("ATTACH ? AS copy", [f"{copy.absolute().as_uri()}?mode=ro"])
        connection.execute("BEGIN IMMEDIATE")
        if replace:
            connection.execute("DELETE FROM main.conversations")
            connection.execute("DELETE FROM main.messages")
        connection.execute(
            "CREATE TEMP TABLE missing AS SELECT id FROM copy.conversations "
            "WHERE id NOT IN (SELECT id FROM main.conversations)"
        )
        for table, column in (("conversations", "id"), ("messages", "conversation_id")):
            _insert_missing(connection, table, column)
        (count,) = connection.execute("SELECT count(*) FROM missing").fetchone()
        connection.execute("COMMIT")
    return int(count)


def _insert_missing(connection: sqlite3.Connection, table: str, column: str) -> None:
    """Insert rows with the numbers they had, which are their order, or, where one is taken, with new ones in order."""
    of_missing = f"{column} IN (SELECT id FROM missing)"  # noqa: S608  # names of columns, ours, here and below
    number_taken = f"number IN (SELECT number FROM main.{table})"  # noqa: S608
    (count,) = connection.execute(
        f"SELECT count(*) FROM copy.{table} WHERE {of_missing} AND {number_taken}"  # noqa: S608
    ).fetchone()
    names = [name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?, 'copy')", [table])]
    read = ["NULL" if name == "number" and count else name for name in names]
    connection.execute(
        f"INSERT INTO main.{table} ({', '.join(names)}) "  # noqa: S608
        f"SELECT {', '.join(read)} FROM copy.{table} WHERE {of_missing} ORDER BY number"
    )
