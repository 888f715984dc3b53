"""`byline eval bench`: measures how fast Byline is here, beside the bare model and index.

What is heavy is imported inside the function, so that `byline --help` stays fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eval.bench.indexing.command import index
from eval.bench.options import MAX_CLIENTS, MAX_SECONDS, numbers_of, parts_of, report_run
from eval.options import JsonOption, OutOption, require_folder

app = typer.Typer(help="Measure speed and memory on this machine, beside the least that the same work costs here.")
app.command("index")(index)


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
        str | None,
        typer.Option(metavar="PART,…", help="Of embedding, build, search, start, http; all by default. And load."),
    ] = None,
    reference: Annotated[
        bool, typer.Option(help="Build and serve by torch, too; for thousands of articles that takes long.")
    ] = True,
    load_clients: Annotated[int, typer.Option(min=1, max=10_000, help="Clients that overload a server.")] = 1_000,
    load_seconds: Annotated[float, typer.Option(min=0.1, max=600.0, help="Seconds of the overload.")] = 60.0,
    out: OutOption = None,
    json: JsonOption = False,
) -> None:
    """Measure speed and memory on this machine, beside the least that the same work costs here.

    Everything happens in a temporary folder; your data is not touched.
    """
    if context.invoked_subcommand is not None:
        return
    import tempfile

    from eval.bench.bench import PARTS, USUAL_PARTS, Plan
    from eval.bench.processes import ended_by_sigterm
    from eval.bench.report import run_bench
    from service.console import note
    from service.settings import load_settings

    levels = numbers_of(clients, "--clients", such_as="1,8,32", largest=MAX_CLIENTS)
    parts = USUAL_PARTS if only is None else parts_of(only, PARTS)
    plan = Plan(articles, questions, levels, seconds, cold_starts, seed, parts, reference, load_clients, load_seconds)
    require_folder(out)
    settings = load_settings()
    with ended_by_sigterm(), tempfile.TemporaryDirectory(prefix="byline-bench-") as folder:
        run = run_bench(plan, settings, Path(folder), note)
    report_run(run, out, json=json)
