"""A real server whose LLM talks slowly: sentences come as they are checked, and whoever leaves is not talked to."""

import json
import signal
from concurrent.futures import ThreadPoolExecutor

import httpx
import llm_server
import pytest
from llm_server import Talker, streams
from processes import serving

QUESTION = {"message": "When does the new Quillon Bridge open to traffic?", "history": [], "stream": True}
TRUE = "The new Quillon Bridge will cost $289 million."
WORDS = "new Quillon Bridge will cost $289 million and open to traffic in June 2028"


@pytest.fixture(scope="module")
def llm():
    server, stop = llm_server.start()
    yield server
    stop()


@pytest.fixture(scope="module")
def client(sample_data, llm):
    settings = {"BYLINE_LLM_BASE_URL": llm.url, "BYLINE_LLM_MODEL": "tiny", "BYLINE_ANSWERER": "llm"}
    with serving(sample_data, **settings) as client:
        yield client


def read_until(lines, name):
    return next(line for line in lines if line == f"event: {name}")


def test_a_sentence_comes_before_the_reply_ends_and_leaving_ends_the_request(client, llm):
    talker = Talker(llm, TRUE, WORDS)
    llm.replies(talker)
    with client.stream("POST", "/v1/chat", json=QUESTION) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = response.iter_lines()
        read_until(lines, "sentence")
        assert WORDS in json.loads(next(lines).removeprefix("data: "))["text"]
        assert not talker.left.is_set()
    assert talker.left.wait(10)


def test_leaving_a_whole_reply_ends_its_request(client, llm):
    talker = Talker(llm, TRUE, WORDS)
    llm.replies(talker)
    with pytest.raises(httpx.ReadTimeout):
        client.post("/v1/chat", json=QUESTION | {"stream": False}, timeout=1)
    assert talker.left.wait(10)
    llm.replies(streams("NO ANSWER"))
    assert client.post("/v1/chat", json=QUESTION | {"stream": False}).json()["abstain_reason"] == "not_stated"


def test_a_server_that_stops_ends_its_streams_with_one_event(client, llm):
    talker = Talker(llm, TRUE, WORDS)
    llm.replies(talker)

    def all_events():
        with client.stream("POST", "/v1/chat", json=QUESTION) as response:
            names = []
            for line in response.iter_lines():
                if line.startswith("event: "):
                    names.append(line.removeprefix("event: "))
                    if names[-1] == "sentence":
                        client.process.send_signal(signal.SIGTERM)
            return names

    with ThreadPoolExecutor(1) as pool:
        names = pool.submit(all_events).result(timeout=20)
    assert names[0] == "start"
    assert [name for name in names if name in ("done", "error")] == [names[-1]]
    assert talker.left.wait(10)
