"""What a server logs: one line an event, for people or machines, without the words of users, articles and servers."""

import json
import subprocess
import sys
import time

import pytest
from llm_server import fails
from processes import ROOT, environment_of, serving

CANARY = "xylograph"
LLM_KEY = "sk-canary-4711"
QUESTION = f"What does the Merrin Coast order prohibit, {CANARY}?"


def logged(client, *, requests):
    """Everything that a server has logged, once it has logged so many requests: their lines follow the responses."""
    deadline = time.monotonic() + 10
    while (said := client.log.read_text(encoding="utf-8")).count("route") < requests and time.monotonic() < deadline:
        time.sleep(0.05)
    return said


def request_of(lines, route, **fields):
    return next(line for line in lines if line.get("route") == route and fields.items() <= line.items())


def repeats(llm_server):
    """A reply that repeats what the server was asked, and by which key."""

    def reply(handler):
        asked = llm_server.requests[-1]
        message = f"{asked.headers['authorization']} asked: {asked.user}"
        fails(400, message)(handler)

    return reply


@pytest.mark.model
@pytest.mark.server
def test_the_log_for_machines_is_json_and_holds_nobodys_words(sample_data, llm_server):
    llm_server.replies(repeats(llm_server))
    llm = {"BYLINE_LLM_BASE_URL": llm_server.url, "BYLINE_LLM_MODEL": "tiny", "BYLINE_LLM_API_KEY": LLM_KEY}
    with serving(sample_data, BYLINE_LOG_FORMAT="json", **llm) as client:
        headers = {"Authorization": f"Bearer {CANARY}", "X-Request-ID": "req-7"}
        assert client.post("/v1/chat", json={"message": QUESTION}, headers=headers).status_code == 200
        by_llm = client.post("/v1/chat", json={"message": QUESTION, "answerer": "llm", "stream": True})
        assert "event: done" in by_llm.text
        assert client.post("/v1/search", json={"query": CANARY, "odd": CANARY}).status_code == 422
        assert client.post("/v1/articles", json={"text": f"{CANARY}\0", "title": CANARY}).status_code == 422
        assert client.get(f"/{CANARY}?{CANARY}={CANARY}").status_code == 404
        said = logged(client, requests=5)
    lines = [json.loads(line) for line in said.splitlines()]
    assert CANARY not in said
    assert LLM_KEY not in said
    assert "Merrin" not in said
    assert all({"event", "level", "timestamp"} <= line.keys() for line in lines)
    first = request_of(lines, "/v1/chat", id="req-7")
    assert first.pop("ms") > 0
    del first["timestamp"]
    assert first == {
        "event": "request", "level": "info", "id": "req-7", "method": "POST", "route": "/v1/chat", "status": 200,
        "generation": "000001", "answer": "answered", "answerer": "extractive", "degraded": False,
    }  # fmt: skip
    second = request_of(lines, "/v1/chat", answerer="llm")
    assert second["degraded"] is True
    warned = next(line for line in lines if line["event"] == "the LLM gave no whole answer")
    assert "refuses the request (status 400)" in warned["reason"]


@pytest.mark.model
@pytest.mark.server
def test_questions_are_logged_where_the_settings_say_so_and_people_get_plain_lines(sample_data):
    with serving(sample_data, BYLINE_LOG_QUESTIONS="true", BYLINE_LOG_LEVEL="info") as client:
        client.post("/v1/chat", json={"message": QUESTION, "history": []})
        client.post("/v1/search", json={"query": "the \x1b[31m red\nbook"})
        said = logged(client, requests=2)
    chat, search = (line for line in said.splitlines() if "route=/v1/" in line)
    assert QUESTION in chat
    assert "answer=answered" in chat
    assert "x1b[31m red" in search
    assert "\x1b" not in said


SCRIPT = """
import logging, threading, warnings
from service.logs import configure_logging
import structlog

configure_logging(logging.INFO, "json")
logging.getLogger("some.library").warning("two\\nlines of %s", "text")
logging.getLogger("openai").info("a whole request")
warnings.warn("old", DeprecationWarning)
log = structlog.get_logger()
try:
    int("secret words")
except ValueError:
    log.exception("failed")
    logging.getLogger("some.library").exception("failed there")
thread = threading.Thread(target=lambda: {}["secret words"], name="worker")
thread.start()
thread.join()
log.debug("not said")
"""


def test_what_libraries_and_threads_say_is_in_the_same_form(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-W", "always", "-c", SCRIPT],
        cwd=ROOT, env=environment_of(tmp_path), capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = [json.loads(line) for line in ran.stderr.splitlines()]
    assert [line["event"].split(":")[0] for line in lines] == [
        "two\nlines of text", "<string>", "failed", "failed there", "thread failed",
    ]  # fmt: skip
    assert "secret words" not in ran.stderr.replace('int("secret words")', "").replace('{}["secret words"]', "")
    assert lines[0]["logger"] == "some.library"
    assert lines[2]["exception"].endswith("ValueError: (its message may quote texts, and is not logged)")
    assert lines[4]["thread"] == "worker"
    assert ran.stdout == ""
