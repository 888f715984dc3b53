"""Deleting is deleting: after a scrub, no bytes of removed or replaced text are in the library's files."""

import random
import sqlite3
import threading

import pytest

from ingest.intake import prepare
from ingest.library import ArticleLibrary
from ingest.readers import RawArticle


def article(name, marker, times=1):
    return prepare(RawArticle(f"Some words and {marker} here. " * times, external_id=name, title=f"About {name}"))


def bytes_of(path):
    return b"".join(one.read_bytes() for one in path.parent.glob(f"{path.name}*"))


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_left_of_what_was_removed_or_replaced(tmp_path, seed):
    path = tmp_path / "library.sqlite"
    library = ArticleLibrary.open(path)
    chance, live, dead = random.Random(seed), {}, set()
    for number in range(400):
        marker, times = f"marker{number:04}", chance.choice([1, 2, 5, 40, 300])
        name = f"a{number}" if chance.random() < 0.5 or not live else chance.choice(sorted(live))
        if chance.random() < 0.3 and name in live:
            dead.add(live.pop(name))
            library.remove(article(name, "").id)
        else:
            if name in live:
                dead.add(live[name])
            live[name] = marker
            library.put(article(name, marker, times))
    assert library.scrub()
    content = bytes_of(path)
    assert [marker for marker in sorted(dead) if marker.encode() in content] == []
    assert all(marker.encode() in content for marker in live.values())
    assert library.faults() == []
    library.close()


def test_a_library_made_before_text_was_overwritten_is_written_anew(tmp_path):
    path = tmp_path / "library.sqlite"
    library = ArticleLibrary.open(path)
    library.put_all([article(f"a{n}", f"marker{n}", 600) for n in range(9)])
    library.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA secure_delete=OFF")
    connection.execute("PRAGMA user_version=0")
    connection.execute("DELETE FROM articles WHERE text LIKE '%marker3%'")
    connection.commit()
    connection.close()
    assert b"marker3" in bytes_of(path)
    library = ArticleLibrary.open(path)
    assert library.scrub()
    assert b"marker3" not in bytes_of(path)
    before = path.stat().st_mtime_ns
    assert library.scrub()
    assert path.stat().st_mtime_ns == before
    library.close()


def test_a_busy_library_says_so_and_is_scrubbed_later(tmp_path):
    path = tmp_path / "library.sqlite"
    library = ArticleLibrary.open(path)
    library.put_all([article("one", "marker1"), article("two", "marker2")])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM articles").fetchone()
    library.remove(article("one", "").id)
    assert not library.scrub(busy_seconds=0.05)
    other.execute("COMMIT")
    other.execute("BEGIN IMMEDIATE")
    assert not library.scrub(busy_seconds=0.05)
    other.close()
    assert library.scrub()
    assert b"marker1" not in bytes_of(path)
    library.close()


def test_articles_are_read_and_written_while_it_is_scrubbed(tmp_path):
    library = ArticleLibrary.open(tmp_path / "library.sqlite")
    library.put_all([article(f"a{n}", f"m{n}", 50) for n in range(50)])
    stop, done = threading.Event(), []

    def write():
        while not stop.is_set():
            library.put(article(f"b{len(done)}", "other"))
            done.append(len(library.digests()))

    writer = threading.Thread(target=write)
    writer.start()
    for n in range(20):
        library.remove(article(f"a{n}", "").id)
        library.scrub(busy_seconds=0.2)
    stop.set()
    writer.join()
    assert library.scrub()
    assert len(library.digests()) == 30 + len(done)
    assert library.faults() == []
    library.close()
