"""A damaged library is refused and kept, or names the articles that are damaged: no wrong text, no silent loss."""

import random
import shutil
import sqlite3
import subprocess
import sys
import threading

import pytest

from ingest.article import Article
from ingest.intake import prepare
from ingest.library import ArticleLibrary, LibraryDamaged, LibraryUnavailable, ListFilter
from ingest.readers import RawArticle

ARTICLES = [
    prepare(
        RawArticle(
            f"Sentence of article {n} about the harbour of Ödland. " * (1 + n * n // 4),
            external_id=f"a{n}",
            source=f"Source {n % 3}",
            published=f"2025-03-{n + 1:02}",
        )
    )
    for n in range(30)
]
BY_ID = {article.id: article for article in ARTICLES}
REMOVED = prepare(RawArticle("This one is taken back.", external_id="taken-back"))


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """The bytes of a library of 30 articles, small ones and some of many pages, and one removal."""
    path = tmp_path_factory.mktemp("sound") / "library.sqlite"
    library = ArticleLibrary.open(path)
    library.put_all([*ARTICLES, REMOVED])
    library.remove(REMOVED.id)
    library.scrub()
    library.close()
    return path.read_bytes()


def seen(folder, content):
    """Open a library of these bytes; gives "refused", or what each way of reading says, checked against ARTICLES."""
    folder.mkdir()
    path = folder / "library.sqlite"
    path.write_bytes(content)
    try:
        library = ArticleLibrary.open(path)
    except LibraryDamaged as refusal:
        said = str(refusal)
    else:
        return read(library)
    (kept,) = [one for one in folder.iterdir() if not one.name.endswith(("-wal", "-shm"))]
    assert kept.name.startswith("library.sqlite.corrupt-")
    assert [words for words in (kept.name, "byline restore FILE", "--from-index") if words not in said] == []
    return "refused"


def read(library):
    try:
        entries = list(library.read(sorted(library.digests())))
        told = " ".join(str(entry) for entry in entries if isinstance(entry, LibraryDamaged))
        whole = [entry for entry in entries if isinstance(entry, Article)]
        assert all(BY_ID[article.id] == article for article in whole)
        assert len(entries) == len(ARTICLES)
        missing = BY_ID.keys() - {article.id for article in whole}
        assert all(article in told for article in missing)
        for article in ARTICLES:
            if article.id not in missing:
                assert library.get(article.id).article == article
            else:
                with pytest.raises(LibraryDamaged, match=article.id):
                    library.get(article.id)
        page = library.page(ListFilter(), limit=100)
        assert {one.article.id for one in page.items} | missing == set(BY_ID)
        assert len(page.items) + len(page.damaged) == len(ARTICLES)
        # A digest is not covered by a hash: where it is wrong, the article itself says so when it is read.
        digests = library.digests()
        assert digests.keys() == BY_ID.keys()
        assert {one for one, digest in digests.items() if digest != BY_ID[one].content_hash} <= missing
        assert library.removed() == {REMOVED.id}
        assert len(library.faults()) == len(missing)
        return "damaged articles" if missing else "whole"
    finally:
        library.close()


def places(content, how_many):
    """Every byte of the header, the head of every page, and places all over the file."""
    rest = random.Random(7).sample(range(len(content)), how_many)
    heads = [page + offset for page in range(0, len(content), 4096) for offset in (0, 1, 3, 4, 5, 6, 8, 12)]
    return sorted({*range(100), *heads, *rest})


def test_no_flipped_bit_gives_wrong_text_or_loses_an_article_unsaid(tmp_path, sound):
    bits = random.Random(8)
    outcomes = {"refused": 0, "damaged articles": 0, "whole": 0}
    chosen = places(sound, 400)
    assert len(chosen) > 300
    for place in chosen:
        content = bytearray(sound)
        content[place] ^= 1 << bits.randrange(8)
        folder = tmp_path / str(place)
        outcomes[seen(folder, bytes(content))] += 1
        shutil.rmtree(folder)
    # Bytes that nothing is kept in may flip unseen; most are text or structure.
    assert min(outcomes.values()) > 20, outcomes


def test_a_schema_that_is_no_utf8_is_refused(tmp_path, sound):
    # The first page ends with the schema; SQLite's message quotes it.
    for place in range(sound.index(b"CREATE"), 4096, 7):
        content = bytearray(sound)
        content[place] ^= 0x80
        assert seen(tmp_path / str(place), bytes(content)) in ("refused", "whole")


def test_a_file_cut_at_any_length_is_refused_and_kept(tmp_path, sound):
    lengths = {0, 1, 15, 16, 99, 100, 101, 4095, 4096, 4097, 8192, len(sound) - 4096, len(sound) - 1}
    for length in sorted({*lengths, *random.Random(9).sample(range(len(sound)), 60)}):
        assert seen(tmp_path / str(length), sound[:length]) == "refused"


@pytest.mark.parametrize("content", [b"", b"not a database " * 500, b"\0" * 8192], ids=["empty", "text", "zeros"])
def test_what_is_no_database_goes_on_being_refused_until_it_is_taken_away(tmp_path, content):
    path = tmp_path / "library.sqlite"
    path.write_bytes(content)
    for _ in range(3):
        with pytest.raises(LibraryDamaged, match=r"--from-index"):
            ArticleLibrary.open(path)
        assert not path.exists()
        assert ArticleLibrary.exists(path)
    (kept,) = tmp_path.iterdir()
    assert kept.read_bytes() == content
    kept.unlink()
    assert not ArticleLibrary.exists(path)
    library = ArticleLibrary.open(path)
    assert library.digests() == {}
    library.close()


def test_a_lost_table_is_no_empty_library(tmp_path):
    path = tmp_path / "library.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE something (else_ TEXT)")
    connection.close()
    with pytest.raises(LibraryDamaged, match="no table 'articles'"):
        ArticleLibrary.open(path)


def test_a_log_without_its_database_is_not_played_into_a_new_one(tmp_path):
    path = tmp_path / "library.sqlite"
    library = ArticleLibrary.open(path)
    library.put_all(ARTICLES)
    log = (tmp_path / "library.sqlite-wal").read_bytes()
    library.close()
    assert log
    path.unlink()
    (tmp_path / "library.sqlite-wal").write_bytes(log)
    for _ in range(2):
        with pytest.raises(LibraryDamaged, match="its log"):
            ArticleLibrary.open(path)
    (tmp_path / "library.sqlite-wal").unlink()
    ArticleLibrary.open(path).close()


def test_a_locked_library_is_not_damaged(tmp_path, monkeypatch):
    monkeypatch.setattr("ingest.library_file._BUSY_SECONDS", 0.1)
    path = tmp_path / "library.sqlite"
    ArticleLibrary.open(path).close()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("PRAGMA locking_mode=EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(LibraryUnavailable, match="locked"):
        ArticleLibrary.open(path)
    holder.close()
    assert not list(tmp_path.glob("*corrupt*"))
    ArticleLibrary.open(path).close()


def test_many_processes_that_open_at_once_make_one_library(tmp_path):
    program = (
        "import sys\nfrom pathlib import Path\nfrom ingest.library import ArticleLibrary\n"
        "from ingest.intake import prepare\nfrom ingest.readers import RawArticle\n"
        "library = ArticleLibrary.open(Path(sys.argv[1]))\n"
        "library.put(prepare(RawArticle('The words.', external_id=sys.argv[2])))\n"
    )
    path = tmp_path / "library.sqlite"
    started = [subprocess.Popen([sys.executable, "-c", program, str(path), str(n)]) for n in range(8)]
    assert [process.wait() for process in started] == [0] * 8
    library = ArticleLibrary.open(path)
    assert len(library.digests()) == 8
    library.close()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["library.sqlite"]


def test_a_library_that_is_moved_under_its_users_is_not_written_to_and_its_successor_is(tmp_path):
    path = tmp_path / "library.sqlite"
    library = ArticleLibrary.open(path)
    library.put(ARTICLES[0])
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).rename(tmp_path / f"library.sqlite.corrupt-1{suffix}")
    with pytest.raises(Exception, match="unable to open"):
        library.put(ARTICLES[1])
    assert not path.exists()
    other = ArticleLibrary.open(tmp_path / "other.sqlite")
    other.put(ARTICLES[2])
    other.close()
    (tmp_path / "other.sqlite").rename(path)
    assert library.put(ARTICLES[3]) == "added"
    assert set(library.digests()) == {ARTICLES[2].id, ARTICLES[3].id}
    library.close()
    again = ArticleLibrary.open(path)
    assert set(again.digests()) == {ARTICLES[2].id, ARTICLES[3].id}
    again.close()


def test_what_a_bit_in_an_index_page_could_do_is_found_at_the_next_opening(tmp_path, sound):
    """While a library is open, SQLite believes its indexes: an article can be missed by its id or source until then.

    Its row is not lost. `integrity_check`, at every opening and in the doctor, compares each index with its table;
    `quick_check` does not.
    """
    path = tmp_path / "library.sqlite"
    wanted = ARTICLES[4].id.encode()
    content = bytearray(sound)
    # The row in the table holds the id again, in its JSON; the entry of the index stands alone.
    for place in [at for at in range(len(content)) if content.startswith(wanted, at)]:
        path.write_bytes(content[:place] + b"zzz" + content[place + 3 :])
        connection = sqlite3.connect(path)
        verdicts = [connection.execute(f"PRAGMA {check}").fetchall() for check in ("quick_check", "integrity_check")]
        found = connection.execute("SELECT 1 FROM articles WHERE id = ?", [ARTICLES[4].id]).fetchall()
        connection.close()
        if verdicts[0] == [("ok",)] != verdicts[1] and not found:
            break
    else:
        pytest.fail("no copy of the id was the index's")
    with pytest.raises(LibraryDamaged):
        ArticleLibrary.open(path)


def test_threads_that_open_a_damaged_library_set_it_aside_once(tmp_path):
    path = tmp_path / "library.sqlite"
    path.write_bytes(b"nothing of use " * 1000)
    refusals = []

    def open_it():
        with pytest.raises(LibraryDamaged) as refusal:
            ArticleLibrary.open(path)
        refusals.append(str(refusal.value))

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refusals) == 8
    assert len(list(tmp_path.iterdir())) == 1
