"""What kind of thing a question asks for, and how well a sentence holds one.

English only: rules over the words of question and sentence, no model. Where they do not see what is asked for, the
kind is `any` and every sentence holds it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from service.answering.anycase import AnyCase
from service.answering.mentions import mentions
from service.answering.months import MONTH_OR_SHORT, WEEKDAY

Expectation = Literal[
    "person",
    "time",
    "duration",
    "number",
    "money",
    "share",
    "place",
    "reason",
    "manner",
    "quotation",
    "definition",
    "office",
    "choice",
    "any",
]

_COUNTS = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|"
    "eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|dozens?|hundreds?|thousands?|millions?|"
    "billions?"
)
_AMOUNT = rf"(?:\d[\d,.]*|\b(?:{_COUNTS})\b)"
_PERIODS = "seconds?|minutes?|hours?|days?|nights?|weeks?|weekends?|months?|quarters?|years?|decades?|centur(?:y|ies)"
_MONEY = (
    rf"[$€£¥]\s?\d|\b(?:us|c|a|ca)\$|{_AMOUNT}[\w\s,.-]{{0,12}}?\b"
    r"(?:dollars?|euros?|pounds?|crowns?|francs?|yen|yuan|cents?|pence|rupees?|pesos?|kron[ae]r?)\b"
)
_SHARE = (
    rf"{_AMOUNT}\s?(?:%|\bper ?cent\b|\bpercentage\b|\bpoints?\b)|%"
    r"|\b(?:half|third|quarter|fifth|two thirds|majority)\b|\b\w+ (?:out of|of every|in every) \w+"
)

_THINGS_THAT_ACT = (
    "person|people|man|woman|ministers?|presidents?|leaders?|mayors?|directors?|scientists?|professors?|economists?|"
    "compan(?:y|ies)|firms?|organi[sz]ations?|clubs?|teams?|actor|actress|author|singer|player|coach|governors?|"
    "judges?|officials?|politicians?|part(?:y|ies)|group|union|bank|agency|countr(?:y|ies)"
)
_PLACES = "city|cities|towns?|countr(?:y|ies)|places?|regions?|streets?|stations?|ports?|rivers?|states?|county|venue"
_SAID = "said|says|told|called|described|warned|argued|claimed|thinks?|believes?|considers?"
SPOKE = (
    "said|says|saying|told|tells|according|wrote|writes|writing|stated|stating|quipped|joked|testified"
    "|ma(?:de|kes|king) (?:it )?clear|argue[ds]|arguing|warn(?:ed|s|ing)|insist(?:ed|s|ing)|reject(?:ed|s|ing)"
    "|reiterat(?:ed|es|ing)|predict(?:ed|s|ing)|den(?:ied|ies|ying)|describ(?:ed|es|ing)|emphasi[sz](?:ed|es|ing)"
    "|critici[sz](?:ed|es|ing)|repl(?:ied|ies)|explain(?:ed|s)|confirm(?:ed|s)|stress(?:ed|es)|acknowledg(?:ed|es)"
    "|noted|added|claimed|vow(?:ed|s)|promised|pledged|announced|urg(?:ed|es)|praised|demanded"
)
"""What a sentence shows somebody's words by, as alternatives of a pattern."""

_OFFICES = (
    "minister|secretary|president|premier|chancellor|governor|mayor|senator|ambassador|envoy|commissioner|treasurer"
    "|director|head|chief|chair|chairman|chairwoman|chairperson|leader|adviser|advisor|speaker|captain|coach|manager"
    "|judge|professor|spokesman|spokeswoman|spokesperson|deputy|member|critic|executive|inspector|curator|keeper|clerk"
)

_SAY = "say|call|tell|argue|think|advise|recommend|claim|warn|believe|expect|propose|demand|promise|want|hope"
_OPENS = r"^\W*(?:(?:and|but|so) )?"
_IS = r"(?:is|are|was|were|'s|’s)"

_OFFICE_WORDS = "office|post|position|job|role|portfolio|title"
_ASKS_OFFICE = frozenset([*_OFFICE_WORDS.split("|"), "hold", "held", "have", "got", "given"])
_FIGURE = r"(?<![\w.,])[$€£¥]?\d[\d.,]*"
# "Is the tariff 25% or 35%?"
_CHOICE = (
    rf"{_OPENS}(?:is|are|was|were|do|does|did|has|have|had|will|would|can|could|should)\b.*"
    rf"(?P<one>{_FIGURE})(?:\s?%|\s\w+){{0,3}},? or (?:\w+ )?(?P<other>{_FIGURE})"
)

# The first that matches decides: "how many years" is a number, "which year" a time, "why … costs" a reason.
_ASKS: tuple[tuple[str, Expectation], ...] = (
    (_CHOICE, "choice"),
    (rf"{_OPENS}why\b", "reason"),
    (
        rf"\b(?:what|which) (?:\w+ )?(?:{_OFFICE_WORDS})s?\b.*\b(?:holds?|held|holding|ha[sd]|have|gets?|got|given)\b"
        rf"|\bwhat ?{_IS} [\w’'. -]{{2,40}}['’]s? (?:{_OFFICE_WORDS})\W*$",
        "office",
    ),
    (
        rf"{_OPENS}who (?:{_SAID})\b|\bwhat (?:did|does|do) .{{1,60}} (?:{_SAY})(?: (?:about|of|on|to)\b|\W*$)",
        "quotation",
    ),
    (rf"{_OPENS}(?:(?:since|until|till|by|from) )?when\b", "time"),
    (rf"{_OPENS}where\b", "place"),
    (rf"{_OPENS}who\b", "person"),
    (r"\b(?:what|which) (?:percentage|share|proportion|percent|fraction)\b|\bhow many per ?cent\b", "share"),
    (r"\bby (?:what|how much)\b|\b(?:what|which|how high)\b.{0,40}\b(?:rate|tariff|dut(?:y|ies))\b", "share"),
    (
        r"\bhow much\b.{0,60}\b(?:costs?|pay|paid|spend|spent|charge|money|worth|earn|fine|price|toll)\b"
        r"|\bhow much (?:did|does|do|has|have|will|would)\b.{1,40}\b(?:ask(?:ed)? for|owed?|invest(?:ed)?|donated?)\b"
        r"|\b(?:what|which)\b.{0,30}\b(?:price|cost|salary|budget|fine|fee|sum|revenue|penalty)\b|\bcosts?\b",
        "money",
    ),
    (r"\bhow long\b(?! (?:is|are|was|were) the (?:river|bridge|wall|tunnel|road|pier|line|coast))", "duration"),
    (r"\bhow (?:many|much|high|large|big|old|far|tall|deep|fast|long|wide|heavy|often|strong|cold|hot)\b", "number"),
    (r"\b(?:what|which) (?:number|amount|size|height|age|speed|population|score)\b", "number"),
    (r"\b(?:what|which) (?:\w+ )?(?:year|month|day|date|time|week|weekends?|weekday|hour|season|century)s?\b", "time"),
    (r"\bwhen\b|\bhow soon\b|\bsince what\b|\bdeadline\b|\bat what (?:hours?|times?)\b", "time"),
    (rf"\bwho (?:{_SAID})\b|\bwhat (?:did|does|do) .{{1,60}} (?:{_SAY})\b", "quotation"),
    (rf"\bwho(?:m|se)?\b|\b(?:which|what) (?:\w+ )?(?:{_THINGS_THAT_ACT})\b", "person"),
    (rf"\bwhere\b|\b(?:which|what) (?:\w+ )?(?:{_PLACES})\b", "place"),
    (r"\bwhy\b|\bwhat (?:is|was|were|are) the (?:reasons?|causes?|grounds)\b|\bwhat (?:caused|led|made)\b", "reason"),
    (rf"^\W*what(?:{_IS}| {_IS}) (?:an? |the )?[\w’' .-]{{2,40}}\W*$|\bwhat does [\w’' .-]+ mean\b", "definition"),
    (rf"{_OPENS}how (?:did|does|do|is|are|was|were|can|could|will|would)\b", "manner"),
)
_ASKS_COMPILED = tuple((re.compile(pattern, re.IGNORECASE), kind) for pattern, kind in _ASKS)

_LARGE_PLACES = (
    "Island|Isle|Coast|Bay|Harbou?r|Port|Street|Road|Square|Lake|Mountain|Valley|Hill|Park|Pier|River|Bridge"
)
_TIME = (
    rf"\b(?:{MONTH_OR_SHORT.lower()})\b\.?(?: \d{{1,2}}\b)?|\b(?:{WEEKDAY.lower()})\b|\b(?:1[0-9]|20)\d\ds?\b|"
    r"\b\d{1,2}(?::\d\d)? ?[ap]\.?m\b|\b(?:today|tomorrow|yesterday|tonight|noon|midnight)\b"
)
_TIME_PERIOD = (
    rf"\b(?:last|next|this|past|every|each|in|within|after|before|for|of) (?:\w+ ){{0,2}}(?:{_PERIODS})\b"
    r"|\b(?:spring|summer|autumn|winter|weekend)\b"
)
# Two capitalised words in a row, or one that does not open the sentence.
_NAME = r"\b[A-Z][\w’'-]+ (?:(?:of|de|van|von|al|bin) )?[A-Z][\w’'-]+|(?<=[a-z,;:] )[A-Z][\w’'-]+"
# Of those, what nobody is called: days, and places to be in.
_NOBODY = rf"(?!(?:{MONTH_OR_SHORT}|{WEEKDAY}|{_LARGE_PLACES})\b)"
_SOMEBODY = (
    rf"\b{_NOBODY}[A-Z][\w’'-]+ (?:(?:of|de|van|von|al|bin) )?{_NOBODY}[A-Z][\w’'-]+"
    rf"|(?<=[a-z,;:] ){_NOBODY}[A-Z][\w’'-]+\b(?! (?:{_LARGE_PLACES})\b)"
)
_LOCATED = r"\b(?:in|at|near|on|from|to|off|outside|across|between|through|around) (?:the )?[A-Z][\w’'-]+"

# For each kind, what shows it, and what may; in lower case where that makes no difference.
_HOLDS: dict[Expectation, tuple[str, str]] = {
    "number": (_AMOUNT, r"\b(?:half|third|quarter|twice|double|no|none|several|both|single)\b"),
    "money": (_MONEY, _AMOUNT),
    "share": (_SHARE, _AMOUNT),
    "duration": (rf"{_AMOUNT}[\s-](?:and a half )?(?:{_PERIODS})\b|\b(?:since|until|till)\b", _TIME),
    "time": (_TIME, _TIME_PERIOD),
    "person": (_SOMEBODY, r"\b(?:minister|president|mayor|director|company|police|government|officials?)\b"),
    "place": (_LOCATED, _NAME),
    "reason": (
        r"\b(?:because|since|due to|as a result|in order to|so that|so as to|to avoid|owing to|caused by|reasons?"
        r"|therefore|thanks to|on account of|blam\w+|argu\w+ that|on the grounds)\b",
        r"\b(?:after|over|for|as|to|would|cause[ds]?|led)\b",
    ),
    "manner": (r"\b(?:by|through|via|using|with|thanks to|means of)\b", r"\b(?:when|after|because|as)\b"),
    "quotation": (
        rf"[“”\"]|\b(?:{SPOKE})\b",
        r"\b(?:called|calls|considers?|believes?|thinks?|doubts?|expects?|wants?)\b",
    ),
    "definition": (
        r"^.{3,90}?\b(?:is|are|was|were|means?|refers? to|stands for|denotes?)\b"
        r" (?:also |often |usually )?(?:an?|the|one|any)\b",
        r"\b(?:is|are|was|were|called|known as|means?)\b",
    ),
}
_CASED = ("person", "place")
_HOW_OLD = re.compile(r"\bhow old\b|\b(?:what|which) age\b", re.IGNORECASE)
_AGE = (
    rf"\baged? \d|{_AMOUNT}[\s-]years?[\s-]old\b|, \d{{1,3}},|\bturn(?:s|ed) \d|\b(?:birthday|anniversary)\b"
    r"|\b(?:born|built|founded|dates?|dating|made|opened|since|of) (?:\w+ ){0,3}(?:1\d|20)\d\d\b",
    rf"\b(?:1\d|20)\d\d\b|{_AMOUNT}[\s-](?:years?|centur(?:y|ies))\b",
)

_PLURAL = re.compile(
    r"\b(?:which|what|list|name|all)(?: \w+){0,3}? (?!is\b|was\b|has\b|does\b|this\b)\w{2,}(?<!s)s\b"
    r"|\b(?:what|which|who) are\b|\bwho (?:were|may|can)\b|\blist\b|\bname (?:the|all)\b"
    r"|\bwhat (?:must|may|should|can)\b",
    re.I,
)

PERHAPS = 0.5
"""How far a sentence holds what is asked for if only its weaker signs are there."""


@dataclass(frozen=True, slots=True)
class _Signs:
    sure: re.Pattern[str] | AnyCase
    perhaps: re.Pattern[str] | AnyCase


_SIGNS = {
    kind: _Signs(*(re.compile(pattern) if kind in _CASED else AnyCase(pattern) for pattern in patterns))
    for kind, patterns in _HOLDS.items()
}

_SIGNS_OF_AGE = _Signs(*(AnyCase(pattern) for pattern in _AGE))

_SHORT = re.compile(r"\b[A-Z][A-Z\d&-]+\b")

# "Which ministers went": somebody of that office, by name: "Foreign Minister Ida Quist", "Dr. Brennick, an economist".
_OFFICE = re.compile(
    r"\b(?:which|what) (?:\w+ )?"
    r"(?P<office>minister|president|mayor|director|scientist|professor|economist|governor|judge)s?\b",
    re.IGNORECASE,
)

_OFFERED = re.compile(_CHOICE, re.IGNORECASE)
_WORD = re.compile(r"\w+")
_DIGITS = re.compile(r"(?<![\w.,-])\d+(?:,\d{3})*(?:\.\d+)?")
_AN_OFFICE = AnyCase(rf"\b(?:{_OFFICES})\b")

# Whose words are asked for: "what did Mayor Ines Roth say".
_SPEAKER = re.compile(rf"\bwhat (?:did|does|do) (?P<who>[^?]{{2,60}}?) (?:{_SAY})\b", re.IGNORECASE)
_LARGE = re.compile(r"[A-Z][\w’'-]+")
# "He also made it clear", "said she", "the prime minister rejected".
_SOMEBODY_SAYS = re.compile(
    rf"\b(?:he|she|they|the (?:\w+ )?(?:{_THINGS_THAT_ACT})) (?:\w+ )?(?:{_SAID}|{SPOKE})\b"
    rf"|\b(?:{_SAID}|{SPOKE}) (?:he|she|they)\b",
    re.IGNORECASE,
)


@lru_cache(maxsize=1000)
def expectation_of(question: str) -> Expectation:
    """Tell what kind of thing a question asks for; `any` where its words do not say."""
    return next((kind for pattern, kind in _ASKS_COMPILED if pattern.search(question)), "any")


def asks_for_several(question: str) -> bool:
    """Tell whether a question asks for a list of things ("Which bodies …", "What are the …")."""
    return bool(_PLURAL.search(question))


def holds(expectation: Expectation, words: str, question: str) -> float:
    """Tell how far a sentence holds a thing of the kind that is asked for and that the question does not name itself.

    Returns:
        1 where it does, `PERHAPS` where only weaker signs are there, else 0; 1 for `any`.
    """
    if expectation == "choice":
        return 1.0 if _figures_in(words) & _offered(question) else 0.0
    if expectation == "office":
        return _holds_office(words, question)
    signs = _SIGNS.get(expectation)
    if signs is None:
        return 1.0
    if expectation == "number" and _HOW_OLD.search(question):
        signs = _SIGNS_OF_AGE
    if expectation == "definition" and (short := _SHORT.search(question)) and f"({short[0]})" in words:
        return 1.0  # "the World Health Organization (WHO)"
    if expectation == "quotation" and (speaker := _speaker_of(question)):
        return _holds_words_of(speaker, words, signs)
    if expectation == "person" and (office := _OFFICE.search(question)):
        return _holds_one_of(office["office"].casefold(), words, question, signs)
    return _holds_sign(signs, words, question)


def only_asking(question: str) -> frozenset[str]:
    """Give the words of a question that say what it asks for, so that no answer need hold them.

    "25" and "35" of "Is the tariff 25% or 35%?", "office" and "hold" of "Which office does she hold?".
    """
    expectation = expectation_of(question)
    if expectation == "choice":
        return _offered(question)
    return _ASKS_OFFICE if expectation == "office" else frozenset()


@lru_cache(maxsize=1000)
def _offered(question: str) -> frozenset[str]:
    """Give the two figures between which a question has one choose, and none of its other numbers."""
    found = _OFFERED.search(question)
    return _figures_in(f"{found['one']} {found['other']}") if found else frozenset()


def _figures_in(words: str) -> frozenset[str]:
    """Give the numbers that words hold in digits, without what groups their digits."""
    return frozenset(found.replace(",", "") for found in _DIGITS.findall(words))


def _holds_office(words: str, question: str) -> float:
    """Tell how far a sentence says what office somebody of the question holds: surely where it names them, too."""
    if not _AN_OFFICE.search(words):
        return 0.0
    names = _names_in(question)
    return 1.0 if not names or not names.isdisjoint(_WORD.findall(words)) else PERHAPS


@lru_cache(maxsize=1000)
def _names_in(question: str) -> frozenset[str]:
    return frozenset(word for one in mentions(question) for word in _WORD.findall(one.words))


def _holds_one_of(office: str, words: str, question: str, signs: _Signs) -> float:
    """Tell how far a sentence names somebody of an office: surely where name and office stand side by side."""
    held = _holds_sign(signs, words, question)
    return held if held < 1 or _named_office(office).search(words) else PERHAPS


@lru_cache(maxsize=100)
def _named_office(office: str) -> re.Pattern[str]:
    """Find "Minister Ida Quist", "minister of finance, Ida Quist", "Ida Quist, the former deputy minister"."""
    one = rf"{_NOBODY}(?!The\b)[A-Z][\w’'-]+"
    before = rf"\b(?i:{office}s?)(?: (?:of|for) (?:the )?\w+(?: and \w+)?)?,? {one}"
    behind = rf"\b{_NOBODY}[A-Z][\w’'-]+ {one}(?:, | \()(?:[\w’'-]+ ){{0,4}}(?i:{office}s?)\b"
    return re.compile(f"{before}|{behind}")


def _holds_sign(signs: _Signs, words: str, question: str) -> float:
    asked = question.casefold()
    for pattern, worth in ((signs.sure, 1.0), (signs.perhaps, PERHAPS)):
        for match in pattern.finditer(words):
            if match.group().casefold() not in asked:
                return worth
    return 0.0


@lru_cache(maxsize=1000)
def _speaker_of(question: str) -> str | None:
    found = _SPEAKER.search(question)
    return found["who"] if found else None


def _holds_words_of(speaker: str, words: str, signs: _Signs) -> float:
    """Tell how far a sentence holds what somebody said: by a name of theirs, or by what may mean them."""
    names = {name.casefold() for name in _LARGE.findall(speaker)}
    if not names:  # "what did the minister say"
        return 1.0 if signs.sure.search(words) else 0.0
    named = bool(names & {name.casefold() for name in _LARGE.findall(words)})
    speaks = bool(signs.sure.search(words) or signs.perhaps.search(words))
    if named:
        return 1.0 if speaks else PERHAPS
    return PERHAPS if _SOMEBODY_SAYS.search(words) else 0.0
