"""The command `byline`: parses, calls one function, prints. Exit codes: 0 done, 1 failed or refused, 2 wrong use."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from service import backup_commands, index_commands, key_commands, mcp_commands, question_commands
from service.errors import ServiceError, WrongUse
from service.options import CommandFailed, DataOption, JsonOption, existing_library, settings_of

if TYPE_CHECKING:
    from typer._click import Command, Context  # what TyperGroup's own signatures name

    from ingest.library import Stored
    from service.assembly import Parts
    from service.watching import FolderWatch


class _Commands(TyperGroup):
    """Our commands, and those that other packages add by an entry point: they are looked for only where ours do not do.

    The look reads the metadata of every installed package, and importing what it finds takes more than most commands.
    """

    def list_commands(self, ctx: Context) -> list[str]:
        """Give the names of all commands."""
        self._find_others()
        return super().list_commands(ctx)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """Give the command of a name, None where there is none."""
        if cmd_name not in self.commands:
            self._find_others()
        return super().get_command(ctx, cmd_name)

    def _find_others(self) -> None:
        from importlib.metadata import entry_points

        for extension in entry_points(group="byline.commands"):
            if extension.name not in self.commands:
                group = get_group(extension.load())
                group.name = extension.name
                self.add_command(group, extension.name)


app = typer.Typer(
    cls=_Commands,
    help="Answers from your articles, every sentence with the exact words it rests on.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
articles_app = typer.Typer(help="Look at and remove articles of the library.", no_args_is_help=True)
app.add_typer(articles_app, name="articles")
backup_commands.register(app)
index_commands.register(app)
key_commands.register(app)
mcp_commands.register(app)
question_commands.register(app)

SERVING_THRESHOLDS = (1_000, 5, 300)
"""While it serves: garbage is looked for often, so that a look is short, but seldom among all that was made since the
start, which holds everybody up for a tenth of a second under many connections. Questions leave none that needs it."""

START_THRESHOLD = 50_000
"""Objects made, in a server's start, before the interpreter looks for garbage; usually it is 700."""


def main() -> None:
    """Run the command line; known errors end in one clear line and exit code 1 (2 for wrong use)."""
    from index.errors import IndexingError
    from ingest.article import IngestError

    # At its end the interpreter looks for garbage among all modules once more: up to a fifth of a second.
    atexit.register(gc.freeze)
    try:
        app()
    except (ServiceError, IngestError, IndexingError) as error:
        from service.console import complain

        complain(str(error))
        sys.exit(2 if isinstance(error, WrongUse) else 1)
    except KeyboardInterrupt:
        sys.exit(130)


@app.callback()
def _root(context: typer.Context, data: DataOption = None) -> None:
    context.obj = data
    # A server, and a build that works for one, log as their settings say; a command prints its result.
    if context.invoked_subcommand not in ("serve", "build"):
        from service.logs import configure_logging

        configure_logging(logging.INFO if context.invoked_subcommand == "mcp" else logging.ERROR)


@app.command()
def add(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="Files and folders: .txt, .md, .html, .jsonl.")],
    source: Annotated[str | None, typer.Option(help="Source of articles that name none.")] = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Read files and folders into the article library."""
    from ingest.adding import add_files
    from service.assembly import open_library
    from service.console import note, one_line, say, say_json

    settings = settings_of(context, data)
    library = open_library(settings.data)
    reports = list(add_files(library, paths, source=source, max_chars=settings.max_article_chars))
    library.close()
    counts: Counter[str] = Counter(report.outcome for report in reports)
    if json:
        say_json({"results": [asdict(report) for report in reports]})
    else:
        for report in reports:
            if report.outcome == "refused":
                note(f"refused  {one_line(report.file)}: {report.reason}")
        order = ("added", "updated", "unchanged", "refused")
        say(", ".join(f"{counts[outcome]} {outcome}" for outcome in order) + f" in {settings.data}")
        if counts["added"] + counts["updated"]:
            note("Next: 'byline build' makes them searchable.")
    if counts["refused"]:
        raise typer.Exit(1)


@app.command()
def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Beyond loopback only with API keys.")] = None,
    port: Annotated[int | None, typer.Option(help="0 takes a free one.")] = None,
    build_first: Annotated[bool, typer.Option("--build", help="Bring the index up to date first.")] = False,
    watch: Annotated[
        Path | None,
        typer.Option(help="Take in files of this folder as they come and change.", exists=True, file_okay=False),
    ] = None,
    data: DataOption = None,
) -> None:
    """Serve the HTTP API."""
    if not build_first:  # a build is long, and makes garbage
        # Nearly all that a start makes stays: to look among it for garbage as often as usual is in vain.
        gc.set_threshold(START_THRESHOLD)
    from service.api.server import require_access_control
    from service.api.server import serve as run_server
    from service.console import note
    from service.logs import configure_logging, level_named

    settings = settings_of(context, data, host=host, port=port)
    configure_logging(level_named(settings.log_level), settings.log_format)
    require_access_control(settings)
    if watch is not None and watch.resolve().is_relative_to(settings.data.resolve()):
        raise WrongUse(f"{watch} is in the data folder {settings.data}; name the folder that new articles come to")
    if build_first:
        index_commands.build_index(settings)
    folder_watch: FolderWatch | None = None

    def open_parts() -> Parts:
        nonlocal folder_watch
        from service.assembly import assemble  # only here: the server answers /livez before all this is imported

        parts = assemble(settings)
        if watch is not None:
            from service.watching import FolderWatch

            folder_watch = FolderWatch(watch, parts.library, parts.builds, settings)
        # Nor is it looked at later, while questions wait for that.
        gc.freeze()
        gc.set_threshold(*SERVING_THRESHOLDS)
        return parts

    def listening(place: str) -> None:
        note(f"Listening on {place}; opening the index and the embedding model ...")

    def ready(place: str) -> None:
        # Only now: a server that cannot answer must not take in files.
        if folder_watch is not None:
            folder_watch.start()
        note(f"Byline answers at http://{place} (a chat page; for programs http://{place}/docs). Stop it with Ctrl+C.")

    try:
        run_server(settings, open_parts, on_listening=listening, on_ready=ready)
    finally:
        if folder_watch is not None:
            folder_watch.close()


@articles_app.command("list")
def list_articles(
    context: typer.Context,
    source: Annotated[str | None, typer.Option(help="Only of this source.")] = None,
    query: Annotated[str | None, typer.Option(help="Only with these words in title or text.")] = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """List the articles of the library."""
    from ingest.library import ListFilter
    from service.console import say, say_json

    library = existing_library(settings_of(context, data))
    page = library.page(ListFilter(source=source, query=query), limit=1_000_000)
    library.close()
    if json:
        say_json({"data": [_article_json(stored, text=False) for stored in page.items]})
        return
    for stored in page.items:
        article = stored.article
        say(f"{article.id}  {article.published_at or '-'!s:<10}  {article.source}  {article.title}")


@articles_app.command("show")
def show_article(context: typer.Context, article_id: str, data: DataOption = None, json: JsonOption = False) -> None:
    """Show an article as it is stored."""
    from ingest.article import ArticleId
    from service.console import say, say_json

    library = existing_library(settings_of(context, data))
    stored = library.get(ArticleId(article_id))
    library.close()
    if stored is None:
        raise CommandFailed(f"there is no article {article_id!r}; 'byline articles list' shows the ids")
    if json:
        say_json(_article_json(stored, text=True))
        return
    article = stored.article
    say(f"{article.title}\n{article.source}, {article.published_at or 'no date'} ({article.date_source})")
    say(f"{article.url or article.identity}\n\n{article.text}")


@articles_app.command("remove")
def remove_article(context: typer.Context, article_id: str, data: DataOption = None) -> None:
    """Remove an article; the next build takes it out of the index."""
    from ingest.article import ArticleId
    from service.assembly import open_conversations
    from service.console import note, say
    from service.erasure import remove_article
    from service.kept_replies import KeptReplies

    settings = settings_of(context, data)
    library, conversations = existing_library(settings), open_conversations(settings.data)
    replies = KeptReplies.open(settings.data)
    removed = remove_article(library, conversations, replies, ArticleId(article_id))
    replies.close()
    conversations.close()
    library.close()
    if not removed:
        raise CommandFailed(f"there is no article {article_id!r}; 'byline articles list' shows the ids")
    say(f"Removed {article_id}.")
    note("Next: 'byline build' takes it out of the index.")


def _article_json(stored: Stored, *, text: bool) -> dict[str, Any]:
    values = stored.article.to_json() | {"stored_at": stored.stored_at.isoformat()}
    values = {"article_id": values.pop("id")} | values
    return values if text else {name: value for name, value in values.items() if name != "text"}


@app.command()
def doctor(context: typer.Context, data: DataOption = None, json: JsonOption = False) -> None:
    """Tell what is set up, what is missing, and what a changed setting would need rebuilt."""
    from service.console import say, say_json
    from service.diagnosis import diagnose

    checks = diagnose(settings_of(context, data))
    if json:
        say_json({"checks": [asdict(check) for check in checks]})
    else:
        for check in checks:
            say(f"{'ok     ' if check.ok else 'PROBLEM'}  {check.name}: {check.finding}")
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


@app.command("version")
def show_version() -> None:
    """Show the version."""
    from importlib.metadata import version

    from service.console import say

    say(f"byline {version('byline')} (Python {sys.version.split()[0]}, {os.uname().machine})")
