"""A run of the benchmark: its parts in order, its JSON document and its table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from eval.bench.bench import Bench, Part, Plan
from eval.bench.building import measure_build
from eval.bench.embedding import measure_embedding
from eval.bench.load import measure_load
from eval.bench.machine import circumstances, load_average
from eval.bench.measure import MIB, Figure, Measured
from eval.bench.searching import measure_search
from eval.bench.serving import measure_http
from eval.bench.starting import measure_start
from service.settings import Settings

# In this order: a later part uses what an earlier one measured of the floor, where both run.
_PARTS: dict[Part, Callable[[Bench], Measured]] = {
    "start": measure_start,
    "build": measure_build,
    "embedding": measure_embedding,
    "search": measure_search,
    "http": measure_http,
    "load": measure_load,
}


@dataclass(frozen=True, slots=True)
class BenchRun:
    """What a run measured, by part, and under what circumstances; their `notes` are to be read with every figure."""

    made: Mapping[str, Any]
    parts: Mapping[str, Measured]

    @property
    def figures(self) -> list[Figure]:
        """All figures, part by part."""
        return [figure for measured in self.parts.values() for figure in measured.figures]

    def document(self) -> dict[str, object]:
        """Give the run as JSON values; `results` holds the single measurements by part."""
        return {
            "circumstances": dict(self.made),
            "figures": [asdict(figure) for figure in self.figures],
            "results": {part: measured.details for part, measured in self.parts.items()},
        }


def run_bench(plan: Plan, settings: Settings, folder: Path, note: Callable[[str], None]) -> BenchRun:
    """Run the parts of a plan over a data folder that the caller made for it and removes.

    Raises:
        ChildFailed: A process that was to be measured failed.
        ModelRefused: The settings name no model that can be loaded.
    """
    made = circumstances(settings, asdict(plan))
    bench = Bench(plan, settings, folder, note)
    parts: dict[str, Measured] = {part: measure(bench) for part, measure in _PARTS.items() if part in plan.parts}
    return BenchRun(made | {"load_after": load_average()}, parts)


def bench_table(run: BenchRun) -> Table:
    """Show all figures; a ratio to the floor of 1 is the floor itself."""
    machine, plan = run.made["machine"], run.made["parameters"]
    memory = machine["memory_bytes"] / MIB / 1024
    sizes = plan["articles"]
    articles = sizes if isinstance(sizes, int) else ", ".join(map(str, sizes))
    title = (
        f"{articles} articles, seed {plan['seed']} – {machine['cpu']}, {machine['cores']} cores, "
        f"{memory:.0f} GiB, Python {machine['python']}"
    )
    table = Table(title=title, title_justify="left", box=box.SIMPLE, show_edge=False, padding=(0, 1), pad_edge=False)
    table.add_column("what", no_wrap=True)
    table.add_column("figure", justify="right", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    table.add_column("ratio to floor", justify="right", no_wrap=True)
    table.add_column("n", justify="right", no_wrap=True)
    table.add_column("spread", justify="right", no_wrap=True)
    for part, measured in run.parts.items():
        table.add_section()
        for figure in measured.figures:
            table.add_row(
                f"{part}: {figure.what}",
                number(figure.value),
                figure.unit,
                ratio(figure),
                str(figure.n),
                spread(figure),
            )
    return table


def circumstances_line(run: BenchRun) -> str:
    """Say in a line what was run, with which libraries and settings, and how busy the machine was before and after."""
    made = run.made
    versions = ", ".join(f"{name} {made['versions'][name]}" for name in ("torch", "faiss-cpu"))
    usual = {name: field.default for name, field in Settings.model_fields.items()}
    changed = ", ".join(f"{name} {value}" for name, value in made["settings"].items() if value != usual[name])
    return (
        f"{made['date']}, Byline {made['byline_version']} at revision {str(made['git_revision'])[:12]}, {versions}, "
        f"settings: {changed or 'default'}; load {made['load_before']} before the run, {made['load_after']} at its end."
    )


def number(value: float) -> str:
    """Write a number with three digits that count: `0.0123`, `1.23`, `123`, `1,234`."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    digits = next(digits for digits, least in enumerate((10, 1, 0.1, 0.01, 0), start=1) if abs(value) >= least)
    return f"{value:.{digits}f}"


def ratio(figure: Figure) -> str:
    """Write the ratio of medians, and in brackets the median within pairs: `1.23 (1.25)`; a dash for none."""
    if figure.ratio is None:
        return "–"
    pairs = f" ({figure.ratio_of_pairs:.2f})" if figure.ratio_of_pairs is not None else ""
    return f"{figure.ratio:.2f}{pairs}"


def spread(figure: Figure) -> str:
    """Write the smallest and the largest measurement, with the 95th percentile of twenty and more."""
    if figure.smallest is None or figure.largest is None:
        return "–"
    ends = f"{number(figure.smallest)} – {number(figure.largest)}"
    return f"{ends}, p95 {number(figure.p95)}" if figure.p95 is not None and figure.n >= 20 else ends
