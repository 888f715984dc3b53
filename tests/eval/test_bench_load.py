"""The clients of the load: what they take for an answer, how they behave, and a small run at a real server."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from eval.bench.load_clients import Crowd, Orders, read_answer
from eval.cli import app

HEAD = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 4\r\n\r\n"


def test_an_answer_is_read_once_it_is_whole():
    assert read_answer(HEAD[:-1], ended=False) is None
    assert read_answer(HEAD + b"abc", ended=False) is None
    whole = read_answer(HEAD + b"abcd", ended=False)
    assert (whole.status, whole.stays, whole.retry_after, whole.body) == (503, True, 2.0, b"abcd")


def test_chunks_and_ends_of_connections_are_read():
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"
    assert read_answer(chunked, ended=False) is None
    assert read_answer(chunked + b"0\r\n\r\n", ended=False).status == 200
    until_closed = b"HTTP/1.1 200 OK\r\n\r\nabc"
    assert read_answer(until_closed, ended=False) is None
    assert read_answer(until_closed, ended=True).stays is False


@pytest.fixture
def refusing():
    """A server that refuses everybody; gives its port and counts."""

    class Refusing(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def do_GET(self):
            self.wfile.write(HEAD + b"busy")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def asked(port, manner):
    tally = Crowd(Orders("127.0.0.1", port, 5, 0.5, manner, ["Where?"], ["a"])).run()
    assert {name for of_kind in tally.outcomes.values() for name in of_kind} == {"503"}
    return sum(of_kind["503"] for of_kind in tally.outcomes.values())


def test_patient_clients_wait_and_rude_ones_do_not(refusing):
    assert asked(refusing, "patient") == 5  # one each, as two seconds do not pass
    assert asked(refusing, "rude") > 20


@pytest.mark.model
@pytest.mark.server
def test_a_small_load_is_measured(tmp_path):
    words = "bench --articles 12 --only load --load-clients 40 --load-seconds 1 --no-reference --json --out".split()
    done = CliRunner().invoke(app, [*words, str(tmp_path / "run.json")])
    assert done.exit_code == 0, done.output
    document = json.loads((tmp_path / "run.json").read_text())
    assert {figure["part"] for figure in document["figures"]} == {"load"}
    for manner in ("patient", "rude"):
        found = document["results"]["load"][manner]
        outcomes = found["load"]["outcomes"]
        assert set(outcomes) == {"chat", "stream", "search", "article"}
        assert {name for of_kind in outcomes.values() for name in of_kind} <= {"200", "503"}
        assert len(found["livez_ms"]) > 3
        assert found["livez_failures"] == {}
