"""Many clients of one server, in a process of their own with one thread: little is computed for a request.

Run as `python -m eval.bench.load_clients`: what to do comes as one JSON document on standard input (`Orders`), what
came of it goes as one to standard output (`Tally`). Only the standard library is imported.
"""

from __future__ import annotations

import heapq
import json
import random
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import cycle
from typing import Literal

Manner = Literal["patient", "rude"]
"""What clients do when they are refused: wait as `Retry-After` says and up to as long again, or ask again at once."""

MIX = ("chat", "chat", "search", "stream", "chat", "search", "article", "stream", "chat", "search")
"""What a client asks for, one after another; each begins at another place."""

GIVE_UP_SECONDS = 60.0
"""After it a request that is not answered counts as an error."""

END_SECONDS = 40.0
"""What requests that are under way at the end get."""

_READ_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class Orders:
    """What the clients are to do; `questions` are taken one by one, and must be enough."""

    host: str
    port: int
    clients: int
    seconds: float
    manner: Manner
    questions: list[str]
    articles: list[str]
    seed: int = 7


@dataclass(slots=True)
class Tally:
    """What came of it.

    Attributes:
        outcomes: Number of requests by kind, then by status or by the name of what went wrong.
        latencies_ms: By status, from the first byte sent to the last one received.
        stale: Requests sent again as the server had closed a connection that rested.
        ran_out: Whether questions were asked again because there were no more.
        cpu_seconds: CPU that the clients took.
    """

    outcomes: dict[str, dict[str, int]] = field(default_factory=dict)
    latencies_ms: dict[str, list[float]] = field(default_factory=dict)
    stale: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    ran_out: bool = False

    def count(self, kind: str, outcome: str, latency_ms: float) -> None:
        """Take down a request that has ended."""
        of_kind = self.outcomes.setdefault(kind, {})
        of_kind[outcome] = of_kind.get(outcome, 0) + 1
        self.latencies_ms.setdefault(outcome, []).append(latency_ms)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response: its status, whether the connection stays, and when to come back (0 where it does not say)."""

    status: int
    stays: bool
    retry_after: float
    body: bytes


def read_answer(received: bytes | bytearray, *, ended: bool) -> Answer | None:
    """Read a response off what was received; None while it is not whole.

    Args:
        received: All bytes since the request.
        ended: Whether the server has closed the connection.
    """
    head, mark, body = bytes(received).partition(b"\r\n\r\n")
    if not mark:
        return None
    lines = head.lower().split(b"\r\n")
    headers = {name: value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
    length = headers.get(b"content-length")
    if length is not None:
        whole = len(body) >= int(length)
    elif headers.get(b"transfer-encoding") == b"chunked":
        whole = body.endswith(b"0\r\n\r\n")
    else:
        whole = ended
    if not whole:
        return None
    stays = headers.get(b"connection") != b"close" and not ended
    return Answer(int(lines[0].split(b" ", 2)[1]), stays, float(headers.get(b"retry-after", 0)), body)


class _Client:
    """One client: at most one connection, at most one request under way."""

    __slots__ = ("body", "kind", "received", "reused", "sent_at", "socket", "tries", "turns", "unsent")

    def __init__(self, turn: int) -> None:
        self.turns = cycle(MIX[turn % len(MIX) :] + MIX[: turn % len(MIX)])
        self.socket: socket.socket | None = None
        self.kind = ""
        self.body = self.unsent = b""
        self.received = bytearray()
        self.sent_at = 0.0
        self.reused = False
        self.tries = 0


class Crowd:
    """All clients, and the loop that moves them."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._tally = Tally()
        self._dice = random.Random(orders.seed)  # noqa: S311  # when to come back is no secret
        self._selector = selectors.DefaultSelector()
        self._questions = self._taken()
        self._articles = cycle(orders.articles)
        if not (orders.questions and orders.articles):
            raise ValueError("there is no question, or no article, to ask for")
        self._asleep: list[tuple[float, int, _Client]] = []
        self._busy: set[_Client] = set()
        self._naps = 0
        self._ends_at = 0.0

    def run(self) -> Tally:
        """Ask until the seconds are over, wait for what is under way, and give what came of it."""
        began, cpu = time.perf_counter(), time.process_time()
        self._ends_at = began + self._orders.seconds
        clients = [_Client(turn) for turn in range(self._orders.clients)]
        for client in clients:
            self._next(client)
        looked = began
        while self._busy or (self._asleep and time.perf_counter() < self._ends_at):
            now = time.perf_counter()
            if now > self._ends_at + END_SECONDS:
                break
            while self._asleep and self._asleep[0][0] <= now:
                self._send(heapq.heappop(self._asleep)[2])
            due = self._asleep[0][0] - now if self._asleep else 1.0
            for key, events in self._selector.select(min(max(due, 0.0), 1.0)):
                self._move(key.data, events)
            if now - looked > 1:
                looked = now
                self._give_up(now)
        for client in self._busy:
            self._tally.count(client.kind, "no answer", 0.0)
        for client in clients:
            self._close(client)
        self._selector.close()
        self._tally.seconds = min(time.perf_counter() - began, self._orders.seconds)
        self._tally.cpu_seconds = time.process_time() - cpu
        return self._tally

    def _taken(self) -> Iterator[str]:
        while True:
            yield from self._orders.questions
            self._tally.ran_out = True

    def _next(self, client: _Client) -> None:
        """Have a client ask something new."""
        client.kind = next(client.turns)
        client.tries = 0
        client.body = self._request(client.kind)
        self._send(client)

    def _request(self, kind: str) -> bytes:
        host = f"Host: {self._orders.host}:{self._orders.port}"
        if kind == "article":
            return f"GET /v1/articles/{next(self._articles)} HTTP/1.1\r\n{host}\r\n\r\n".encode()
        question = next(self._questions)
        values: dict[str, object] = {"query": question} if kind == "search" else {"message": question, "history": []}
        if kind == "stream":
            values["stream"] = True
        path = "search" if kind == "search" else "chat"
        body = json.dumps(values).encode()
        lines = [f"POST /v1/{path} HTTP/1.1", host, "Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + body

    def _send(self, client: _Client) -> None:
        if time.perf_counter() >= self._ends_at:
            self._close(client)
            return
        self._busy.add(client)
        client.unsent = client.body
        client.received.clear()
        client.sent_at = time.perf_counter()
        client.reused = client.socket is not None
        if client.socket is None:
            client.socket = socket.socket()
            client.socket.setblocking(False)
            client.socket.connect_ex((self._orders.host, self._orders.port))
            self._selector.register(client.socket, selectors.EVENT_WRITE, client)
        else:
            self._write(client)

    def _move(self, client: _Client, events: int) -> None:
        if client.socket is None:
            return
        if events & selectors.EVENT_WRITE:
            self._write(client)
        if events & selectors.EVENT_READ:
            self._read(client)

    def _write(self, client: _Client) -> None:
        assert client.socket is not None  # noqa: S101  # the type's sake: the caller has looked
        try:
            sent = client.socket.send(client.unsent)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._lost(client, type(error).__name__)
            return
        client.unsent = client.unsent[sent:]
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.unsent else 0)
        self._selector.modify(client.socket, wanted, client)

    def _read(self, client: _Client) -> None:
        assert client.socket is not None  # noqa: S101  # the type's sake: the caller has looked
        try:
            data = client.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(client, type(error).__name__)
            return
        client.received += data
        if client not in self._busy:  # it rests: whatever comes, its next request needs another connection
            self._close(client)
        elif (answer := read_answer(client.received, ended=not data)) is not None:
            self._answered(client, answer)
        elif not data:
            self._lost(client, "closed")

    def _answered(self, client: _Client, answer: Answer) -> None:
        outcome = str(answer.status)
        if client.kind == "stream" and outcome == "200" and b"event: done\n" not in answer.body:
            outcome = "200 without done"
        self._ended(client, outcome)
        if not answer.stays:
            self._close(client)
        if answer.status not in (429, 503):
            self._next(client)
        elif self._orders.manner == "rude":
            self._send(client)
        else:
            self._nap(client, answer.retry_after * self._dice.uniform(1, 2))

    def _ended(self, client: _Client, outcome: str) -> None:
        self._busy.discard(client)
        self._tally.count(client.kind, outcome, (time.perf_counter() - client.sent_at) * 1000)

    def _nap(self, client: _Client, seconds: float) -> None:
        self._naps += 1
        heapq.heappush(self._asleep, (time.perf_counter() + seconds, self._naps, client))

    def _lost(self, client: _Client, reason: str) -> None:
        """Go on after a connection has broken; one that rested before is opened again, as every HTTP client does."""
        rested = client.reused and not client.received and not client.tries
        self._close(client)
        if client not in self._busy:
            return
        if rested:
            client.tries += 1
            self._tally.stale += 1
            self._send(client)
        else:
            self._ended(client, reason)
            self._nap(client, 0.1)

    def _give_up(self, now: float) -> None:
        for client in [client for client in self._busy if now - client.sent_at > GIVE_UP_SECONDS]:
            self._close(client)
            self._ended(client, "gave up")
            self._nap(client, 0.1)

    def _close(self, client: _Client) -> None:
        if client.socket is not None:
            self._selector.unregister(client.socket)
            client.socket.close()
            client.socket = None


def main() -> None:
    """Follow the orders on standard input."""
    tally = Crowd(Orders(**json.load(sys.stdin))).run()
    json.dump(asdict(tally), sys.stdout)


if __name__ == "__main__":
    main()
