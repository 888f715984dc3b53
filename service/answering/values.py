"""The values that a sentence states: sums, shares, measures, counts, days and who holds an office. English only.

Each is read with its unit, so that only what can be compared is: two values are comparable if kind and unit are the
same. Nothing is converted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from index.lexical import STOP_WORDS, terms
from service.answering.anycase import AnyCase
from service.answering.months import MONTH, MONTHS

ValueKind = Literal["money", "share", "measure", "count", "day", "holder"]

NUMBERS: frozenset[ValueKind] = frozenset({"count", "money", "measure"})
"""Kinds of which a bare number may be one."""

ROUNDING = 0.02
"""Amounts that differ by no more than this share are one amount, rounded."""

ROUGH_ROUNDING = 0.1
"""The same where one is said to be rough ("about 1,200")."""

_SMALL = {
    word: float(number)
    for number, word in enumerate(
        "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
        "eighteen nineteen twenty".split(),
        start=2,
    )
} | {
    word: 10.0 * number for number, word in enumerate("thirty forty fifty sixty seventy eighty ninety".split(), start=3)
}
_SCALES = {"dozen": 12.0, "hundred": 1e2, "thousand": 1e3, "million": 1e6, "m": 1e6, "billion": 1e9, "bn": 1e9}

_NUMBER = AnyCase(
    r"(?P<before>[$€£¥]\s?)?(?<![\w.,:/-])"
    rf"(?P<number>\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d+(?:\.\d+)?|\b(?:{'|'.join(_SMALL)}))\b(?!(?:st|nd|rd|th)\b)(?![:/]\d|[.,]\d)"
    r"(?P<scale>[\s-](?:million|billion|thousand|hundred|dozen|bn|m)\b)?",
)
_SHARE = re.compile(r"\s?(?:%|per ?cent\b)(?P<points>age points?)?|\s?percentage points?\b", re.IGNORECASE)
_CURRENCY = re.compile(
    r"[\s-](?P<currency>(?:\w+ )?(?:dollars?|euros?|pounds?|crowns?|francs?|yen|yuan|cents?|pence|rupees?|pesos?|"
    r"kron[ae]r?))\b",
    re.IGNORECASE,
)
_UNIT = re.compile(
    r"[\s-](?P<unit>(?:square |cubic )?(?:(?:kilo|centi|milli)?met(?:re|er)s?|miles?|feet|foot|"
    r"inch(?:es)?|yards?|hectares?|acres?|tonnes?|tons?|kilos?|kilograms?|grams?|lit(?:re|er)s?|gallons?|"
    r"(?:mega|giga|kilo|tera)?watt(?:s|-hours?)?|degrees?|volts?|years?|months?|weeks?|days?|nights?|hours?|minutes?|"
    r"seconds?|km|cm|mm|kg|mw|gw|knots?)(?: (?:per|an?|of snow|of rain) (?:hour|second|day|year))?)\b",
    re.IGNORECASE,
)
_NOT_AN_AMOUNT = re.compile(
    r"\s?[ap]\.?m\b|\s?times\b"
    r"|\s(?:of|out of)\s(?:them|these|those|its|their|his|her|the|every|all|which)\b"
    rf"|\s(?:{MONTH})\b|-\d|\s?(?:to|or|and|–|—)\s?\d|-year-old|\s(?:more|fewer|less|other|others|additional)\b",
    re.IGNORECASE,
)
_BEFORE_NO_AMOUNT = re.compile(
    rf"(?:\b(?:no|nos|number|article|section|chapter|page|room|platform|locker|line|aged?|another|{MONTH})\.?\s"
    r"|\d\s?(?:to|or|and|–|-)\s|\bbetween\s|\bfrom\s)$",
    re.IGNORECASE,
)
_LOOKED_BACK = 40
"""Characters before a number: more than the words take that say what is not an amount, or a rough one."""
_ROUGH = re.compile(
    r"\b(?:about|around|roughly|nearly|almost|some|approximately|close to|well over|over|more than|at least|up to|"
    r"fewer than|less than|under|just under|just over|estimated)\s(?:the\s)?$",
    re.IGNORECASE,
)
_DAY = re.compile(
    rf"\b(?:(?P<d1>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? )?(?P<month>{MONTH})\b"
    r"(?: (?P<d2>\d{1,2})(?:st|nd|rd|th)?\b(?![:.,]?\d))?(?:,? (?P<year>(?:19|20)\d\d)\b)?"
)
_YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b")
_NOUN = re.compile(r"\s([^\W\d_][\w’'-]*)")
_FULL_NAME = r"[A-Z][\w’'-]+(?: (?:(?:de|van|von|al|bin) )?[A-Z][\w’'-]+)+"
_IN_A_COMPOUND = re.compile(r"-[^\W\d_]")
_NO_NOUN = frozenset("every each per more less according because since said says between against instead".split())


@dataclass(frozen=True, slots=True)
class Value:
    """A value that a sentence states.

    Attributes:
        kind: What it is.
        amount: The number, scaled ("48 million" is 48e6); of a day its month, day and year as one number, 0 for what is
            not said.
        unit: Of money and measures, singular; of a day how exact it is; of a holder the office.
        nouns: Stems of what is counted: the words after a count; of a holder the parts of the name.
        words: As it stands in the sentence, with its unit.
        start: Where it stands in the sentence.
        rough: Whether it is said to be about, over or under.
    """

    kind: ValueKind
    amount: float
    unit: str
    nouns: frozenset[str]
    words: str
    start: int
    rough: bool = False

    @property
    def bare(self) -> bool:
        """Whether the sentence leaves open what it is a number of ("It was 46,500")."""
        return self.kind == "count" and not self.nouns

    def comparable(self, other: Value) -> bool:
        """Tell whether both are of one kind and unit, or one is a bare number; counts need not name the same thing."""
        if self.bare or other.bare:
            return {self.kind, other.kind} <= NUMBERS
        return (self.kind, self.unit) == (other.kind, other.unit)

    def same(self, other: Value) -> bool:
        """Tell whether two comparable values are one, perhaps rounded."""
        if self.kind == "holder":
            return bool(self.nouns & other.nouns)
        if self.amount == other.amount or self.kind == "day":
            return self.amount == other.amount
        most = max(abs(self.amount), abs(other.amount))
        rounding = ROUGH_ROUNDING if self.rough or other.rough else ROUNDING
        # Two exact figures differ as soon as they are not the same to the digits of the coarser one.
        near = abs(self.amount - other.amount) <= rounding * most
        return near and (self.rough or other.rough or _is_rounding(self.amount, other.amount))


def values_of(sentence: str) -> list[Value]:
    """Give the values of a sentence, in order; years, times of day, ordinals, ranges and numbers of things are none."""
    days = days_of(sentence)
    taken = [(value.start, value.start + len(value.words)) for value in days]
    found = [value for value in _amounts(sentence) if not any(start <= value.start < end for start, end in taken)]
    return sorted([*days, *found], key=lambda value: value.start)


def days_of(sentence: str) -> list[Value]:
    """Give the days and months of a sentence, in order: those of its values that are days."""
    return list(_days(sentence))


def holders_of(sentence: str, office: str) -> list[Value]:
    """Give who a sentence says holds an office ("coach Ada Lund", "Ada Lund, the coach", "Ada Lund is coach").

    Args:
        sentence: The sentence.
        office: Its name, as in a question; case makes no difference.
    """
    role = rf"(?i:{re.escape(office)})"
    patterns = (
        rf"\b{role}(?: of (?:the )?[A-Z][\w’'-]*(?: [A-Z][\w’'-]*)*)?,? (?:is |was )?(?P<name>{_FULL_NAME})",
        rf"(?P<name>{_FULL_NAME})(?:,| is| was|, who is)(?: the| its| their)?(?: \w+)? {role}\b",
    )
    found = {match.start("name"): match["name"] for pattern in patterns for match in re.finditer(pattern, sentence)}
    return [
        Value("holder", 0.0, office.casefold(), frozenset(name.casefold().split()), name, start)
        for start, name in sorted(found.items())
    ]


def years_of(sentence: str) -> frozenset[str]:
    """Give the years that a sentence names."""
    return frozenset(_YEAR.findall(sentence))


def _is_rounding(one: float, other: float) -> bool:
    """Tell whether the rounder of two amounts is the other one rounded to its digits."""
    coarse, fine = sorted((one, other), key=_digits)
    digits = _digits(coarse)
    return digits < _digits(fine) and float(f"{fine:.{max(digits - 1, 0)}e}") == coarse


def _digits(amount: float) -> int:
    return len(f"{amount:.10g}".split("e")[0].replace(".", "").strip("0")) or 1


def _amounts(sentence: str) -> Iterator[Value]:
    for match in _NUMBER.finditer(sentence):
        plain, end, at = match["number"].replace(",", ""), match.end(), match.start("number")
        if sentence[at].isupper() and match.start():
            continue  # part of a name
        if _NOT_AN_AMOUNT.match(sentence, end) or _BEFORE_NO_AMOUNT.search(sentence, max(at - _LOOKED_BACK, 0), at):
            continue
        amount = _SMALL.get(plain.casefold(), 0.0) or float(plain if plain[0].isdigit() else 0)
        scale = (match["scale"] or "").strip(" -").casefold()
        amount *= _SCALES.get(scale, 1.0)
        rough = _ROUGH.search(sentence, max(match.start() - _LOOKED_BACK, 0), match.start()) is not None

        def value(kind: ValueKind, unit: str, last: int, nouns: frozenset[str] = frozenset()) -> Value:
            start = match.start()  # noqa: B023 - used at once
            return Value(kind, amount, unit, nouns, sentence[start:last], start, rough)  # noqa: B023

        if share := _SHARE.match(sentence, end):
            yield value("share", "points" if "point" in share.group() else "%", share.end())
        elif match["before"]:
            yield value("money", match["before"].strip(), end)
        elif money := _CURRENCY.match(sentence, end):
            yield value("money", terms(money["currency"])[-1], money.end())
        elif unit := _UNIT.match(sentence, end):
            yield value("measure", " ".join(terms(unit["unit"])), unit.end())
        elif not _IN_A_COMPOUND.match(sentence, end) and (scale or not _YEAR.fullmatch(match["number"])):
            nouns, last = _nouns(sentence, end)
            yield value("count", "", last, nouns)


def _nouns(sentence: str, end: int) -> tuple[frozenset[str], int]:
    """Give the stems of up to three words after a count that may be what it counts, and where they end."""
    words: list[str] = []
    while len(words) < 3 and (match := _NOUN.match(sentence, end)):
        if match[1].casefold() in STOP_WORDS or match[1].casefold() in _NO_NOUN:
            break
        words.append(match[1])
        end = match.end()
    return frozenset(terms(" ".join(words))), end


def _days(sentence: str) -> Iterator[Value]:
    for match in _DAY.finditer(sentence):
        day, month, year = match["d1"] or match["d2"], MONTHS.index(match["month"].capitalize()) + 1, match["year"]
        if (
            match["month"] == "May"
            and not (day or year)
            and not re.search(r"\b(?:in|of|since|until|by|last|next)\s$", sentence[: match.start()])
        ):
            continue
        amount = float(int(year or 0) * 10_000 + month * 100 + int(day or 0))
        exact = "day" if day else "month"
        yield Value("day", amount, exact + (" of a year" if year else ""), frozenset(), match.group(), match.start())
