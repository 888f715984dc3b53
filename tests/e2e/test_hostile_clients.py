"""Clients that are slow, broken or malicious, through raw sockets: each is answered or left within its limit.

After each of them the server answers others, and has let go of its connections and tasks, without a word of a fault.
"""

import json
import os
import re
import resource
import selectors
import shutil
import signal
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import llm_server
import pytest
from processes import serving

from service.api.state import QUESTION_THREADS

pytestmark = [pytest.mark.model, pytest.mark.server]

HEAD_SECONDS, SEND_SECONDS, REQUEST_SECONDS = 1, 1.5, 4
MOST_CONNECTIONS = 30
PATIENCE_SECONDS = 15

PROGRAM = """
import asyncio, os, signal
from pathlib import Path

def tell(*_):
    place = Path(os.environ["TASKS_FILE"])
    place.with_suffix(".new").write_text("\\n".join(str(task.get_coro()) for task in asyncio.all_tasks()))
    place.with_suffix(".new").rename(place)

signal.signal(signal.SIGUSR1, tell)
from service.cli import main
main()
"""

CHAT = json.dumps({"message": "When does the new Quillon Bridge open to traffic?", "history": []}).encode()


def post(path, body, *headers, length=None):
    """The bytes of a request with JSON."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    lines += [f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def get(path, *headers, host="127.0.0.1"):
    return "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {host}", *headers, "", ""]).encode()


class Server:
    """A real server with short limits, seen from outside."""

    def __init__(self, client, tasks_file):
        self.client = client
        self._tasks_file = tasks_file

    @property
    def pid(self):
        return self.client.process.pid

    def connect(self, **options):
        connection = socket.socket()
        for option, value in options.items():
            connection.setsockopt(socket.SOL_SOCKET, getattr(socket, option), value)
        connection.settimeout(PATIENCE_SECONDS)
        connection.connect((self.client.base_url.host, self.client.base_url.port))
        return connection

    def say(self, *parts, ends=False):
        """Send, and read until the server closes; gives all that it said."""
        with self.connect() as connection:
            with suppress(ConnectionError):
                for part in parts:
                    connection.sendall(part)
                if ends:
                    connection.shutdown(socket.SHUT_WR)
            return read_all(connection)

    def held(self):
        """How many descriptors, and the names of the tasks."""
        self._tasks_file.unlink(missing_ok=True)
        os.kill(self.pid, signal.SIGUSR1)
        until(self._tasks_file.exists)
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir())), self._tasks_file.read_text().splitlines()


def read_all(connection):
    said = b""
    with suppress(ConnectionError):
        while part := connection.recv(65_536):
            said += part
    return said


def until(look, seconds=PATIENCE_SECONDS, said=lambda: "it did not come to that in time"):
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, said()
        time.sleep(0.05)


def statuses(said):
    """The statuses of responses that follow one another."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) [A-Z]", said)]


@pytest.fixture(scope="module")
def llm():
    server, stop = llm_server.start()
    yield server
    stop()


@pytest.fixture(scope="module")
def data(sample_data, tmp_path_factory):
    """A data folder of our own: an article of two million characters goes into it."""
    return shutil.copytree(sample_data, tmp_path_factory.mktemp("hostile") / "data")


@contextmanager
def started(data, llm, tasks_file, **settings):
    settings = {
        "BYLINE_HEAD_TIMEOUT_SECONDS": str(HEAD_SECONDS),
        "BYLINE_SEND_TIMEOUT_SECONDS": str(SEND_SECONDS),
        "BYLINE_REQUEST_TIMEOUT_SECONDS": str(REQUEST_SECONDS),
        "BYLINE_MAX_CONNECTIONS": str(MOST_CONNECTIONS),
        "BYLINE_MAX_WAITING_REQUESTS": "1",
        "BYLINE_LLM_BASE_URL": llm.url,
        "BYLINE_LLM_MODEL": "tiny",
        "TASKS_FILE": str(tasks_file),
    } | settings
    with serving(data, program=("-c", PROGRAM), **settings) as client:
        yield Server(client, tasks_file)


@pytest.fixture(scope="module")
def running(data, llm, tmp_path_factory):
    with started(data, llm, tmp_path_factory.mktemp("tasks") / "tasks") as server:
        server.big = add_big_article(server.client)
        # What the server's threads open when they are first needed stays open.
        with ThreadPoolExecutor(QUESTION_THREADS) as pool:
            asked = [get("/v1/articles", "Connection: close"), post("/v1/chat", CHAT, "Connection: close")] * 24
            assert all(statuses(said) == [200] for said in pool.map(server.say, asked))
        yield server


def add_big_article(client):
    """An article whose text fills what the system keeps for a connection, if it is asked for some times."""
    text = "A sentence of the longest article says nothing at all.\n\n" * 35_000
    # On a busy machine it may take longer than a request may here; then it is stored all the same.
    for _ in range(5):
        response = client.post("/v1/articles", json={"text": text, "title": "Long"})
        if response.is_success:
            break
    return response.json()["article_id"]


@pytest.fixture
def server(running):
    """The server, which must be as it was when the test is over."""
    until(lambda: running.client.get("/livez", headers={"connection": "close"}).is_success)
    descriptors, tasks = running.held()
    yield running
    # Threads may still be at what was asked by clients who have gone.
    until(lambda: running.client.post("/v1/search", json={"query": "bridge"}).json().get("hits"))
    assert running.client.get("/livez", headers={"connection": "close"}).is_success

    now = None

    def as_before():
        nonlocal now
        now = running.held()
        return now[0] <= descriptors and len(now[1]) <= len(tasks)

    until(as_before, said=lambda: f"{descriptors} descriptors and {tasks} became {now}")
    said = running.client.log.read_text()
    assert "Traceback" not in said
    assert "[error" not in said


REFUSED = {
    "no HTTP": (b"\x00\xff\xfe\r\n\r\n", [400]),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64) + b"\r\n\r\n", [400]),
    "a header with a control character": (get("/livez", "X: a\x00b"), [400]),
    "a folded header without a name": (b"GET /livez HTTP/1.1\r\n folded\r\nHost: x\r\n\r\n", [400]),
    "no Host": (b"GET /livez HTTP/1.1\r\n\r\n", [400]),
    "two Hosts": (get("/livez", "Host: other"), [400]),
    "another protocol": (b"GET /livez SIP/2.0\r\nHost: x\r\n\r\n", [400]),
    "10,000 headers": (get("/livez", *(f"X-{number}: x" for number in range(10_000))), [431]),
    "a header without end": (b"GET /livez HTTP/1.1\r\nX: " + b"x" * 200_000, [431]),
    "an address without end": (b"GET /" + b"x" * 200_000, [431]),
    "a chunk of no size": (
        post("/v1/chat", b"zz\r\n", "Transfer-Encoding: chunked").replace(b"Content-Length: 4\r\n", b""),
        [400],
    ),
    "another encoding": (post("/v1/chat", CHAT, "Transfer-Encoding: gzip"), [501, 400]),
    "two ends of a body": (post("/v1/chat", b"0\r\n\r\n", "Transfer-Encoding: chunked"), [400]),
    "two lengths": (post("/v1/chat", CHAT, "Content-Length: 3"), [400]),
    "a negative length": (post("/v1/chat", CHAT, length=-5), [400]),
    "a length beyond all": (post("/v1/chat", CHAT, length=10**30), [413, 400]),
    "a body that is too large": (post("/v1/chat", b"x" * 11_000_000), [413]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_request_is_refused_and_its_connection_closed(server, case):
    sent, allowed = REFUSED[case]
    said = server.say(sent)
    assert len(statuses(said)) == 1
    assert statuses(said)[0] in allowed
    head, _, body = said.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    assert b"x-request-id: " in head.lower()
    assert json.loads(body)["status"] == statuses(said)[0]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\nConnection: close\r\n\r\n", {404, 405}),
        (b"TRACE /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", {405}),
        (b"PRI * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", {404, 405}),
        (get("http://127.0.0.1/livez", "Connection: close"), {200, 404}),
        (get("http://evil.example/v1/articles", "Connection: close"), {404, 421}),
        (get("/v1/articles", "Connection: close", host="evil.example"), {421}),
        (get("/livez", "Connection: close, Upgrade", "Upgrade: websocket"), {200}),
        (b"GET /livez HTTP/1.0\r\n\r\n", {200}),
        (post("/v1/search", b'{"query": "bridge"}', "Connection: close").replace(b"HTTP/1.1", b"HTTP/1.0"), {200}),
    ],
)
def test_odd_requests_are_answered(server, sent, expected):
    assert set(statuses(server.say(sent))) <= expected
    assert statuses(server.say(sent))


def test_requests_in_a_row_are_answered_in_order(server):
    asked = post("/v1/chat", CHAT)
    said = server.say(get("/livez") + asked + get("/nothing") + get("/livez", "Connection: close"))
    assert statuses(said) == [200, 200, 404, 200]


def test_what_follows_a_body_is_another_request(server):
    assert statuses(server.say(post("/v1/chat", CHAT) + b"more of it than declared\r\n\r\n")) == [200, 400]


def test_a_half_closed_connection_ends(server):
    assert set(statuses(server.say(post("/v1/chat", CHAT), ends=True))) <= {200}
    assert set(statuses(server.say(post("/v1/chat", CHAT, length=5_000), ends=True))) <= {400}


def test_headers_that_never_end(server):
    began = time.monotonic()
    with server.connect() as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\n")
        with suppress(ConnectionError):
            while time.monotonic() - began < PATIENCE_SECONDS and not readable(connection):
                connection.sendall(b"X: y\r\n")
                time.sleep(0.1)
        said = read_all(connection)
    assert statuses(said) == [408]
    assert HEAD_SECONDS <= time.monotonic() - began < HEAD_SECONDS + 5


def readable(connection):
    connection.setblocking(False)
    try:
        return bool(connection.recv(1, socket.MSG_PEEK)) or True
    except BlockingIOError:
        return False
    finally:
        connection.settimeout(PATIENCE_SECONDS)


def test_later_headers_that_never_end(server):
    """The time counts from their first byte, on a connection that is in use."""
    with server.connect() as connection:
        connection.sendall(get("/livez"))
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /live")
        assert statuses(read_all(connection)) == [408]


def test_a_body_byte_by_byte(server):
    began = time.monotonic()
    with server.connect() as connection:
        connection.sendall(post("/v1/chat", b"{", length=1_000))
        with suppress(ConnectionError):
            while time.monotonic() - began < PATIENCE_SECONDS and not readable(connection):
                connection.sendall(b" ")
                time.sleep(0.1)
        assert statuses(read_all(connection)) == [408]
    assert time.monotonic() - began < REQUEST_SECONDS + 5


def test_connections_that_rest_are_bounded_and_closed(server):
    connections = [server.connect() for _ in range(MOST_CONNECTIONS + 20)]
    try:
        refused = [one for one in connections if statuses(read_all(one)) == [503]]
        # Those that were let in are closed without a word, as they said none; by then there is room again.
        assert 20 <= len(refused) < 40
        until(lambda: server.client.get("/livez", headers={"connection": "close"}).is_success)
    finally:
        for one in connections:
            one.close()


def test_a_client_that_reads_nothing(server):
    """Its answers pile up in the system's buffers only, and its connection is cut."""
    with server.connect(SO_RCVBUF=4096) as connection:
        connection.sendall(get(f"/v1/articles/{server.big}") * 20)
        before = server.held()[0]
        until(lambda: server.held()[0] < before)
    assert server.client.get(f"/v1/articles/{server.big}").is_success


def test_a_client_that_reads_slowly_is_served(server):
    """Longer than the limit for one that reads nothing."""
    with server.connect(SO_RCVBUF=65_536) as connection:
        connection.sendall(get(f"/v1/articles/{server.big}", "Connection: close"))
        received, began = 0, time.monotonic()
        while part := connection.recv(65_536):
            received += len(part)
            if time.monotonic() - began < 2 * SEND_SECONDS:
                time.sleep(0.1)
    assert received > 1_900_000


@pytest.mark.parametrize(
    "sent", [post("/v1/articles", b'{"text": "', length=5_000_000), post("/v1/chat", CHAT), b"GET /li"]
)
def test_a_connection_that_is_reset(server, sent):
    for _ in range(5):
        with server.connect() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(sent)


def test_a_body_that_goes_on_after_its_answer(server):
    began = time.monotonic()
    with server.connect() as connection:
        connection.sendall(post("/nothing", b"{", length=1_000))
        assert connection.recv(65_536).startswith(b"HTTP/1.1 404")
        with suppress(ConnectionError):
            while time.monotonic() - began < PATIENCE_SECONDS and not readable(connection):
                connection.sendall(b" ")
                time.sleep(0.1)
    assert time.monotonic() - began < HEAD_SECONDS + 5


@pytest.mark.parametrize("packets", [1, 2])
def test_questions_beyond_the_line_are_refused_at_once(server, packets):
    """Before they are read, whether they come in one piece or not; and each by its own id."""
    connections, ends = [server.connect() for _ in range(25)], []
    try:
        for number, one in enumerate(connections):
            question = json.dumps({"query": f"Who said what about bridge {number}?"}).encode()
            request = post("/v1/search", question, f"X-Request-ID: mine-{number}")
            one.sendall(request[:-5] if packets == 2 else request)
            ends.append(request[-5:] if packets == 2 else b"")
        for one, end in zip(connections, ends, strict=True):
            one.sendall(end)
        said = [one.recv(1_000_000) for one in connections]
    finally:
        for one in connections:
            one.close()
    answered = [statuses(one) for one in said]
    assert [200] in answered
    refused = [(number, one) for number, one in enumerate(said) if statuses(one) == [503]]
    assert len(refused) >= 5
    for number, one in refused:
        head, _, body = one.partition(b"\r\n\r\n")
        assert f"x-request-id: mine-{number}\r\n".encode() in head.lower()
        assert b"retry-after: 2" in head.lower()
        assert json.loads(body)["type"] == "urn:byline:problem:overloaded"
        assert json.loads(body)["instance"] == f"urn:byline:request:mine-{number}"


def test_whether_it_lives_is_answered_before_a_crowd_that_came_earlier(data, llm, tmp_path):
    """The server is held until all have come, so that none is answered for having come first."""
    crowd = 300
    with (
        started(data, llm, tmp_path / "tasks", BYLINE_MAX_CONNECTIONS="400") as server,
        selectors.DefaultSelector() as open_ones,
    ):
        os.kill(server.pid, signal.SIGSTOP)
        try:
            for path in ["/nothing"] * crowd + ["/livez"]:
                connection = server.connect()
                connection.sendall(get(path, "Connection: close"))
                open_ones.register(connection, selectors.EVENT_READ, path)
        finally:
            os.kill(server.pid, signal.SIGCONT)
        order = []
        while open_ones.get_map():
            for key, _ in open_ones.select(PATIENCE_SECONDS):
                open_ones.unregister(key.fileobj)
                order.append((key.data, statuses(read_all(key.fileobj))))
                key.fileobj.close()
        assert sorted(order) == [("/livez", [200]), *[("/nothing", [404])] * crowd]
        assert order.index(("/livez", [200])) < crowd / 4
        assert server.held()[0] < crowd


def test_a_connection_that_speaks_late_is_answered(server):
    with server.connect() as connection:
        time.sleep(HEAD_SECONDS * 0.9)
        connection.sendall(get("/livez", "Connection: close"))
        assert statuses(read_all(connection)) == [200]


def test_a_lack_of_descriptors_passes(data, llm, tmp_path):
    """Nobody is let in while the system gives no more, and it is said; then it goes on."""
    with started(data, llm, tmp_path / "tasks") as server:
        used = server.held()[0]
        limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (used, limits[1]))
        with server.connect() as connection:
            connection.sendall(get("/livez", "Connection: close"))
            until(lambda: "connections cannot be taken" in server.client.log.read_text())
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limits)
            assert statuses(read_all(connection)) == [200]
        assert server.client.post("/v1/search", json={"query": "bridge"}).json()["hits"]


class Silent:
    """An LLM that takes a request and says nothing, until whoever asked has left."""

    def __init__(self):
        self.asked = self.left = False

    def __call__(self, handler):
        handler.close_connection = True
        handler.connection.settimeout(PATIENCE_SECONDS)
        self.asked = True
        self.left = handler.connection.recv(1) == b""


@pytest.mark.parametrize("streams", [True, False])
def test_leaving_before_the_first_word_ends_the_work(server, llm, streams):
    silent = Silent()
    llm.replies(silent)
    asked = json.dumps({"message": "When does the bridge open?", "history": [], "answerer": "llm", "stream": streams})
    with server.connect() as connection:
        connection.sendall(post("/v1/chat", asked.encode()))
        until(lambda: silent.asked)
    until(lambda: silent.left, 3)


def test_everybody_is_let_go_of_in_time_when_the_server_stops(data, llm, tmp_path):
    """Streams end with their event, and nobody holds up the end: not who reads nothing, sends nothing or half."""
    silent = Silent()
    llm.replies(silent)
    asked = json.dumps({"message": "When does the bridge open?", "history": [], "answerer": "llm", "stream": True})
    limits = {"HEAD_TIMEOUT_SECONDS": "60", "SEND_TIMEOUT_SECONDS": "60", "REQUEST_TIMEOUT_SECONDS": "60"}
    with started(
        data, llm, tmp_path / "tasks", **{f"BYLINE_{name}": value for name, value in limits.items()}
    ) as server:
        big = add_big_article(server.client)
        build = server.client.post("/v1/index/builds", json={"full": True}).json()["id"]
        names = ["talks", "follows", "reads nothing", "rests", "half a head", "half a body", "waits"]
        open_ones = {name: server.connect() for name in names}
        try:
            open_ones["talks"].sendall(post("/v1/chat", asked.encode()))
            open_ones["waits"].sendall(post("/v1/chat", asked.replace("true", "false").encode()))
            open_ones["follows"].sendall(get(f"/v1/index/builds/{build}/events"))
            open_ones["reads nothing"].sendall(get(f"/v1/articles/{big}") * 20)
            open_ones["half a head"].sendall(b"GET /livez HT")
            open_ones["half a body"].sendall(post("/v1/chat", b"{", length=100))
            for name in ("talks", "follows"):
                assert b"event: " in open_ones[name].recv(65_536)
            began = time.monotonic()
            server.client.process.send_signal(signal.SIGTERM)
            assert server.client.process.wait(timeout=30) == 0
            assert time.monotonic() - began < 5
            for name in ("talks", "follows"):
                said = read_all(open_ones[name])
                assert said.count(b"event: error") + said.count(b"event: done") == 1, name
                assert b"urn:byline:problem:shutting-down" in said
            assert statuses(read_all(open_ones["waits"])) == [503]
        finally:
            for one in open_ones.values():
                one.close()
        assert "Traceback" not in server.client.log.read_text()
