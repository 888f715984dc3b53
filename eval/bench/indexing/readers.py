"""Part `readers`: what those who search notice of a build in the same server.

Claim: a build takes the processor that nobody else needs, so that those who search wait little longer. Control: the
same searches with nothing built, right before. Two loads: clients that search without pause, which by themselves take
all that the machine has, so that a build can only take it from them; and one client that pauses between its searches,
who meets an idle machine where nothing is built.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from eval.bench.indexing.api import Api
from eval.bench.indexing.articles import BATCH, Later
from eval.bench.measure import MIB, Figure, Measured, figure, memory_bytes, percentile
from eval.bench.processes import Server
from eval.bench.serving import Load, put_under_load, some_clients

if TYPE_CHECKING:
    from eval.bench.indexing.bench import IndexBench

Beside = Literal["nothing", "whole builds", "small builds"]

PAUSE_SECONDS = 0.2
"""Of the light load: somewhat below five searches a second."""

PERCENTS = (50, 95, 99)

_LOOK_SECONDS = 0.1
_BEGIN_SECONDS = 120.0
_ALONE = "the same load with nothing built"


@dataclass(slots=True)
class _Searched:
    """How a load went beside something: the load, the generations that its replies name, and the builds beside it."""

    load: Load
    generations: Counter[str] = field(default_factory=Counter)
    builds: Counter[str] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)


def measure_readers(bench: IndexBench) -> Measured:
    """Measure the part; n counts the searches that were answered 200."""
    figures: list[Figure] = []
    details: list[dict[str, Any]] = []
    for clients, pause in ((bench.plan.clients, 0.0), (1, PAUSE_SECONDS)):
        alone: Load | None = None
        for beside in get_args(Beside):
            searched = _search(bench, beside, clients=clients, pause=pause)
            alone = alone or searched.load
            figures += _figures(_name(clients, pause, beside), searched, alone)
            details.append(_json(searched, beside, clients=clients, pause=pause))
    peak = memory_bytes(bench.server.pid, "VmHWM")
    if peak is not None:
        figures.append(figure("readers", "server's memory at its peak", "MiB", [peak / MIB]))
    return Measured(figures, {"loads": details, "server_peak_bytes": peak})


def _search(bench: IndexBench, beside: Beside, *, clients: int, pause: float) -> _Searched:
    plan, server = bench.plan, bench.server
    seconds = plan.seconds if beside == "nothing" else plan.build_seconds
    bench.note(f"{_name(clients, pause, beside)}, for {seconds:g} s ...")
    searched = _Searched(Load(clients))

    def see(reply: bytes) -> None:
        searched.generations[str(json.loads(reply)["generation"])] += 1

    def load() -> Load:
        return put_under_load(
            server,
            "/v1/search",
            bench.texts(),
            clients=clients,
            seconds=seconds,
            pause_seconds=pause,
            see=see,
        )

    if beside == "nothing":
        searched.load = load()
        return searched
    batches = iter(bench.next_batch, None) if beside == "small builds" else None
    with _Builds(server, batches) as builds:
        searched.load = load()
    searched.builds, searched.phases = builds.ended, builds.phases
    return searched


class _Builds:
    """Builds of a server, one after another as long as its block lasts; the last is cancelled.

    Attributes:
        ended: Number of builds by how they ended.
        phases: How often a look at a build met it in a phase.
    """

    def __init__(self, server: Server, batches: Iterator[list[Later]] | None) -> None:
        """Prepare.

        Args:
            server: Whose builds.
            batches: Articles to add before each build; None for whole builds, of everything anew.
        """
        self.ended: Counter[str] = Counter()
        self.phases: Counter[str] = Counter()
        self._api = Api(server)
        self._batches = batches
        self._begun, self._over = threading.Event(), threading.Event()
        self._problem: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="builds", daemon=True)

    def __enter__(self) -> _Builds:
        self._thread.start()
        self._begun.wait(_BEGIN_SECONDS)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._over.set()
        if kind is not None:
            return  # whoever interrupts is not to wait for the build; the server's end ends it
        self._thread.join()
        self._api.close()
        if self._problem is not None:
            raise self._problem

    def _work(self) -> None:
        try:
            while not self._over.is_set():
                self._one()
        except Exception as problem:  # noqa: BLE001  # raised at the end of the block, in the thread of the caller
            self._problem = problem
        finally:
            self._begun.set()

    def _one(self) -> None:
        for one in next(self._batches) if self._batches is not None else ():
            self._api.add(one.row)
        build_id = self._api.start_build(full=self._batches is None)
        while (job := self._api.build(build_id))["finished_at"] is None:
            if job["state"] == "running":
                self._begun.set()
            if job["progress"] is not None:
                self.phases[str(job["progress"]["phase"])] += 1
            if self._over.wait(_LOOK_SECONDS):
                self._api.cancel_build(build_id)
                job = self._api.wait_for_build(build_id)
                break
        self.ended[str(job["state"])] += 1


def _name(clients: int, pause: float, beside: Beside) -> str:
    what = {"nothing": "nothing built", "whole builds": "whole builds", "small builds": f"builds of {BATCH} more"}
    return f"{some_clients(clients)}{', pausing' if pause else ''}, {what[beside]}"


def _figures(what: str, searched: _Searched, alone: Load) -> Iterator[Figure]:
    load = searched.load
    n, same = len(load.latencies), load is alone
    rate = figure("readers", what, "searches/s", [load.rate], base=None if same else alone.rate, floor=_ALONE)
    yield replace(rate, n=n)
    for percent in PERCENTS if n else ():
        value = percentile(load.latencies, percent) * 1000
        base = None if same or not alone.latencies else percentile(alone.latencies, percent) * 1000
        yield replace(figure("readers", f"{what}, p{percent}", "ms", [value], base=base, floor=_ALONE), n=n)
    if n:
        yield replace(figure("readers", f"{what}, longest", "ms", [max(load.latencies) * 1000]), n=n)
    yield figure("readers", f"{what}, generations in the replies", "generations", [float(len(searched.generations))])
    if load.errors:
        errors = ", ".join(f"{count} × {outcome}" for outcome, count in load.errors.items())
        yield figure("readers", f"{what}, errors: {errors}", "searches", [float(sum(load.errors.values()))])


def _json(searched: _Searched, beside: Beside, *, clients: int, pause: float) -> dict[str, Any]:
    load = searched.load
    return {
        "clients": clients,
        "pause_seconds": pause,
        "beside": beside,
        "seconds": load.seconds,
        "outcomes": dict(load.outcomes),
        "errors": load.errors,
        "generations": dict(searched.generations),
        "builds": dict(searched.builds),
        "looks_by_phase": dict(searched.phases),
        "client_cpu_seconds": load.client_cpu_seconds,
        "ran_out_of_questions": load.ran_out,
        "latencies_ms": [latency * 1000 for latency in load.latencies],
    }
