"""`byline mcp` in a process of its own, asked by the official SDK's client as an assistant asks it."""

import json
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import anyio
import anyio.from_thread
import pytest
from processes import ROOT, SAMPLES, byline, environment_of

pytest.importorskip("mcp")

from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client

pytestmark = [pytest.mark.model, pytest.mark.server]

DESIGNER = "Who designed the new Quillon Bridge in Port Ellisand?"


class Connected:
    """A client whose calls are made from ordinary tests."""

    def __init__(self, portal, client, log):
        self._portal = portal
        self.client = client
        self.log = log

    def tools(self):
        return {tool.name: tool for tool in self._portal.call(self.client.list_tools).tools}

    def call(self, tool, **arguments):
        return self._portal.call(self.client.call_tool, tool, arguments)

    def run(self, function, *arguments):
        return self._portal.call(function, *arguments)


@contextmanager
def connected(data, log, mode="auto", **environment):
    """Start `byline mcp` over a data folder; gives a client that has said hello."""
    variables = environment_of(data, **environment)
    command = StdioServerParameters(command=sys.executable, args=["-m", "service", "mcp"], env=variables, cwd=ROOT)
    with (
        anyio.from_thread.start_blocking_portal() as portal,
        log.open("w") as errors,
        portal.wrap_async_context_manager(
            Client(stdio_client(command, errlog=errors), mode=mode, read_timeout_seconds=60)
        ) as client,
    ):
        yield Connected(portal, client, log)


@pytest.fixture(scope="module")
def assistant(sample_data, tmp_path_factory):
    with connected(sample_data, tmp_path_factory.mktemp("mcp") / "log") as connection:
        yield connection


def text_of(result):
    return "".join(part.text for part in result.content)


def refusal(result):
    assert result.is_error
    assert result.structured_content is None
    return text_of(result)


def test_the_tools_say_that_they_only_read_and_what_they_take(assistant):
    tools = assistant.tools()
    assert set(tools) == {"ask", "search", "get_article"}
    for tool in tools.values():
        assert tool.annotations.read_only_hint
        assert tool.input_schema["additionalProperties"] is False
        assert all(field.get("description") for field in tool.input_schema["properties"].values()), tool.name
    ask = tools["ask"].input_schema
    assert ask["required"] == ["question"]
    assert ask["properties"]["question"]["maxLength"] == 4000
    assert (ask["properties"]["max_citations"]["minimum"], ask["properties"]["max_citations"]["maximum"]) == (1, 20)


def test_an_answer_comes_as_the_reply_of_the_contract_and_as_text(assistant):
    result = assistant.call("ask", question=DESIGNER)
    assert not result.is_error
    reply = result.structured_content
    assert reply["status"] == "answered"
    assert reply["conversation_id"] is None
    quoted = reply["citations"][0]
    assert quoted["quote"] in reply["answer"]
    said = text_of(result)
    assert said.startswith(reply["answer"])
    # A host may show its model the text alone: it says where to read on.
    assert f"[1] {quoted['article_id']}, characters {quoted['start']} to {quoted['end']}" in said


def test_the_quote_of_an_answer_stands_in_the_article_where_it_says(assistant):
    quoted = assistant.call("ask", question=DESIGNER).structured_content["citations"][0]
    part = assistant.call(
        "get_article", article_id=quoted["article_id"], start=quoted["start"], end=quoted["end"]
    ).structured_content
    assert part["text"] == quoted["quote"]
    assert (part["title"], part["source"], part["published_at"]) == (
        quoted["title"],
        quoted["source"],
        quoted["published_at"],
    )


def test_an_article_can_be_read_in_parts(assistant):
    article = assistant.call("search", query="Quillon Bridge", top_k=1).structured_content["hits"][0]["article_id"]
    whole = assistant.call("get_article", article_id=article).structured_content
    assert whole["next_start"] is None
    assert whole["characters"] == len(whole["text"])
    half = whole["characters"] // 2
    first = assistant.call("get_article", article_id=article, end=half)
    assert first.structured_content["next_start"] == half
    assert f"start={half}" in text_of(first)
    second = assistant.call("get_article", article_id=article, start=half, end=10_000_000).structured_content
    assert first.structured_content["text"] + second["text"] == whole["text"]
    assert second["next_start"] is None


def test_what_the_articles_do_not_say_is_declined_with_the_nearest_passages(assistant):
    result = assistant.call("ask", question="What is the boiling point of tungsten?")
    assert not result.is_error
    assert result.structured_content["status"] == "abstained"
    assert result.structured_content["citations"] == []
    assert "Nearest passages" in text_of(result)


def test_a_search_gives_passages_with_their_places(assistant):
    result = assistant.call("search", query="Quillon Bridge architect", top_k=3, mode="lexical")
    hits = result.structured_content["hits"]
    assert len(hits) == 3
    assert "Quillon" in hits[0]["text"]
    assert f"{hits[0]['article_id']}, characters {hits[0]['start']} to {hits[0]['end']}" in text_of(result)


def test_filters_bound_what_is_found(assistant):
    everything = assistant.call("search", query="harbour", top_k=50).structured_content["hits"]
    dates = sorted(hit["published_at"] for hit in everything if hit["published_at"])
    middle = dates[len(dates) // 2]
    found = assistant.call("search", query="harbour", top_k=50, published_from=middle).structured_content["hits"]
    assert found
    assert all(hit["published_at"] >= middle for hit in found)
    source = everything[0]["source"]
    reply = assistant.call("ask", question=DESIGNER, sources=["No Such Paper"]).structured_content
    assert reply["status"] == "abstained"
    sources = {
        hit["source"] for hit in assistant.call("search", query="a", sources=[source]).structured_content["hits"]
    }
    assert sources == {source}
    early = assistant.call("ask", question=DESIGNER, as_of="1999-01-01").structured_content
    assert early["status"] == "abstained"


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("ask", {}, "question"),
        ("ask", {"question": " "}, "blank"),
        ("ask", {"question": "x" * 4001}, "4000"),
        ("ask", {"question": "Why?", "max_citations": 21}, "max_citations"),
        ("ask", {"question": "Why?", "as_of": "tomorrow"}, "YYYY-MM-DD"),
        ("ask", {"question": "Why?", "published_from": "2025-02-01", "published_to": "2025-01-01"}, "after"),
        ("ask", {"question": "Why?", "sekrit": 1}, "unknown field"),
        ("ask", {"question": "Why?", "answerer": "llm"}, "no LLM is configured"),
        ("search", {"query": "bridge", "top_k": "3"}, "top_k"),
        ("search", {"query": "bridge", "mode": "sekrit"}, "hybrid"),
        ("get_article", {"article_id": "art_sekrit"}, "no article of this id"),
        ("get_article", {"article_id": "x", "start": 5, "end": 5}, "above start"),
    ],
)
def test_bad_arguments_are_told_to_the_assistant(assistant, tool, arguments, says):
    message = refusal(assistant.call(tool, **arguments))
    assert says in message
    assert "sekrit" not in message
    assert len(message) < 400
    assert "\n" not in message


def test_a_start_behind_the_end_is_told_with_the_length(assistant):
    article = assistant.call("search", query="bridge", top_k=1).structured_content["hits"][0]["article_id"]
    length = assistant.call("get_article", article_id=article).structured_content["characters"]
    assert str(length) in refusal(assistant.call("get_article", article_id=article, start=length))


def test_an_unknown_tool_is_an_error_of_the_protocol(assistant):
    with pytest.raises(MCPError, match="ask, search, get_article"):
        assistant.call("write_article", text="?")


def test_clients_of_the_older_handshake_are_served_too(sample_data, tmp_path):
    with connected(sample_data, tmp_path / "log", mode="legacy") as connection:
        assert set(connection.tools()) == {"ask", "search", "get_article"}
        assert connection.call("ask", question=DESIGNER).structured_content["status"] == "answered"


def test_without_an_index_it_says_what_to_do_and_answers_once_there_is_one(tmp_path):
    data = tmp_path / "data"
    with connected(data, tmp_path / "log") as connection:
        message = refusal(connection.call("ask", question=DESIGNER))
        assert "byline build" in message
        assert not data.exists()  # nothing was made by looking
        byline("add", SAMPLES / "merrin-hose-ban.md", data=data)
        byline("build", data=data)
        question = "What does the Merrin Coast order prohibit?"
        reply = connection.call("ask", question=question).structured_content
        assert reply["status"] == "answered"
        article = reply["citations"][0]["article_id"]
        byline("articles", "remove", article, data=data)
        deadline = time.monotonic() + 15
        while connection.call("search", query=question).structured_content["hits"]:
            assert time.monotonic() < deadline, "the removed article is found still"
        assert "no article of this id" in refusal(connection.call("get_article", article_id=article))


def test_a_cancelled_call_ends_the_request_to_the_llm(sample_data, tmp_path, llm_server):
    asked, left = threading.Event(), threading.Event()

    def waits_for_the_end(handler):
        asked.set()
        handler.connection.settimeout(30)
        if handler.connection.recv(1) == b"":
            left.set()
        handler.close_connection = True

    llm_server.replies(waits_for_the_end)
    settings = {"BYLINE_LLM_BASE_URL": llm_server.url, "BYLINE_LLM_MODEL": "silent"}
    with connected(sample_data, tmp_path / "log", **settings) as connection:

        async def ask_and_cancel():
            async with anyio.create_task_group() as calls:
                calls.start_soon(connection.client.call_tool, "ask", {"question": DESIGNER, "answerer": "llm"})
                assert await anyio.to_thread.run_sync(asked.wait, 30)
                calls.cancel_scope.cancel()

        connection.run(ask_and_cancel)
        assert left.wait(10), "the LLM is asked on, for nobody"
        assert connection.call("ask", question=DESIGNER).structured_content["status"] == "answered"


HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "raw", "version": "0"},
    },
}


@contextmanager
def started(data):
    """The bare process with pipes."""
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "mcp"],
        cwd=ROOT,
        env=environment_of(data),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def send(process, message):
    process.stdin.write((message if isinstance(message, str) else json.dumps(message)) + "\n")
    process.stdin.flush()


def test_only_the_protocol_is_on_standard_output_and_the_end_of_input_ends_it(sample_data):
    with started(sample_data) as process:
        send(process, "this is not JSON")
        send(process, HELLO)
        hello = json.loads(process.stdout.readline())
        while hello.get("id") != 1:
            hello = json.loads(process.stdout.readline())
        assert hello["result"]["serverInfo"]["name"] == "byline"
        send(process, {"jsonrpc": "2.0", "method": "notifications/initialized"})
        call = {"name": "ask", "arguments": {"question": DESIGNER}}
        send(process, {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call})
        send(
            process,
            '{"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "ask", "arguments": {"question": "\\ud800?"}}}',
        )
        replies = {}
        while 2 not in replies:
            reply = json.loads(process.stdout.readline())
            replies[reply.get("id")] = reply
        assert replies[2]["result"]["structuredContent"]["status"] == "answered"
        process.stdin.close()
        assert process.wait(timeout=15) == 0
        assert process.stdout.read() == ""
        assert "generation opened" in process.stderr.read()


def test_a_client_that_leaves_without_a_word_ends_it_quietly(sample_data):
    with started(sample_data) as process:
        send(process, HELLO)
        assert process.stdout.readline()
        process.stdout.close()
        call = {"name": "ask", "arguments": {"question": DESIGNER}}
        send(process, {"jsonrpc": "2.0", "method": "notifications/initialized"})
        send(process, {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call})
        process.stdin.close()
        assert process.wait(timeout=30) == 0
        assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_though_it_waits_for_input(tmp_path, how):
    with started(tmp_path) as process:
        send(process, HELLO)
        assert process.stdout.readline()
        process.send_signal(how)
        assert process.wait(timeout=15) == 0
        assert "Traceback" not in process.stderr.read()


def test_without_the_package_one_line_says_how_to_install_it(tmp_path):
    without = "import sys; sys.modules['mcp'] = None; from service.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", without, "mcp"],
        cwd=ROOT,
        env=environment_of(tmp_path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "pip install 'mcp" in done.stderr
