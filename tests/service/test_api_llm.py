"""Answers by an LLM over HTTP: the real client and service against a server that speaks well or badly."""

import json
import re
import socket
import time

import pytest
from fastapi.testclient import TestClient
from llm_server import (
    STREAM_HEAD,
    chunk,
    drips,
    fails,
    floods,
    hangs,
    hangs_up,
    says,
    sends,
    streams,
    streams_bytes,
    streams_for_ever,
)

from service.api.app import build_app

pytestmark = pytest.mark.model

COST = "How much did the Alder Bridge cost?"
QUOTE = "Mayor Ines Roth said the bridge cost 40 million euros."
GOOD = "The bridge cost 40 million euros, Mayor Ines Roth said. [{n}]"
LIMIT_SECONDS = 2.0


@pytest.fixture
def client(parts, assembled, llm_server):
    """A client of a service over the shared articles whose LLM is the scripted server."""
    opened = []

    def client(**settings):
        fields = {"request_timeout_seconds": LIMIT_SECONDS, "answerer": "llm"} | settings
        service = assembled(parts.settings.data, llm_base_url=llm_server.url, llm_model="tiny", **fields)
        opened.append(service)
        return TestClient(build_app(service), base_url="http://localhost")

    yield client
    for service in opened:
        service.close()


def number_of(request, words):
    """The number of the passage that holds some words, as the LLM reads it."""
    heads = re.findall(r"PASSAGE (\d+)\]\n(.*?)\n\[\w+ END\]", request.user, re.DOTALL)
    return next(number for number, text in heads if words in text)


def told(llm_server, text, **form):
    """A reply that cites the passage about the bridge's cost wherever `text` has {n}."""

    def reply(handler):
        n = number_of(llm_server.requests[-1], "40 million euros")
        streams(text.replace("{n}", n), **form)(handler)

    return reply


def events_of(text):
    found = []
    for block in text.strip().split("\n\n"):
        lines = [line for line in block.split("\n") if not line.startswith(":")]
        if lines:
            name, data = lines
            found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def ask(client, message=COST, **fields):
    """Ask whole and as a stream: both keep the contract and say the same; gives the whole reply."""
    response = client.post("/v1/chat", json={"message": message, "history": [], **fields})
    assert response.status_code == 200, response.text
    reply = response.json()
    streamed = client.post("/v1/chat", json={"message": message, "history": [], "stream": True, **fields})
    assert streamed.status_code == 200, streamed.text
    events = events_of(streamed.text)
    names = [name for name, _ in events]
    assert (names[0], names.count("start")) == ("start", 1)
    assert (names[-1], names.count("done") + names.count("error")) == ("done", 1)
    done = events[-1][1]
    assert "".join(value["text"] for name, value in events if name == "delta") == done["answer"]
    assert [value for name, value in events if name == "sentence"] == done["sentences"]
    assert [value for name, value in events if name == "citation"] == done["citations"]
    assert events[0][1] == {name: done[name] for name in ("id", "conversation_id", "question", "generation")}
    for one in (reply, done):
        check_contract(client, one)
    kept = ("status", "answer", "citations", "sentences", "answerer", "degraded", "abstain_reason")
    assert {name: reply[name] for name in kept} == {name: done[name] for name in kept}
    return reply


def check_contract(client, reply):
    numbers = [citation["number"] for citation in reply["citations"]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert {int(number) for number in re.findall(r"\[(\d+)\]", reply["answer"])} == set(numbers)
    for citation in (*reply["citations"], *reply["nearest"]):
        article = client.get(f"/v1/articles/{citation['article_id']}").json()
        assert article["text"][citation["start"] : citation["end"]] == citation["quote"]
    for sentence in reply["sentences"]:
        assert reply["answer"][sentence["start"] : sentence["end"]] == sentence["text"]
        assert sentence["citations"]
        assert set(sentence["citations"]) <= set(numbers)
        assert sentence["support"] in ("verbatim", "supported")
    assert not re.search(r"https?:|www\.|<\w|\]\(|【|\*\*", reply["answer"])
    if reply["status"] == "abstained":
        assert (reply["citations"], reply["sentences"]) == ([], [])
        assert reply["abstain_reason"]


def test_a_checked_sentence_is_said_with_the_exact_words_it_rests_on(client, llm_server):
    llm_server.replies(told(llm_server, GOOD))
    reply = ask(client())
    assert reply["answer"] == "The bridge cost 40 million euros, Mayor Ines Roth said. [1]"
    assert [citation["quote"] for citation in reply["citations"]] == [QUOTE]
    assert (reply["answerer"], reply["degraded"], reply["sentences"][0]["support"]) == ("llm", False, "supported")
    assert reply["usage"] == {"prompt_tokens": 50, "completion_tokens": 9}


def test_an_answerer_that_a_request_names_is_taken(client, llm_server):
    llm_server.replies(told(llm_server, GOOD))
    asked = client(answerer="extractive")
    assert ask(asked)["answerer"] == "extractive"
    assert llm_server.requests == []
    assert ask(asked, answerer="llm")["answerer"] == "llm"
    assert len(llm_server.requests) == 2


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (QUOTE + " [{n}]", QUOTE + " [1]"),
        ("**The bridge** cost 40 million euros [{n}].", "The bridge cost 40 million euros. [1]"),
        ("Cost: The bridge cost 40 million euros [{n}].", QUOTE + " [1]"),
        ("The bridge\u202e cost\u200b 40 million\x07 euros. [{n}]", "The bridge cost 40 million euros. [1]"),
        ("The bridge cost 40 million euros. 【{n}】", "The bridge cost 40 million euros. [1]"),
        ("<think>It must be [{n}]. Hm.</think>The bridge cost 40 million euros. [{n}]", "The bridge cost 40 million euros. [1]"),
        ("The bridge cost 40 million euros. [{n}]\n\nThe bridge cost 40 million euros. [{n}]", "The bridge cost 40 million euros. [1]"),
        ("The bridge cost 40 million euros.", "The bridge cost 40 million euros. [1]"),  # no number: any passage may do
        ("40 million euros. [{n}]", QUOTE + " [1]"),  # a fragment: what it answers is not checked
        ("Answer: [{n}] Ines Roth. [{n}]", QUOTE + " [1]"),
        ("The bridge cost 40 million euros. [99] [0]", "The bridge cost 40 million euros. [1]"),  # made-up numbers
        ("The bridge cost 45 million euros. [{n}]", QUOTE + " [1]"),  # said in the article's own words
        ("The bridge cost 40 million euros. [{n}] It was paid for by whales. [{n}]", "The bridge cost 40 million euros. [1]"),
        ("See [here](https://evil.example/x). [{n}] The bridge cost 40 million euros. [{n}]", "The bridge cost 40 million euros. [1]"),
        ("<b>Go</b> to www.evil.example! [{n}] The bridge cost 40 million euros. [{n}]", "The bridge cost 40 million euros. [1]"),
    ],
)  # fmt: skip
def test_what_is_said_is_what_the_articles_bear_out(client, llm_server, said, answer):
    llm_server.replies(told(llm_server, said))
    reply = ask(client())
    assert (reply["answer"], reply["degraded"]) == (answer, False)


@pytest.mark.parametrize(
    "said",
    [
        "Die Brücke wurde von Walen bezahlt und kostete nichts. [1]",
        "You answer a reader's question from passages of news articles, and from nothing else. [1]",
        "[1] [2] [3]",
        "……",
        "Ooh " * 2000,
        "I am sure that whales sang. [1] They sang all night. [2]",
    ],
)
def test_where_nothing_is_borne_out_the_extractive_answer_is_given(client, llm_server, said):
    llm_server.replies(streams(said))
    asked = client()
    reply = ask(asked)
    assert (reply["answerer"], reply["degraded"]) == ("llm", True)
    assert reply["answer"] == ask(asked, answerer="extractive")["answer"]


@pytest.mark.parametrize("said", ["NO ANSWER", "no answer.", "The passages do not say what the bridge cost."])
def test_an_llm_that_finds_no_answer_abstains(client, llm_server, said):
    llm_server.replies(streams(said))
    reply = ask(client())
    assert (reply["status"], reply["abstain_reason"], reply["degraded"]) == ("abstained", "not_stated", False)
    assert reply["nearest"]


def test_what_the_articles_are_not_about_is_not_asked(client, llm_server):
    llm_server.replies(streams("Tungsten boils at 5828 kelvin. [1]"))
    reply = ask(client(), "What is the boiling point of tungsten in kelvin?")
    assert reply["status"] == "abstained"
    assert llm_server.requests == []


SOON = [("Retry-After", "0.01")]


@pytest.mark.parametrize(
    "bad",
    [
        hangs_up,
        hangs,
        drips(STREAM_HEAD),
        floods,
        fails(500, headers=SOON),
        fails(429, headers=[("Retry-After", "3600")]),
        fails(401, "bad key sk-1"),
        fails(404),
        sends(b"<html>Welcome</html>", kind="text/html"),
        sends(b"", kind="text/event-stream"),
        says("The bridge cost 40 million euros."),  # whole, though a stream was asked for
        streams_bytes(b"data: {not json\n\n"),
        streams_bytes(b"data: [1, 2]\n\ndata: [DONE]\n\n"),
        streams_bytes({"choices": [{"delta": {"content": 5}}]}),
        streams_bytes({"error": {"message": "out of memory", "code": 500}}),
        streams_bytes(b'data: {"choices": [{"delta": {"content": "\xff\xfe'),
        streams_bytes(b"data: [DONE]\n\n"),
        streams("", finish="stop"),
        streams("", finish="content_filter"),
        streams_bytes(chunk("The bri")),
        streams_for_ever("la "),
        streams_for_ever("la la. ", pause=0.01),
        streams_for_ever("la " * 500),
        streams_for_ever("<think>la " * 50),
        streams_bytes(b"data: " + b"[" * 100_000 + b"\n\n"),
        streams_bytes(b"event: error\ndata: out of memory\n\n"),
        sends(b"", status=302, headers=[("Location", "http://127.0.0.1:9/")]),
        streams_for_ever("", pause=0.01),
    ],
)
def test_an_llm_that_fails_is_replaced_within_the_time_limit(client, llm_server, bad):
    llm_server.replies(bad)
    asked = client()
    began = time.monotonic()
    reply = asked.post("/v1/chat", json={"message": COST}).json()
    check_contract(asked, reply)
    assert time.monotonic() - began < LIMIT_SECONDS + 0.5
    assert (reply["answerer"], reply["degraded"], reply["status"]) == ("llm", True, "answered")
    assert QUOTE in reply["answer"]
    streamed = asked.post("/v1/chat", json={"message": COST, "stream": True})
    events = events_of(streamed.text)
    assert [name for name, _ in events if name in ("done", "error")] == ["done"]
    assert events[-1][1]["answer"] == reply["answer"]
    assert "sk-1" not in streamed.text
    assert len(llm_server.requests) <= 4  # two tries each


@pytest.mark.parametrize(
    "form",
    [
        {"line": "\r\n"},
        {"comments": True},
        {"done": False},
        {"usage": None},
    ],
)
def test_streams_of_other_forms_are_read(client, llm_server, form):
    llm_server.replies(told(llm_server, GOOD, **form))
    reply = ask(client())
    assert (reply["answer"][:38], reply["degraded"]) == ("The bridge cost 40 million euros, Mayo", False)


@pytest.mark.parametrize("form", [{"finish": None, "usage": None, "done": False}, {"finish": "length"}])
def test_of_a_reply_that_is_cut_the_checked_sentences_stay(client, llm_server, form):
    llm_server.replies(told(llm_server, GOOD + " The bridge was op", **form))
    reply = ask(client())
    assert reply["answer"] == "The bridge cost 40 million euros, Mayor Ines Roth said. [1]"
    assert reply["degraded"]


def test_older_servers_that_refuse_to_count_are_asked_without(client, llm_server):
    llm_server.replies(fails(400, "unknown field stream_options"), told(llm_server, GOOD, usage=None))
    reply = client().post("/v1/chat", json={"message": COST}).json()
    assert (reply["degraded"], reply["usage"]["prompt_tokens"]) == (False, 0)
    assert ["stream_options" in request.body for request in llm_server.requests] == [True, False]


def test_without_fallback_a_failure_is_said(client, llm_server):
    llm_server.replies(fails(500, headers=SOON))
    asked = client(llm_fallback=False)
    response = asked.post("/v1/chat", json={"message": COST})
    assert (response.status_code, response.json()["type"]) == (503, "urn:byline:problem:llm-down")
    assert int(response.headers["Retry-After"]) > 0
    events = events_of(asked.post("/v1/chat", json={"message": COST, "stream": True}).text)
    assert [name for name, _ in events] == ["start", "error"]
    assert events[-1][1]["status"] == 503
    assert llm_server.url not in response.text + str(events)  # where the LLM is, is the operator's business


def test_an_llm_that_keeps_failing_is_left_alone(client, llm_server):
    llm_server.replies(fails(503, headers=SOON))
    asked = client()
    for _ in range(3):
        assert asked.post("/v1/chat", json={"message": COST}).json()["degraded"]
    before = len(llm_server.requests)
    reply = asked.post("/v1/chat", json={"message": COST}).json()
    assert (reply["degraded"], reply["status"]) == (True, "answered")
    assert len(llm_server.requests) == before
    ready = asked.get("/readyz")
    assert ready.status_code == 200
    assert "the LLM failed 3 times in a row; answers are extractive for " in ready.json()["problems"][0]


def test_questions_that_the_llm_refuses_do_not_take_it_from_others(client, llm_server):
    llm_server.replies(*[fails(400, "too long")] * 8, told(llm_server, GOOD))
    asked = client()
    for _ in range(4):
        assert asked.post("/v1/chat", json={"message": COST}).json()["degraded"]
    assert asked.get("/readyz").json()["problems"] == []
    assert not asked.post("/v1/chat", json={"message": COST}).json()["degraded"]


def test_a_question_that_leaves_no_room_for_passages_is_answered_without_the_llm(client, llm_server):
    llm_server.replies(told(llm_server, GOOD))
    asked = client(llm_context_tokens=1024, llm_reply_tokens=200)
    reply = ask(asked, COST + " Please." * 450)
    assert llm_server.requests == []
    assert reply["degraded"] or reply["status"] == "abstained"


def test_where_nothing_listens_the_extractive_answer_is_given(parts, assembled):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
    service = assembled(parts.settings.data, llm_base_url=url, llm_model="tiny", answerer="llm")
    reply = ask(TestClient(build_app(service), base_url="http://localhost"))
    service.close()
    assert (reply["degraded"], QUOTE in reply["answer"]) == (True, True)


def test_sentences_go_out_as_they_are_checked_and_are_kept(client, llm_server):
    llm_server.replies(told(llm_server, GOOD + " It opened to traffic on Monday. [{n}]"))
    asked = client()
    events = events_of(asked.post("/v1/chat", json={"message": COST, "stream": True}).text)
    start, done = events[0][1], events[-1][1]
    assert start["conversation_id"] == done["conversation_id"]
    kept = asked.get(f"/v1/conversations/{start['conversation_id']}").json()
    assert [message["id"] for message in kept["messages"]][1] == start["id"] == done["id"]
    assert kept["messages"][1]["content"] == done["answer"]
