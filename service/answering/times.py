"""The times that a question names, held against the days on which articles were published. English only.

Only known days count: an article without one is neither preferred nor left behind by a wrong guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal

from service.answering.months import MONTHS, PLAIN_MONTH

Order = Literal["newest", "oldest"]

_MONTH = re.compile(
    rf"\b(?P<month>{PLAIN_MONTH})\b"
    r"(?:\s+\d{1,2}(?:st|nd|rd|th)?\b,?)?(?:\s+(?:of\s+)?(?P<year>(?:19|20)\d\d)\b)?"
)
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_NEWEST = re.compile(
    r"\b(?:now|nowadays|currently|today|at present|these days|latest|newest|most recent(?:ly)?|still|so far|by now)\b",
    re.IGNORECASE,
)
_OLDEST = re.compile(r"\b(?:originally|initially|at first|earliest|in the beginning|to begin with)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Times:
    """When a question is about.

    Attributes:
        months: Months of a year (1 to 12) and years that it names; None in a pair is any.
        order: Whether it asks for how things are by now, or how they were to begin with.
    """

    months: frozenset[tuple[int | None, int | None]]
    order: Order | None

    @classmethod
    def read(cls, question: str) -> Times:
        """Read the times of a question."""
        found: set[tuple[int | None, int | None]] = set()
        for match in _MONTH.finditer(question):
            month = MONTHS.index(match["month"].capitalize()) + 1
            found.add((month, int(match["year"]) if match["year"] else None))
        years = {int(year) for year in _YEAR.findall(question)} - {year for _, year in found}
        found |= {(None, year) for year in years}
        order: Order | None = "newest" if _NEWEST.search(question) else "oldest" if _OLDEST.search(question) else None
        return cls(frozenset(found), order)

    def names(self, day: date | None) -> bool:
        """Tell whether a day is in one of the months or years."""
        if day is None:
            return False
        return any(month in (None, day.month) and year in (None, day.year) for month, year in self.months)


@dataclass(frozen=True, slots=True)
class Days:
    """The days on which the articles that were found were published, from first to last; None where none is known."""

    first: date | None
    last: date | None

    @classmethod
    def of(cls, days: Iterable[date | None]) -> Days:
        """Take the known ones of some days."""
        known = [day for day in days if day is not None]
        return cls(min(known, default=None), max(known, default=None))

    def standing(self, day: date | None, order: Order | None) -> float:
        """Say how well a day stands in an order.

        Returns:
            From 1 for the newest to 0 for the oldest day, or from 0 to -1 where the oldest is wanted; 0 for a day that
            is not known, or without an order.
        """
        if day is None or self.first is None or self.last is None or order is None:
            return 0.0
        age = (day - self.first).days / max((self.last - self.first).days, 1)
        return age if order == "newest" else -age
