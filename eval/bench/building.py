"""Part `build`: whole builds by the command line, in processes of their own.

Claim: a build costs little more than embedding its texts, and one after a small change costs by the change. Control:
the bare model on the same texts, for the chunks alone (all that a plain vector index embeds) and for chunks and
sentences (all that Byline embeds). CPU seconds are what to compare: they hold all of the process, its imports and the
loading of the model too, and are the least disturbed by whatever else the machine does.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.bench.corpus import MAX_ARTICLES, write_articles
from eval.bench.measure import MIB, Cost, Figure, Measured, figure, folder_bytes
from eval.bench.processes import Finished, byline_command, child_environment, run_process
from index.generation import Generation
from service.assembly import open_catalog
from service.settings import Settings

if TYPE_CHECKING:
    from eval.bench.bench import Bench
    from eval.bench.embedding import Passages

MORE_ARTICLES = 10
"""Articles that are added before the second build."""

_CHUNKS = "bare encode of the same chunks"
_ALL = "bare encode of the same chunks and sentences"
_BARE = "peak of a bare process"
_BY_TORCH = "the same build by torch fp32"


@dataclass(frozen=True, slots=True)
class Build:
    """A `byline build` and what it reported."""

    process: Finished
    report: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Built:
    """A corpus that was written, added and built; `generation` is its first one, opened, in `folder`."""

    corpus_bytes: int
    adding: Finished
    build: Build
    generation: Generation
    folder: Path


def build_corpus(settings: Settings, articles: Path, seed: int, count: int) -> Built:
    """Write articles to a folder, add them to the library and build the index, both by the command line.

    Raises:
        ChildFailed: A command failed.
    """
    size = write_articles(articles, seed, count)
    adding = run_process(byline_command("add", str(articles)), child_environment(settings))
    build = run_build(settings)
    catalog = open_catalog(settings.data)
    folder = catalog.folder(build.report["generation"])
    return Built(size, adding, build, Generation.open(folder), folder)


def run_build(settings: Settings) -> Build:
    """Run `byline build`.

    Raises:
        ChildFailed: It failed.
    """
    process = run_process(byline_command("build", "--json"), child_environment(settings))
    return Build(process, json.loads(process.stdout))


def _build_by_torch(bench: Bench) -> Build | None:
    """Build the same library by the reference, in a data folder of its own; None where that is not wanted."""
    if bench.by_torch is None:
        return None
    bench.note("Building the same by torch ...")
    other = bench.folder / "by-torch"
    shutil.copytree(bench.settings.data, other, ignore=shutil.ignore_patterns("index", "builds"))
    build = run_build(bench.by_torch.model_copy(update={"data": other}))
    shutil.rmtree(other)
    return build


def measure_build(bench: Bench) -> Measured:
    """Measure the part; every build is run once."""
    built, settings, plan = bench.built, bench.settings, bench.plan
    by_torch = _build_by_torch(bench)
    disk = folder_bytes(built.folder)
    bench.note(f"Adding {MORE_ARTICLES} articles and building again ...")
    first = min(plan.articles, MAX_ARTICLES - MORE_ARTICLES)
    more = bench.folder / "more"
    write_articles(more, plan.seed, MORE_ARTICLES, first=first)
    run_process(byline_command("add", str(more)), child_environment(settings))
    rebuilt = run_build(settings)
    bench.note("Building with nothing to do ...")
    idle = run_build(settings)
    passages = bench.passages
    figures = [
        _single("adding the articles", "articles/s", plan.articles / built.adding.cost.wall),
        *_whole(built, passages, bench.bare_peak_mib()),
        *_beside_torch(built.build, by_torch),
        _single("index on disk", "MiB", disk / MIB, built.corpus_bytes / MIB, "size of the articles"),
        *_again(f"rebuild after {MORE_ARTICLES} more articles", rebuilt, passages),
        *_again("rebuild with nothing to do", idle, passages),
    ]
    reports = {"build": built.build} | ({"by_torch": by_torch} if by_torch is not None else {})
    reports |= {"rebuild_added": rebuilt, "rebuild_idle": idle}
    details: dict[str, object] = {name: build_record(build) for name, build in reports.items()}
    counts = built.generation.manifest.counts
    return Measured(figures, details | {"chunks": counts.chunks, "sentences": counts.sentences, "index_bytes": disk})


def _whole(built: Built, passages: Passages, bare_peak_mib: float | None) -> list[Figure]:
    took, chunks = built.build.process.cost, built.generation.manifest.counts.chunks
    floor_rate = chunks / passages.bare_chunks.wall
    cpu = "whole build, CPU"
    figures = [
        _single("whole build", "s", took.wall, passages.bare_chunks.wall, _CHUNKS),
        _single(cpu, "s", took.cpu, passages.bare_chunks.cpu, _CHUNKS),
        _single(f"{cpu}, by chunks and sentences", "s", took.cpu, passages.bare_all.cpu, _ALL),
        _single("whole build, chunks", "chunks/s", chunks / took.wall, floor_rate, _CHUNKS),
        _single("share of sentence vectors in its CPU", "%", 100 * passages.our_sentences.cpu / took.cpu),
    ]
    peak = built.build.process.peak_bytes
    if peak is not None:
        figures.append(_single("whole build, peak memory", "MiB", peak / MIB, bare_peak_mib, _BARE))
    return figures


def _beside_torch(build: Build, by_torch: Build | None) -> list[Figure]:
    if by_torch is None:
        return []
    ours, torch = build.process.cost, by_torch.process.cost
    return [
        _single("whole build by torch", "s", torch.wall),
        _single("whole build by torch, CPU", "s", torch.cpu),
        _single("whole build beside torch", "s", ours.wall, torch.wall, _BY_TORCH),
        _single("whole build beside torch, CPU", "s", ours.cpu, torch.cpu, _BY_TORCH),
    ]


def _again(what: str, build: Build, passages: Passages) -> list[Figure]:
    took: Cost = build.process.cost
    return [
        _single(what, "s", took.wall, passages.bare_all.wall, _ALL),
        _single(f"{what}, CPU", "s", took.cpu, passages.bare_all.cpu, _ALL),
    ]


def _single(what: str, unit: str, value: float, base: float | None = None, floor: str | None = None) -> Figure:
    return figure("build", what, unit, [value], base=base, floor=floor)


def build_record(build: Build) -> dict[str, Any]:
    """Give what a build took and reported as JSON values."""
    return {
        "wall_seconds": build.process.cost.wall,
        "cpu_seconds": build.process.cost.cpu,
        "peak_bytes": build.process.peak_bytes,
        "report": build.report,
    }
