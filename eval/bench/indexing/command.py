"""`byline eval bench index`: measures builds, small changes and what readers notice of them.

What is heavy is imported inside the function, so that `byline --help` stays fast.
"""

from __future__ import annotations

from typing import Annotated

import typer

from eval.bench.options import MAX_CLIENTS, numbers_of, parts_of, report_run
from eval.options import JsonOption, OutOption, require_folder

MAX_ARTICLES = 100_000
MAX_SECONDS = 3600.0


def index(
    articles: Annotated[str, typer.Option(metavar="N,N,…", help="Sizes of libraries, up to 100000.")] = "1000",
    long: Annotated[
        int, typer.Option(min=1, max=50, help="Synthetic articles in one: with 2, it has some 4 chunks.")
    ] = 2,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="Times that a small change is made.")] = 3,
    clients: Annotated[int, typer.Option(min=1, max=MAX_CLIENTS, help="Clients that search without pause.")] = 8,
    seconds: Annotated[
        float, typer.Option(min=0.1, max=MAX_SECONDS, help="Seconds of searching with nothing built.")
    ] = 10.0,
    build_seconds: Annotated[
        float, typer.Option(min=0.1, max=MAX_SECONDS, help="Seconds of searching beside builds.")
    ] = 60.0,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives other articles and questions.")] = 7,
    only: Annotated[
        str | None, typer.Option(metavar="PART,…", help="Of build, idle, add, remove, readers; all by default.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME|PATH", help="Another embedding model than that of the settings.")
    ] = None,
    stand_in_model: Annotated[
        bool, typer.Option("--stand-in-model", help="A small model, made of the shipped one: for large libraries.")
    ] = False,
    stand_in_layers: Annotated[int, typer.Option(min=0, max=1, help="Layers of the stand-in.")] = 0,
    out: OutOption = None,
    json: JsonOption = False,
) -> None:
    """Measure whole builds, small changes, removals, rollbacks, and what those who search notice of a build.

    Everything happens in a temporary folder; your data is not touched.
    """
    import tempfile
    from pathlib import Path

    from eval.bench.indexing.bench import PARTS, Plan
    from eval.bench.indexing.run import run_index_bench
    from eval.bench.processes import ended_by_sigterm
    from service.console import note
    from service.settings import load_settings

    if model is not None and stand_in_model:
        raise typer.BadParameter("--model and --stand-in-model exclude each other", param_hint="--model")
    plan = Plan(
        articles=numbers_of(articles, "--articles", such_as="1000,10000", largest=MAX_ARTICLES),
        long=long,
        rounds=rounds,
        clients=clients,
        seconds=seconds,
        build_seconds=build_seconds,
        seed=seed,
        model=model,
        stand_in_layers=stand_in_layers if stand_in_model else None,
        parts=parts_of(only, PARTS),
    )
    require_folder(out)
    settings = load_settings(embedding_model=model)
    if not stand_in_model:
        _require_model(settings.embedding_model)
    with ended_by_sigterm(), tempfile.TemporaryDirectory(prefix="byline-bench-") as folder:
        run = run_index_bench(plan, settings, Path(folder), note)
    report_run(run, out, json=json)


def _require_model(model: str) -> None:
    """Refuse a model that cannot be used before anything is done."""
    from index.model_files import ModelRefused, check_model

    try:
        check_model(model)
    except ModelRefused as error:
        raise typer.BadParameter(str(error), param_hint="--model") from error
