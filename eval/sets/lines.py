"""Files of evaluation sets: lines of JSON, with errors that name the file and the line."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from ingest.article import IngestError
from service.errors import first_fault

Row = TypeVar("Row", bound=BaseModel)


class DatasetError(IngestError):
    """An evaluation set is malformed; the message names the file, the entry and the fault."""


def read_lines(file: Path) -> list[tuple[int, str]]:
    """Give the lines of a file of a set, numbered from 1.

    Raises:
        DatasetError: The file is missing, unreadable or not UTF-8.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    # Not splitlines(): a JSON string may hold U+2028 and others that it takes for line ends.
    return list(enumerate(text.removesuffix("\n").split("\n"), start=1)) if text else []


def parse_line(row: type[Row], line: str, place: str) -> Row:
    """Read one line of JSON; `place` names it in errors.

    Raises:
        DatasetError: The line is not such a row.
    """
    try:
        return row.model_validate_json(line)
    except ValidationError as error:
        raise DatasetError(f"{place}: {first_fault(error)}") from error
