"""Publication dates: as metadata states them, as an article's date line does, or as its file is named.

A date is taken only where it is complete and unambiguous; a date that a sentence mentions, or one that is
relative to today, is none.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime

_EARLIEST_YEAR, _LATEST_YEAR = 1500, 2200

_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_DATE = re.compile(
    rf"(?<![\w/.-])(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\ )?(?:"
    rf"(?P<iso>\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}})"
    rf"|(?P<numeric>\d{{1,2}}([-/.])\d{{1,2}}\3\d{{4}})"
    rf"|(?P<day_first>{_DAY}\ {_MONTH},?\ \d{{4}})"
    rf"|(?P<month_first>{_MONTH}\ {_DAY},?\ \d{{4}})"
    rf")(?![\w/]|[-.]\d)",
    # ASCII: else "ſept" is a month without a name.
    re.IGNORECASE | re.VERBOSE | re.ASCII,
)
_TIME = (
    r"(?:,?\s(?:at\s)?\d{1,2}[:.]\d{2}(?::\d{2})?(?:\s?[ap]\.?m\b\.?)?"
    r"(?:\s?(?:Z|[A-Z]{2,4}|[+-]\d{2}:?\d{2}))?)?"
)
_TIME_ONLY = re.compile(_TIME, re.IGNORECASE)
_RFC_2822 = re.compile(
    r"(?:[A-Z][a-z]{2}, ?)?\d{1,2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}(?::\d{2})? (?:[+-]\d{4}|[A-Z]{1,4})"
)
_ISO_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}\S*")
_ISO_BASIC = re.compile(r"\d{8}")

_LINES_WITH_DATE = 8
_MAX_DATELINE_WORDS = 15
_MAX_DATELINE_CHARS = 200
_SENTENCE_OR_ITEM = re.compile(r"[\"“”«»]|^(?:-|\d{1,3}[.)]) |(?<![ap]\.m)[.!?:;]$", re.IGNORECASE)
# "What changed on 12 May 2025" is a heading about that day, not the day it was written.
_PREPOSITION_BEFORE = re.compile(
    r"\b(?:on|in|of|since|until|till|from|to|by|before|after|the|for|at|and|between|through|during)\s*$", re.I
)
_LABEL = re.compile(
    r"(?P<published>\b(?:published|posted|issued|publication date|date)\b)"
    r"|(?P<updated>\b(?:updated|modified|revised|corrected)\b)",
    re.IGNORECASE,
)
_END_OF_DATE = re.compile(_TIME + r"\s*(?:$|[|•·–—/(),-])", re.IGNORECASE)
_WIRE_START = re.compile(r"\(?[A-Z][\w.'’ -]{1,40}(?:, [A-Z][\w.'’ -]{1,30})?(?:,| [–—-]{1,2}) ")
_WIRE_END = re.compile(r"\)?\s*(?:\([^()]{1,40}\)\s*)?(?:[–—]|--?\s)")

_FILE_NAME_DATE = re.compile(r"(?<![0-9A-Za-z])(\d{4})([-_.]?)(\d{2})\2(\d{2})(?![0-9A-Za-z])")
_FILE_OF_MANY = re.compile(r"\.(?:jsonl|ndjson)(?:#\d+)?$", re.IGNORECASE)


def parse_stated_date(value: str) -> date | None:
    """Read a date as metadata states it: ISO 8601, RFC 2822, or in English words.

    A time with a zone gives its UTC date. Days and months in numbers count only when they cannot be mistaken
    for each other. None when it is no complete date, is ambiguous, or lies outside the years 1500 to 2200.
    """
    stated = " ".join(value.split())
    if _ISO_BASIC.fullmatch(stated):
        return _date(int(stated[:4]), int(stated[4:6]), int(stated[6:]))
    moment = _parse_moment(stated)
    if moment is not None:
        return _utc_date(moment)
    match = _DATE.match(stated)
    if match is None or not _TIME_ONLY.fullmatch(stated, match.end()):
        return None
    return _matched_date(match)


def find_dateline(text: str) -> date | None:
    """Find the date that the head of an article states about itself.

    It stands in one of the first 8 lines: a short line that is no sentence ("Sample Desk 17-03-2025",
    "Published: May 12, 2025"), or the opening of a paragraph ("OTTAWA, May 12, 2025 — ..."). A date of
    publication wins over the others; a date of an update does not count. None when two contradict each other.
    """
    published: set[date] = set()
    unlabelled: set[date] = set()
    for line in _head(text):
        for found, is_published in _line_dates(line):
            (published if is_published else unlabelled).add(found)
        if (wire := _wire_date(line)) is not None:
            unlabelled.add(wire)
    candidates = published or unlabelled
    return candidates.pop() if len(candidates) == 1 else None


def is_dateline(line: str) -> bool:
    """Tell whether a line is one that says when (and by whom) the article was published or updated."""
    return bool(_line_dates(line)) or _is_update_line(line)


def date_in_file_name(name: str) -> date | None:
    """Find the one date in a file's name, such as "2025-03-17-slug.md" or "20250317_slug.txt".

    None for a file of many articles (JSON Lines), whose name speaks of the export.
    """
    if _FILE_OF_MANY.search(name):
        return None
    dates = {
        found
        for match in _FILE_NAME_DATE.finditer(name)
        if (found := _date(int(match[1]), int(match[3]), int(match[4]))) is not None
    }
    return dates.pop() if len(dates) == 1 else None


def _parse_moment(stated: str) -> datetime | None:
    if _ISO_MOMENT.match(stated):
        try:
            return datetime.fromisoformat(stated.replace(" UTC", "Z").replace(" +", "+"))
        except ValueError:
            return None
    if _RFC_2822.fullmatch(stated):
        try:
            return parsedate_to_datetime(stated)
        except ValueError:
            return None
    return None


def _utc_date(moment: datetime) -> date | None:
    try:
        day = moment.astimezone(UTC).date() if moment.tzinfo is not None else moment.date()
    except OverflowError:
        return None
    return _date(day.year, day.month, day.day)


def _date(year: int, month: int, day: int) -> date | None:
    if not _EARLIEST_YEAR <= year <= _LATEST_YEAR:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _matched_date(match: re.Match[str]) -> date | None:
    """Read what `_DATE` matched."""
    numbers = [int(number) for number in re.findall(r"\d+", match[0])]
    if match["iso"]:
        return _date(*numbers)
    if match["numeric"]:
        first, second, year = numbers
        if first != second and max(first, second) <= 12:
            return None  # 05-06-2025 is one day in Ottawa and another in Paris
        return _date(year, min(first, second), max(first, second))
    day, year = numbers
    words = match["day_first"] or match["month_first"]
    month = next(word for word in re.findall(r"[a-z]{3,}", words.lower()) if word[:3] in _MONTH_NAMES)
    return _date(year, _MONTH_NAMES.index(month[:3]) + 1, day)


def _head(text: str) -> list[str]:
    head: list[str] = []
    start = 0
    # Not split("\n"): the head of a long text is enough.
    while len(head) < _LINES_WITH_DATE and start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        if line := text[start:end].strip():
            head.append(line)
        start = end + 1
    return head


def _line_dates(line: str) -> list[tuple[date, bool]]:
    """Give the dates of a date line, each with whether the line calls it the date of publication."""
    if not _may_be_dateline(line):
        return []
    dates: list[tuple[date, bool]] = []
    start = 0
    for match in _DATE.finditer(line):
        before, after = line[start : match.start()], line[match.end() :]
        start = match.end()
        found = _matched_date(match)
        labels = list(_LABEL.finditer(before))
        if found is None or (labels and labels[-1]["updated"]):
            continue
        if labels:
            dates.append((found, True))
        elif _stands_apart(before, after):
            dates.append((found, False))
    return dates


def _may_be_dateline(line: str) -> bool:
    return (
        len(line) <= _MAX_DATELINE_CHARS
        and len(line.split()) <= _MAX_DATELINE_WORDS
        and not _SENTENCE_OR_ITEM.search(line)
    )


def _stands_apart(before: str, after: str) -> bool:
    """Tell a date at the end of a line, or between its separators, from one that a phrase runs through."""
    if _PREPOSITION_BEFORE.search(before):
        return False
    return _END_OF_DATE.match(after) is not None


def _is_update_line(line: str) -> bool:
    return _may_be_dateline(line) and _LABEL.search(line) is not None and _DATE.search(line) is not None


def _wire_date(line: str) -> date | None:
    """Give the date of "OTTAWA, May 12, 2025 — ..." at the start of a paragraph."""
    match = _DATE.search(line, 0, _MAX_DATELINE_CHARS)
    if match is None or not _WIRE_START.fullmatch(line, 0, match.start()):
        return None
    return _matched_date(match) if _WIRE_END.match(line, match.end()) else None
