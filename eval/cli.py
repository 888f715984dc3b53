"""`byline eval`: ask the questions of a set and show how well they were answered.

What is heavy is imported inside the functions, so that `byline --help` stays fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from service.settings import Settings, load_settings

if TYPE_CHECKING:
    from eval.runs import AnswerRun, RetrievalRun
    from index.catalog import Catalog
    from index.embedding import Embedder
    from ingest.article import Article

Part = Literal["tune", "held_out", "all"]

app = typer.Typer(help="Measure retrieval and answers on questions whose answers are known.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    # Without a callback typer would make the only command the whole app.
    pass


@app.command()
def run(
    context: typer.Context,
    set_name: Annotated[
        str, typer.Option("--set", metavar="NAME|DIR", help="'shipped', or a folder: a question set or BEIR.")
    ] = "shipped",
    out: Annotated[Path | None, typer.Option(dir_okay=False, help="Write the run to this JSON file.")] = None,
    split: Annotated[Part, typer.Option(help="Which half of a question set.")] = "all",
    data: Annotated[Path | None, typer.Option(help="The data folder (also BYLINE_DATA).", show_default=False)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Run a set with the settings of this process and print its figures."""
    from eval.sets.beir import is_beir

    settings = load_settings(data=data or context.obj)
    folder = _folder(set_name)
    if out is not None and not out.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {out.absolute().parent}", param_hint="--out")
    if is_beir(folder):
        if split != "all":
            raise typer.BadParameter("a BEIR folder has no halves", param_hint="--split")
        _report_retrieval(measure_retrieval(folder, settings), out, json=json)
    else:
        _report_answers(measure_answers(folder, settings, split), out, json=json)


@app.command()
def synth(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="Files and folders with articles.")],
    out: Annotated[Path, typer.Option(dir_okay=False, help="Write the drafts to this new file.")],
    per_article: Annotated[int, typer.Option(min=1, max=20, help="Most drafts of an article.")] = 3,
) -> None:
    """Draft questions about articles with the LLM of the settings, for a person to check and accept."""
    from eval.synth import write_drafts

    settings = load_settings(data=context.obj)
    if not write_drafts(paths, out, settings=settings, per_article=per_article):
        raise typer.Exit(1)


def _folder(set_name: str) -> Path:
    from eval.sets.questions import SHIPPED

    if set_name == "shipped":
        return SHIPPED
    folder = Path(set_name)
    if not any((folder / name).is_file() for name in ("questions.jsonl", "corpus.jsonl")):
        raise typer.BadParameter(
            f"{set_name!r} is neither 'shipped' nor a folder with questions.jsonl or corpus.jsonl",
            param_hint="--set",
        )
    return folder


def measure_answers(folder: Path, settings: Settings, split: Part) -> AnswerRun:
    """Answer the questions of a set as the service would, and judge the answers."""
    from eval.answers import summarise_groups, verbatim
    from eval.runs import AnswerRun, ask_all, circumstances
    from eval.sets.questions import load_question_set
    from index.embedding import load_embedder
    from service.assembly import open_assistant

    question_set = load_question_set(folder)
    asked = [question for question in question_set.questions if split in ("all", question.split)]
    embedder = load_embedder(settings.embedding_model)
    catalog = _indexed(question_set.name, question_set.articles, settings, embedder)
    live, assistant = open_assistant(settings, catalog, embedder)
    manifest = live.searcher().generation.manifest
    made = circumstances(folder, set_name=question_set.name, split=split, settings=settings, manifest=manifest)
    with _bar("asking", len(asked)) as step:
        judged = ask_all(assistant, asked, on_question=step)
    texts = {article.id: article.text for article in question_set.articles}
    exact = verbatim([one.answer for one in judged], texts)
    return AnswerRun(made, tuple(judged), summarise_groups(judged), exact)


def measure_retrieval(folder: Path, settings: Settings) -> RetrievalRun:
    """Search for the queries of a BEIR folder in every mode, and score the rankings of articles."""
    from eval.retrieval import MODES, reciprocal_rank_fusion, score, search_all
    from eval.runs import RetrievalRun, circumstances
    from eval.sets.beir import load_beir
    from index.embedding import load_embedder
    from index.generation import Generation
    from index.searcher import Searcher

    beir = load_beir(folder)
    embedder = load_embedder(settings.embedding_model)
    catalog = _indexed(beir.name, beir.articles, settings, embedder)
    searcher = Searcher(catalog.open_newest_good(Generation.open).value, embedder)
    manifest = searcher.generation.manifest
    made = circumstances(folder, set_name=beir.name, split="all", settings=settings, manifest=manifest)
    with _bar("searching", len(MODES) * len(beir.queries)) as step:
        rankings = {str(mode): search_all(searcher, beir.queries, mode, on_query=step) for mode in MODES}
    # No mode of the product: the usual fusion of its two sides, for our own one to be compared with.
    rankings["RRF (k=60)"] = {
        query: reciprocal_rank_fusion([rankings["dense"][query], rankings["lexical"][query]]) for query in beir.queries
    }
    scored = {system: score(ranked, beir.qrels) for system, ranked in rankings.items()}
    return RetrievalRun(made, scored, rankings, beir.excluded)


def _indexed(name: str, articles: Sequence[Article], settings: Settings, embedder: Embedder) -> Catalog:
    from eval.index_cache import indexed
    from ingest.chunking import ChunkingSettings
    from service.console import progress_bar

    chunking = ChunkingSettings(settings.chunk_tokens, settings.chunk_overlap_tokens)
    with progress_bar() as step:
        return indexed(settings.data, name, articles, embedder=embedder, chunking=chunking, on_progress=step)


def _report_answers(run: AnswerRun, out: Path | None, *, json: bool) -> None:
    from eval.tables import answer_lines, answer_table
    from service.console import note
    from service.console import out as stdout

    document = run.document()
    _write(document, out)
    if json:
        _say_figures(document)
    else:
        stdout.print(answer_table(run))
        stdout.print(answer_lines(run))
    if run.verbatim.value not in (None, 1):
        note("A citation is not the exact words of its article: that is a bug, whatever the other figures say.")
        raise typer.Exit(1)


def _report_retrieval(run: RetrievalRun, out: Path | None, *, json: bool) -> None:
    from eval.tables import retrieval_table
    from service.console import note
    from service.console import out as stdout

    document = run.document()
    _write(document, out)
    if json:
        _say_figures(document)
        return
    stdout.print(retrieval_table(run))
    if run.excluded:
        note(f"{run.excluded} queries without a relevant article are left out.")


def _write(document: dict[str, object], out: Path | None) -> None:
    import json

    if out is not None:
        out.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _say_figures(document: dict[str, object]) -> None:
    """Print a run without the single results, which its file has."""
    from service.console import say_json

    say_json({name: value for name, value in document.items() if name != "results"})


@contextmanager
def _bar(what: str, total: int) -> Iterator[Callable[[], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from service.console import err

    columns = (TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)
