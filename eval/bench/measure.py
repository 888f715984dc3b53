"""Clocks and statistics: what a figure is made of."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass(frozen=True, slots=True)
class Cost:
    """What some work took, in seconds: on the wall's clock, and of the processors (all threads of the process)."""

    wall: float
    cpu: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.wall + other.wall, self.cpu + other.cpu)

    def __mul__(self, times: float) -> Cost:
        return Cost(self.wall * times, self.cpu * times)


NOTHING = Cost(0.0, 0.0)


def timed(work: Callable[[], object], *, settle_seconds: float = 0.0) -> Cost:
    """Do some work in this process and give what it took.

    Args:
        work: What is done.
        settle_seconds: How long the CPU is counted on after the end of the work, while this thread sleeps: threads
            of a library may spin on for milliseconds, and that is to count for what they did, not for what is next.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    took = time.perf_counter() - wall
    if settle_seconds:
        time.sleep(settle_seconds)
    return Cost(took, time.process_time() - cpu)


def total(costs: Iterable[Cost]) -> Cost:
    """Add up costs."""
    return sum(costs, start=NOTHING)


def percentile(values: Sequence[float], percent: float) -> float:
    """Give the value that `percent` of the values do not exceed, interpolated between the two nearest by rank.

    Args:
        values: At least one, in any order.
        percent: From 0 (the smallest) to 100 (the largest).

    Raises:
        ValueError: There are no values, or `percent` is out of range.
    """
    if not values or not 0 <= percent <= 100:
        raise ValueError(f"percentile {percent} of {len(values)} values; expected 0 to 100 and at least one value")
    return float(np.percentile(values, percent))


@dataclass(frozen=True, slots=True)
class Spread:
    """How some measurements of one thing lie; all in the unit of the thing."""

    n: int
    median: float
    smallest: float
    largest: float
    p95: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise measurements.

        Raises:
            ValueError: There are none.
        """
        return cls(len(values), percentile(values, 50), min(values), max(values), percentile(values, 95))


@dataclass(frozen=True, slots=True)
class Ratio:
    """One thing against another that was measured with it in pairs.

    Attributes:
        of_medians: The median of the one by the median of the other: what a user notices.
        of_pairs: The median of the ratios within pairs: a machine that slows down for a while moves it little.
    """

    of_medians: float
    of_pairs: float

    @classmethod
    def of(cls, values: Sequence[float], base: Sequence[float]) -> Ratio:
        """Compare `values` with `base`, pair by pair.

        Raises:
            ValueError: The two are not of the same number, or empty, or a base is not above 0.
        """
        if len(values) != len(base) or not values or min(base) <= 0:
            raise ValueError(f"{len(values)} values cannot be paired with {len(base)} of a base above 0")
        pairs = [value / beside for value, beside in zip(values, base, strict=True)]
        return cls(statistics.median(values) / statistics.median(base), statistics.median(pairs))


@dataclass(frozen=True, slots=True)
class Figure:
    """A line of the report.

    Attributes:
        part: The part of the benchmark that measured it.
        what: What was measured, unique in its part.
        unit: The unit of `value` and of the spread.
        value: The median, or the only measurement.
        n: Number of measurements behind it.
        smallest, largest, p95: How they lie; None for a single measurement.
        ratio: Against the floor, None where there is none to compare with. Of times, memory and CPU: how many times
            the floor's; of rates: what share of the floor's.
        ratio_of_pairs: The median of the ratios within pairs, where measurements were paired.
        floor: What the ratio compares with.
    """

    part: str
    what: str
    unit: str
    value: float
    n: int = 1
    smallest: float | None = None
    largest: float | None = None
    p95: float | None = None
    ratio: float | None = None
    ratio_of_pairs: float | None = None
    floor: str | None = None


def figure(
    part: str,
    what: str,
    unit: str,
    values: Sequence[float],
    *,
    base: Sequence[float] | float | None = None,
    floor: str | None = None,
) -> Figure:
    """Make a figure out of measurements.

    Args:
        part: The part of the benchmark.
        what: What was measured.
        unit: Unit of the measurements.
        values: At least one.
        base: The floor's measurements, paired with `values`; or one number for the ratio of the median to it.
        floor: What `base` is; the figure keeps it only where there is a base.
    """
    spread = Spread.of(values)
    many = spread.n > 1
    pairs = Ratio.of(values, base) if base is not None and not isinstance(base, float) else None
    if pairs is not None:
        ratio: float | None = pairs.of_medians
    else:
        ratio = spread.median / base if isinstance(base, float) and base > 0 else None
    return Figure(
        part=part,
        what=what,
        unit=unit,
        value=spread.median,
        n=spread.n,
        smallest=spread.smallest if many else None,
        largest=spread.largest if many else None,
        p95=spread.p95 if many else None,
        ratio=ratio,
        ratio_of_pairs=pairs.of_pairs if pairs is not None and many else None,
        floor=floor if ratio is not None else None,
    )


@dataclass(frozen=True, slots=True)
class Measured:
    """What a part of the benchmark found: figures for the table, and all that is behind them as JSON values."""

    figures: list[Figure] = field(default_factory=list)
    details: dict[str, object] = field(default_factory=dict)


MIB = 1024 * 1024


def memory_bytes(pid: int | str, name: str = "VmRSS") -> int | None:
    """Read a figure of a process's memory from the kernel: `VmRSS` now, `VmHWM` the most so far.

    Returns:
        Bytes; None where there is no /proc (not Linux) or the process has ended.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return None


def folder_bytes(folder: Path) -> int:
    """Add up the sizes of all files in a folder and its folders; a file of several names (hard links) counts once."""
    found = (path.stat() for path in folder.rglob("*") if path.is_file())
    return sum({(file.st_dev, file.st_ino): file.st_size for file in found}.values())
