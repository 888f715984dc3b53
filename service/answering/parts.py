"""A question that asks several things, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass

from index.lexical import terms
from service.answering.months import MONTH, WEEKDAY
from service.answering.question import stand_alone
from service.answering.reply import Turn

MOST_PARTS = 4
"""A question with more is asked as a whole: it is no list of questions but something that only looks like one."""

_ASKED = (
    r"(?:(?:to|by|in|at|on|for|from|since|with|of|under|through|until) )?"
    r"(?:who|whom|whose|what|which|when|where|why|how)\b"
)
_BEGINS = re.compile(rf"\W*(?:and |but |so )?{_ASKED}", re.IGNORECASE)
_BETWEEN = re.compile(rf"(?:[,;?.]\s*|\s+)(?:and|or|but)\s+(?={_ASKED})|[,;?.]\s+(?={_ASKED})", re.IGNORECASE)
_EDGES = " \t\r\n,;?.!"
# Names that the question brings up, but not its months and days: they are what sets its parts apart.
_NAMES = re.compile(
    rf"(?<=[a-z,] )(?!(?:{MONTH}|{WEEKDAY})\b)[A-Z][\w&’'.-]*(?: (?:[A-Z&][\w&’'.-]*|of|the(?= [A-Z])))*(?<!of)"
)
# "…, and which on the second": the verb is in the part before, whose asking word comes again. No more than a few words,
# or it has a verb of its own: "who on board was saved".
_SAID_BEFORE = re.compile(
    r"(?P<asks>which|who|whom|what|where|when|how many|how much)(?: ones?)?"
    r" (?P<rest>(?:in|on|at|for|with|by|under|during|after|before)"
    r" (?:[\w’'-]+|the (?:first|second|third|last|next|other)(?: [\w’'-]+)?))",
    re.IGNORECASE,
)
# "What was it at first, and what is it now?": the time is of the first part alone.
_OF_ITS_TIME = re.compile(
    r",? (?:at (?:first|present|the (?:moment|start|beginning|outset))|to begin with|initially|originally|now|today)$",
    re.IGNORECASE,
)
_ENOUGH_TERMS = 3
"""A part with fewer words of its own and without a name says too little to be searched by them."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of the things that a question asks: its own words, and the text by which it is searched and judged.

    What a part leaves unsaid ("and who paid for it") is in the parts before: `search` puts it in, and adds the names in
    them, or, where the part says next to nothing, the whole question.
    """

    words: str
    search: str


def parts_of(question: str) -> tuple[Part, ...]:
    """Take a question apart where it asks again ("When …, and who …?").

    Returns:
        At least two parts, in order; nothing for a question that asks one thing.
    """
    words = [part.strip(_EDGES) for part in _BETWEEN.split(question)]
    if not 2 <= len(words) <= MOST_PARTS or not all(_BEGINS.match(part) and len(part.split()) > 1 for part in words):
        return ()
    parts = [Part(words[0], f"{words[0]}?")]
    for number, own in enumerate(words[1:], start=1):
        # "And when will it open?" leans on the first part as a message leans on the one before it.
        if (again := _asked_again(own, words[0])) is not None:
            parts.append(Part(own, again))
            continue
        search = stand_alone(f"{own}?", [Turn("user", f"{_OF_ITS_TIME.sub('', words[0])}?")])
        names = [name for before in words[:number] for name in _NAMES.findall(before) if name not in search]
        if names:
            search += f" {' '.join(dict.fromkeys(names))}"
        elif search == f"{own}?" and len(terms(own)) < _ENOUGH_TERMS:
            search += f" {question.strip()}"
        parts.append(Part(own, search))
    return tuple(parts)


def _asked_again(own: str, first: str) -> str | None:
    """Ask the first part again as one without a verb changes it, "which on the second"; None for others."""
    found = _SAID_BEFORE.fullmatch(own)
    asks = found and re.match(rf"\W*{found['asks']}\b", first, re.IGNORECASE)
    if not found or not asks:
        return None
    again = stand_alone(f"And {found['rest']}?", [Turn("user", f"{first}?")])
    return again if again.casefold().startswith(found["asks"].casefold()) else None
