"""A server with OpenAI's chat API that says what a script says, well or badly: real HTTP, no model."""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Handler = BaseHTTPRequestHandler
Reply = Callable[[Handler], None]
"""Writes one reply; a request is answered by the next reply of the script, and by the last one from then on."""

PATIENCE_SECONDS = 30
"""A client that waits longer than this never gives up: its test fails instead of hanging."""


@dataclass
class Request:
    """What the server was asked; names of headers are in lower case."""

    path: str
    headers: dict[str, str]
    body: dict

    @property
    def system(self) -> str:
        return self.body["messages"][0]["content"]

    @property
    def user(self) -> str:
        return self.body["messages"][1]["content"]

    @property
    def blocks(self) -> dict[str, str]:
        """The blocks of an evaluation's request by name, read with the boundary that its task names."""
        boundary = self.system.split("`[", 1)[1].split(" NAME]`", 1)[0]
        *parts, rest = self.user.split(f"\n[{boundary} END]")
        assert rest == ""
        heads = [part.lstrip("\n").partition("\n") for part in parts]
        return {head.removeprefix(f"[{boundary} ").removesuffix("]"): text for head, _, text in heads}


@dataclass
class LlmServer:
    """A running server: put replies into `script`, read what it was asked from `requests`."""

    url: str
    script: list[Reply] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def replies(self, *script: Reply | str | dict) -> None:
        """Set the script; a text is said, and a dict is said as JSON."""
        self.script[:] = [reply if callable(reply) else says(reply) for reply in script]


def start() -> tuple[LlmServer, Callable[[], None]]:
    """Start a server on a free port of loopback; gives it and what stops it."""

    class Scripted(Handler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            length = int(self.headers["Content-Length"])
            headers = {name.lower(): value for name, value in self.headers.items()}
            server.requests.append(Request(self.path, headers, json.loads(self.rfile.read(length))))
            reply = server.script.pop(0) if len(server.script) > 1 else server.script[0]
            with suppress(ConnectionError):  # clients give up on bad servers
                reply(self)

        def log_message(self, *_):
            pass

        @property
        def stopping(self):
            return server.stopping

    http = ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    http.daemon_threads = False  # joined at the end, so that no test leaves one behind
    server = LlmServer(f"http://127.0.0.1:{http.server_port}/v1")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()

    def stop():
        server.stopping.set()
        http.shutdown()
        thread.join()
        http.server_close()

    return server, stop


def completion(content, *, finish="stop", usage=(7, 3), **message) -> dict:
    """A chat completion as OpenAI's API has it."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "scripted",
        "choices": [
            {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content, **message}}
        ],
        "usage": usage and {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)},
    }


def says(content: str | dict | None, **parts) -> Reply:
    text = json.dumps(content) if isinstance(content, dict) else content
    return sends(json.dumps(completion(text, **parts)).encode())


def sends(body: bytes, *, status=200, headers=(), kind="application/json", length=None) -> Reply:
    """Send bytes; with another `length` than theirs the connection breaks off in between."""

    def reply(handler):
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers:
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = handler.close_connection or length is not None

    return reply


def fails(status: int, message: str = "scripted failure", *, headers=()) -> Reply:
    body = json.dumps({"error": {"message": message, "type": "x", "code": None}}).encode()
    return sends(body, status=status, headers=headers)


def hangs(handler):
    """Say nothing until the test is over."""
    handler.stopping.wait(PATIENCE_SECONDS)
    handler.close_connection = True


def hangs_up(handler):
    """Close the connection without a word."""
    handler.close_connection = True


def drips(head: bytes) -> Reply:
    """Send the head of a reply and then a byte now and then, for ever."""

    def reply(handler):
        handler.close_connection = True
        handler.wfile.write(head)
        for _ in range(PATIENCE_SECONDS * 50):
            handler.wfile.write(b" ")
            if handler.stopping.wait(0.02):
                return

    return reply


def floods(handler):
    """Send spaces as fast as they are taken, without saying how many there will be."""
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
    while not handler.stopping.is_set():
        handler.wfile.write(b" " * 65_536)
