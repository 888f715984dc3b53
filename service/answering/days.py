"""The days that a question speaks of: "since March 2025", "between 3 and 9 May 2024", "last week". English only.

What is relative, or lacks its year, is reckoned from the day as of which is asked. Where that is not known it says
nothing: today is no day of the articles.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from service.answering.months import MONTHS, PLAIN_MONTH

_YEAR = r"(?:1[5-9]|20)\d\d"
_DAY = rf"\d{{4}}-\d\d-\d\d|\d{{1,2}}(?:st|nd|rd|th)? (?:of )?(?:{PLAIN_MONTH})\b(?:,? {_YEAR}\b)?"
_DATE = rf"(?:{_DAY}|(?:{PLAIN_MONTH})\b(?: \d{{1,2}}(?:st|nd|rd|th)?\b(?!:|\d))?(?:,? (?:of )?{_YEAR}\b)?|{_YEAR}\b)"
_AGO = (
    r"today|yesterday|(?:this|last|past) (?:week|month|year)"
    r"|(?:the )?(?:last|past) (?P<count>\d{1,3}|two|three|four|five|six|seven|ten) (?P<unit>day|week|month|year)s"
    rf"|last (?P<month>{PLAIN_MONTH})\b"
)
_PERIOD = re.compile(
    rf"(?:\b(?i:between|from) (?:the )?(?P<first>{_DATE}) (?:and|to|until|till) (?:the )?(?P<last>{_DATE}))"
    rf"|(?:\b(?P<lead>(?i:since|from|after|before|until|till|by|up to)) )?(?:the )?\b(?P<day>{_DATE})"
    rf"|\b(?P<ago>(?i:{_AGO}))\b"
)
_PUBLISHED = re.compile(
    r"\b(?:articles?|reports?|stor(?:y|ies)|news|pieces?|texts?)\b(?: [\w’'-]+){0,6}? "
    r"(?:published|printed|posted|written|(?:that )?appeared|dated)\s+(?:(?:in|on|at|during|within|over) )?(?:the )?$"
)
_COUNTS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "ten": 10}
_DAYS = {"day": 1, "week": 7}


@dataclass(frozen=True, slots=True)
class Period:
    """Days from `first` to `last`, both in it; None is without an end on that side. One of the two is known."""

    first: date | None
    last: date | None

    def holds(self, day: date | None) -> bool:
        """Tell whether a day is in it; a day that is not known is in none."""
        if day is None:
            return False
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)


def periods(question: str, *, as_of: date | None = None) -> list[Period]:
    """Give the periods that a question speaks of, in its order; one that is not known for sure is left out."""
    return [period for _, period in _found(question, as_of)]


def publication_period(question: str, *, as_of: date | None = None) -> Period | None:
    """Give when the articles were published that are asked for ("in articles published in March 2025")."""
    for start, period in _found(question, as_of):
        if _PUBLISHED.search(question[:start]):
            return period
    return None


def _found(question: str, as_of: date | None) -> Iterator[tuple[int, Period]]:
    for match in _PERIOD.finditer(question):
        period = _read(match, as_of)
        if period is not None and (period.first is None or period.last is None or period.first <= period.last):
            yield match.start(), period


def _read(match: re.Match[str], as_of: date | None) -> Period | None:
    if match["ago"]:
        return _before(match, as_of) if as_of else None
    if match["first"]:
        last = _named(match["last"], as_of)
        year = f" {last.first.year}" if last and last.first else ""
        # In "between March and May 2025" the year is of both.
        first = _named(match["first"] if re.search(_YEAR, match["first"]) else match["first"] + year, as_of)
        return Period(first.first, last.last) if first and last else None
    named = _named(match["day"], as_of)
    if named is None or named.first is None or named.last is None:
        return None
    lead = (match["lead"] or "").casefold()
    try:
        if lead in {"since", "from"}:
            return Period(named.first, None)
        if lead == "after":
            return Period(named.last + timedelta(days=1), None)
        if lead == "before":
            return Period(None, named.first - timedelta(days=1))
    except OverflowError:
        return None
    return Period(None, named.last) if lead else named


def _named(words: str, as_of: date | None) -> Period | None:
    """Read a day, a month or a year."""
    if re.fullmatch(r"\d{4}-\d\d-\d\d", words):
        return _days(*(int(part) for part in words.split("-")))
    month = next((number for number, name in enumerate(MONTHS, 1) if name.casefold() in words.casefold()), None)
    year_found = re.search(_YEAR + r"\b", words)
    day_found = re.search(r"\b\d{1,2}(?!\d)", words)
    if month is None:
        return Period(date(int(words), 1, 1), date(int(words), 12, 31)) if year_found else None
    day = int(day_found.group()) if day_found else None
    if year_found:
        return _days(int(year_found.group()), month, day)
    if as_of is None:
        return None
    this = _days(as_of.year, month, day)
    # Without a year the last one is meant that has begun.
    return this if this and this.first and this.first <= as_of else _days(as_of.year - 1, month, day)


def _days(year: int, month: int, day: int | None) -> Period | None:
    try:
        first = date(year, month, day or 1)
    except ValueError:
        return None
    return Period(first, first if day else first.replace(day=calendar.monthrange(year, month)[1]))


def _before(match: re.Match[str], as_of: date) -> Period | None:
    """Read "yesterday", "last week", "the past three months"."""
    words = match["ago"].casefold()
    try:
        if match["count"]:
            count = _COUNTS.get(match["count"]) or int(match["count"])
            return Period(_back(as_of, count, match["unit"]), as_of)
        if match["month"]:
            month = [name.casefold() for name in MONTHS].index(match["month"].casefold()) + 1
            return _days(as_of.year - (month >= as_of.month), month, None)
        if words in {"today", "yesterday"}:
            day = as_of - timedelta(days=words == "yesterday")
            return Period(day, day)
        ago, unit = words.split()
        return _unit(as_of, unit, last=ago != "this")
    except (OverflowError, ValueError):
        return None


def _unit(as_of: date, unit: str, *, last: bool) -> Period | None:
    if unit == "week":  # from Monday to Sunday
        monday = as_of - timedelta(days=as_of.weekday() + 7 * last)
        return Period(monday, monday + timedelta(days=6))
    if unit == "year":
        return Period(date(as_of.year - last, 1, 1), date(as_of.year - last, 12, 31))
    before = as_of.replace(day=1) - timedelta(days=1) if last else as_of
    return _days(before.year, before.month, None)


def _back(as_of: date, count: int, unit: str) -> date:
    if unit in _DAYS:
        return as_of - timedelta(days=count * _DAYS[unit])
    months = as_of.year * 12 + as_of.month - 1 - count * (12 if unit == "year" else 1)
    year, month = divmod(months, 12)
    return date(year, month + 1, min(as_of.day, calendar.monthrange(year, month + 1)[1]))
