"""`byline backup` and `byline restore`: parse, call one function, print."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from service.options import DataOption, JsonOption, settings_of


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(backup)
    app.command()(restore)


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Write all articles and conversations to one checked file; a server may be running."""
    from service.backup import back_up
    from service.console import say, say_json

    report = back_up(settings_of(context, data).data, file, force=force)
    if json:
        say_json(asdict(report))
    else:
        held = "articles and the conversations" if report.conversations else "articles"
        say(f"{report.articles} {held} are in {report.file} ({report.bytes} bytes), every one checked.")


def restore(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="A file that 'byline backup' wrote.", show_default=False)] = None,
    from_index: Annotated[bool, typer.Option("--from-index", help="Take the articles from the index instead.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Let go of what the backup or index lacks.")] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Bring the library back from a backup, or from the index; a server may be running."""
    if (file is None) != from_index:
        raise typer.BadParameter("name a backup, or give --from-index, not both", param_hint="FILE")
    from service.console import note, one_line, say, say_json
    from service.restore import restore as restore_backup
    from service.restore import restore_from_index

    folder = settings_of(context, data).data
    report = restore_backup(folder, file, replace=replace) if file else restore_from_index(folder, replace=replace)
    if json:
        back = [{"article_id": article, "title": title} for article, title in report.returned]
        say_json(asdict(report) | {"returned": back})
        return
    say(f"{report.articles} articles are restored from {report.source}.")
    if report.conversations:
        say(f"{report.conversations} conversations are back.")
    for count, what in (
        (report.lost, "are not in it and are gone from the library"),
        (report.changed, "are back in the version that it has"),
    ):
        if count:
            note(f"{count} articles {what}.")
    if report.returned:
        note("These had been removed since and are back; 'byline articles remove ID' removes them again:")
        for article, title in report.returned:
            note(f"  {article}  {one_line(title)}")
    if not report.removals_known:
        note(
            "Which articles had been removed could not be read: look with 'byline articles list' for any that are back."
        )
    note("Next: 'byline build' brings the index up to date.")
