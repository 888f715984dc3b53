"""Byline talks to nobody: what its processes look up and connect to is watched by the interpreter itself."""

import subprocess
import sys

import pytest
from processes import ROOT, SAMPLES, environment_of, serving

pytestmark = [pytest.mark.model, pytest.mark.server]

WATCHED = """
import ipaddress, os, sys

def is_here(place):
    try:
        return ipaddress.ip_address(place).is_loopback
    except ValueError:
        return place in (None, "", "localhost")

def watch(event, arguments):
    if event == "socket.getaddrinfo":
        place = arguments[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        place = arguments[1][0]
    else:
        return
    place = place.decode() if isinstance(place, bytes) else place
    if not is_here(place):
        with open(os.environ["TEST_CALLS"], "a") as calls:
            print(event, place, file=calls)

sys.addaudithook(watch)
from service.cli import main
main()
"""

QUESTION = "What does the Merrin Coast order prohibit?"


def watched(*arguments, data, calls, **environment):
    """Run the command line; what it asks of other machines is written to the file `calls`."""
    subprocess.run(
        [sys.executable, "-c", WATCHED, *map(str, arguments)],
        cwd=ROOT,
        env=environment_of(data, TEST_CALLS=str(calls), **environment),
        capture_output=True,
        timeout=120,
        check=True,
    )


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    file = tmp_path_factory.mktemp("calls") / "calls"
    file.touch()
    return file


@pytest.fixture(scope="module")
def data(tmp_path_factory, calls):
    """An index, made under watch."""
    data = tmp_path_factory.mktemp("watched")
    watched("add", SAMPLES / "merrin-hose-ban.md", data=data, calls=calls)
    watched("build", data=data, calls=calls)
    return data


def test_nothing_is_asked_of_another_machine(data, calls):
    watched("doctor", data=data, calls=calls)
    elsewhere = "<p>The ferry to <a href='https://tracker.example/x'>Orlo</a> runs at seven.</p>" * 3
    page = f"<html><body><article>{elsewhere}<img src='https://tracker.example/y.png'></article></body></html>"
    with serving(data, program=("-c", WATCHED), TEST_CALLS=str(calls)) as client:
        assert client.get("/").status_code == 200
        assert client.post("/v1/chat", json={"message": QUESTION}).json()["status"] == "answered"
        assert client.post("/v1/search", json={"query": QUESTION}).json()["hits"]
        assert client.post("/v1/articles", json={"html": page, "url": "https://tracker.example/"}).status_code == 201
    assert calls.read_text() == ""


def test_only_the_llm_that_the_settings_name_is(data, tmp_path):
    """It also shows that the watch sees what it should."""
    llm = {"BYLINE_LLM_BASE_URL": "http://192.0.2.1:9/v1", "BYLINE_LLM_MODEL": "any", "BYLINE_LLM_TIMEOUT_SECONDS": "1"}
    watched("ask", "--answerer", "llm", QUESTION, data=data, calls=tmp_path / "calls", **llm)
    assert {line.split()[1] for line in (tmp_path / "calls").read_text().splitlines()} == {"192.0.2.1"}
