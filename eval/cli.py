"""`byline eval`: ask the questions of a set, show how well they were answered, and whether that got better.

What is heavy is imported inside the functions, so that `byline --help` stays fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from eval.bench.command import app as bench_app
from eval.options import JsonOption, OutOption, require_folder
from service.errors import WrongUse
from service.options import CommandFailed, settings_of

if TYPE_CHECKING:
    from eval.records import Run
    from eval.watching import Watch
    from service.llm import ChatModel
    from service.settings import Settings

Part = Literal["tune", "held_out", "all"]
Mode = Literal["hybrid", "dense", "lexical"]
Unit = Literal["chunk", "article"]

SetOption = Annotated[
    str, typer.Option("--set", metavar="NAME|PATH", help="'shipped', or a set: docs/evaluation.md lists the forms.")
]
DataOption = Annotated[Path | None, typer.Option(help="The data folder (also BYLINE_DATA).", show_default=False)]
ModeOption = Annotated[Mode | None, typer.Option(help="Rank by this mode alone, and answer nothing.")]

EXTRA_PACKAGES = {"bm25s": "bm25s", "jinja2": "jinja2", "matplotlib": "matplotlib", "sklearn": "scikit-learn"}
"""What the group `eval` of packages brings, by what is imported of each."""

app = typer.Typer(help="Measure retrieval and answers on questions whose answers are known.", no_args_is_help=True)
app.add_typer(bench_app, name="bench")


@app.callback()
def _root() -> None:
    missing = [package for module, package in EXTRA_PACKAGES.items() if find_spec(module) is None]
    if missing:
        raise CommandFailed(
            f"the evaluation needs packages that are not installed; run: pip install {' '.join(missing)}"
        )


@app.command()
def run(
    context: typer.Context,
    set_name: SetOption = "shipped",
    out: OutOption = None,
    split: Annotated[Part, typer.Option(help="Which half of a question set.")] = "all",
    mode: ModeOption = None,
    unit: Annotated[Unit, typer.Option(help="BEIR: rank articles by their best chunk, or as wholes.")] = "chunk",
    judge: Annotated[bool, typer.Option("--judge", help="Have the LLM judge the answers, too.")] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Run a set with the settings of this process and print its figures."""
    from eval.records import write_run
    from eval.running import run_set

    settings = settings_of(context, data)
    require_folder(out)
    model = _llm_of(settings) if judge else None
    made = run_set(set_name, settings, split=split, mode=mode, unit=unit, watch=_watch())
    if model is not None:
        made = _judged(made, model)
    if out is not None:
        write_run(made, out)
    _say_run(made, json=json)


@app.command()
def score(
    context: typer.Context,
    qrels: Annotated[Path, typer.Argument(help="TREC's judgments: 'query 0 document grade'.", dir_okay=False)],
    runs: Annotated[list[Path], typer.Argument(help="TREC's runs: 'query Q0 document rank score tag'.")],
    out: OutOption = None,
    json: JsonOption = False,
) -> None:
    """Score the rankings of other systems with the same metrics."""
    from eval.ranking import run_trec
    from eval.records import write_run

    require_folder(out)
    made = run_trec(qrels, runs, settings_of(context, None))
    if out is not None:
        write_run(made, out)
    _say_run(made, json=json)


@app.command()
def compare(
    run_a: Annotated[Path, typer.Argument(metavar="A", help="The run before.", dir_okay=False)],
    run_b: Annotated[Path, typer.Argument(metavar="B", help="The run after.", dir_okay=False)],
    systems: Annotated[
        str | None, typer.Option(metavar="A,B", help="Which system of each, if there are several.")
    ] = None,
    flips: Annotated[int, typer.Option(min=0, help="Most questions shown with both answers.")] = 10,
    json: JsonOption = False,
) -> None:
    """Say what changed from run A to run B, and whether the difference is real."""
    from eval.compare import compare as compared
    from eval.records import read_run
    from eval.tables import comparison_tables, show
    from service.console import say_json

    first, second = read_run(run_a), read_run(run_b)
    named = tuple(systems.split(",")) if systems else None
    if named is not None and len(named) != 2:
        raise typer.BadParameter("expected two names with a comma between them", param_hint="--systems")
    found = compared(first, second, systems=(named[0], named[1]) if named else None)
    if json:
        say_json(found.document())
    else:
        show(comparison_tables(found, flips=flips))


@app.command()
def gate(
    context: typer.Context,
    baseline: Annotated[Path | None, typer.Option(dir_okay=False, help="Default: the one of the source.")] = None,
    run_file: Annotated[Path | None, typer.Option("--run", dir_okay=False, help="Judge this run instead.")] = None,
    set_name: SetOption = "shipped",
    out: OutOption = None,
    update: Annotated[bool, typer.Option("--update", help="Make this run the baseline.")] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Run a set and compare it with the baseline; exit 1 if anything is significantly worse."""
    from eval import gate as gates
    from eval.records import read_run, write_run
    from eval.running import run_set
    from eval.tables import gate_table, show
    from service.console import note, say, say_json

    settings = settings_of(context, data)
    require_folder(out)
    kept = None if update else gates.read_baseline(baseline or gates.BASELINE)
    made = read_run(run_file) if run_file else run_set(set_name, settings, watch=_watch())
    if out is not None:
        write_run(made, out)
    if kept is None:
        gates.write_baseline(gates.baseline_of(made), baseline or gates.BASELINE)
        say(f"{baseline or gates.BASELINE} is now the run of {made.circumstances.git_revision or 'this program'}.")
        return
    verdict = gates.gate(kept, made)
    if json:
        rows = [{"metric": row.metric.name, "p_adjusted": row.adjusted, "worse": row.worse} for row in verdict.rows]
        say_json({"passed": verdict.passed, "faults": verdict.faults, "metrics": rows})
    else:
        show([gate_table(verdict, made)])
    for fault in verdict.faults:
        note(f"The gate is closed: {fault}.")
    if not verdict.passed:
        raise typer.Exit(1)
    note("The gate is open: nothing is significantly worse.")


@app.command()
def sweep(
    context: typer.Context,
    grid: Annotated[list[str], typer.Argument(metavar="SETTING=VALUE,VALUE…", help="E.g. chunk_tokens=120,160,200.")],
    set_name: SetOption = "shipped",
    by: Annotated[str | None, typer.Option(help="The metric to compare rows by.")] = None,
    split: Annotated[Part | None, typer.Option(help="Which half; default: tune, all of a set without halves.")] = None,
    mode: ModeOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Run a set for each combination of some settings; the first row is what the others are compared with."""
    from eval.metrics import find_metric
    from eval.sets.opening import has_halves
    from eval.sweep import parse_grid
    from eval.sweep import sweep as swept
    from eval.tables import show, sweep_table
    from service.console import say_json
    from service.settings import load_settings

    values = parse_grid(grid)
    halves = has_halves(set_name)
    try:
        metric = find_metric(by or ("keys" if halves and mode is None else "article.nDCG@10"))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--by") from error

    def load(varied: Mapping[str, str]) -> Settings:
        return load_settings(**({"data": data or context.obj} | dict(varied)))

    half: Part = split or ("tune" if halves else "all")
    rows = list(swept(set_name, values, load, by=metric.name, split=half, mode=mode, watch=_watch()))
    if json:
        say_json({"by": metric.name, "rows": [_sweep_json(dict(row.varied), row.run) for row in rows]})
    else:
        show([sweep_table(rows, metric)])


def _sweep_json(varied: dict[str, str], run: Run) -> dict[str, Any]:
    document = run.model_dump(mode="json", include={"circumstances", "figures"})
    return {"settings": varied} | document


@app.command()
def report(
    run_file: Annotated[Path, typer.Argument(metavar="RUN.json", help="What 'byline eval run --out' wrote.")],
    out: Annotated[Path, typer.Option(dir_okay=False, help="Write the page to this file.")] = Path("report.html"),
) -> None:
    """Make one HTML page of a run: its figures, plots, and every question with its answer and citations."""
    from eval.records import read_run
    from eval.report import write_report
    from service.console import say

    require_folder(out)
    if out.exists() and run_file.exists() and out.samefile(run_file):
        raise typer.BadParameter(f"{out} is the run itself", param_hint="--out")
    write_report(read_run(run_file), out)
    say(f"{out}")


@app.command()
def synth(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="Files and folders with articles.")],
    out: Annotated[Path, typer.Option(dir_okay=False, help="Write the drafts to this new file.")],
    per_article: Annotated[int, typer.Option(min=1, max=20, help="Most drafts of an article.")] = 3,
) -> None:
    """Draft questions about articles with the LLM of the settings, for a person to check and accept."""
    from eval.synth import write_drafts

    settings = settings_of(context, None)
    if not write_drafts(paths, out, settings=settings, per_article=per_article):
        raise typer.Exit(1)


@app.command()
def calibrate(
    context: typer.Context,
    out: Annotated[Path, typer.Option(dir_okay=False, help="Write the model to this file.")],
    set_names: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME|PATH", help="A question set; more than one may be given.")
    ] = None,
    most_declined: Annotated[
        float, typer.Option(min=0, max=1, help="Most of the answerable questions that may be declined.")
    ] = 0.1,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Fit the model that decides when not to answer, on the tune halves of question sets."""
    from eval.calibration import calibrate as calibrated
    from eval.calibration import write_model
    from eval.tables import calibration_table, show
    from service.console import note, say_json

    settings = settings_of(context, data)
    require_folder(out)
    found = calibrated(set_names or ["shipped"], settings, most_declined=most_declined, watch=_watch())
    write_model(found.model, out)
    if json:
        say_json(found.model.model_dump(mode="json"))
    else:
        show([calibration_table(found)])
    note(f"The model is in {out}; name it as the setting abstention_model to use it.")


@app.command("train-reader")
def train_reader(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Articles or sentences with questions (docs/reader.md).")],
    out: Annotated[Path, typer.Option(dir_okay=False, help="Write the adapter to this file.")],
    epochs: Annotated[float, typer.Option(min=0.001, max=100, help="How often each question is learned from.")] = 1.0,
    rate: Annotated[float, typer.Option(min=1e-6, max=1, help="Largest learning rate.")] = 1e-3,
    start: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Go on from this adapter instead of none.")
    ] = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Train a reader, which reads a question and a sentence together (docs/reader.md)."""
    from eval.reader_training import train
    from index.embedding import LazyEmbedder
    from service.assembly import embedder_settings
    from service.console import note, say, say_json

    require_folder(out)
    embedder = LazyEmbedder(embedder_settings(settings_of(context, data)))
    trained = train(files, out, embedder, epochs=epochs, rate=rate, start=start, watch=_watch())
    if json:
        say_json(asdict(trained))
    else:
        say(f"Learned from {trained.questions} questions; {trained.set_aside} others say how well, before and after.")
        say(f"The sentence that answers came first: {trained.right.before:.3f}, {trained.right.after:.3f}.")
        if apart := trained.told_apart:
            say(f"With and without an answer, area under the ROC curve: {apart.before:.3f}, {apart.after:.3f}.")
    note(f"The adapter is in {out}; in a source tree it takes the place of index/reader.safetensors, and then")
    note("docs/reader.md says what must be fitted anew.")


@app.command("mean-reader")
def mean_reader(
    adapters: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="What train-reader wrote.")],
    out: Annotated[Path, typer.Option(dir_okay=False, help="Write the adapter to this file.")],
) -> None:
    """Make one reader of several that learned from one beginning: the mean of what they learned (docs/reader.md)."""
    from index.pair_model import save_mean
    from service.console import note

    require_folder(out)
    save_mean(adapters, out)
    note(f"The mean of {len(adapters)} adapters is in {out}.")


def _llm_of(settings: Settings) -> ChatModel:
    from service.assembly import open_llm

    model = open_llm(settings)
    if model is None:
        raise WrongUse("there is no LLM to judge with; set llm_base_url and llm_model")
    return model


def _judged(made: Run, model: ChatModel) -> Run:
    """Have the answers of a run judged, and say how far the judge agrees with the answer keys."""
    from eval.judge import judge_run
    from eval.tables import agreement_line
    from service.console import note

    with _bar("judging", sum(result.answer is not None for result in made.results)) as step:
        made, agreement = judge_run(model, made, on_answer=step)
    note(agreement_line(agreement))
    return made


def _say_run(made: Run, *, json: bool) -> None:
    """Print a run; as JSON without the single results, which its file has. Exit 1 if a quote is not verbatim."""
    from eval.tables import run_tables, show
    from service.console import note, say_json

    if json:
        say_json(made.model_dump(mode="json", exclude={"results"}))
    else:
        show(run_tables(made))
    if any(result.metrics.get("verbatim", 1) != 1 for result in made.results):
        note("A citation is not the exact words of its article: that is a bug, whatever the other figures say.")
        raise typer.Exit(1)


def _watch() -> Watch:
    """Show the progress of a run on standard error."""
    from eval.watching import Watch
    from service.console import progress_bar

    return Watch(building=progress_bar, steps=_bar)


@contextmanager
def _bar(what: str, total: int) -> Iterator[Callable[[], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from service.console import err

    if not err().is_terminal:  # it would leave an empty line
        yield lambda: None
        return
    columns = (TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err(), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)
