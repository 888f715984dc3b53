"""Why an answer is as it is: what was found, weighed and left out for it, as recorded when it was given."""

import json
import math
import sqlite3

import pytest
from fastapi.testclient import TestClient
from llm_server import fails, streams

from ingest.intake import prepare
from ingest.readers import RawArticle
from service.api.app import build_app
from service.conversation_file import CONVERSATIONS_FILE
from service.conversations import ConversationStore

pytestmark = pytest.mark.model

COST = "How much did the Alder Bridge cost?"
QUOTE = "Mayor Ines Roth said the bridge cost 40 million euros."


@pytest.fixture(scope="module")
def client(parts):
    return TestClient(build_app(parts), base_url="http://127.0.0.1")


def ask(client, message=COST, **fields):
    return client.post("/v1/chat", json={"message": message, **fields}).json()


def explained(client, reply):
    response = client.get(f"/v1/messages/{reply['id']}/explain")
    assert response.status_code == 200, response.text
    return response.json()


def stored(parts, reply):
    """The explanation as it is in the database."""
    with sqlite3.connect(parts.settings.data / CONVERSATIONS_FILE) as database:
        (text,) = database.execute("SELECT explanation FROM messages WHERE id = ?", [reply["id"]]).fetchone()
    database.close()
    return text


def test_an_answer_is_explained_by_what_it_cites_and_what_it_does_not(client, parts):
    reply = ask(client)
    told = explained(client, reply)
    assert (told["question"], told["generation"], told["served"]) == (COST, "000001", True)
    assert (told["status"], told["answerer"], told["llm"]) == ("answered", "extractive", None)
    assert told["articles"] == {"in_generation": 3, "admitted": 3}
    (whole,) = told["parts"]
    first, *others = whole["passages"]
    assert (first["rank"], first["used"], first["why"], first["citations"]) == (1, True, "cited", [1])
    assert QUOTE in first["text"]
    assert first["title"] == "Alder Bridge opens after four years"
    assert {passage["why"] for passage in others} <= {"not_needed", "nothing_of_its_own"}
    found = parts.assistant.search(COST, top_k=12).result.hits
    assert [passage["chunk_id"] for passage in whole["passages"]] == [hit.chunk.id for hit in found]
    assert first["scores"]["dense"] == pytest.approx(found[0].scores.dense, abs=1e-3)
    assert first["scores"]["lexical"] == pytest.approx(found[0].scores.lexical, abs=1e-3)
    assert first["scores"]["fused"] == pytest.approx(found[0].score, abs=1e-3)
    cited = [evidence["text"] for evidence in whole["evidence"] if evidence["used"]]
    assert set(cited) == {citation["quote"] for citation in reply["citations"]}
    assert {e["why"] for e in whole["evidence"] if not e["used"]} <= {"enough", "unlikely", "repeats"}
    assert [e["likelihood"] for e in whole["evidence"]] == sorted(
        (e["likelihood"] for e in whole["evidence"]), reverse=True
    )
    assert all(isinstance(e["read"], float) for e in whole["evidence"])
    stages = {stage["stage"]: stage["ms"] for stage in told["stages"]}
    assert {"rewrite", "embed", "dense", "lexical", "fuse", "search", "answer"} <= stages.keys()
    assert stages["search"] >= stages["dense"] + stages["lexical"] + stages["fuse"]
    assert reply["timings_ms"]["search"] == pytest.approx(stages["search"], abs=5)


def test_an_abstention_is_explained_by_the_model_that_decided(client, parts):
    reply = ask(client, "What is the boiling point of tungsten in kelvin?")
    assert reply["status"] == "abstained"
    (whole,) = explained(client, reply)["parts"]
    decision = whole["decision"]
    assert (decision["answers"], decision["reason"]) == (False, reply["abstain_reason"])
    logit = decision["intercept"] + sum(feature["contribution"] for feature in decision["features"])
    assert decision["probability"] == pytest.approx(1 / (1 + math.exp(-logit)), abs=1e-3)
    for feature in decision["features"]:
        assert feature["contribution"] == pytest.approx(feature["weight"] * feature["value"], abs=1e-3)
    assert {passage["why"] for passage in whole["passages"]} <= {"abstained"}
    assert {evidence["why"] for evidence in whole["evidence"]} <= {"abstained"}


def test_each_part_of_a_question_is_explained(client):
    reply = ask(client, "How much did the Alder Bridge cost, and who directs the library of Tamsel?")
    whole, bridge, library = explained(client, reply)["parts"]
    assert [part["role"] for part in (whole, bridge, library)] == ["whole", "part", "part"]
    assert bridge["question"] == "How much did the Alder Bridge cost?"
    assert library["passages"][0]["title"] == "Library of Tamsel closes for repairs"
    assert library["decision"]["answers"] is True


def test_what_the_search_was_bounded_to_is_told(client):
    reply = ask(client, as_of="2025-02-01", filters={"sources": ["Science Weekly"]})
    told = explained(client, reply)
    assert told["filters"] == {"published_from": None, "published_to": "2025-02-01", "sources": 1, "article_ids": 0}
    assert told["articles"] == {"in_generation": 3, "admitted": 1}


def test_only_stored_answers_are_explained(client, parts):
    unkept = ask(client, history=[])
    assert client.get(f"/v1/messages/{unkept['id']}/explain").status_code == 404
    kept = ask(client)
    conversation = client.get(f"/v1/conversations/{kept['conversation_id']}").json()
    asked, _ = conversation["messages"]
    assert client.get(f"/v1/messages/{asked['id']}/explain").status_code == 404
    parts.conversations.add_exchange(kept["conversation_id"], "And?", {"answer": "So."}, message_id="msg_old")
    old = client.get("/v1/messages/msg_old/explain")
    assert old.status_code == 404
    assert "not recorded" in old.json()["detail"]
    client.delete(f"/v1/conversations/{kept['conversation_id']}")
    assert client.get(f"/v1/messages/{kept['id']}/explain").status_code == 404


def test_an_explanation_is_kept_without_words_of_articles_and_is_small(client, parts):
    text = stored(parts, ask(client))
    assert 1000 < len(text) < 30_000
    for article in parts.live.searcher().generation.articles:
        for word in {*article.title.split(), *article.text.split()} - set(COST.split()):
            assert len(word) < 6 or word not in text, word


def test_words_of_a_removed_article_are_not_told_any_more(assembled, build_index, tmp_path):
    parts = assembled(tmp_path)
    article = prepare(RawArticle(text="The ferry to Orlo leaves at nine. It costs four crowns.", title="Ferry to Orlo"))
    parts.library.put(article)
    build_index(parts)
    client = TestClient(build_app(parts), base_url="http://127.0.0.1")
    reply = ask(client, "When does the ferry to Orlo leave?")
    assert explained(client, reply)["parts"][0]["passages"][0]["title"] == "Ferry to Orlo"
    assert client.delete(f"/v1/articles/{article.id}").status_code == 204
    told = explained(client, reply)
    (passage, *_) = told["parts"][0]["passages"]
    assert (passage["article_id"], passage["title"], passage["text"]) == (article.id, None, None)
    assert "nine" not in json.dumps(told)
    parts.close()


def test_the_copy_and_the_superseded_article_are_told_apart(assembled, build_index, tmp_path):
    body = (
        "The town of Sirnau bought a new fire engine on Tuesday for the volunteers of the eastern district. "
        "The engine cost 310 thousand crowns and carries two thousand litres of water. "
        "Its ladder reaches the ninth floor of the tower at the market, said the chief, Olaf Brendt. "
        "The old engine, which is 31 years old, goes to a museum in the neighbouring town of Welm."
    )
    parts = assembled(tmp_path)
    for title, day in (("Sirnau buys a fire engine", "2025-03-01"), ("Fire engine for Sirnau", "2025-03-02")):
        parts.library.put(prepare(RawArticle(text=body, title=title, published=day, external_id=title)))
    build_index(parts)
    client = TestClient(build_app(parts), base_url="http://127.0.0.1")
    (whole,) = explained(client, ask(client, "How much did the fire engine of Sirnau cost?"))["parts"]
    by_title = {passage["title"]: passage for passage in whole["passages"]}
    original, copy = by_title["Sirnau buys a fire engine"], by_title["Fire engine for Sirnau"]
    assert original["why"] == "cited"
    assert (copy["why"], copy["instead"]) == ("copy", original["article_id"])
    parts.close()


def test_a_file_of_an_earlier_version_gets_the_column(tmp_path):
    file = tmp_path / CONVERSATIONS_FILE
    ConversationStore.open(file).close()
    with sqlite3.connect(file) as database:
        database.execute("ALTER TABLE messages DROP COLUMN explanation")
    database.close()
    store = ConversationStore.open(file)
    _, message = store.add_exchange(None, "Who?", {"answer": "Nobody."}, explanation={"format": 1})
    reply, explanation = store.explained(message)
    assert (reply["answer"], explanation) == ("Nobody.", {"format": 1})
    assert store.explained(message, owner="another") is None
    store.close()


def test_what_became_of_an_llms_sentences_is_told(parts, assembled, llm_server):
    service = assembled(parts.settings.data, llm_base_url=llm_server.url, llm_model="tiny", answerer="llm")
    client = TestClient(build_app(service), base_url="http://127.0.0.1")
    llm_server.replies(streams(f"{QUOTE} It was painted purple by eleven whales in Tokyo. {QUOTE}"))
    reply = ask(client)
    told = explained(client, reply)
    assert reply["answerer"] == "llm"
    outcomes = [(one["outcome"], one["reason"]) for one in told["llm"]["sentences"]]
    assert outcomes == [("kept", "verbatim"), ("dropped", "not_borne_out"), ("dropped", "said_already")]
    assert (told["llm"]["not_asked"], told["llm"]["failure"]) == (None, None)
    assert {"judge", "llm_first", "llm"} <= {stage["stage"] for stage in told["stages"]}
    assert "whales" not in stored(service, reply)
    llm_server.replies(fails(401))
    broken = ask(client)
    told = explained(client, broken)
    assert (broken["degraded"], told["llm"]["failure"]) == (True, "LlmRefused")
    assert told["parts"][0]["evidence"][0]["why"] == "cited"
    service.close()
