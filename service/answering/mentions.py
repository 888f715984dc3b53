"""Who and what a text mentions by name, and of which kind, as far as its words tell. English only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from index.lexical import STOP_WORDS
from service.answering.months import MONTHS, WEEKDAYS
from service.answering.persons import ROLES, TITLES

Kind = Literal["person", "place", "thing"]

_THING_WORDS = frozenset(
    "bridge bank company alliance council union party hospital station agency ministry museum festival river institute "
    "university group committee court commission office club rovers athletic co-operative inc ltd limited act "
    "agreement award prize cup league storm ferry line lantern reservoir stadium ground school college church "
    "treaty summit "
    "association federation authority service board fund plan project programme program network media news post times "
    "herald army navy airlines railway railways house assembly parliament senate congress department society "
    "foundation transit transport museum gallery theatre orchestra library academy clinic energy electric motors steel "
    "holdings industries systems insurance logistics shipping telecom brewery".split()
)
_PLACE_WORDS = frozenset(
    "island isle coast bay harbour harbor port street road square lake mount mountain valley hill park pier".split()
)
_PLACES_OF_KIND = _PLACE_WORDS | frozenset("town city village country region district county state capital".split())
_SPEAKS = re.compile(r"\s+(?:said|says|told|announced|wants|plans|argued|warned|promised|resigned|died)\b")
_LOOKED_BACK = 40
"""Characters before a name that tell its kind."""

_IN = re.compile(r"\b(?:in|at|near|from|to|of|for|on|across|around|between|and|outside)\s+(?:the\s+)?$", re.IGNORECASE)
_WITHIN = re.compile(r"\b(?:in|at)\s+$", re.IGNORECASE)
# Nobody runs or founds a person, and "the company Marlo Vane" is none.
_RUN_BY_SOMEBODY = re.compile(
    r"\b(?:runs|ran|owns|owned|operates|operated|founded|manages|managed|chairs|chaired|operator|company|firm|group|agency"
    r"|party|club|union|maker|manufacturer|supplier|bank|insurer|airline|newspaper|magazine|broadcaster"
    r"|shipyard|brewery|bakery|factory|mill|hotel|restaurant|shop|chain|charity|museum|theatre|orchestra|choir|school)\s+(?:the\s+)?$",
    re.IGNORECASE,
)
_TITLED = re.compile(rf"\b(?:{TITLES})\.?\s+$", re.IGNORECASE)
_CALENDAR = frozenset(name.casefold() for name in (*MONTHS, *WEEKDAYS))
_ASKING = frozenset("is are was were did does do has have had can could will would should may".split())
_FIRST_PARTS = frozenset("st new north south east west san los".split())
_PART = r"(?:(?:Mr|Mrs|Ms|Dr|Prof|St|Gen|Sen|Rep|Gov|Sgt|[A-Z])\.|[A-Z][\w’'&-]*(?:\.[A-Z]\b\.?)*)"
_RUN = re.compile(rf"\b{_PART}(?:\s+(?:(?:of|de|van|von|al|bin)\s+(?:the\s+)?)?{_PART})*")
_SOMEBODY_OF = re.compile(r"(?P<who>\S+ \S+(?: \S+)?) of (?:the )?")
_ACTS = re.compile(r"\b(?:did|does|will|has|can|could|would|should)\s+$", re.IGNORECASE)
_QUOTED = re.compile(r"[,.]?[\"”’»]")
_SENTENCE_START = re.compile(r"(?:^|[.!?:“\"(]\s*|\n)$")


@dataclass(frozen=True, slots=True)
class Mention:
    """A name in a text, with the place where it begins."""

    words: str
    kind: Kind
    start: int


def mentions(text: str, *, repeated: bool = False) -> list[Mention]:
    """Give the names of a text in their order, each once, or `repeated`; months and weekdays are none."""
    found: dict[str | int, Mention] = {}
    for first, last in _runs(text):
        words, start = _trimmed(text[first:last], first, begins=_begins(text, first, last))
        key = start if repeated else words.casefold()
        if words and key not in found:
            end = start + len(words)
            kind = _kind(words, text[max(start - _LOOKED_BACK, 0) : start], text[end : end + 2])
            found[key] = Mention(words, kind, start)
    return list(found.values())


def is_place_word(word: str) -> bool:
    """Tell whether a lower-case noun is a place to be in."""
    return word in _PLACES_OF_KIND


def _runs(text: str) -> Iterator[tuple[int, int]]:
    """Give where words with capitals stand together; "Ines Roth of Orlo" are two, "Bank of Kaldria" is one."""
    for match in _RUN.finditer(text):
        owner = _SOMEBODY_OF.match(match.group())
        if owner and not any(part in _THING_WORDS | _PLACE_WORDS for part in owner["who"].casefold().split()):
            yield match.start(), match.start() + owner.end("who")
            yield match.start() + owner.end(), match.end()
        else:
            yield match.span()


def _begins(text: str, first: int, last: int) -> bool:
    """Tell whether a run may be large only because it begins a sentence."""
    return _SENTENCE_START.search(text[max(first - 3, 0) : first]) is not None and not _SPEAKS.match(text, last)


def _is_opening(word: str) -> bool:
    return word.casefold().strip(".’'") in STOP_WORDS | _CALENDAR | _ASKING


def _trimmed(run: str, start: int, *, begins: bool) -> tuple[str, int]:
    """Take off what is written large only because it begins a sentence, and what is of the calendar."""
    words = run.split()
    while words and (_is_opening(words[0])):
        start += len(words[0]) + 1
        words.pop(0)
        begins = False
    while words and words[-1].casefold() in _CALENDAR:
        words.pop()
    if words and words[-1] in {"No.", "No", "Nos"}:  # of a number
        words.pop()
    if begins and len(words) == 1 and not words[0].isupper():
        return "", start
    return re.sub(r"[’']s$", "", " ".join(words)).rstrip("."), start


def _kind(words: str, before: str, after: str) -> Kind:
    parts = [part.casefold().strip(".") for part in words.split()]
    if parts[0] in ROLES or _TITLED.search(before):
        return "person"
    if len(parts) == 1 and _ACTS.search(before):  # "where did Carney go"
        return "person"
    if _RUN_BY_SOMEBODY.search(before):
        return "thing"
    if before.endswith(('"', "“", "‘", "«")) and _QUOTED.match(after):  # a title
        return "thing"
    if any(part in _THING_WORDS for part in parts):
        return "thing"
    if any(part in _PLACE_WORDS for part in parts):
        return "place"
    if re.search(r"\bthe\s+$", before, re.IGNORECASE):
        return "thing"
    if _WITHIN.search(before):
        return "place"
    if _IN.search(before) and (len(parts) == 1 or parts[0] in _FIRST_PARTS):
        return "place"
    return "person" if len(parts) in (2, 3) else "thing"
