"""Part `load`: a real server under many more clients than it can answer, patient ones and rude ones.

Claim: it answers only 200, 429 and 503, says that it lives within a tenth of a second throughout, answers as many
questions as ever, and holds no more memory, descriptors or tasks afterwards. Control: the same server under 32 clients
just before; its memory, descriptors and tasks are compared with those behind that.
Clients are a process of their own (`eval.bench.load_clients`), another connection asks `/livez` meanwhile, every
twentieth of a second, and a new one in turn with it. All share the machine's cores with the server.
"""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from eval.bench.load_clients import END_SECONDS, Manner, Orders, Tally
from eval.bench.measure import MIB, Figure, Measured, figure, memory_bytes, percentile
from eval.bench.processes import ChildFailed, Server, child_environment, serving

if TYPE_CHECKING:
    from eval.bench.bench import Bench

USUAL_CLIENTS = 32
USUAL_SECONDS = 5.0
REST_SECONDS = 10.0
"""Behind a load, before it is looked what the server still holds: longer than it keeps connections."""

PROBE_SECONDS = 0.05
MAX_QUESTIONS = 40_000
_ANSWERED, _REFUSED = ("200",), ("429", "503")
_TASKS = re.compile(r"^byline_event_loop_tasks ([0-9.]+)$", re.MULTILINE)
_BEFORE = "the same after 32 clients"


@dataclass(frozen=True, slots=True)
class Held:
    """What a server holds; None where the system, or the server, does not tell."""

    memory_bytes: int | None
    descriptors: int | None
    tasks: int | None

    @classmethod
    def by(cls, server: Server) -> Held:
        """Look at a server."""
        folder = Path(f"/proc/{server.pid}/fd")
        descriptors = len(list(folder.iterdir())) if folder.is_dir() else None
        tasks = _TASKS.search(_get(server, "/metrics").decode("utf-8", "replace"))
        return cls(memory_bytes(server.pid), descriptors, int(float(tasks[1])) if tasks else None)


class Prober:
    """Asks a server whether it lives, from a thread, on one connection that stays and on new ones in turn."""

    def __init__(self, server: Server) -> None:
        self.latencies: list[float] = []
        self.failures: Counter[str] = Counter()
        self._server = server
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prober")

    def __enter__(self) -> Prober:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        kept = http.client.HTTPConnection(self._server.host, self._server.port, timeout=30)
        turn = 0
        while not self._stopped.wait(PROBE_SECONDS):
            turn += 1
            began = time.perf_counter()
            new = http.client.HTTPConnection(self._server.host, self._server.port, timeout=30)
            connection = kept if turn % 2 else new
            try:
                connection.request("GET", "/livez")
                response = connection.getresponse()
                response.read()
                if response.status != http.HTTPStatus.OK:
                    self.failures[str(response.status)] += 1
            except (OSError, http.client.HTTPException) as error:
                self.failures[type(error).__name__] += 1
                connection.close()
            finally:
                new.close()
            self.latencies.append(time.perf_counter() - began)
        kept.close()


def measure_load(bench: Bench) -> Measured:
    """Measure the part: each kind of clients at a server that was just started."""
    figures: list[Figure] = []
    details: dict[str, object] = {}
    _ = bench.built
    manners: tuple[Manner, ...] = get_args(Manner)
    known = [one.text for one in bench.next_questions(MAX_QUESTIONS)]
    if len(known) < 2 * len(manners):
        raise ChildFailed("no questions are left for the load; run it by --only load, or with more --articles")
    for turn, manner in enumerate(manners):
        bench.note(f"{bench.plan.load_clients} {manner} clients for {bench.plan.load_seconds:g} s ...")
        questions = known[turn :: len(manners)]
        with serving(bench.settings) as server:
            articles = [one["article_id"] for one in json.loads(_get(server, "/v1/articles?limit=100"))["data"]]
            share = len(questions) // 8 or 1
            usual = Orders(
                host=server.host,
                port=server.port,
                clients=USUAL_CLIENTS,
                seconds=USUAL_SECONDS,
                manner="patient",
                questions=questions[:share],
                articles=articles,
            )
            before_load = _clients(bench, usual)
            before = Held.by(server)
            load = replace(
                usual,
                clients=bench.plan.load_clients,
                seconds=bench.plan.load_seconds,
                manner=manner,
                questions=questions[share:],
            )
            with Prober(server) as prober:
                tally = _clients(bench, load)
            time.sleep(REST_SECONDS)
            after = Held.by(server)
        figures += _figures(f"{bench.plan.load_clients} {manner} clients", tally, prober, before_load)
        figures += _held(manner, before, after)
        details[manner] = {
            "before": asdict(before),
            "after": asdict(after),
            "usual": asdict(before_load),
            "load": asdict(tally),
            "livez_ms": [latency * 1000 for latency in prober.latencies],
            "livez_failures": dict(prober.failures),
        }
    return Measured(figures, details)


def _clients(bench: Bench, orders: Orders) -> Tally:
    """Run the process of the clients."""
    done = subprocess.run(  # our own module
        [sys.executable, "-P", "-m", "eval.bench.load_clients"],
        env=child_environment(bench.settings),
        input=json.dumps(asdict(orders)),
        capture_output=True,
        text=True,
        timeout=orders.seconds + 2 * END_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise ChildFailed(f"the clients ended with exit code {done.returncode}: {done.stderr[-500:]}")
    return Tally(**json.loads(done.stdout))


def _get(server: Server, path: str) -> bytes:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


def _figures(who: str, tally: Tally, prober: Prober, usual: Tally) -> list[Figure]:
    counts: Counter[str] = Counter()
    for of_kind in tally.outcomes.values():
        counts.update(of_kind)
    answered_usually = sum(of_kind.get("200", 0) for of_kind in usual.outcomes.values()) / usual.seconds
    figures = [
        figure(
            "load", f"{who}, answered 200", "requests/s", [counts["200"] / tally.seconds],
            base=answered_usually, floor="answers a second to 32 clients",
        )
    ]  # fmt: skip
    for what, names in (("answers", _ANSWERED), ("refusals", _REFUSED)):
        latencies = [latency for name in names for latency in tally.latencies_ms.get(name, ())]
        if latencies:
            figures.append(figure("load", f"{who}, {what}", "ms", latencies))
    milliseconds = [latency * 1000 for latency in prober.latencies]
    figures.append(figure("load", f"{who}, /livez meanwhile", "ms", milliseconds))
    figures.append(figure("load", f"{who}, /livez meanwhile, p99", "ms", [percentile(milliseconds, 99)]))
    late = sum(latency > 100 for latency in milliseconds) + prober.failures.total()
    figures.append(figure("load", f"{who}, /livez later than 100 ms or failed", "requests", [float(late)]))
    others = {name: count for name, count in sorted(counts.items()) if name not in (*_ANSWERED, *_REFUSED)}
    told = ", ".join(f"{count} × {name}" for name, count in others.items()) or "none"
    figures.append(
        figure("load", f"{who}, neither answer nor refusal: {told}", "requests", [float(sum(others.values()))])
    )
    return figures


def _held(manner: str, before: Held, after: Held) -> list[Figure]:
    figures = []
    for what, unit, then, now in (
        ("server's memory", "MiB", before.memory_bytes, after.memory_bytes),
        ("server's descriptors", "descriptors", before.descriptors, after.descriptors),
        ("server's tasks", "tasks", before.tasks, after.tasks),
    ):
        if then and now:
            size = MIB if unit == "MiB" else 1
            name = f"{what} after {manner} clients"
            figures.append(figure("load", name, unit, [now / size], base=then / size, floor=_BEFORE))
    return figures
