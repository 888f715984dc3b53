"""`byline build` and `byline index …`: parse, call one function, print."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.options import CommandFailed, DataOption, JsonOption, existing_library, settings_of

if TYPE_CHECKING:
    from index.reports import BuildReport, Plan
    from service.jobs import BuildJob, JobHandle
    from service.settings import Settings

index_app = typer.Typer(help="Look at, verify and switch index generations.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(build)
    app.add_typer(index_app, name="index")


def build(
    context: typer.Context,
    full: Annotated[bool, typer.Option("--full", help="Embed everything again.")] = False,
    data: DataOption = None,
    json: JsonOption = False,
    job: Annotated[str | None, typer.Option(hidden=True, help="A build that a server recorded.")] = None,
    job_lock: Annotated[int | None, typer.Option(hidden=True, help="Its locked file, open in this process.")] = None,
) -> None:
    """Make and publish the next index generation."""
    from service.console import say, say_json
    from service.logs import configure_logging

    settings = settings_of(context, data)
    if job is not None and job_lock is not None:
        _work_for_server(settings, job, job_lock)
        return
    from service.niceness import QUESTIONS, process_stands_back

    configure_logging(logging.ERROR)
    process_stands_back(QUESTIONS)
    report = build_index(settings, full=full)
    if json:
        say_json(asdict(report))
    elif not report.built:
        say(f"Nothing to do: generation {report.generation} holds all {report.articles} articles.")
    else:
        resumed = f" ({report.chunks_resumed} of them from a build that did not end)" if report.chunks_resumed else ""
        say(
            f"Generation {report.generation}: {report.articles} articles ({report.articles_added} added, "
            f"{report.articles_updated} updated, {report.articles_removed} removed), "
            f"{report.chunks_embedded} chunks embedded, {report.chunks_reused} taken over{resumed}."
        )


def build_index(settings: Settings, *, full: bool = False) -> BuildReport:
    """Bring the index up to date, or wait for the process that does; says on standard error how far it is.

    Raises:
        CommandFailed: The build failed or was cancelled, or there is nothing to build from.
    """
    from service.assembly import is_up_to_date, open_catalog, open_records
    from service.console import note

    library, catalog = existing_library(settings), open_catalog(settings.data)
    try:
        if not library.digests() and catalog.current() is None:
            raise CommandFailed(f"there are no articles in {settings.data}; add some with 'byline add PATH'")
        records = open_records(settings.data)
        while True:
            job, handle = records.start_or_join(full)
            ended = _build_here(settings, handle) if handle is not None else _follow(settings, job)
            if ended.result is None:
                raise CommandFailed(ended.error or "the build was cancelled; the current index is kept")
            # The build of another process may have read the library before the latest article came, or be no full one.
            if handle is not None or ((ended.full or not full) and is_up_to_date(settings, library, catalog)):
                break
    finally:
        library.close()
    for skipped in ended.result.skipped:
        note(f"skipped  {skipped.reason}")
    return ended.result


def _build_here(settings: Settings, handle: JobHandle) -> BuildJob:
    from service.assembly import index_builder
    from service.building import run_job
    from service.console import note, plan_lines, progress_bar

    with progress_bar() as step:

        def say_plan(plan: Plan) -> None:
            for line in plan_lines(plan):
                note(line)

        return run_job(handle, index_builder(settings), on_plan=say_plan, on_progress=step)


def _follow(settings: Settings, job: BuildJob) -> BuildJob:
    from index.reports import Progress
    from service.assembly import open_records
    from service.builds import follow
    from service.console import note, progress_bar

    note(f"A build is running already (process {job.pid}); waiting for its end ...")
    with progress_bar() as step:

        def show(job: BuildJob) -> None:
            if job.progress is not None:
                step(Progress(job.progress.phase, job.progress.done, job.progress.total))

        ended = follow(open_records(settings.data), job.id, show)
    if ended is None:
        raise CommandFailed("the record of the build that was running is gone; build again")
    return ended


def _work_for_server(settings: Settings, job_id: str, descriptor: int) -> None:
    from service.assembly import index_builder, open_records
    from service.building import run_job
    from service.logs import configure_logging, level_named
    from service.niceness import SERVER_BUILDS, process_stands_back

    configure_logging(level_named(settings.log_level), settings.log_format)
    process_stands_back(SERVER_BUILDS)
    ended = run_job(open_records(settings.data).adopt(job_id, descriptor), index_builder(settings))
    if ended.result is None:
        raise typer.Exit(1)


@index_app.command("show")
def show_index(context: typer.Context, data: DataOption = None, json: JsonOption = False) -> None:
    """Show the current generation and the others that are kept."""
    from index.manifest import verify
    from service.assembly import open_catalog
    from service.console import say, say_json

    catalog = open_catalog(settings_of(context, data).data)
    current = catalog.current()
    shown: dict[str, Any] = {"generation": current, "generations": catalog.names()}
    if current is not None:
        manifest = verify(catalog.folder(current))
        shown |= {"built_at": manifest.built_at, "embedding_model": manifest.embedding.model}
        shown |= asdict(manifest.counts)
        shown["vector_index"] = asdict(manifest.dense)
    if json:
        say_json(shown)
        return
    if current is None:
        raise CommandFailed("there is no index yet; run 'byline build'")
    vectors = shown.pop("vector_index")
    lists = f", {vectors['probes']} of {vectors['lists']} lists" if vectors["lists"] else ""
    shown["vector index"] = f"{vectors['kind']}{lists}, recall at 10 {vectors['recall']}"
    say("\n".join(f"{name}: {', '.join(value) if isinstance(value, list) else value}" for name, value in shown.items()))


@index_app.command("verify")
def verify_index(context: typer.Context, data: DataOption = None, json: JsonOption = False) -> None:
    """Check every file of every generation against its hash."""
    from index.errors import IndexingError
    from index.manifest import verify
    from service.assembly import open_catalog
    from service.console import say, say_json

    catalog = open_catalog(settings_of(context, data).data)
    found: dict[str, str | None] = {}
    for name in catalog.names():
        try:
            verify(catalog.folder(name))
            found[name] = None
        except IndexingError as error:
            found[name] = str(error)
    if json:
        say_json({"generations": [{"generation": n, "ok": p is None, "problem": p} for n, p in found.items()]})
    else:
        for name, problem in found.items():
            say(f"{name}: {problem or 'every file is as it was written'}")
    if not found:
        raise CommandFailed("there is no index yet; run 'byline build'")
    if any(found.values()):
        raise typer.Exit(1)


@index_app.command("rollback")
def rollback_index(context: typer.Context, generation: str, data: DataOption = None) -> None:
    """Make an older generation the current one."""
    from service.assembly import open_catalog
    from service.console import say

    open_catalog(settings_of(context, data).data).rollback(generation)
    say(f"Generation {generation} is current.")


@index_app.command("prune")
def prune_index(
    context: typer.Context,
    keep: Annotated[int | None, typer.Option(min=1, help="Generations to keep.")] = None,
    data: DataOption = None,
) -> None:
    """Remove old generations, and every trace of articles that were removed before the ones that stay were made."""
    from index.unfinished import drop_outdated
    from service.assembly import open_catalog
    from service.console import say
    from service.erasure import erase_removed

    settings = settings_of(context, data)
    library, catalog = existing_library(settings), open_catalog(settings.data)
    try:
        with catalog.writer():
            removed = catalog.prune(keep or settings.keep_generations)
            parts = drop_outdated(catalog.root, library.digests())
        problems = erase_removed(library, settings.data)
    finally:
        library.close()
    say(f"Removed {', '.join(removed)}." if removed else "There is no old generation to remove.")
    if parts:
        say(f"Removed {parts} parts of a build that did not end: the library has changed since.")
    if problems:
        raise CommandFailed("; ".join(problems))
