"""Parts `build` and `idle`: the whole index by `byline build`, and the same command where nothing changed.

Claim: a whole build costs little more than embedding its texts, and one with nothing to do costs nothing that grows
with the library. Control: a bare process that encodes the texts of a sample of the articles; its rate gives the floor
for all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eval.bench.building import build_record
from eval.bench.indexing.articles import long_row
from eval.bench.indexing.bench import SAMPLE_ARTICLES
from eval.bench.measure import MIB, Measured, figure

if TYPE_CHECKING:
    from eval.bench.indexing.bench import IndexBench

_PEAK = "peak of the bare process"


def measure_build(bench: IndexBench) -> Measured:
    """Measure the first build, run once."""
    first, plan = bench.first, bench.plan
    took, chunks = first.build.process.cost, int(first.build.report["chunks_embedded"])
    sample = min(bench.count, SAMPLE_ARTICLES)
    bench.note(f"Embedding the texts of {sample} articles bare ...")
    texts = bench.texts_of([long_row(plan.seed, number, plan.long) for number in range(sample)])
    bare = bench.embed_bare(texts)
    share = chunks / len(texts[0])
    wall, cpu = bare.encoding.wall * share, bare.encoding.cpu * share
    floor = f"bare encode of the chunks and sentences of {sample} articles, by the number of chunks"
    figures = [
        figure("build", "adding the articles", "articles/s", [bench.count / first.adding.cost.wall]),
        figure("build", "whole build", "s", [took.wall], base=wall, floor=floor),
        figure("build", "whole build, CPU", "s", [took.cpu], base=cpu, floor=floor),
        figure("build", "whole build, chunks", "chunks/s", [chunks / took.wall], base=chunks / wall, floor=floor),
        figure("build", "chunks of an article", "chunks", [chunks / bench.count]),
        figure("build", "index on disk", "MiB", [first.index_bytes / MIB]),
        figure(
            "build",
            "data folder on disk",
            "MiB",
            [first.data_bytes / MIB],
            base=first.articles_bytes / MIB,
            floor="size of the articles as files",
        ),
    ]
    if (peak := first.build.process.peak_bytes) is not None:
        base = bare.process.peak_bytes / MIB if bare.process.peak_bytes is not None else None
        figures.insert(5, figure("build", "whole build, peak memory", "MiB", [peak / MIB], base=base, floor=_PEAK))
    details: dict[str, object] = {
        "build": build_record(first.build),
        "adding_seconds": first.adding.cost.wall,
        "articles_bytes": first.articles_bytes,
        "index_bytes": first.index_bytes,
        "data_bytes": first.data_bytes,
        "floor": {
            "articles": sample,
            "chunks": len(texts[0]),
            "sentences": len(texts[1]),
            "encoding_wall_seconds": bare.encoding.wall,
            "encoding_cpu_seconds": bare.encoding.cpu,
            "process_wall_seconds": bare.process.cost.wall,
            "process_peak_bytes": bare.process.peak_bytes,
        },
    }
    return Measured(figures, details)


def measure_idle(bench: IndexBench) -> Measured:
    """Measure `byline build` with nothing to do; n counts the rounds."""
    whole = bench.first.build.process.cost.wall
    bench.note("Building with nothing to do ...")
    builds = [bench.build() for _ in range(bench.plan.rounds)]
    walls = [build.process.cost.wall for build in builds]
    figures = [
        figure("idle", "byline build", "s", walls),
        figure("idle", "byline build, CPU", "s", [build.process.cost.cpu for build in builds]),
        figure("idle", "byline build, share of a whole build", "%", [100 * wall / whole for wall in walls]),
    ]
    return Measured(figures, {"builds": [build_record(build) for build in builds]})
