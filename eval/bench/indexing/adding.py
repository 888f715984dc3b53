"""Part `add`: ten more articles, by the command line and through a running server.

Claim: making ten more articles searchable costs what embedding them costs, however large the library is. Control: a
bare process that loads the model and encodes the very texts of the ten, start to end; right before the build that is
compared with it. A server has its model loaded: there, the encoding alone is the floor.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eval.bench.building import Build, build_record
from eval.bench.indexing.api import Api
from eval.bench.indexing.articles import BATCH
from eval.bench.indexing.floor import Embedded
from eval.bench.measure import MIB, Figure, Measured, figure

if TYPE_CHECKING:
    from eval.bench.indexing.bench import IndexBench

_BARE = "bare process that embeds the very texts, start to end"
_OWN = "by byline build"
_HTTP = "through a server"


@dataclass(frozen=True, slots=True)
class _Round:
    """Ten articles, embedded bare and then added and built by the command line; `grown_bytes` is what disk it took."""

    bare: Embedded
    chunks: int
    build: Build
    grown_bytes: int


@dataclass(frozen=True, slots=True)
class _Served:
    """Ten articles added over HTTP: seconds for all to be stored, and from the start of the build on."""

    storing: float
    succeeded: float
    found: float
    job: dict[str, Any]


def measure_add(bench: IndexBench) -> Measured:
    """Measure the part; n counts the rounds."""
    whole = bench.first.build.process.cost.wall
    rounds = [_by_command(bench, turn) for turn in range(bench.plan.rounds)]
    served = [_by_server(bench, turn) for turn in range(bench.plan.rounds)]
    figures = [*_own_figures(rounds, whole), *_served_figures(served, rounds, whole)]
    return Measured(figures, {"rounds": [_round_json(one) for one in rounds], "served": [_json(one) for one in served]})


def _by_command(bench: IndexBench, turn: int) -> _Round:
    bench.note(f"{BATCH} more articles, {turn + 1} of {bench.plan.rounds} ...")
    batch = bench.next_batch()
    texts = bench.texts_of([one.row for one in batch])
    bare = bench.embed_bare(texts)
    bench.add(batch)
    before = bench.index_bytes()
    build = bench.build()
    return _Round(bare, len(texts[0]), build, bench.index_bytes() - before)


def _by_server(bench: IndexBench, turn: int) -> _Served:
    server = bench.server
    bench.note(f"{BATCH} more articles through the server, {turn + 1} of {bench.plan.rounds} ...")
    batch = bench.next_batch()
    last = batch[-1]
    api = Api(server)
    try:
        began = time.perf_counter()
        ids = [api.add(one.row) for one in batch]
        storing = time.perf_counter() - began
        began = time.perf_counter()
        job = api.wait_for_build(api.start_build())
        succeeded = time.perf_counter() - began
        # Not before: in a large index a search takes enough of the processor to hold the build up.
        api.wait_until_found(last.word, ids[-1])
        found = time.perf_counter() - began
    finally:
        api.close()
    return _Served(storing, succeeded, found, job)


def _own_figures(rounds: list[_Round], whole: float) -> list[Figure]:
    bare = [one.bare.process.cost for one in rounds]
    own = [one.build.process.cost for one in rounds]
    walls, floors = [cost.wall for cost in own], [cost.wall for cost in bare]
    cpu, floor_cpu = [cost.cpu for cost in own], [cost.cpu for cost in bare]
    beyond = [wall - floor for wall, floor in zip(walls, floors, strict=True)]
    return [
        figure("add", f"floor, a bare process embeds {BATCH}", "s", floors),
        figure("add", "floor, its encoding alone", "s", [one.bare.encoding.wall for one in rounds]),
        figure("add", f"{BATCH} more {_OWN}", "s", walls, base=floors, floor=_BARE),
        figure("add", f"{BATCH} more {_OWN}, CPU", "s", cpu, base=floor_cpu, floor=_BARE),
        figure("add", f"{BATCH} more {_OWN}, beyond embedding", "s", beyond),
        figure("add", f"{BATCH} more {_OWN}, share of a whole build", "%", [100 * wall / whole for wall in walls]),
        figure("add", "index grew on disk by", "MiB", [one.grown_bytes / MIB for one in rounds]),
    ]


def _served_figures(served: list[_Served], rounds: list[_Round], whole: float) -> list[Figure]:
    floor = statistics.median(one.bare.process.cost.wall for one in rounds)
    succeeded, found = [one.succeeded for one in served], [one.found for one in served]
    what = f"{BATCH} more {_HTTP}"
    return [
        figure("add", f"{what}, storing them", "s", [one.storing for one in served]),
        figure("add", f"{what}, until the build has ended", "s", succeeded, base=floor, floor=_BARE),
        figure("add", f"{what}, until a search finds them", "s", found, base=floor, floor=_BARE),
        figure("add", f"{what}, beyond embedding", "s", [took - floor for took in found]),
        figure("add", f"{what}, share of a whole build", "%", [100 * took / whole for took in found]),
    ]


def _round_json(one: _Round) -> dict[str, Any]:
    return {
        "chunks": one.chunks,
        "floor_wall_seconds": one.bare.process.cost.wall,
        "floor_cpu_seconds": one.bare.process.cost.cpu,
        "floor_encoding_seconds": one.bare.encoding.wall,
        "grown_bytes": one.grown_bytes,
        "build": build_record(one.build),
    }


def _json(one: _Served) -> dict[str, Any]:
    return {
        "storing_seconds": one.storing,
        "succeeded_seconds": one.succeeded,
        "found_seconds": one.found,
        "build": one.job,
    }
