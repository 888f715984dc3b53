"""Part `remove`: ten articles fewer, and back to the generation before, beside a running server.

Claim: what is removed is found no more, and neither the build after it nor a rollback costs anything that grows with
the library. There is no floor: nothing has to be embedded.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eval.bench.building import Build, build_record
from eval.bench.indexing.api import LOOK_SECONDS, Api, Watch
from eval.bench.indexing.articles import BATCH, Later
from eval.bench.measure import Figure, Measured, figure
from eval.bench.processes import ChildFailed

if TYPE_CHECKING:
    from eval.bench.indexing.bench import IndexBench

_SEARCH_SECONDS = 0.25
"""Between two searches beside a build: in a large index each takes a core for some time that the build could use."""


@dataclass(frozen=True, slots=True)
class _Removal:
    """Ten articles removed one by one, and the build after it.

    Attributes:
        answered: Seconds until a DELETE was answered, by article.
        gone_at_once: How many the very next search did not find.
        until_gone: Seconds from the last DELETE until no search found what it removed.
        build: `byline build`, in a process of its own beside the server.
    """

    answered: list[float]
    gone_at_once: int
    until_gone: float
    build: Build


@dataclass(frozen=True, slots=True)
class _Rollback:
    """A `byline index rollback`: seconds from its start to its end, and until the server served the generation."""

    generation: str
    ended: float
    served: float


def measure_remove(bench: IndexBench) -> Measured:
    """Measure the part; n counts the articles, builds and rollbacks."""
    whole = bench.first.build.process.cost.wall
    api = Api(bench.server)
    try:
        batch = _searchable_batch(bench, api)
        bench.note(f"Removing {BATCH} articles and building ...")
        removal = _remove(bench, api, batch)
        bench.note("Rolling back, and forth again ...")
        newest, before = _newest_two(bench, api, removal.build)
        rollbacks = [_roll_back(bench, generation) for generation in (before, newest)]
    finally:
        api.close()
    details: dict[str, object] = {
        "answered_seconds": removal.answered,
        "gone_at_once": removal.gone_at_once,
        "until_gone_seconds": removal.until_gone,
        "build": build_record(removal.build),
        "rollbacks": [
            {"generation": one.generation, "ended_seconds": one.ended, "served_seconds": one.served}
            for one in rollbacks
        ],
    }
    return Measured(_figures(removal, rollbacks, whole), details)


def _searchable_batch(bench: IndexBench, api: Api) -> list[Later]:
    """Add the articles that are to be removed, each with a word by which it is found."""
    batch = bench.next_batch()
    for one in batch:
        api.add(one.row)
    api.wait_for_build(api.start_build())
    for one in batch:
        api.wait_until_found(one.word, one.id)
    return batch


def _remove(bench: IndexBench, api: Api, batch: list[Later]) -> _Removal:
    answered: list[float] = []
    gone: list[bool] = []
    began = gone_at = 0.0
    for one in batch:
        began = time.perf_counter()
        api.remove(one.id)
        answered.append(time.perf_counter() - began)
        gone.append(not api.finds(one.word, one.id))
        gone_at = time.perf_counter()
    last = batch[-1]
    with Watch(bench.server, lambda own: not own.finds(last.word, last.id), pause_seconds=_SEARCH_SECONDS) as watch:
        build = bench.build()
        if not gone[-1]:
            gone_at = watch.wait("a removed article was still found")
    if still := [one.id for one in batch if api.finds(one.word, one.id)]:
        raise ChildFailed(f"{len(still)} removed articles are still found after the build")
    return _Removal(answered, sum(gone), gone_at - began, build)


def _newest_two(bench: IndexBench, api: Api, build: Build) -> tuple[str, str]:
    """Give the names of the generation that was just built, once it is served, and of the one before it."""
    newest = str(build.report["generation"])
    with Watch(bench.server, lambda own: own.serves() == newest, pause_seconds=LOOK_SECONDS) as watch:
        watch.wait(f"generation {newest} was not served")
    older = [str(one["generation"]) for one in api.index()["generations"] if str(one["generation"]) < newest]
    if not older:
        raise ChildFailed("there is no older generation to go back to; set keep_generations above 1")
    return newest, max(older)


def _roll_back(bench: IndexBench, generation: str) -> _Rollback:
    with Watch(bench.server, lambda own: own.serves() == generation, pause_seconds=LOOK_SECONDS) as watch:
        began = time.perf_counter()
        ended = bench.byline("index", "rollback", generation).cost.wall
        served = watch.wait(f"generation {generation} was not served") - began
    return _Rollback(generation, ended, served)


def _figures(removal: _Removal, rollbacks: list[_Rollback], whole: float) -> list[Figure]:
    wall = removal.build.process.cost.wall
    return [
        figure("remove", "removing an article", "ms", [seconds * 1000 for seconds in removal.answered]),
        figure("remove", f"found no more by the next search, of {BATCH}", "articles", [float(removal.gone_at_once)]),
        figure("remove", "until the last is found no more", "s", [removal.until_gone]),
        figure("remove", f"{BATCH} fewer by byline build", "s", [wall]),
        figure("remove", f"{BATCH} fewer by byline build, share of a whole build", "%", [100 * wall / whole]),
        figure("remove", "byline index rollback", "s", [one.ended for one in rollbacks]),
        figure("remove", "byline index rollback, until it is served", "s", [one.served for one in rollbacks]),
    ]
