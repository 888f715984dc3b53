"""JSON Lines files: one article a line; a bad line is refused, the good ones are taken in."""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import Any

from ingest.article import RefusedInput
from ingest.readers.encoding import decode
from ingest.readers.raw import RawArticle, ReadResult, Refusal


def read(data: bytes, path: str) -> ReadResult:
    """Read one article from every line that is not blank.

    A row's path is `<path>#<line number>`. The fields are text (required), title, url, source, published_at
    or published or date, authors (a list or a text) or author, and id or external_id or _id; others are
    ignored.

    Raises:
        RefusedInput: The bytes are not text, or blank.
    """
    articles: list[RawArticle] = []
    refusals: list[Refusal] = []
    first_lines: dict[tuple[str, ...], int] = {}
    # Not splitlines(): U+2028 and its like may stand inside a JSON string.
    for number, line in enumerate(decode(data).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            article = _article(line, f"{path}#{number}")
            _refuse_second(article, number, first_lines)
        except RefusedInput as error:
            refusals.append(Refusal(f"{PurePath(path).name} line {number}", str(error)))
        else:
            articles.append(article)
    return ReadResult(tuple(articles), tuple(refusals))


def _article(line: str, path: str) -> RawArticle:
    row = _parse(line)
    if "text" not in row:
        raise RefusedInput("the field 'text' is missing")
    text = _string(row, "text")
    if text is None:
        raise RefusedInput("the field 'text' is blank")
    return RawArticle(
        text=text,
        title=_string(row, "title"),
        url=_string(row, "url"),
        source=_string(row, "source"),
        authors=_authors(row),
        published=_string(row, "published_at", "published", "date"),
        external_id=_string(row, "id", "external_id", "_id"),
        path=path,
    )


def _parse(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise RefusedInput(f"invalid JSON: {error.msg} at column {error.colno}") from error
    except (ValueError, RecursionError) as error:  # thousands of digits or of brackets
        raise RefusedInput("invalid JSON: a number too long or nested too deeply") from error
    if not isinstance(row, dict):
        raise RefusedInput("not a JSON object; expected one object a line")
    return row


def _refuse_constant(name: str) -> None:
    raise RefusedInput(f"invalid JSON: {name} is not a JSON number")


def _string(row: dict[str, Any], *keys: str) -> str | None:
    """Give the first of the keys that holds text (an id may be a whole number); null and blank are absent."""
    for key in keys:
        value = row.get(key)
        if value is None:
            continue
        if key in ("id", "external_id", "_id") and type(value) is int:
            return str(value)
        if not isinstance(value, str):
            raise RefusedInput(f"the field {key!r} is not a text")
        if value.strip():
            return _whole(value, key)
    return None


def _authors(row: dict[str, Any]) -> tuple[str, ...]:
    key = "authors" if row.get("authors") else "author"
    stated = row.get(key) or []
    names = stated.split(";") if isinstance(stated, str) else stated
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RefusedInput(f"the field {key!r} is neither a text nor a list of texts")
    return tuple(_whole(name.strip(), key) for name in names if name.strip())


def _whole(value: str, key: str) -> str:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise RefusedInput(f"the field {key!r} holds half a surrogate pair") from error
    return value


def _refuse_second(article: RawArticle, number: int, first_lines: dict[tuple[str, ...], int]) -> None:
    """Refuse a row that would silently replace an earlier one of the same file."""
    keys: list[tuple[str, ...]] = []
    if article.external_id is not None:
        keys.append(("id", article.source or "", article.external_id))
    if article.url is not None:
        keys.append(("url", article.url.strip()))
    for key in keys:
        if key in first_lines:
            raise RefusedInput(f"the {key[0]} {key[-1]!r} is already on line {first_lines[key]}")
    first_lines.update(dict.fromkeys(keys, number))
