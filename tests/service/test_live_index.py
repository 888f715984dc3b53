"""Which generation is served, and what happens when it changes or is damaged."""

import pytest

from index.catalog import Catalog
from index.errors import NoGeneration
from index.passages import CHUNKS_FILE
from index.searcher import Filters
from ingest.article import ArticleId
from ingest.intake import prepare
from ingest.readers.raw import RawArticle
from service.live_index import LiveIndex

pytestmark = pytest.mark.model


@pytest.fixture
def catalog(tmp_path):
    return Catalog(tmp_path / "index")


@pytest.fixture
def publish(catalog, embedder):
    from index.builder import Builder, GivenArticles
    from ingest.chunking import ChunkingSettings

    def publish(*texts):
        articles = [prepare(RawArticle(text, external_id=text)) for text in texts]
        return Builder(catalog, embedder, ChunkingSettings(60, 10)).build(GivenArticles(articles)).generation

    return publish


def damage(catalog, name):
    file = catalog.folder(name) / CHUNKS_FILE
    words = bytearray(file.read_bytes())
    words[-1] ^= 1
    file.write_bytes(words)


def test_without_a_generation_it_says_so_and_finds_the_first_one(catalog, embedder, publish):
    live = LiveIndex(catalog, embedder)
    assert live.refresh() is False
    with pytest.raises(NoGeneration, match="byline build"):
        live.searcher()
    publish("The goat ate the catalogue.")
    assert live.refresh() is True
    assert live.searcher().generation.name == "000001"
    assert live.problems == ()


def test_a_reader_keeps_its_generation_when_another_is_published(catalog, embedder, publish):
    publish("The goat ate the catalogue.")
    live = LiveIndex(catalog, embedder)
    live.refresh()
    reader = live.searcher()
    publish("The goat ate the catalogue.", "The ferry leaves at noon.")
    assert live.refresh() is True
    assert (reader.generation.name, live.searcher().generation.name) == ("000001", "000002")
    assert reader.search("goat").hits[0].text == "The goat ate the catalogue."
    assert live.refresh() is False


def test_a_damaged_generation_is_not_served_and_named_and_the_one_before_serves(catalog, embedder, publish):
    publish("The goat ate the catalogue.")
    publish("The goat ate the catalogue.", "The ferry leaves at noon.")
    damage(catalog, "000002")
    live = LiveIndex(catalog, embedder)
    assert live.refresh() is True
    assert live.searcher().generation.name == "000001"
    assert CHUNKS_FILE in str(live.problems[0])
    catalog.rollback("000001")
    live.refresh()
    assert live.problems == ()


def test_what_cannot_be_opened_is_read_once_and_again_when_something_is_published(
    catalog, embedder, publish, monkeypatch
):
    publish("The goat ate the catalogue.")
    damage(catalog, "000001")
    live = LiveIndex(catalog, embedder)
    looked = []
    look = catalog.open_newest_good
    monkeypatch.setattr(catalog, "open_newest_good", lambda open_folder: looked.append(1) or look(open_folder))
    for _ in range(3):
        assert live.refresh() is False
    assert len(looked) == 1
    with pytest.raises(NoGeneration, match=CHUNKS_FILE):
        live.searcher()
    assert publish("The goat ate the catalogue.") == "000002"
    assert live.refresh() is True
    assert live.searcher().generation.name == "000002"


def test_removed_articles_are_found_no_more_by_the_next_searcher(catalog, embedder, publish):
    publish("The goat ate the catalogue.", "The ferry leaves at noon.")
    removed = frozenset()
    live = LiveIndex(catalog, embedder, lambda: removed)
    live.refresh()
    reader = live.searcher()
    goat = reader.search("goat").hits[0].article.id
    removed = frozenset([goat, ArticleId("art_unknown")])
    live.hide_removed()
    for mode in ("hybrid", "dense", "lexical"):
        assert goat not in {hit.article.id for hit in live.searcher().search("goat", mode=mode).hits}
    only = Filters(article_ids=(goat,))
    assert live.searcher().search("goat", filters=only).hits == ()
    assert live.searcher().search("ferry").hits[0].text == "The ferry leaves at noon."
    # Whoever had begun goes on as it began.
    assert reader.search("goat").hits[0].article.id == goat
    publish("The goat ate the catalogue.", "The ferry leaves at noon.", "A third.")
    assert live.refresh() is True
    assert goat not in {hit.article.id for hit in live.searcher().search("goat").hits}
    removed = frozenset()
    assert live.refresh() is False
    assert live.searcher().search("goat").hits[0].article.id == goat
