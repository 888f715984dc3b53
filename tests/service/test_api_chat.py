"""Chat: every sentence cited, whole and as a stream; conversations that are kept, and those that are not."""

import asyncio
import json
from dataclasses import replace
from datetime import date

import pytest
from fastapi.testclient import TestClient

from ingest.article import ArticleId, ChunkId
from service.answering.answer import Answer, AnswerSentence, Citation
from service.answering.reply import Reply, Timings
from service.api.app import build_app
from service.api.chat_stream import stream_of, told
from service.api.replies import NativeForm
from service.conversations import ConversationsUnavailable
from service.rendering import render_reply

COST = "How much did the Alder Bridge cost?"
QUOTE = "Mayor Ines Roth said the bridge cost 40 million euros."


@pytest.fixture(scope="module")
def client(parts):
    return TestClient(build_app(parts), base_url="http://localhost")


def ask(client, message=COST, **fields):
    response = client.post("/v1/chat", json={"message": message, **fields})
    assert response.status_code == 200, response.text
    return response.json()


def quotes_of(reply):
    return [citation["quote"] for citation in reply["citations"]]


def events_of(text):
    found = []
    for block in text.strip().split("\n\n"):
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def test_a_reply_has_every_field_of_the_contract(client):
    reply = ask(client)
    assert set(reply) == {
        "id", "conversation_id", "status", "answer", "sentences", "citations", "conflicts", "question",
        "generation", "answerer", "degraded", "abstain_reason", "nearest", "timings_ms", "usage",
    }  # fmt: skip
    assert reply["id"].startswith("msg_")
    assert reply["conversation_id"].startswith("conv_")
    assert (reply["status"], reply["generation"], reply["answerer"]) == ("answered", "000001", "extractive")
    assert reply["question"] == COST
    assert set(reply["timings_ms"]) == {"search", "answer", "total"}
    assert reply["usage"] == {"prompt_tokens": 0, "completion_tokens": 0}
    assert set(reply["citations"][0]) == {
        "number", "article_id", "title", "source", "url", "published_at", "date_source", "quote", "start",
        "end", "chunk_id", "score", "also_in", "removed",
    }  # fmt: skip
    assert set(reply["sentences"][0]) == {"text", "start", "end", "citations", "support", "score"}


def test_every_sentence_is_the_words_of_its_article(client):
    reply = ask(client)
    told = next(citation for citation in reply["citations"] if citation["quote"] == QUOTE)
    assert (told["source"], told["published_at"]) == ("Norwick Herald", "2025-03-04")
    for citation in reply["citations"]:
        article = client.get(f"/v1/articles/{citation['article_id']}").json()
        assert article["text"][citation["start"] : citation["end"]] == citation["quote"]
    numbers = {citation["number"] for citation in reply["citations"]}
    for sentence in reply["sentences"]:
        assert reply["answer"][sentence["start"] : sentence["end"]] == sentence["text"]
        assert set(sentence["citations"]) <= numbers


def test_what_is_not_in_the_articles_is_not_answered(client):
    reply = ask(client, "What is the boiling point of tungsten in kelvin?")
    assert (reply["status"], reply["citations"], reply["sentences"]) == ("abstained", [], [])
    assert reply["abstain_reason"] in ("no_relevant_passage", "not_stated", "premise_contradicted")
    assert reply["answer"]


def test_filters_and_as_of_leave_articles_out(client):
    kept = ask(client, filters={"sources": ["Norwick Herald"], "published_from": "2025-03-04"})
    assert QUOTE in quotes_of(kept)
    for fields in (
        {"filters": {"sources": ["Tamsel Post"]}},
        {"filters": {"published_to": "2025-03-03"}},
        {"filters": {"article_ids": ["art_none"]}},
        {"as_of": "2025-03-03"},
    ):
        assert QUOTE not in quotes_of(ask(client, **fields))


def test_a_conversation_continues_with_what_was_asked(client):
    first = ask(client, "Who directs the library of Tamsel?")
    second = ask(client, "And when does it open again?", conversation_id=first["conversation_id"])
    assert second["conversation_id"] == first["conversation_id"]
    assert "Tamsel" in second["question"]
    found = client.get(f"/v1/conversations/{first['conversation_id']}").json()
    assert [message["role"] for message in found["messages"]] == ["user", "assistant"] * 2
    stored = found["messages"][1]
    assert (stored["id"], stored["content"]) == (first["id"], first["answer"])
    assert stored["citations"] == first["citations"]
    assert stored["sentences"] == first["sentences"]
    for name in ("status", "question", "conflicts", "abstain_reason", "nearest", "degraded", "generation"):
        assert stored[name] == first[name]
    assert found["messages"][0]["citations"] == []
    assert found["title"] == "Who directs the library of Tamsel?"


def test_only_articles_of_a_period_that_the_question_names_are_used(client):
    asked = "What do articles published {} say about a bridge, a library or a telescope?"

    def cited(when, **fields):
        reply = ask(client, asked.format(when), **fields)
        return {citation["published_at"] for citation in reply["citations"] + reply["nearest"]}

    assert cited("in March 2025") == {"2025-03-04"}
    assert cited("before March 2025") == {"2025-01-20"}
    assert cited("last month", as_of="2025-02-10") == {"2025-01-20"}
    assert cited("in 2024") == set()
    assert cited("before March 2025", filters={"published_from": "2025-02-01"}) == set()
    assert cited("last month") >= {"2025-03-04", "2025-01-20"}  # nobody said as of when, so it bounds nothing


def test_a_given_history_is_used_and_nothing_is_stored(client):
    before = client.get("/v1/conversations").json()["data"]
    history = [
        {"role": "user", "content": "Who directs the library of Tamsel?"},
        {"role": "assistant", "content": "Paul Weir."},
    ]
    reply = ask(client, "And when does it open again?", history=history)
    assert reply["conversation_id"] is None
    assert "Tamsel" in reply["question"]
    assert ask(client, history=[])["conversation_id"] is None
    assert client.get("/v1/conversations").json()["data"] == before


def test_conversations_are_listed_rated_and_removed(client):
    reply = ask(client)
    listed = client.get("/v1/conversations", params={"limit": 1}).json()
    assert listed["data"][0]["id"] == reply["conversation_id"]
    feedback = f"/v1/messages/{reply['id']}/feedback"
    assert client.put(feedback, json={"rating": "up", "comment": "good"}).status_code == 204
    found = client.get(f"/v1/conversations/{reply['conversation_id']}").json()
    assert found["messages"][1]["feedback"] == {"rating": "up", "comment": "good"}
    assert client.put(feedback, json={"rating": "best"}).status_code == 422
    assert client.delete(f"/v1/conversations/{reply['conversation_id']}").status_code == 204
    assert client.get(f"/v1/conversations/{reply['conversation_id']}").status_code == 404
    assert client.put(feedback, json={"rating": "up"}).status_code == 404


def test_a_conversation_is_renamed(client):
    conversation = f"/v1/conversations/{ask(client)['conversation_id']}"
    renamed = client.patch(conversation, json={"title": "The bridge"})
    assert (renamed.status_code, renamed.json()["title"]) == (200, "The bridge")
    assert client.get(conversation).json()["title"] == "The bridge"
    for title in ("", "  ", "two\nlines", "x" * 81):
        assert client.patch(conversation, json={"title": title}).status_code == 422
    assert client.patch("/v1/conversations/conv_no", json={"title": "The bridge"}).status_code == 404


def test_an_answer_that_cannot_be_stored_is_still_given(parts):
    class Refusing:
        def turns(self, _conversation_id, **_):
            return []

        def add_exchange(self, *_args, **_):
            raise ConversationsUnavailable("the disk is full")

    reply = ask(
        TestClient(build_app(replace(parts, conversations=Refusing())), base_url="http://localhost"),
        conversation_id="conv_1",
    )
    assert QUOTE in quotes_of(reply)
    assert reply["conversation_id"] == "conv_1"


@pytest.mark.parametrize("how", ["field", "header"])
def test_a_stream_gives_the_reply_in_pieces(client, how):
    body = {"message": "Tell me about the bridge in Norwick", "stream": how == "field"}
    headers = {"accept": "text/event-stream"} if how == "header" else {}
    response = client.post("/v1/chat", json=body, headers=headers)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-accel-buffering"] == "no"
    events = events_of(response.text)
    names = [name for name, _ in events]
    done = events[-1][1]
    assert (names[0], names[-1]) == ("start", "done")
    assert names.count("start") == names.count("done") == 1
    assert "error" not in names
    assert events[0][1] == {name: done[name] for name in ("id", "conversation_id", "question", "generation")}
    assert "".join(value["text"] for name, value in events if name == "delta") == done["answer"]
    assert [value for name, value in events if name == "sentence"] == done["sentences"]
    assert [value for name, value in events if name == "citation"] == done["citations"]
    stored = client.get(f"/v1/conversations/{done['conversation_id']}").json()
    assert stored["messages"][1]["content"] == done["answer"]


def test_an_error_before_the_stream_is_an_ordinary_problem(client):
    response = client.post("/v1/chat", json={"message": "x", "stream": True, "answerer": "llm"})
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/json"),
        ("text/plain", "text/plain"),
        ("text/plain;q=0.5, application/json", "application/json"),
        ("application/json;q=0.5, text/plain", "text/plain"),
        ("text/event-stream;q=0, text/plain;q=x", "application/json"),
        ("image/png,,;", "application/json"),
    ],
)
def test_accept_says_the_form(client, accept, kind):
    response = client.post("/v1/chat", json={"message": COST}, headers={"accept": accept})
    assert response.headers["content-type"].split(";")[0] == kind


def citation(number, quote, **fields):
    values = {
        "number": number,
        "article_id": ArticleId(f"art_{number}"),
        "title": f"Title {number}",
        "source": "Herald",
        "url": None,
        "published_at": None,
        "date_source": "unknown",
        "quote": quote,
        "start": 0,
        "end": len(quote),
        "chunk_id": ChunkId(f"art_{number}:0-9"),
        "score": 0.5,
    }
    return Citation(**values | fields)


def reply_of(answer):
    return Reply(answer, "question", "000001", "extractive", False, Timings(1, 2, 3))


TWO = Answer(
    status="answered",
    text="It opened. [1]\n- one\n- two [2][1] The rest is not stated.",
    sentences=(
        AnswerSentence("It opened.", 0, 10, (1,), "verbatim", 0.9),
        AnswerSentence("- one\n- two", 15, 26, (2, 1), "verbatim", 0.9),
    ),
    citations=(
        citation(1, "It opened.", url="https://h.example/1", published_at=date(2025, 10, 6)),
        citation(2, "- one\n- two\x1b[31m", title="A\rB"),
        citation(3, "Only in a conflict."),
    ),
)


async def streamed(reply):
    async def keep(out):
        return out

    form = NativeForm(message_id="msg_1", conversation_id=None, request_id="req_1", keep=keep)
    return b"".join([part async for part in stream_of(told(reply), form, "req_1").body_iterator]).decode()


def test_events_come_in_the_order_of_the_answer():
    events = events_of(asyncio.run(streamed(reply_of(TWO))))
    assert [(name, value.get("text", value.get("number"))) for name, value in events[1:-1]] == [
        ("citation", 1),
        ("delta", "It opened. [1]"),
        ("sentence", "It opened."),
        ("citation", 2),
        ("delta", "\n- one\n- two [2][1]"),
        ("sentence", "- one\n- two"),
        ("citation", 3),
        ("delta", " The rest is not stated."),
    ]
    assert events[0] == (
        "start",
        {"id": "msg_1", "conversation_id": None, "question": "question", "generation": "000001"},
    )
    assert events[-1][1]["citations"][0]["published_at"] == "2025-10-06"


def test_plain_text_shows_every_quote():
    assert render_reply(reply_of(TWO)) == (
        "It opened. [1]\n"
        "- one\n"
        "- two [2][1] The rest is not stated.\n"
        "\n"
        "[1] Title 1 — Herald, 2025-10-06 (https://h.example/1)\n"
        "    “It opened.”\n"
        "[2] AB — Herald\n"
        "    “- one\n"
        "    - two[31m”\n"
        "[3] Title 3 — Herald\n"
        "    “Only in a conflict.”\n"
    )


def test_plain_text_of_an_abstention_shows_the_nearest_passages():
    answer = Answer("abstained", "The articles do not say this.", (), (), (), "not_stated", (citation(1, "Near."),))
    assert render_reply(reply_of(answer)) == (
        "The articles do not say this.\n\nNearest passages:\n- Title 1 — Herald\n    “Near.”\n"
    )
    assert render_reply(reply_of(replace(answer, nearest=()))) == "The articles do not say this.\n"


def test_search_finds_passages_with_their_place(client):
    found = client.post("/v1/search", json={"query": "telescope on Mount Kerro", "top_k": 2}).json()
    assert set(found) == {"hits", "generation", "timings_ms"}
    best = found["hits"][0]
    assert set(best) == {
        "chunk_id", "article_id", "title", "source", "url", "published_at", "text", "start", "end", "score",
        "scores",
    }  # fmt: skip
    assert set(best["scores"]) == {"dense", "lexical", "rerank"}
    assert best["source"] == "Science Weekly"
    article = client.get(f"/v1/articles/{best['article_id']}").json()
    assert article["text"][best["start"] : best["end"]] == best["text"]
    for mode in ("dense", "lexical"):
        hits = client.post("/v1/search", json={"query": "telescope", "mode": mode}).json()["hits"]
        assert hits[0]["article_id"] == best["article_id"]
