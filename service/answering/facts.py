"""What of a sentence can be checked word by word: its numbers, names, times, negations and hedges. English only."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from index.lexical import STOP_WORDS, terms

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen".split()
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SMALL = {word: number for number, word in enumerate(_UNITS)} | {
    word: 10 * number for number, word in enumerate(_TENS, start=2)
}
_LARGE = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000, "dozen": 12}
_SMALL_WORD = "|".join(sorted(_SMALL, key=len, reverse=True))
_NUMBER = re.compile(
    rf"(?P<digits>\d[\d,]*(?:\.\d+)?)(?:(?:st|nd|rd|th)\b)?|\b(?P<words>(?:{_SMALL_WORD})(?:[- ](?:{_SMALL_WORD}))?)\b",
    re.IGNORECASE,
)
_LARGER = re.compile(rf"[\s-]*({'|'.join(_LARGE)})s?\b", re.IGNORECASE)
_UNIT = re.compile(
    r"\s*(?:(?P<share>%|per ?cent\b|percentage points?\b)|[-\s](?P<unit>tonnes?|tons?|kilomet(?:re|er)s?|km|"
    r"met(?:re|er)s?|miles?|years?|months?|weeks?|days?|hours?|minutes?|dollars?|euros?|pounds?|crowns?|degrees?|votes?|seats?|points?)\b)",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_][\w’'.&-]*[\w]|[^\W\d_]")
_INITIALS = re.compile(r"\b(?:[A-Za-z]\.){2,}")
_RELATIVE = re.compile(
    r"\b(?:yesterday|today|tomorrow|tonight|(?:last|next|this|previous|following) (?:week|month|year|spring|summer|"
    r"autumn|winter|night|\w+day))\b",
    re.IGNORECASE,
)
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot|hardly|\w+n[’']t)\b", re.IGNORECASE
)
_HEDGE = re.compile(
    r"\b(?:would|could|might|may(?= \w)|should|if|unless|plans?|planned|propos(?:es|ed|al)|expect(?:s|ed)?|wants?|"
    r"wanted|hopes?|hoped|allegedly|alleged|reportedly|possibly|perhaps|likely|consider(?:s|ed|ing)?|intends?|aims?|will|"
    r"supposed|scheduled|due|threaten(?:s|ed)?|demand(?:s|ed)?|ask(?:s|ed)?|call(?:s|ed)? for)\b",
    re.IGNORECASE,
)
_CAUSE = re.compile(
    r"\b(?:because|due to|caus(?:e|ed|es|ing)|led to|leads to|as a result|result(?:s|ed) (?:in|from)|therefore|"
    r"owing to|thanks to|so that|in order to|prompted|triggered|reasons?|blam(?:e|ed|es|ing)|after|over|since|"
    r"following)\b",
    re.IGNORECASE,
)
_OPPOSITES = """
rise fall, increase decrease, increase reduce, raise lower, raise cut, grow shrink, approve reject, accept refuse,
accept reject, grant deny, grant reject, win lose, open close, begin end, start stop, start end, support oppose,
allow forbid, allow ban, permit ban, hire fire, appoint dismiss, arrive leave, enter leave, buy sell, before after,
above below, more less, more fewer, first last, higher lower, best worst, gain lose, join leave, strengthen weaken,
expand shrink, agree refuse, confirm deny, succeed fail, pass reject, keep drop, export import, east west,
north south, majority minority, guilty innocent, upper lower, up down, early late, earlier later, largest smallest,
highest lowest, oldest youngest, reject approve, refuse grant, refuse approve, cancel keep, scrap keep, scrap save,
suspend resume, halt resume, demolish build, deny allow, lift impose, postpone begin, forbid permit, reject support,
shut open, shut reopen, close reopen, delay advance, jump fall, soar fall, raise reduce, hike cut
"""
# What several words say and one word says, too.
_PHRASES = (
    (re.compile(r"\b(?:turn|vote|strik|struck|knock)(?:e|ed|es|s|ing)? (?:\w+ )?down\b", re.IGNORECASE), " reject "),
    (re.compile(r"\b(?:call(?:s|ed|ing)?) (?:\w+ )?off\b", re.IGNORECASE), " cancel "),
    (re.compile(r"\bg[ai]v(?:e|es|en|ing) (?:\w+ ){0,2}(?:green light|go-ahead)\b", re.IGNORECASE), " approve "),
    (re.compile(r"\bmay (?=build|open|go ahead|proceed)", re.IGNORECASE), " approve "),
)
_GOES_ON = re.compile(r"\s*(?:and\s+)?", re.IGNORECASE)
# What often begins a sentence and is no name.
_BEGINS = re.compile(r"\w+(?:ing|ly|ed)|however|although|according|meanwhile|yes|thus|also|instead|despite|besides")
_ALIASES = {"us": "united states", "u.s": "united states", "uk": "united kingdom", "eu": "european union"}


def _pairs() -> dict[str, frozenset[str]]:
    opposite: dict[str, set[str]] = {}
    for pair in _OPPOSITES.split(","):
        # Stems, but of function words the words themselves.
        one, other = (word if word in STOP_WORDS else terms(word)[0] for word in pair.split())
        opposite.setdefault(one, set()).add(other)
        opposite.setdefault(other, set()).add(one)
    return {stem: frozenset(others) for stem, others in opposite.items()}


OPPOSITES = _pairs()


@dataclass(frozen=True, slots=True)
class Facts:
    """What a text says that cannot be said otherwise.

    Attributes:
        numbers: With their unit where one follows: "12 tonne", "25 %", "1500000".
        names: Runs of capitalised words, folded, in order; a single one that begins the text counts, too, unless it is
            of a kind that often does.
        times: Relative times, such as "last week".
        negated: Whether it denies something.
        hedged: Whether it says what may, will or should be, and not what is.
        causal: Whether it gives a reason.
        stems: Its content words, with function words that have an opposite.
    """

    numbers: frozenset[str]
    names: tuple[tuple[str, ...], ...]
    times: frozenset[str]
    negated: bool
    hedged: bool
    causal: bool
    stems: frozenset[str]

    @classmethod
    def of(cls, text: str) -> Facts:
        """Read a text."""
        return cls(
            numbers=frozenset(_numbers(text)),
            names=tuple(_names(text)),
            times=frozenset(match.group().casefold() for match in _RELATIVE.finditer(text)),
            negated=bool(_NEGATION.search(text)),
            hedged=bool(_HEDGE.search(text)),
            causal=bool(_CAUSE.search(text)),
            stems=_stems(text),
        )

    def contradicts(self, other: Facts) -> bool:
        """Tell whether one has a word and the other only its opposite ("rose" and "fell")."""
        return any(
            stem not in other.stems and opposites & other.stems and not opposites & self.stems
            for stem in self.stems
            if (opposites := OPPOSITES.get(stem))
        )

    def opposed_by(self, other: Facts, *, besides: frozenset[str]) -> bool:
        """Tell whether another text has the opposite of a content word here that is not in `besides`."""
        return any(
            (opposites - self.stems) & other.stems
            for stem in self.stems - STOP_WORDS - besides - other.stems
            if (opposites := OPPOSITES.get(stem))
        )


def _stems(text: str) -> frozenset[str]:
    for phrase, word in _PHRASES:
        text = phrase.sub(word, text)
    return frozenset(terms(text)) | {word for word in text.casefold().split() if word in OPPOSITES}


def folded(text: str) -> str:
    """Give a text as words are compared: no accents, one kind of quotes, no case, single spaces."""
    plain = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    return " ".join(plain.replace("’", "'").replace("“", '"').replace("”", '"').casefold().split())


def _numbers(text: str) -> list[str]:
    found: list[str] = []
    end = last = -1  # of the number before, and its last factor: "one thousand two hundred" is one
    value = 0.0
    for match in _NUMBER.finditer(text):
        more = 0.0
        if match["digits"]:
            more = float(match["digits"].replace(",", ""))
        else:
            more = float(sum(_SMALL[word] for word in re.split(r"[- ]", match["words"].casefold())))
        goes_on = end >= 0 and last > 1 and not match["digits"] and _GOES_ON.fullmatch(text, end, match.start())
        end, factor = match.end(), 1
        while larger := _LARGER.match(text, end):
            factor *= _LARGE[larger.group(1).casefold()]
            end = larger.end()
        more *= factor
        if goes_on and more < last:
            found.pop()
            value += more
        else:
            value = more
        last = factor
        unit = _UNIT.match(text, end)
        suffix = "" if unit is None else " %" if unit["share"] else f" {terms(unit['unit'])[0]}"
        found.append(f"{value:g}{suffix}" if value < 1e6 else f"{value:.0f}{suffix}")
    return found


def holds_number(number: str, within: frozenset[str]) -> bool:
    """Tell whether a number of one text stands in another: with its unit, or, where either has none, without."""
    if number in within:
        return True
    value, _, unit = number.partition(" ")
    alike = [other for other in within if other.partition(" ")[0] == value]
    return any(not unit or not other.partition(" ")[2] for other in alike)


def _names(text: str) -> list[tuple[str, ...]]:
    words = list(_WORD.finditer(_INITIALS.sub(lambda match: match.group().replace(".", ""), text)))
    names: list[tuple[str, ...]] = []
    end = -1  # of the name before: one that goes on is the same
    for place, match in enumerate(words):
        word = match.group()
        plain = folded(word)
        if not word[0].isupper() or plain in STOP_WORDS or (place == 0 and _BEGINS.fullmatch(plain)):
            continue
        parts = tuple(name_parts(word))
        if names and match.start() == end + 1:
            names[-1] = names[-1] + parts
        else:
            names.append(parts)
        end = match.end()
    return names


def name_parts(word: str) -> list[str]:
    """Give a word as names are compared: "U.S.’s" is "united", "states"."""
    plain = re.sub(r"'s?$", "", folded(word)).rstrip(".")
    return _ALIASES.get(plain, plain).split()
