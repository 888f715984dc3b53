"""A server with OpenAI's chat API that says what a script says, well or badly: real HTTP, no model."""

import json
import re
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


STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def chunk(content=None, *, finish=None, usage=None, **delta) -> dict:
    """A chunk of a streamed completion; one with usage has no choices, as OpenAI sends it."""
    choices = [] if usage else [{"index": 0, "delta": {"content": content, **delta}, "finish_reason": finish}]
    counted = usage and {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "scripted"}
    return head | {"choices": choices, "usage": counted}


def pieces_of(text: str, size: int = 7) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def streams(text: str, *, finish="stop", usage=(50, 9), done=True, line="\n", comments=False, pause=0.0) -> Reply:
    """Say a text as a stream, a few characters a chunk."""

    def reply(handler):
        handler.close_connection = True
        handler.wfile.write(STREAM_HEAD)
        chunks = [chunk(piece) for piece in pieces_of(text)]
        chunks += [chunk(finish=finish)] if finish else []
        chunks += [chunk(usage=usage)] if usage else []
        for one in chunks:
            if comments:
                handler.wfile.write(f": still here{line}{line}".encode())
            handler.wfile.write(f"data: {json.dumps(one)}{line}{line}".encode())
            handler.wfile.flush()
            if pause and handler.stopping.wait(pause):
                return
        if done:
            handler.wfile.write(f"data: [DONE]{line}{line}".encode())

    return reply


def streams_bytes(*parts: bytes | dict) -> Reply:
    """Send bytes, or chunks, after the head of a stream, and close the connection."""

    def reply(handler):
        handler.close_connection = True
        handler.wfile.write(STREAM_HEAD)
        for part in parts:
            handler.wfile.write(part if isinstance(part, bytes) else f"data: {json.dumps(part)}\n\n".encode())

    return reply


def streams_for_ever(text: str, *, pause: float = 0.0) -> Reply:
    """Say a text again and again, until the client leaves."""

    def reply(handler):
        handler.close_connection = True
        handler.wfile.write(STREAM_HEAD)
        while not handler.stopping.wait(pause):
            handler.wfile.write(f"data: {json.dumps(chunk(text))}\n\n".encode())
            handler.wfile.flush()

    return reply


def answers(write: Callable[[Request], str], server: LlmServer) -> Reply:
    """Say what a function makes of the request: for LLMs that do what they read."""

    def reply(handler):
        text = write(server.requests[-1])
        (streams(text) if server.requests[-1].body.get("stream") else says(text))(handler)

    return reply


class Talker:
    """An LLM that says one true sentence, of the passage with some words, and goes on until it is left alone."""

    def __init__(self, server, sentence, words):
        self._server = server
        self._sentence = sentence
        self._words = words
        self.left = threading.Event()

    def __call__(self, handler):
        handler.close_connection = True
        handler.wfile.write(STREAM_HEAD)
        passages = re.findall(r"PASSAGE (\d+)\]\n(.*?)\n\[\w+ END\]", self._server.requests[-1].user, re.DOTALL)
        number = next(number for number, text in passages if self._words in text)
        try:
            self._say(handler, f"{self._sentence} [{number}] And ")
            while not handler.stopping.wait(0.02):
                self._say(handler, "la ")
        except ConnectionError:
            self.left.set()

    def _say(self, handler, text):
        handler.wfile.write(f"data: {json.dumps(chunk(text))}\n\n".encode())
        handler.wfile.flush()
