"""A reply as plain text, for terminals and for clients that ask for `text/plain`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ingest.article import UNKNOWN_SOURCE
from service.answering.answer import Citation
from service.answering.reply import Reply

_INDENT = "    "
# Article text is data: it must not steer a terminal. The line end is the only control character let through.
_CONTROLS = dict.fromkeys((*range(0x0A), *range(0x0B, 0x20), *range(0x7F, 0xA0)))


def render_reply(reply: Reply) -> str:
    """Give the answer with its marks, then each citation with its quote; ends with a line end.

    An abstention is its sentence and the nearest passages.
    """
    answer = reply.answer
    lines = [answer.text]
    if answer.citations:
        lines.append("")
        for citation in answer.citations:
            lines.extend(_cited(f"[{citation.number}]", citation))
    elif answer.nearest:
        lines.extend(["", "Nearest passages:"])
        lines.extend(_all_nearest(answer.nearest))
    return printed("\n".join(lines)) + "\n"


def printed(text: str) -> str:
    """Take out control characters, of which text from articles must send none to a terminal."""
    return text.translate(_CONTROLS)


def _all_nearest(nearest: Iterable[Citation]) -> Iterator[str]:
    for citation in nearest:
        yield from _cited("-", citation)


def _cited(mark: str, citation: Citation) -> Iterator[str]:
    day = citation.published_at.isoformat() if citation.published_at else ""
    known = ", ".join(part for part in (citation.source if citation.source != UNKNOWN_SOURCE else "", day) if part)
    url = f" ({citation.url})" if citation.url else ""
    yield f"{mark} {citation.title}{f' — {known}' if known else ''}{url}"
    for line in f"“{citation.quote}”".split("\n"):
        yield f"{_INDENT}{line}".rstrip()
