"""`byline eval bench`: measures how fast Byline is here, beside the bare model and index.

What is heavy is imported inside the function, so that `byline --help` stays fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eval.options import JsonOption, OutOption, require_folder
from service.settings import load_settings

if TYPE_CHECKING:
    from eval.bench.bench import Part
    from eval.bench.report import BenchRun

MAX_CLIENTS = 256
MAX_SECONDS = 120.0

app = typer.Typer(help="Measure speed and memory on this machine, beside the least that the same work costs here.")


@app.callback(invoke_without_command=True)
def bench(
    context: typer.Context,
    articles: Annotated[int, typer.Option(min=1, max=100_000, help="Synthetic articles to index.")] = 200,
    questions: Annotated[int, typer.Option(min=1, max=10_000, help="Questions asked in process.")] = 100,
    clients: Annotated[str, typer.Option(metavar="N,N,…", help="Clients at once, by level of load.")] = "1,8,32",
    seconds: Annotated[float, typer.Option(min=0.1, max=MAX_SECONDS, help="Seconds of a level of load.")] = 5.0,
    cold_starts: Annotated[int, typer.Option(min=1, max=50, help="Times that processes are started.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives other articles and questions.")] = 7,
    only: Annotated[
        str | None, typer.Option(metavar="PART,…", help="Of embedding, build, search, start, http; all by default.")
    ] = None,
    out: OutOption = None,
    json: JsonOption = False,
) -> None:
    """Measure speed and memory on this machine, beside the least that the same work costs here.

    Everything happens in a temporary folder; your data is not touched.
    """
    if context.invoked_subcommand is not None:
        return
    import tempfile

    from eval.bench.bench import Plan
    from eval.bench.processes import ended_by_sigterm
    from eval.bench.report import run_bench
    from service.console import note

    plan = Plan(articles, questions, _clients(clients), seconds, cold_starts, seed, _parts(only))
    require_folder(out)
    settings = load_settings()
    with ended_by_sigterm(), tempfile.TemporaryDirectory(prefix="byline-bench-") as folder:
        run = run_bench(plan, settings, Path(folder), note)
    _report(run, out, json=json)


def _clients(text: str) -> tuple[int, ...]:
    try:
        numbers = tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is no list of numbers; expected such as 1,8,32", param_hint="--clients"
        ) from error
    if not all(1 <= number <= MAX_CLIENTS for number in numbers):
        raise typer.BadParameter(f"{text!r} has a number that is not from 1 to {MAX_CLIENTS}", param_hint="--clients")
    return numbers


def _parts(text: str | None) -> tuple[Part, ...]:
    from eval.bench.bench import PARTS

    if text is None:
        return PARTS
    wanted = [part.strip() for part in text.split(",")]
    for part in wanted:
        if part not in PARTS:
            raise typer.BadParameter(
                f"there is no part {part!r}; the parts are {', '.join(PARTS)}", param_hint="--only"
            )
    return tuple(part for part in PARTS if part in wanted)


def _report(run: BenchRun, out: Path | None, *, json: bool) -> None:
    from eval.bench.report import bench_table
    from eval.tables import show
    from service.console import say_json

    document = run.document()
    if out is not None:
        _write(document, out)
    if json:
        say_json({name: value for name, value in document.items() if name != "results"})
    else:
        show([bench_table(run)])


def _write(document: dict[str, object], out: Path) -> None:
    import json

    out.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
