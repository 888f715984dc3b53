"""A run of the benchmark of building: every size of library in turn, and its parts in order."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

from eval.bench.indexing.adding import measure_add
from eval.bench.indexing.bench import IndexBench, Part, Plan
from eval.bench.indexing.readers import measure_readers
from eval.bench.indexing.removing import measure_remove
from eval.bench.indexing.stand_in import describe_stand_in, make_stand_in, warning_of_stand_in
from eval.bench.indexing.whole import measure_build, measure_idle
from eval.bench.machine import circumstances, load_average
from eval.bench.measure import Measured
from eval.bench.report import BenchRun
from index.embedding import Embedder, load_embedder
from service.assembly import embedder_settings
from service.settings import Settings

# In this order: what needs no server comes before it is started, as a second process would share the machine.
_PARTS: dict[Part, Callable[[IndexBench], Measured]] = {
    "build": measure_build,
    "idle": measure_idle,
    "add": measure_add,
    "remove": measure_remove,
    "readers": measure_readers,
}


def run_index_bench(plan: Plan, settings: Settings, folder: Path, note: Callable[[str], None]) -> BenchRun:
    """Run a plan in a folder that the caller made for it and removes.

    Args:
        plan: What to measure.
        settings: Of this process, the model of the plan among them.
        folder: Empty; the data of one size at a time is in it.
        note: Told what is done next.

    Returns:
        The parts by the number of articles and their name, such as `1000 build`.

    Raises:
        ChildFailed: A process that was to be measured failed, or did not do what is to be measured.
        ModelRefused: The settings name no model that can be loaded.
    """
    made = circumstances(settings, asdict(plan))
    if plan.stand_in_layers is not None:
        model = make_stand_in(folder / "stand-in", plan.stand_in_layers)
        settings = settings.model_copy(update={"embedding_model": str(model)})
        made["settings"]["embedding_model"] = describe_stand_in(plan.stand_in_layers)
        made["notes"] = [warning_of_stand_in(plan.stand_in_layers)]

    @cache
    def cutter() -> Embedder:
        return load_embedder(embedder_settings(settings))

    parts: dict[str, Measured] = {}
    for count in plan.articles:
        place = folder / str(count)
        place.mkdir()
        with IndexBench(plan, count, settings, folder=place, cutter=cutter, note=note) as bench:
            for part, measure in _PARTS.items():
                if part in plan.parts:
                    name = f"{count} {part}"
                    measured = measure(bench)
                    figures = [replace(figure, part=name) for figure in measured.figures]
                    parts[name] = Measured(figures, measured.details)
        shutil.rmtree(place)
    return BenchRun(made | {"load_after": load_average()}, parts)
