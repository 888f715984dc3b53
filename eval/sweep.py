"""A set run once for each combination of some settings, one row each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from eval.asking import Part
from eval.compare import differences
from eval.records import Run, by_id
from eval.running import run_set
from eval.statistics import Difference
from eval.watching import Watch
from index.embedding import load_embedder
from index.searcher import Mode
from service.assembly import embedder_settings
from service.errors import WrongUse
from service.settings import Settings

MOST = 64
"""Most combinations of one sweep: each is a run, and may be a build."""


@dataclass(frozen=True, slots=True)
class SweepRow:
    """One combination: the settings that vary, its run, and how it differs from the first row by one metric."""

    varied: Mapping[str, str]
    run: Run
    difference: Difference | None


def parse_grid(words: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Read `name=value,value …` into values by the name of a setting.

    Raises:
        WrongUse: A word has another form, names no setting or one twice, or there are too many combinations.
    """
    grid: dict[str, tuple[str, ...]] = {}
    count = 1
    for word in words:
        name, equals, values = word.partition("=")
        if not equals or not all(values.split(",")):
            raise WrongUse(f"{word!r} is not of the form NAME=VALUE,VALUE")
        if name not in Settings.model_fields or name in grid:
            fault = "is named twice" if name in grid else "is no setting; docs/settings.md lists the names"
            raise WrongUse(f"{name!r} {fault}")
        grid[name] = tuple(values.split(","))
        count *= len(grid[name])
    if not grid or count > MOST:
        raise WrongUse(f"the grid has {count if grid else 0} combinations; expected 1 to {MOST}")
    return grid


def sweep(
    name: str,
    grid: Mapping[str, Sequence[str]],
    load: Callable[[Mapping[str, str]], Settings],
    *,
    by: str,
    split: Part = "tune",
    mode: Mode | None = None,
    watch: Watch | None = None,
) -> Iterator[SweepRow]:
    """Run a set for every combination, the last setting varying fastest.

    Args:
        name: Of the set.
        grid: Values by setting.
        load: Makes the settings of the process with some of them replaced.
        by: The metric by which rows are compared with the first.
        split: Which half; the default leaves the other one unseen.
        mode: Rank by this mode and answer nothing.
        watch: Told of the progress.

    Raises:
        SettingsError: A value is out of range; all are checked before the first run.
        DatasetError: The set is malformed.
    """
    combinations = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    settings = [load(varied) for varied in combinations]
    first: Run | None = None
    wanted = embedder_settings(settings[0])
    embedder = load_embedder(wanted)
    for varied, one in zip(combinations, settings, strict=True):
        if embedder_settings(one) != wanted:
            wanted = embedder_settings(one)
            embedder = load_embedder(wanted)
        run = run_set(name, one, split=split, mode=mode, watch=watch, embedder=embedder)
        yield SweepRow(varied, run, _difference(first, run, by) if first else None)
        first = first or run


def _difference(first: Run, run: Run, by: str) -> Difference | None:
    # Of each the first system: with a BEIR set there are several, and the first is the product's own mode.
    before, after = by_id(first.of_system(first.systems[0])), by_id(run.of_system(run.systems[0]))
    rows = differences([(before[name], after[name]) for name in before if name in after], "all", [by])
    return rows[0].difference if rows else None
