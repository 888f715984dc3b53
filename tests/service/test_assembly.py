"""The settings reach the parts that they are about."""

import pytest

from index.model_files import ModelRefused
from index.runtimes import REFERENCE
from ingest.intake import prepare
from ingest.readers import RawArticle
from service import assembly
from service.answering.abstention import AbstentionModelRefused, load_abstention_model
from service.answering.evidence import READ_PIECES
from service.settings import Settings, SettingsError, load_settings

pytestmark = pytest.mark.model

TITLE = "Zeppelin lands in Tamsel"
TEXTS = [
    "The airship came down on the market square. Nobody was hurt.",
    "The council of Orlo met on Friday. It voted for a new roof.",
    "Rain fell on Pellworm all week. The harbour was closed.",
]


@pytest.fixture
def serve(tmp_path, assembled, build_index, embedder, monkeypatch):
    """A function that builds an index of three articles with some settings, and opens the service over it."""
    monkeypatch.setattr(assembly, "LazyEmbedder", lambda *_: embedder)
    opened = []

    def serve(**settings):
        opened.append(assembled(tmp_path, **settings))
        parts = opened[-1]
        for number, text in enumerate(TEXTS):
            title = TITLE if number == 0 else None
            parts.library.put(prepare(RawArticle(text=text, title=title, external_id=str(number), source="Post")))
        build_index(parts)
        return parts

    yield serve
    for parts in opened:
        parts.close()


def found_by_title(parts):
    hits = parts.assistant.search("zeppelin", mode="lexical").result.hits
    return [hit.article.title for hit in hits]


def test_chunk_title_says_whether_a_title_is_searched_with_its_chunks(serve):
    with_title = serve()
    assert found_by_title(with_title) == [TITLE]
    manifest = with_title.live.searcher().generation.manifest
    assert assembly.index_is_stale(manifest, Settings(chunk_title=True)) is None
    assert "with_title is now 0, was 1" in assembly.index_is_stale(manifest, Settings(chunk_title=False))
    without = serve(chunk_title=False)  # the same library: every article is cut and embedded anew
    assert found_by_title(without) == []
    assert without.live.searcher().generation.name == "000002"


def test_answer_passages_says_how_many_chunks_an_answer_may_draw_on(serve):
    question = "What happened to the airship, the council and the harbour?"
    for passages, expected in ((1, 1), (2, 2), (12, 3)):
        parts = serve(answer_passages=passages)
        result = parts.assistant.find(question).result
        assert len(result.hits) == expected
        reply = parts.assistant.ask(question)
        shown = {citation.article_id for citation in (*reply.answer.citations, *reply.answer.nearest)}
        assert shown <= {hit.article.id for hit in result.hits}


def test_abstention_model_names_the_model_that_decides(serve, tmp_path):
    question = "Where did the airship come down?"
    assert serve().assistant.ask(question).answer.status == "answered"
    strict = load_abstention_model().model_copy(update={"threshold": 1.0})
    (tmp_path / "strict.json").write_text(strict.model_dump_json())
    answer = serve(abstention_model=tmp_path / "strict.json").assistant.ask(question).answer
    assert (answer.status, answer.abstain_reason) == ("abstained", "not_stated")
    with pytest.raises(AbstentionModelRefused, match=r"gone\.json cannot be read"):
        serve(abstention_model=tmp_path / "gone.json")


def test_answer_reader_has_the_best_sentences_read(serve):
    question = "Where did the airship come down?"
    for wanted in (True, False):
        parts = serve(answer_reader=wanted)
        evidence = parts.assistant.evidence(parts.assistant.find(question))
        assert len(evidence) < READ_PIECES
        assert all((one.read is not None) is wanted for one in evidence)
        assert [one.score for one in evidence] == sorted((one.score for one in evidence), reverse=True)
        assert parts.assistant.ask(question).answer.status == "answered"


def test_where_the_engine_cannot_read_torch_does(serve, embedder, reader, monkeypatch):
    asked = []

    def load(engine, prepared):
        asked.append(engine)
        if engine != REFERENCE:
            raise ModelRefused("no room for it")
        return reader

    monkeypatch.setattr(assembly, "load_reader", load)
    parts = serve()
    found = parts.assistant.evidence(parts.assistant.find("Where did the airship come down?"))
    assert found[0].read is not None
    assert asked == list(dict.fromkeys([embedder.engine, REFERENCE]))


@pytest.mark.parametrize("overlap", [64, 100])
def test_an_overlap_that_does_not_fit_the_chunks_is_refused(overlap):
    with pytest.raises(SettingsError) as refused:
        load_settings(chunk_tokens=64, chunk_overlap_tokens=overlap)
    assert f"chunk_overlap_tokens is {overlap}, chunk_tokens 64; set chunk_overlap_tokens below" in str(refused.value)
    assert load_settings(chunk_tokens=64, chunk_overlap_tokens=63).chunk_overlap_tokens == 63
