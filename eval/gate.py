"""The gate: whether a run is significantly worse than the baseline that is kept with the source."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from eval.compare import Row, differences
from eval.metrics import find_metric
from eval.records import Circumstances, Result, Run, by_id
from eval.sets.lines import DatasetError
from service.errors import first_fault

BASELINE = Path(__file__).with_name("baseline.json")

GATED = (
    "keys",
    "all_keys",
    "citation_precision",
    "citation_recall",
    "supported",
    "answered",
    "declined",
    "article.nDCG@10",
    "chunk.nDCG@10",
    "sentence.AP",
)
"""What may not get significantly worse. Times are not among them: they are the machine's, and have a benchmark."""

DIGITS = 4


class Baseline(BaseModel):
    """The metrics of every question of the run that is the measure, without its texts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["byline-baseline/1"] = "byline-baseline/1"
    circumstances: Circumstances
    metrics: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate found: the rows of the gated metrics, and in words what is wrong, nothing if it is passed."""

    rows: tuple[Row, ...]
    faults: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the run may stand."""
        return not self.faults


def baseline_of(run: Run) -> Baseline:
    """Take the gated metrics of a run of answers as a baseline.

    Raises:
        DatasetError: The run has several systems.
    """
    if len(run.systems) != 1:
        raise DatasetError(f"a baseline is of one system; the run has {', '.join(run.systems)}")
    return Baseline(circumstances=run.circumstances, metrics={one.id: _gated(one) for one in run.results})


def _gated(result: Result) -> dict[str, float]:
    """Give the gated metrics of a result, rounded: beyond that they differ from one processor to the next."""
    return {name: round(result.metrics[name], DIGITS) for name in GATED if name in result.metrics}


def write_baseline(baseline: Baseline, file: Path) -> None:
    """Write a baseline, one question a line, so that a change shows in a diff."""
    head = {"format": baseline.format, "circumstances": baseline.circumstances.model_dump(mode="json")}
    lines = [f"  {json.dumps(name)}: {json.dumps(dict(values))}" for name, values in sorted(baseline.metrics.items())]
    text = json.dumps(head, indent=1)[:-2] + ',\n "metrics": {\n' + ",\n".join(lines) + "\n }\n}\n"
    file.write_text(text, encoding="utf-8")


def read_baseline(file: Path) -> Baseline:
    """Read what `write_baseline` wrote.

    Raises:
        DatasetError: The file is missing or is no baseline.
    """
    try:
        return Baseline.model_validate_json(file.read_bytes())
    except OSError as error:
        raise DatasetError(
            f"the baseline {file} cannot be read: {error.strerror or error}; make one with 'byline eval gate --update'"
        ) from error
    except ValidationError as error:
        raise DatasetError(f"{file} is no baseline: {first_fault(error)}") from error


def gate(baseline: Baseline, run: Run) -> Verdict:
    """Judge a run by a baseline.

    A run fails if a gated metric is worse and the drop is significant (paired randomisation, Holm-corrected over
    the gated metrics, 5 %), if a quote is not verbatim, or if it is not a run of the same questions: then the
    baseline has to be made anew, on purpose.

    Raises:
        DatasetError: The run has several systems.
    """
    now = by_id(tuple(run.results))
    if len(now) != len(run.results):
        raise DatasetError(f"the gate judges one system; the run has {', '.join(run.systems)}")
    theirs, ours = baseline.circumstances, run.circumstances
    if theirs.set != ours.set or theirs.split != ours.split or theirs.set_sha256 != ours.set_sha256:
        return Verdict((), (_other_questions(theirs, ours),))
    if odd := now.keys() ^ baseline.metrics.keys():
        questions = "1 question" if len(odd) == 1 else f"{len(odd)} questions"
        return Verdict((), (f"{questions} ({', '.join(sorted(odd)[:5])}) stand in the run or in the baseline alone",))
    pairs = [
        (_with_metrics(now[name], values), _with_metrics(now[name], _gated(now[name])))
        for name, values in baseline.metrics.items()
    ]
    rows = tuple(differences(pairs, "all", GATED))
    lost = {name for values in baseline.metrics.values() for name in values} - {row.metric.name for row in rows}
    faults = [_drop(row) for row in rows if row.worse]
    faults += [f"{find_metric(name).label} is not measured any more" for name in GATED if name in lost]
    loose = [result.id for result in run.results if result.metrics.get("verbatim", 1) != 1]
    if loose:
        faults.append(f"quotes are not the exact words of their article in {', '.join(loose[:5])}")
    return Verdict(rows, tuple(faults))


def _with_metrics(now: Result, values: Mapping[str, float]) -> Result:
    """Give the result of now with other metrics: the baseline knows no texts."""
    return now.model_copy(update={"metrics": dict(values)})


def _drop(row: Row) -> str:
    d = row.difference
    return (
        f"{row.metric.label} fell from {d.before:.3f} to {d.after:.3f} "
        f"({d.change:+.3f}, 95 % interval {d.low:+.3f} to {d.high:+.3f}, adjusted p {row.adjusted:.4f}, n {d.n})"
    )


def _other_questions(theirs: Circumstances, ours: Circumstances) -> str:
    return (
        f"the run is of {ours.set!r} ({ours.split}, files {ours.set_sha256[:12]}), the baseline of {theirs.set!r} "
        f"({theirs.split}, files {theirs.set_sha256[:12]}); if the set was changed on purpose, make the baseline anew "
        "with 'byline eval gate --update' and say in the commit what moved"
    )
