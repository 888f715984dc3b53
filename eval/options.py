"""Options that commands of the evaluation share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
OutOption = Annotated[Path | None, typer.Option(dir_okay=False, help="Write it to this file.")]


def require_folder(out: Path | None) -> None:
    """Refuse a file in a folder that is not there, before anything is done.

    Raises:
        BadParameter: There is no such folder.
    """
    if out is not None and not out.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {out.absolute().parent}", param_hint="--out")
