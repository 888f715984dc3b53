"""A server from the start of its process: it lives at once, and is ready, or gone with its reason, in the end.

Held up by its own settings: the model of abstention is the last thing that is read, and may be a pipe.
"""

import os
import signal
import socket
import time

import httpx
import pytest
from processes import byline, serving

from service.answering.abstention import SHIPPED_FILE

pytestmark = [pytest.mark.model, pytest.mark.server]

SECONDS = 60


class Pipe:
    """A file that a process waits for until something is written to it."""

    def __init__(self, path):
        self.path = path
        os.mkfifo(path)

    def write(self, text):
        self.path.write_text(text, encoding="utf-8")


@pytest.fixture
def pipe(tmp_path):
    return Pipe(tmp_path / "abstention.json")


def starting(data, pipe):
    """A server that listens and has not opened everything yet."""
    return serving(data, says="Listening on ", BYLINE_ABSTENTION_MODEL=str(pipe.path))


def until(look):
    deadline = time.monotonic() + SECONDS
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_it_lives_while_it_opens_and_is_ready_then(sample_data, pipe):
    with starting(sample_data, pipe) as client:
        assert client.get("/livez").status_code == 200
        early = client.get("/readyz")
        assert early.status_code == 503
        assert early.json()["detail"].startswith("starting:")
        assert "Byline answers at" not in client.log.read_text()
        pipe.write(SHIPPED_FILE.read_text(encoding="utf-8"))
        # Asked before it is ready, most likely: it waits.
        reply = client.post("/v1/chat", json={"message": "What does the Merrin Coast order prohibit?"}).json()
        assert reply["status"] == "answered"
        assert client.get("/readyz").status_code == 200
        place = str(client.base_url).rstrip("/")
        ready = f"Byline answers at {place} (a chat page; for programs {place}/docs)."
        until(lambda: ready in client.log.read_text())


def test_what_cannot_be_opened_ends_the_process_with_its_message(sample_data, pipe):
    with starting(sample_data, pipe) as client:
        assert client.get("/livez").status_code == 200
        pipe.write("{}")
        assert client.process.wait(timeout=SECONDS) == 2  # a setting has to change
        said = client.log.read_text()
        assert f"byline: the abstention model {pipe.path} is refused" in said
        assert "Traceback" not in said
        with pytest.raises(httpx.TransportError):
            client.get("/livez")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_while_it_opens(sample_data, pipe, number):
    with starting(sample_data, pipe) as client:
        assert client.get("/readyz").json()["detail"].startswith("starting:")
        client.process.send_signal(number)
        assert client.process.wait(timeout=SECONDS) == 0
        assert "Traceback" not in client.log.read_text()


def test_a_port_that_is_taken_is_said_before_anything_is_opened(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        failed = byline("serve", "--port", taken.getsockname()[1], data=tmp_path / "data", check=False)
    assert failed.returncode == 1
    assert "cannot listen on 127.0.0.1 port" in failed.stderr
    assert not (tmp_path / "data").exists()
