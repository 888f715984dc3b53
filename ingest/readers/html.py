"""HTML pages: the article without its page, and what the page states about it."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

from htmldate import find_date
from trafilatura import bare_extraction, load_html
from trafilatura.settings import Document

from ingest.article import RefusedInput
from ingest.readers.encoding import decode
from ingest.readers.hidden import remove_hidden
from ingest.readers.raw import RawArticle, ReadResult

HtmlElement = Any  # lxml's, which ships no types

_DECLARED_CHARSET = re.compile(
    rb"<meta[^>]{0,200}?charset\s{0,9}=\s{0,9}[\"']?\s{0,9}([\w.:-]{1,40})"
    rb"|^\s{0,99}<\?xml[^>]{0,200}?encoding\s{0,9}=\s{0,9}[\"']([\w.:-]{1,40})",
    re.IGNORECASE,
)
_DECLARATION_BYTES = 4096
_XML_DECLARATION = re.compile(r"^\s{0,99}<\?xml[^>]{0,300}>")

_VERBATIM_TAGS = frozenset({"pre", "textarea", "script", "style"})
_DATE_TAGS = frozenset({"time", "abbr", "script"})
_DATE_PLACE = re.compile(r"date|time|publi|posted|byline", re.IGNORECASE)
# htmldate's own floor is 1995 and takes archives' dates for errors.
_EARLIEST_DATE = "1500-01-01"

_TABLE_RULE = re.compile(r"\|(?:-{3}\|)+")


# What the libraries let through when a page is broken in a way they did not expect.
_LIBRARY_FAULTS = (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


def read(data: bytes, path: str) -> ReadResult:
    """Extract the article of a page with trafilatura.

    Raises:
        RefusedInput: The bytes are not text, or the page holds no article text or cannot be taken apart.
    """
    try:
        return ReadResult((_article(_parse(data), path),))
    except _LIBRARY_FAULTS as error:
        raise RefusedInput(f"broken HTML page: {type(error).__name__} while taking it apart") from error


def _article(page: HtmlElement, path: str) -> RawArticle:
    date_page = deepcopy(page)
    remove_hidden(page)
    found = bare_extraction(page, with_metadata=True, include_comments=False, include_tables=True)
    if not isinstance(found, Document) or not found.text or not found.text.strip():
        raise RefusedInput("no article text found in the HTML page")
    url = found.url if found.url and found.url.lower().startswith(("http://", "https://")) else None
    return RawArticle(
        text="\n".join(_plain_rows(found.text)),
        title=found.title or None,
        url=url,
        source=found.sitename or None,
        authors=tuple(name.strip() for name in (found.author or "").split(";") if name.strip()),
        published=_stated_date(date_page, url),
        path=path,
    )


def _parse(data: bytes) -> HtmlElement:
    declared = _DECLARED_CHARSET.search(data[:_DECLARATION_BYTES])
    name = (declared[1] or declared[2]).decode("ascii") if declared else None
    markup = _XML_DECLARATION.sub("", decode(data, declared=name))
    page = load_html(markup)
    if page is None or page.tag != "html":  # trafilatura refuses lone fragments, and trips over other roots
        page = load_html(f"<html><body>{markup}</body></html>")
    if page is None:
        raise RefusedInput("not an HTML page")
    _join_source_lines(page)
    return page


def _join_source_lines(page: HtmlElement) -> None:
    """Make line breaks of the source spaces, as a browser does: trafilatura keeps some inside paragraphs."""
    verbatim = {
        inner for element in page.iter(*_VERBATIM_TAGS) for inner in element.iter()
    }  # their own text, not what follows them
    for element in page.iter():
        if element.text and element not in verbatim:
            element.text = _one_spaced(element.text)
        if element.tail and element.getparent() not in verbatim:
            element.tail = _one_spaced(element.tail)


def _one_spaced(text: str) -> str:
    return re.sub(r"[ \t\r\n\f]+", " ", text)


def _stated_date(page: HtmlElement, url: str | None) -> str | None:
    """Give the date that the page's head, data, URL or date line states, as YYYY-MM-DD.

    Even without its extensive search htmldate takes a bare date from any sentence, so it gets a copy of the
    page in which only the places made for a date still have text.
    """
    places = deepcopy(page)
    for element in places.iter():
        if not _is_date_place(element):
            element.text = None
        element.tail = None
    found: str | None = find_date(
        places,
        url=url,
        original_date=True,
        extensive_search=False,
        deferred_url_extractor=True,
        min_date=_EARLIEST_DATE,
    )
    return found


def _is_date_place(element: HtmlElement) -> bool:
    # Comments and processing instructions have a function for a tag.
    if not isinstance(element.tag, str):
        return False
    names = " ".join(element.get(name, "") for name in ("class", "id", "itemprop"))
    return element.tag in _DATE_TAGS or _DATE_PLACE.search(names) is not None


def _plain_rows(text: str) -> list[str]:
    """Turn the table rows of trafilatura ("| a | b |") into "a | b"."""
    lines = []
    for line in text.split("\n"):
        row = line.strip()
        if _TABLE_RULE.fullmatch(row):
            continue
        is_row = row.startswith("| ") and row.endswith("|")
        lines.append(row.strip("| ") if is_row else line)
    return lines
