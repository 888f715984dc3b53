"""The names of months and weekdays, as the patterns and word lists of this package need them. English only."""

from __future__ import annotations

MONTHS = tuple("January February March April May June July August September October November December".split())
MONTH = "|".join(MONTHS)
MONTH_OR_SHORT = f"{MONTH}|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec"
PLAIN_MONTH = "|".join((*MONTHS, *(name.lower() for name in MONTHS if name != "May")))
"""In text whose case counts: "may" without its capital is another word."""
WEEKDAYS = tuple("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split())
WEEKDAY = "|".join(WEEKDAYS)
