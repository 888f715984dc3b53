"""What the commands of the command line share: their common options, and what they open first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.errors import ServiceError

if TYPE_CHECKING:
    from ingest.library import ArticleLibrary
    from service.settings import Settings

DataOption = Annotated[
    Path | None, typer.Option("--data", help="The data folder (also BYLINE_DATA).", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


class CommandFailed(ServiceError):
    """A command could not do what was asked."""


def settings_of(context: typer.Context, data: Path | None, **overrides: object) -> Settings:
    """Give the settings of a command: `--data` may stand before it or behind it."""
    # Imported only here: pydantic takes longer than all that `--help` needs.
    from service.settings import load_settings

    return load_settings(data=data or context.obj, **overrides)


def existing_library(settings: Settings) -> ArticleLibrary:
    """Open the library of a data folder.

    Raises:
        CommandFailed: There is none.
    """
    from service.assembly import has_library, open_library

    if not has_library(settings.data):
        raise CommandFailed(f"there are no articles in {settings.data}; add some with 'byline add PATH'")
    return open_library(settings.data)
