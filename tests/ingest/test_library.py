import os
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import date

import pytest

from ingest.article import Article, ArticleId, article_id
from ingest.library import ArticleLibrary, BadCursor, LibraryDamaged, ListFilter


def article(name, text="Some text.", **changes):
    identity = f"url:https://example.org/{name}"
    one = Article(
        id=article_id(identity),
        identity=identity,
        text=text,
        title=name.title(),
        title_source="meta",
        source="Test Wire",
        url=f"https://example.org/{name}",
        authors=("A. Writer",),
        published_at=date(2025, 3, 17),
        date_source="meta",
        external_id=None,
    )
    return replace(one, **changes)


@pytest.fixture
def library(tmp_path):
    library = ArticleLibrary.open(tmp_path / "deep" / "library.sqlite")
    yield library
    library.close()


def test_the_same_article_is_added_then_unchanged_then_updated(library):
    assert library.put(article("one")) == "added"
    assert library.put(article("one")) == "unchanged"
    assert library.put(article("one", text="Corrected text.")) == "updated"
    assert library.get(article("one").id).article.text == "Corrected text."
    assert len(library.digests()) == 1


def test_a_changed_date_or_title_is_an_update_too(library):
    library.put(article("one"))
    assert library.put(article("one", published_at=None, date_source="unknown")) == "updated"
    assert library.put(article("one", title="Other")) == "updated"


def test_what_was_put_is_there_for_another_process(tmp_path):
    first = ArticleLibrary.open(tmp_path / "library.sqlite")
    first.put(article("one", text="Ünïcode “quotes” 🏳️‍🌈\n- item"))
    second = ArticleLibrary.open(tmp_path / "library.sqlite")
    assert second.get(article("one").id).article == article("one", text="Ünïcode “quotes” 🏳️‍🌈\n- item")
    first.close()
    second.close()


def test_an_unknown_article_is_none_and_cannot_be_removed(library):
    assert library.get(ArticleId("art_none")) is None
    assert library.remove(ArticleId("art_none")) is False


def test_a_removed_article_is_gone(library):
    library.put(article("one"))
    assert library.remove(article("one").id) is True
    assert library.get(article("one").id) is None
    assert library.digests() == {}


def test_pages_hold_every_article_once_in_the_order_of_adding(library):
    names = [f"name{number}" for number in range(7)]
    library.put_all([article(name) for name in names])
    titles, cursor = [], None
    while True:
        page = library.page(ListFilter(), limit=3, cursor=cursor)
        titles += [stored.article.title for stored in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert titles == [name.title() for name in names]


@pytest.mark.parametrize("cursor", ["", "x", "YWZ0ZXI6LTE=", "YWZ0ZXI6eA==", "é", "A" * 5000])
def test_a_made_up_cursor_is_refused(library, cursor):
    with pytest.raises(BadCursor):
        library.page(ListFilter(), limit=3, cursor=cursor)


def test_listings_filter_by_source_dates_and_words(library):
    library.put(article("one", source="Other"))
    library.put(article("two", published_at=date(2025, 5, 1), text="A 100% sure thing."))
    library.put(article("three", published_at=None, date_source="unknown"))

    def titles(**where):
        return [stored.article.title for stored in library.page(ListFilter(**where), limit=9).items]

    assert titles(source="Other") == ["One"]
    assert titles(published_from=date(2025, 4, 1)) == ["Two"]
    assert titles(published_to=date(2025, 4, 1)) == ["One"]
    assert titles(query="100% SURE") == ["Two"]
    assert titles(query="100_ sure") == []
    assert titles(query="date_source") == []


def test_an_altered_row_is_an_error_that_names_the_article_and_hides_no_other(library, tmp_path):
    library.put_all([article("one"), article("two")])
    with sqlite3.connect(tmp_path / "deep" / "library.sqlite") as connection:
        connection.execute("UPDATE articles SET text = replace(text, 'Some', 'Fake') WHERE title = 'One'")
    connection.close()
    with pytest.raises(LibraryDamaged, match=article("one").id):
        library.get(article("one").id)
    kinds = {type(entry) for entry in library.read([article("one").id, article("two").id])}
    assert kinds == {Article, LibraryDamaged}
    page = library.page(ListFilter(), limit=9)
    assert [stored.article.title for stored in page.items] == ["Two"]
    assert len(page.damaged) == 1


def test_a_file_that_is_no_database_is_named(tmp_path):
    path = tmp_path / "library.sqlite"
    path.write_bytes(b"not a database, but long enough to be read as a header" * 40)
    with pytest.raises(LibraryDamaged, match=r"library\.sqlite"):
        ArticleLibrary.open(path)


def test_threads_can_put_at_once_and_nothing_is_lost(library):
    outcomes = []

    def put(number):
        outcomes.append(library.put(article("same")))
        library.put(article(f"name{number}"))

    threads = [threading.Thread(target=put, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(library.digests()) == 17
    assert sorted(outcomes) == ["added"] + ["unchanged"] * 15


def test_articles_are_read_by_their_ids_in_the_order_asked_for(library, tmp_path):
    articles = [article(f"name{number}") for number in range(7)]
    library.put_all(articles)
    wanted = [articles[place].id for place in (5, 0, 3)]
    assert list(library.read(wanted)) == [articles[5], articles[0], articles[3]]
    library.remove(articles[0].id)
    assert list(library.read(wanted)) == [articles[5], articles[3]]
    assert list(library.read([])) == []
    with sqlite3.connect(tmp_path / "deep" / "library.sqlite") as connection:
        connection.execute("UPDATE articles SET text = 'Fake' WHERE id = ?", [articles[5].id])
    connection.close()
    assert [type(entry) for entry in library.read(wanted)] == [LibraryDamaged, Article]


def test_a_removal_stays_on_record_until_the_article_comes_back(library):
    library.put_all([article("one"), article("two")])
    assert library.removed() == frozenset()
    assert library.remove(article("one").id)
    assert not library.remove(article("nobody").id)
    assert library.removed() == {article("one").id}
    assert not library.remove(article("one").id)
    assert library.put(article("one")) == "added"
    assert library.removed() == frozenset()


def test_a_process_that_dies_while_it_adds_leaves_all_of_it_or_nothing(tmp_path):
    program = (
        "import sys\nfrom pathlib import Path\nfrom ingest.library import ArticleLibrary\n"
        "from ingest.intake import prepare\nfrom ingest.readers import RawArticle\n"
        "library = ArticleLibrary.open(Path(sys.argv[1]))\n"
        "library.put_all([prepare(RawArticle('The words of %d.' % n, external_id=str(n))) for n in range(9)])\n"
    )
    for failpoint, expected in (("add.begun", 0), ("add.written", 0), ("add.committed", 9)):
        path = tmp_path / f"{failpoint}.sqlite"
        ended = subprocess.run(
            [sys.executable, "-c", program, str(path)], env=os.environ | {"BYLINE_FAILPOINT": failpoint}, check=False
        )
        assert ended.returncode == 137
        assert len(ArticleLibrary.open(path).digests()) == expected
