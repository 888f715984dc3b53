"""From files to cited answers through real processes: what a newcomer does, and what must hold for every reply."""

import json
import re
import signal
import threading
import time

import pytest
from processes import SHARED_ARTICLES, byline, serving

from eval.sets.questions import load_question_set

pytestmark = [pytest.mark.model, pytest.mark.server]


def events_of(body):
    """Take a stream apart: (name, data) of each event."""
    blocks = [block for block in body.split("\n\n") if block.strip() and not block.startswith(":")]
    return [(b.split("\n")[0].removeprefix("event: "), json.loads(b.split("data: ", 1)[1])) for b in blocks]


@pytest.fixture(scope="module")
def replies(server):
    """Every shipped question, asked over HTTP."""
    asked = [question.row.question for question in load_question_set().questions]
    assert len(asked) >= 100
    given = []
    for question in asked:
        response = server.post("/v1/chat", json={"message": question, "history": []})
        assert response.status_code == 200, response.text
        given.append(response.json())
    return given


def test_every_citation_is_exactly_the_words_of_its_article(server, replies):
    texts = {}
    cited = 0
    for reply in replies:
        for citation in reply["citations"] + reply["nearest"]:
            article = citation["article_id"]
            if article not in texts:
                texts[article] = server.get(f"/v1/articles/{article}").json()["text"]
            assert texts[article][citation["start"] : citation["end"]] == citation["quote"]
            cited += 1
    assert cited > 100


def test_every_sentence_is_cited_and_every_mark_is_a_citation(replies):
    for reply in replies:
        numbers = {citation["number"] for citation in reply["citations"]}
        for sentence in reply["sentences"]:
            assert reply["answer"][sentence["start"] : sentence["end"]] == sentence["text"]
            assert set(sentence["citations"]) <= numbers
            assert sentence["citations"]
            if sentence["support"] == "verbatim":
                assert sentence["text"] in {citation["quote"] for citation in reply["citations"]}
        assert {int(mark) for mark in re.findall(r"\[(\d+)\]", reply["answer"])} == numbers
        said = reply["answer"]
        for sentence in reversed(reply["sentences"]):
            said = said[: sentence["start"]] + said[sentence["end"] :]
        # Where values differ the answer opens by saying so; that claims nothing that its quotes do not show.
        lead = (
            r"(The articles give|One article gives) different (figures|dates|names)(, the latest first)?:"
            if reply["conflicts"]
            else ""
        )
        # Nor does what it says of a part that nothing answers.
        missing = r"(\s*I found no sentence in the articles that clearly answers: [^\[\]]+\?)?" * (
            reply["status"] == "partial"
        )
        assert re.fullmatch(rf"{lead}(\s*\[\d+\]\s*)*{missing}", said) or reply["status"] == "abstained"


def test_an_abstention_has_no_citation_and_says_why(replies):
    abstained = [reply for reply in replies if reply["status"] == "abstained"]
    assert abstained
    for reply in abstained:
        assert reply["citations"] == reply["sentences"] == []
        assert reply["abstain_reason"] in {"no_relevant_passage", "not_stated", "premise_contradicted"}


def test_a_streamed_answer_is_the_whole_one_in_pieces(server):
    message = {"message": "What does the Merrin Coast order prohibit?", "history": []}
    whole = server.post("/v1/chat", json=message).json()
    streamed = server.post("/v1/chat", json=message | {"stream": True})
    assert streamed.headers["content-type"].startswith("text/event-stream")
    events = events_of(streamed.text)
    assert events[0][0] == "start"
    assert [name for name, _ in events if name in {"done", "error"}] == ["done"]
    assert events[-1][0] == "done"
    assert "".join(data["text"] for name, data in events if name == "delta") == whole["answer"]
    volatile = {"id", "timings_ms"}
    done = {name: value for name, value in events[-1][1].items() if name not in volatile}
    assert done == {name: value for name, value in whole.items() if name not in volatile}


def test_a_list_is_answered_whole(server):
    reply = server.post("/v1/chat", json={"message": "What does the Merrin Coast order prohibit?"}).json()
    for item in ("lawns and gardens", "commercial car washes", "swimming pools", "pavements and terraces"):
        assert item in reply["answer"]


def test_a_conversation_goes_on(server):
    first = server.post("/v1/chat", json={"message": "Who designed the new Quillon Bridge in Port Ellisand?"}).json()
    second = server.post(
        "/v1/chat", json={"message": "And what will it cost?", "conversation_id": first["conversation_id"]}
    ).json()
    assert second["conversation_id"] == first["conversation_id"]
    assert "Quillon Bridge" in second["question"]


def test_a_server_serves_what_the_command_line_publishes(tmp_path):
    with serving(tmp_path) as client:
        assert client.get("/livez").status_code == 200
        assert client.get("/readyz").status_code == 503
        refused = client.post("/v1/chat", json={"message": "Anything there?"})
        assert refused.status_code == 503
        assert "Retry-After" in refused.headers
        byline("add", "eval/data/articles/merrin-hose-ban.md", data=tmp_path)
        byline("build", data=tmp_path)
        deadline = time.monotonic() + 15
        while client.get("/readyz").status_code != 200:
            assert time.monotonic() < deadline, "the published generation was not noticed"
            time.sleep(0.1)
        assert client.post("/v1/chat", json={"message": "What does a first offence cost?"}).json()["citations"]


def test_sigterm_ends_a_build_stream_with_an_error_event(tmp_path):
    byline("add", "eval/data/articles", data=tmp_path)
    with serving(tmp_path) as client:
        job = client.post("/v1/index/builds", json={"full": True}).headers["location"]
        body = []

        def read():
            with client.stream("GET", f"{job}/events", timeout=30) as stream:
                body.extend(stream.iter_text())

        reader = threading.Thread(target=read)
        reader.start()
        while not body:
            time.sleep(0.05)
        started = time.monotonic()
        client.process.send_signal(signal.SIGTERM)
        reader.join(timeout=15)
        assert client.process.wait(timeout=15) == 0
        assert time.monotonic() - started < 10
        names = [name for name, _ in events_of("".join(body))]
        assert names[-1] == "error"
        assert names.count("error") + names.count("done") == 1


@pytest.mark.skipif(not SHARED_ARTICLES.is_dir(), reason="the scraped articles are not part of the repository")
def test_the_scraped_pages_are_answered_from(tmp_path):
    byline("add", SHARED_ARTICLES, data=tmp_path)
    byline("build", data=tmp_path)

    visit = json.loads(
        byline(
            "ask", "Which ministers accompany Carney on his second White House visit?", "--json", data=tmp_path
        ).stdout
    )
    with serving(tmp_path) as client:

        def ask(question):
            return client.post("/v1/chat", json={"message": question, "history": []}).json()

        over_http = ask("Which ministers accompany Carney on his second White House visit?")
        bodies = ask("Which bodies typically take part in trade negotiations?")
        rate = ask("What is the Bank of Canada's policy interest rate?")
    for reply in (visit, over_http):
        quote = next(c["quote"] for c in reply["citations"] if "LeBlanc" in c["quote"])
        assert "Anand" in quote
        assert "Joly" in quote
        assert quote in reply["answer"]
    for body in ("Prime Minister’s Office", "Global Affairs Canada", "trade representatives", "diplomats"):
        assert body in bodies["answer"]
    assert rate["status"] == "abstained"
    assert rate["citations"] == []
