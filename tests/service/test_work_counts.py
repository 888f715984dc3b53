"""What questions and builds may cost, counted in work: statements sent to databases and texts that are embedded."""

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from stand_in import StandIn

from index.builder import PART_ARTICLES, Builder
from ingest.intake import prepare
from ingest.readers import RawArticle
from service.api.app import build_app
from service.assembly import chunking_settings, open_catalog, open_library
from service.settings import Settings

QUESTION = "How much did the Alder Bridge cost?"


@pytest.fixture
def statements():
    """Every statement that is sent to a database, as it is sent."""
    sent = []

    def note(_connection, _cursor, statement, *_):
        sent.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    yield sent
    sa.event.remove(sa.Engine, "before_cursor_execute", note)


@pytest.mark.model
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/search", {"query": QUESTION}),
        ("/v1/chat", {"message": QUESTION, "history": []}),
        ("/v1/chat", {"message": QUESTION, "history": [], "stream": True}),
    ],
)
def test_a_question_that_is_not_kept_reads_no_database(parts, statements, path, body):
    """All that an answer needs is in the generation."""
    assert TestClient(build_app(parts), base_url="http://localhost").post(path, json=body).status_code == 200
    assert statements == []


class Counting:
    """An embedder without a model that counts the texts and calls it is asked for."""

    def __init__(self, stand_in):
        self._stand_in = stand_in
        self.texts = self.calls = 0

    def encode(self, texts, *, on_batch=None):
        self.texts += len(texts)
        self.calls += 1
        return self._stand_in.encode(texts, on_batch=on_batch)

    def __getattr__(self, name):
        return getattr(self._stand_in, name)


def article(number):
    text = f"The mill of Oderau ground {number} tons of rye. Nobody sold any of it in year {number}."
    return prepare(RawArticle(text=text, title=f"Mill {number}", external_id=str(number)))


@pytest.fixture
def build(tmp_path):
    """A function that adds some articles to a library and builds its index; gives what that took."""
    settings = Settings(data=tmp_path)
    library = open_library(tmp_path)

    def build(numbers):
        for number in numbers:
            library.put(article(number))
        counting = Counting(StandIn())
        Builder(open_catalog(tmp_path), counting, chunking_settings(settings)).build(library)
        return counting

    yield build
    library.close()


def _reads_texts(statement):
    """Tell whether a statement reads articles with their words."""
    return statement.startswith("SELECT") and "articles.text" in statement.split("FROM")[0]


def test_a_build_asks_the_library_once_for_many_articles_and_embeds_each_text_once(build, statements):
    count = 2 * PART_ARTICLES + 1
    took = build(range(count))
    assert 0 < len([sent for sent in statements if _reads_texts(sent)]) < count / 4
    assert (took.texts, took.calls) == (3 * count, 3)  # a chunk and two sentences each; three parts


def test_a_build_after_one_article_more_reads_and_embeds_that_one(build, statements):
    build(range(PART_ARTICLES))
    del statements[:]
    took = build([PART_ARTICLES])
    assert (took.texts, took.calls) == (3, 1)
    del statements[:]
    idle = build([])
    assert (idle.texts, idle.calls) == (0, 0)
    assert not [sent for sent in statements if _reads_texts(sent)]
