"""What kind of thing a question asks for, and whether a sentence holds one."""

from __future__ import annotations

import re
from typing import Literal

Expectation = Literal["person", "time", "number", "place", "reason", "quotation", "any"]

_MONTHS = (
    "january|february|march|april|may|june|july|august|september|october|november|december|"
    "jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec"
)
_WEEKDAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"

_THINGS_THAT_ACT = (
    "person|minister|ministers|president|leader|mayor|director|scientist|professor|economist|company|firm|"
    "organi[sz]ation|club|team"
)
_PLACES = "city|town|country|countries|place|region|street|station|port|river"
_SAID = "said|says|told|called|described|warned|argued|claimed"

# The first that matches decides: "how many years" is a number, "which year" a time.
_ASKS: tuple[tuple[str, Expectation], ...] = (
    (r"\bhow (?:many|much|high|large|big|old|far|tall|deep|fast)\b", "number"),
    (r"\b(?:what|which) (?:percentage|share|proportion|number|amount|rate|price)\b|\bcosts?\b", "number"),
    (r"\b(?:what|which) (?:\w+ )?(?:year|month|day|date|time|week|weekends?|weekday|hour)\b", "time"),
    (r"\bwhen\b|\bhow (?:long|soon)\b|\bdeadline\b", "time"),
    (rf"\bwho (?:{_SAID})\b|\bwhat did .{{1,60}} (?:say|call|tell|argue)\b", "quotation"),
    (rf"\bwho(?:m|se)?\b|\b(?:which|what) (?:\w+ )?(?:{_THINGS_THAT_ACT})\b", "person"),
    (rf"\bwhere\b|\b(?:which|what) (?:\w+ )?(?:{_PLACES})\b", "place"),
    (r"\bwhy\b|\bwhat (?:is|was) the reason\b|\bwhat caused\b", "reason"),
)
_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hundred|thousand|million|billion|"
    r"half|third|quarter|twice|double|percent)\b",
    re.I,
)
_TIME = re.compile(
    rf"\b(?:{_MONTHS})\b\.?|\b(?:{_WEEKDAYS})\b|\b(?:1[5-9]|20)\d\d\b|\b\d{{1,2}}(?::\d\d)? ?[ap]\.?m\b|"
    r"\b(?:today|tomorrow|yesterday|weeks?|months?|years?|days|hours|minutes|spring|summer|autumn|winter)\b",
    re.I,
)
# Two capitalised words in a row, or one that does not open the sentence.
_NAME = re.compile(r"\b[A-Z][\w’'-]+ [A-Z][\w’'-]+|(?<=[a-z,] )[A-Z][\w’'-]+")
_REASON = re.compile(
    r"\b(?:because|since|due to|as a result|in order to|so that|to avoid|after|over|owing|caused|reason)\b", re.I
)
_QUOTATION = re.compile(
    r"[“”\"]|\b(?:said|says|told|called|according|argue[ds]|noted|added|warned|described|wrote|stressed)\b", re.I
)

_HOLDS: dict[Expectation, re.Pattern[str]] = {
    "number": _NUMBER,
    "time": _TIME,
    "person": _NAME,
    "place": _NAME,
    "reason": _REASON,
    "quotation": _QUOTATION,
}

_PLURAL = re.compile(
    r"\b(?:which|what|list|name|all)(?: \w+){0,3}? (?!is\b|was\b|has\b|does\b|this\b)\w{2,}(?<!s)s\b"
    r"|\b(?:what|which|who) are\b|\bwho (?:were|may|can)\b|\blist\b|\bname (?:the|all)\b"
    r"|\bwhat (?:must|may|should|can)\b",
    re.I,
)


def expectation_of(question: str) -> Expectation:
    """Tell what kind of thing a question asks for; `any` where its words do not say."""
    return next((kind for pattern, kind in _ASKS if re.search(pattern, question, re.IGNORECASE)), "any")


def asks_for_several(question: str) -> bool:
    """Tell whether a question asks for a list of things ("Which bodies …", "What are the …")."""
    return bool(_PLURAL.search(question))


def holds(expectation: Expectation, words: str, question: str) -> bool:
    """Tell whether a sentence holds a thing of the kind that is asked for and that the question does not name itself.

    True for `any`.
    """
    pattern = _HOLDS.get(expectation)
    if pattern is None:
        return True
    asked = question.casefold()
    return any(match.group().casefold() not in asked for match in pattern.finditer(words))
