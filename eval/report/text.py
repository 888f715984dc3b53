"""Text of articles and users on its way into the page: escaped, and with nothing in it that cannot be seen."""

from __future__ import annotations

import re
import unicodedata

from markupsafe import Markup, escape

_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Joiners make letters and emoji what they are: they show in what they join.
_SHOWN = frozenset("\n\t\u200c\u200d")
_RUNS = re.compile(r"[^\x20-\x7e\xa1-\xac\xae-\u02ff]")


def hidden(char: str) -> bool:
    """Tell whether a character steers how text looks without being seen: controls, bidi marks, noncharacters."""
    point = ord(char)
    if point & 0xFFFE == 0xFFFE or 0xFDD0 <= point <= 0xFDEF:
        return True
    return unicodedata.category(char) in _HIDDEN_CATEGORIES and char not in _SHOWN


def visible(value: object) -> object:
    """Give a value as the page shows it; the template environment calls this on every one.

    Text is escaped, and each hidden character stands as its code point in an element of its own, so that it can
    neither turn the text around nor be overlooked. What is markup or no text is given back as it is.
    """
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    pieces: list[str] = []
    shown_until = 0
    for found in _RUNS.finditer(value):
        if hidden(found.group()):
            pieces.append(escape(value[shown_until : found.start()]))
            pieces.append(Markup('<span class="hidden-char">{}</span>').format(code_point(found.group())))
            shown_until = found.end()
    pieces.append(escape(value[shown_until:]))
    return Markup("").join(pieces)


def plain(text: str) -> str:
    """Give text for where no element can stand, as in attributes and plots: hidden characters as `[U+202E]`."""
    return "".join(f"[{code_point(char)}]" if hidden(char) else char for char in text)


def attribute(text: str) -> Markup:
    """Give text as the value of an attribute, or of another place that holds no elements."""
    return escape(plain(text))


def code_point(char: str) -> str:
    """Write a character as `U+202E`."""
    return f"U+{ord(char):04X}"
