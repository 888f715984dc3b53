"""From a raw article to the one that is stored: cleaned, titled, dated, and given its identity."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import date
from pathlib import PurePath
from urllib.parse import SplitResult, urlsplit

from ingest.article import UNKNOWN_SOURCE, Article, DateSource, RefusedInput, TitleSource, article_id
from ingest.cleaning import clean, is_byline, is_list_item, one_line, plain_line
from ingest.dates import date_in_file_name, find_dateline, is_dateline, parse_stated_date
from ingest.readers.raw import RawArticle

_MAX_TITLE_CHARS = 300
_LEAD_CHARS = 90
_DEFAULT_PORTS = {"http": 80, "https": 443}
# A full stop after a word of some length: "U.S." and "Dr." end no sentence.
_SENTENCE_END = re.compile(r"(?<=[^\W\d_]{4})[.!?][\"”’)]*(?= )")
_LIST_MARK = re.compile(r"(?:-|\d{1,3}[.)]) ")
_DOMAIN = re.compile(r"(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def prepare(raw: RawArticle, *, default_source: str | None = None, max_chars: int = 2_000_000) -> Article:
    """Make the article that is stored.

    Args:
        raw: What a reader gave.
        default_source: The source if the article names none.
        max_chars: Longest text, in code points.

    Raises:
        RefusedInput: Nothing is left after cleaning, the text is too long, or a field holds NUL or half a
            surrogate pair.
    """
    _refuse_unstorable(raw, default_source)
    if len(raw.text) > max_chars:
        raise RefusedInput(f"too large: {len(raw.text)} characters; the limit is {max_chars}")
    stated_title = _cut(plain_line(raw.title or ""), _MAX_TITLE_CHARS)
    cleaned = clean(raw.text, title=stated_title or None)
    if not cleaned.text:
        raise RefusedInput("no text is left after cleaning")
    title, title_source = _title(stated_title, cleaned.title, cleaned.text)
    published_at, date_source = _publication_date(raw, cleaned.text)
    url = normalise_url(raw.url)
    stated_source = _source_name(raw.source or "") or _source_name(default_source or "")
    external_id = one_line(raw.external_id or "") or None
    identity = _identity(url, stated_source, external_id, raw.path, cleaned.text)
    return Article(
        id=article_id(identity),
        identity=identity,
        text=cleaned.text,
        title=title,
        title_source=title_source,
        source=stated_source or _host(url) or UNKNOWN_SOURCE,
        url=url,
        authors=tuple(dict.fromkeys(name for author in raw.authors if (name := plain_line(author)))),
        published_at=published_at,
        date_source=date_source,
        external_id=external_id,
    )


def _source_name(stated: str) -> str:
    """Give a source as one tidy line; one that is known by its domain alone keeps it."""
    name = one_line(stated)
    return name if _DOMAIN.fullmatch(name) else plain_line(stated)


def normalise_url(url: str | None) -> str | None:
    """Write a web address in one way: lower-case scheme and host, no default port, user or fragment.

    None when it is not an address with http or https.
    """
    stated = (url or "").strip()
    if any(character.isspace() or not character.isprintable() for character in stated):
        return None
    try:
        parts = urlsplit(stated)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not host:
        return None
    place = f"[{host}]" if ":" in host else host
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        place = f"{place}:{port}"
    return SplitResult(parts.scheme, place, parts.path or "/", parts.query, "").geturl()


def _refuse_unstorable(raw: RawArticle, default_source: str | None) -> None:
    fields: dict[str, Sequence[str | None]] = {
        "text": [raw.text],
        "title": [raw.title],
        "url": [raw.url],
        "source": [raw.source, default_source],
        "authors": raw.authors,
        "published": [raw.published],
        "external_id": [raw.external_id],
        "path": [raw.path],
    }
    for name, values in fields.items():
        if any(value and _UNSTORABLE.search(value) for value in values):
            raise RefusedInput(f"{name} holds NUL or half a surrogate pair")


def _title(stated: str, headline: str | None, text: str) -> tuple[str, TitleSource]:
    if stated:
        return stated, "meta"
    if headline is not None:
        return headline, "text"
    return _lead(text), "lead"


def _lead(text: str) -> str:
    """Give the first sentence, or as many of its words as make a title."""
    lines = [line for line in text.split("\n") if line]
    line = next((line for line in lines if not is_byline(line) and not is_dateline(line)), lines[0])
    if is_list_item(line):
        line = _LIST_MARK.sub("", line, count=1)
    end = _SENTENCE_END.search(line)
    return _cut(line[: end.end()] if end else line, _LEAD_CHARS)


def _cut(text: str, limit: int) -> str:
    """Shorten a text to at most `limit` characters, "…" included, at the end of a word if there is one."""
    if len(text) <= limit:
        return text
    head, space, _ = text[:limit].rpartition(" ")
    return (head if space else text[: limit - 1]).rstrip(" ,;:–—-") + "…"


def _publication_date(raw: RawArticle, text: str) -> tuple[date | None, DateSource]:
    if raw.published and (stated := parse_stated_date(raw.published)) is not None:
        return stated, "meta"
    if (found := find_dateline(text)) is not None:
        return found, "text"
    if raw.path and (named := date_in_file_name(PurePath(raw.path).name)) is not None:
        return named, "file"
    return None, "unknown"


def _identity(url: str | None, source: str, external_id: str | None, path: str | None, text: str) -> str:
    if url is not None:
        return f"url:{url}"
    # The colon is what parts source and id, so one within the source is written otherwise.
    within = source.replace("%", "%25").replace(":", "%3A")
    if external_id is not None:
        return f"id:{within}:{external_id}"
    if path:
        # Uploads have no folder of their own, so that the same file name may come from two sources.
        return f"path:{path}" if PurePath(path).is_absolute() else f"upload:{within}:{path}"
    return f"text:{hashlib.sha256(text.encode('utf-8')).hexdigest()}"


def _host(url: str | None) -> str | None:
    return (urlsplit(url).hostname or "").removeprefix("www.") if url else None
