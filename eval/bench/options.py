"""What the commands of the benchmark share: options that are lists, and the end of a run.

What is heavy is imported inside the functions, so that `byline --help` stays fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from eval.bench.report import BenchRun

MAX_CLIENTS = 256
MAX_SECONDS = 120.0

Name = TypeVar("Name", bound=str)


def numbers_of(text: str, option: str, *, such_as: str, largest: int) -> tuple[int, ...]:
    """Read a list of numbers, each given once and in the order of the text.

    Raises:
        BadParameter: It is no list of numbers, or one is not from 1 to `largest`.
    """
    try:
        numbers = tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is no list of numbers; expected such as {such_as}", param_hint=option
        ) from error
    if not all(1 <= number <= largest for number in numbers):
        raise typer.BadParameter(f"{text!r} has a number that is not from 1 to {largest}", param_hint=option)
    return numbers


def parts_of(text: str | None, known: Sequence[Name]) -> tuple[Name, ...]:
    """Read the parts that `--only` names, in the order of the known ones; all where nothing is said.

    Raises:
        BadParameter: There is no part of a name.
    """
    if text is None:
        return tuple(known)
    wanted = [part.strip() for part in text.split(",")]
    for part in wanted:
        if part not in known:
            raise typer.BadParameter(
                f"there is no part {part!r}; the parts are {', '.join(known)}", param_hint="--only"
            )
    return tuple(part for part in known if part in wanted)


def report_run(run: BenchRun, out: Path | None, *, json: bool) -> None:
    """Write a run to a file where one is named, and print it: its table, or its document without the single results."""
    from eval.bench.report import bench_table, circumstances_line
    from eval.tables import show
    from service.console import say_json

    document = run.document()
    if out is not None:
        _write(document, out)
    if json:
        say_json({name: value for name, value in document.items() if name != "results"})
    else:
        show([bench_table(run), circumstances_line(run), *run.made.get("notes", ())])


def _write(document: dict[str, object], out: Path) -> None:
    import json

    out.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
