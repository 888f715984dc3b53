"""What a page hides from whoever looks at it, and extraction would read: taken out of the tree before that.

Only what an element itself says counts: its attributes and its own style. Stylesheets and scripts are not followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

HtmlElement = Any  # lxml's, which ships no types

_NEVER_SHOWN = frozenset({"template", "noscript"})
_HIDING = re.compile(
    r"(?:^|;)(?:display:none|visibility:(?:hidden|collapse)|content-visibility:hidden|transform:scale\(0\)"
    r"|clip:rect\(0|clip-path:inset\((?:50|100)%|(?:opacity|font-size):0?(?:\.0+)?(?:px|em|rem|pt|%)?(?:;|$|!)"
    r"|(?:left|top|right|bottom|text-indent|margin-left|margin-top):-(?:\d{4,}|9\d\d))"
)
_CLOSED = re.compile(r"(?:^|;)(?:max-)?(?:height|width):[01]?(?:px)?(?:;|$|!)")
_COLOUR = re.compile(r"(?:^|;)color:([^;!]+)")
_BACKGROUND = re.compile(r"(?:^|;)background(?:-color)?:([^;!]+)")
_WHITE = frozenset("white #fff #ffffff #fefefe #fdfdfd snow ivory rgb(255,255,255) hsl(0,0%,100%)".split())
_UNSEEN_COLOURS = frozenset({"transparent", "rgba(0,0,0,0)", "#0000", "#00000000"})


def remove_hidden(page: HtmlElement) -> None:
    """Take hidden elements, and comments, out of a page; the text after each stays."""
    for element in list(_hidden(page)):
        parent = element.getparent()
        if parent is None:
            continue
        _keep_tail(element, parent)
        parent.remove(element)


def _hidden(page: HtmlElement) -> Iterator[HtmlElement]:
    for element in page.iter():
        if not isinstance(element.tag, str):
            yield element  # a comment or a processing instruction
        elif element.tag != "body" and _is_hidden(element):
            yield element


def _is_hidden(element: HtmlElement) -> bool:
    if element.tag in _NEVER_SHOWN or element.get("hidden", "until-found").lower() != "until-found":
        return True
    style = re.sub(r"\s+|/\*.*?\*/", "", element.get("style") or "").lower()
    if _HIDING.search(style) or ("overflow:hidden" in style and _CLOSED.search(style)):
        return True
    stated = _COLOUR.search(style)
    colour = stated[1] if stated else (element.get("color") or "").strip().lower()
    return bool(colour) and (colour in _UNSEEN_COLOURS or colour in _backgrounds(element, style))


def _backgrounds(element: HtmlElement, style: str) -> frozenset[str]:
    """Give the colours that the nearest stated background may be called; a page is white where it states none."""
    while element is not None:
        stated = _BACKGROUND.search(style)
        colour = stated[1] if stated else (element.get("bgcolor") or "").strip().lower()
        if colour:
            return _WHITE if colour in _WHITE else frozenset({colour})
        element = element.getparent()
        style = re.sub(r"\s+", "", element.get("style") or "").lower() if element is not None else ""
    return _WHITE


def _keep_tail(element: HtmlElement, parent: HtmlElement) -> None:
    if not element.tail:
        return
    before = element.getprevious()
    if before is not None:
        before.tail = (before.tail or "") + element.tail
    else:
        parent.text = (parent.text or "") + element.tail
    element.tail = None
