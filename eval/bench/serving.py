"""Part `http`: a real server under load from clients on this machine's loopback.

Claim: over HTTP Byline answers nearly as many questions a second as its model can encode, and more clients than cores
make nobody wait for more than their turn. Control: one question of the floor, asked in a loop: 1 / its median time; for
latency, that time once for each client, as if they took turns.
Each client keeps one connection, sends the next question as soon as it has the answer to the last, and no question is
asked twice. A level of load ends after its seconds, or with the questions; answers that are under way are waited for.
Clients and server share the machine: the CPU of the clients is reported, and is a part of what a level costs.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from eval.bench.measure import MIB, Figure, Measured, figure, memory_bytes, percentile
from eval.bench.processes import Server, serving

if TYPE_CHECKING:
    from eval.bench.bench import Bench

REQUEST_SECONDS = 60.0
"""After it a client gives a request up; it counts as an error."""

WARM_UP_REQUESTS = 20
MAX_REQUESTS = 20_000
"""Most requests of a level, whatever its seconds: a bound on what one run can send."""

ENDPOINTS = ("/v1/search", "/v1/chat")
_FLOOR = "1 / time of the floor for a question"
_BY_TORCH = "1 client of the same server by torch fp32"
_TURN = "time of the floor for one question of each client, one after another"


def body_of(endpoint: str, question: str) -> bytes:
    """Give the body of a question; an empty history has the server store nothing."""
    values = {"query": question} if endpoint == "/v1/search" else {"message": question, "history": []}
    return json.dumps(values).encode("utf-8")


@dataclass(frozen=True, slots=True)
class Response:
    """How a request ended: its status, or the name of the error where nothing answered, and what was answered."""

    outcome: str
    body: bytes = b""


class Client:
    """One connection to a server, kept open; not for several threads."""

    def __init__(self, host: str, port: int) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=REQUEST_SECONDS)

    def send(self, method: str, path: str, body: bytes | None = None) -> Response:
        """Send a request, with JSON where there is a body, and read all of its response."""
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            return Response(str(response.status), response.read())
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()  # the next request opens it again
            return Response(type(error).__name__)

    def post(self, endpoint: str, body: bytes) -> str:
        """Send a request and read all of its response.

        Returns:
            The status, or the name of the error where there was no response.
        """
        return self.send("POST", endpoint, body).outcome

    def get(self, path: str) -> int | None:
        """Get a path; gives the status, None where nothing answers."""
        outcome = self.send("GET", path).outcome
        return int(outcome) if outcome.isdecimal() else None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@dataclass(slots=True)
class Load:
    """How a level of load went.

    Attributes:
        seconds: From the first request to the last response.
        client_cpu_seconds: CPU that the clients themselves took.
        latencies: Of each request that was answered 200, in seconds.
        outcomes: Number of requests by status, or by the name of the error.
        ran_out: Whether the level ended because no question was left.
    """

    clients: int
    seconds: float = 0.0
    client_cpu_seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    ran_out: bool = False

    @property
    def rate(self) -> float:
        """Requests a second that were answered 200."""
        return len(self.latencies) / self.seconds if self.seconds > 0 else 0.0

    @property
    def errors(self) -> dict[str, int]:
        """Number of requests that were not answered 200, by status or error."""
        return {outcome: count for outcome, count in sorted(self.outcomes.items()) if outcome != "200"}


class _Level:
    """A level of load while it runs."""

    def __init__(
        self,
        server: Server,
        endpoint: str,
        questions: Iterator[str],
        *,
        clients: int,
        seconds: float,
        pause_seconds: float,
        see: Callable[[bytes], None] | None,
    ) -> None:
        self.load = Load(clients)
        self._server = server
        self._endpoint = endpoint
        self._questions = questions
        self._seconds = seconds
        self._pause_seconds = pause_seconds
        self._see = see
        self._taking = threading.Lock()
        self._stopped = threading.Event()
        self._began = self._cpu_began = 0.0
        self._all_here = threading.Barrier(clients, action=self._begin)

    def run(self) -> Load:
        clients = self.load.clients
        with ThreadPoolExecutor(clients, thread_name_prefix="client") as pool:
            try:
                for ended in [pool.submit(self._client) for _ in range(clients)]:
                    ended.result()
            except BaseException:
                # Whoever interrupts is not to wait for the end of the level.
                self._stopped.set()
                self._all_here.abort()
                raise
        self.load.seconds = time.perf_counter() - self._began
        self.load.client_cpu_seconds = time.process_time() - self._cpu_began
        return self.load

    def _begin(self) -> None:
        self._began, self._cpu_began = time.perf_counter(), time.process_time()

    def _client(self) -> None:
        client = Client(self._server.host, self._server.port)
        try:
            if (first := self._take()) is not None:
                client.post(self._endpoint, body_of(self._endpoint, first))
            self._all_here.wait(timeout=2 * REQUEST_SECONDS)
            while time.perf_counter() < self._began + self._seconds and (question := self._take()) is not None:
                body = body_of(self._endpoint, question)
                sent = time.perf_counter()
                response = client.send("POST", self._endpoint, body)
                self._keep(response, time.perf_counter() - sent)
                if self._pause_seconds:
                    self._stopped.wait(self._pause_seconds)
        finally:
            client.close()

    def _take(self) -> str | None:
        with self._taking:
            if self._stopped.is_set() or self.load.outcomes.total() >= MAX_REQUESTS:
                return None
            question = next(self._questions, None)
            self.load.ran_out = self.load.ran_out or question is None
            return question

    def _keep(self, response: Response, took: float) -> None:
        with self._taking:
            self.load.outcomes[response.outcome] += 1
            if response.outcome == "200":
                self.load.latencies.append(took)
                if self._see is not None:
                    self._see(response.body)


def put_under_load(
    server: Server,
    endpoint: str,
    questions: Iterator[str],
    *,
    clients: int,
    seconds: float,
    pause_seconds: float = 0.0,
    see: Callable[[bytes], None] | None = None,
) -> Load:
    """Ask a server by several clients at once for some seconds.

    Args:
        server: Where to send.
        endpoint: Path of the request.
        questions: Taken one by one, by whichever client is free.
        clients: Number of clients, above 0; each sends one question before the clock starts.
        seconds: How long new requests are sent.
        pause_seconds: How long a client waits between an answer and its next question.
        see: Called with each answer of status 200, by one thread at a time, after its time was taken.
    """
    return _Level(
        server, endpoint, questions, clients=clients, seconds=seconds, pause_seconds=pause_seconds, see=see
    ).run()


def measure_http(bench: Bench) -> Measured:
    """Measure the part: load by endpoint and number of clients, and the server's memory before and after."""
    plan = bench.plan
    floor_seconds = bench.question_floor_seconds()
    bare_peak = bench.bare_peak_mib()
    loads: dict[str, list[Load]] = {endpoint: [] for endpoint in ENDPOINTS}
    bench.note("Starting a server ...")
    with serving(bench.settings) as server:
        at_start = memory_bytes(server.pid)
        questions = _texts(bench)
        # No more at once than in the first level: the threads that more would wake change how the next ones run.
        warm_up = islice(questions, WARM_UP_REQUESTS)
        put_under_load(server, ENDPOINTS[0], warm_up, clients=plan.clients[0], seconds=plan.seconds)
        for endpoint in ENDPOINTS:
            for clients in plan.clients:
                bench.note(f"{some_clients(clients)} at {endpoint} for {plan.seconds:g} s ...")
                load = put_under_load(server, endpoint, questions, clients=clients, seconds=plan.seconds)
                loads[endpoint].append(load)
        memory = {
            "after the start": at_start,
            "after the load": memory_bytes(server.pid),
            "at its peak": memory_bytes(server.pid, "VmHWM"),
        }
    figures = [
        one for endpoint in ENDPOINTS for load in loads[endpoint] for one in _figures(endpoint, load, floor_seconds)
    ]
    alone_by_torch = _alone_by_torch(bench, questions)
    if alone_by_torch is not None:
        figures.append(figure("http", f"{ENDPOINTS[0]}, 1 client, by torch", "requests/s", [alone_by_torch.rate]))
        for load in loads[ENDPOINTS[0]]:
            what = f"{ENDPOINTS[0]}, {some_clients(load.clients)}, beside 1 client by torch"
            figures.append(figure("http", what, "requests/s", [load.rate], base=alone_by_torch.rate, floor=_BY_TORCH))
    figures += [
        figure("http", f"server's memory {when}", "MiB", [held / MIB], base=bare_peak, floor="peak of a bare process")
        for when, held in memory.items()
        if held is not None
    ]
    levels = [_details(endpoint, load) for endpoint in ENDPOINTS for load in loads[endpoint]]
    return Measured(figures, {"floor_seconds": floor_seconds, "levels": levels})


def _alone_by_torch(bench: Bench, questions: Iterator[str]) -> Load | None:
    """Give what one client gets from a server whose questions torch encodes; None where that is not wanted."""
    if bench.by_torch is None:
        return None
    bench.note(f"1 client at {ENDPOINTS[0]} of a server by torch ...")
    with serving(bench.by_torch) as server:
        put_under_load(server, ENDPOINTS[0], islice(questions, WARM_UP_REQUESTS), clients=1, seconds=bench.plan.seconds)
        return put_under_load(server, ENDPOINTS[0], questions, clients=1, seconds=bench.plan.seconds)


def _texts(bench: Bench) -> Iterator[str]:
    while question := bench.next_questions(1):
        yield question[0].text


def _figures(endpoint: str, load: Load, floor_seconds: float) -> Iterator[Figure]:
    where = f"{endpoint}, {some_clients(load.clients)}"
    n = len(load.latencies)
    rate = figure("http", where, "requests/s", [load.rate], base=1 / floor_seconds, floor=_FLOOR)
    yield replace(rate, n=n)
    if n:
        milliseconds = [latency * 1000 for latency in load.latencies]
        turn = load.clients * floor_seconds * 1000
        yield figure("http", f"{where}, latency", "ms", milliseconds, base=turn, floor=_TURN)
    if load.errors:
        errors = ", ".join(f"{count} × {outcome}" for outcome, count in load.errors.items())
        yield figure("http", f"{where}, errors: {errors}", "requests", [float(sum(load.errors.values()))])


def some_clients(clients: int) -> str:
    """Say how many clients, in words."""
    return "1 client" if clients == 1 else f"{clients} clients"


def _details(endpoint: str, load: Load) -> dict[str, Any]:
    latencies = [latency * 1000 for latency in load.latencies]
    return {
        "endpoint": endpoint,
        "clients": load.clients,
        "seconds": load.seconds,
        "requests_per_second": load.rate,
        "p50_ms": percentile(latencies, 50) if latencies else None,
        "p95_ms": percentile(latencies, 95) if latencies else None,
        "outcomes": dict(load.outcomes),
        "errors": load.errors,
        "client_cpu_seconds": load.client_cpu_seconds,
        "ran_out_of_questions": load.ran_out,
        "latencies_ms": latencies,
    }
