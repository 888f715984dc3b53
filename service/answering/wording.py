"""A text as words that can be compared with those of another one: stems, numbers, names, and what stands between them.

English only. Where its rules do not see what a text says, the texts look different, and nothing is borne out.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import lru_cache
from itertools import zip_longest

from index.lexical import terms
from service.answering.english import (
    ALIASES,
    AMOUNTS,
    CHANGING,
    CURRENCIES,
    DISTANCE,
    KINDS,
    LARGE,
    LEMMAS,
    MODALS,
    PARTICIPLES,
    QUANTIFIERS,
    SAME_PREPOSITION,
    SAY,
    SMALL,
    TIMES,
    VERBS,
    Kind,
)
from service.answering.months import MONTH_OR_SHORT

_SMALL_WORD = rf"(?:{'|'.join(sorted(SMALL, key=len, reverse=True))})"
_UP_TO_99 = rf"{_SMALL_WORD}(?:[- ]{_SMALL_WORD})?"
_LARGER = rf"(?:[\s-]+(?:{'|'.join(LARGE)})s?\b)"
_IN_WORDS = re.compile(
    rf"(?:\b{_UP_TO_99}\b|\b\d+(?:,\d+)*(?:\.\d+)?{_LARGER}){_LARGER}*(?:(?<=[dn])[\s-]+(?:and\s+)?{_UP_TO_99}\b{_LARGER}*)*",
    re.IGNORECASE,
)
_CONTRACTION = re.compile(r"(?<=\w)n['’]t\b", re.IGNORECASE)
_CONDITION = re.compile(r"\b(?:as|so) long as\b|\bprovid(?:ed|ing) that\b|\bon condition that\b", re.IGNORECASE)
_INITIALS = re.compile(r"\b(?:[A-Za-z]\.){2,}")
_MONTH_FIRST = re.compile(
    rf"\b(?P<month>{MONTH_OR_SHORT})\.? (?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b(?:, (?=\d{{4}}\b))?", re.IGNORECASE
)
_CURRENCY = re.compile(
    r"(?P<land>\b(?:US|CA|C|A))?(?P<sign>[$€£¥])\s?(?P<amount>\d[\d,.]*\d|\d)(?P<large>\s(?:hundred|thousand|million|billion))?"
)
_PER_CENT = re.compile(r"%|\bper cent\b", re.IGNORECASE)
_TOKEN = re.compile(
    r"(?<![\w-])[-−]\d+(?:,\d+)*(?:\.\d+)?|\d+[-–:]\d+|\d+(?:,\d+)*(?:\.\d+)?(?:st|nd|rd|th)?"
    r"|[^\W\d_]+(?:['’][^\W\d_]+)*['’]?(?:-(?=[^\W\d_]))?|&|[,;:()]|[–—]",
    re.IGNORECASE,
)
_POSSESSIVE = re.compile(r"(?:['’]s|s['’])$")
_NUMBER = re.compile(r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")


def folded(text: str) -> str:
    """Give a text as words are compared: no accents, one kind of quotes, no case, single spaces."""
    plain = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    return " ".join(plain.replace("’", "'").replace("“", '"').replace("”", '"').casefold().split())


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a number, or what stands between them.

    Attributes:
        kind: What it does in its sentence.
        key: What it is compared by: a stem, a value, or the word itself.
        plain: The word as written, without case and accents.
        name: Whether it is written like a name.
        quantifier: Whether it says how much of a thing is meant.
        possessive: Whether something is said to be its own.
        moved: Whether it was put elsewhere than it stood, with what goes with it.
    """

    kind: Kind
    key: str
    plain: str
    name: bool = False
    quantifier: bool = False
    possessive: bool = False
    moved: bool = False

    @property
    def is_content(self) -> bool:
        """Whether it has to stand in what bears a sentence out."""
        return self.kind in ("word", "number", "pronoun")

    @property
    def distances(self) -> bool:
        """Whether it makes a statement one that somebody hopes for, claims or denies."""
        return self.kind == "word" and (self.key in DISTANCE or self.plain == "reportedly")

    @property
    def says(self) -> bool:
        """Whether it is a verb of saying."""
        return self.kind == "word" and self.key in SAY

    @property
    def may_be_verb(self) -> bool:
        """Whether it surely belongs to a verb that says what is or was."""
        return (
            self.kind in ("be", "modal") or self.plain in VERBS or (self.kind == "word" and self.plain.endswith("ed"))
        )

    @property
    def is_time(self) -> bool:
        """Whether it is a month or a day of the week."""
        return self.plain in TIMES


BREAK = Token("break", ",", ",")


@dataclass(frozen=True, slots=True)
class Content:
    """A word or number with what stands around it.

    Attributes:
        token: It.
        place: Its place among the tokens of the text.
        preposition: The one right before it, "" if there is none.
        joined: Whether nothing but articles stands between the word before and it.
        block: Number of the run of words it stands in; prepositions, commas and conjunctions begin one.
        block_preposition: The preposition that began the run.
    """

    token: Token
    place: int
    preposition: str
    joined: bool
    block: int
    block_preposition: str


@dataclass(frozen=True, slots=True)
class Wording:
    """A sentence's tokens and its content words, in an order that does not depend on how it was put.

    What stands in front for emphasis ("In May the bridge opened") is at the end, and who acts comes before what is done
    and that before whom it is done to, be the verb active or passive.
    """

    tokens: tuple[Token, ...]
    content: tuple[Content, ...] = field(default=())

    @classmethod
    def of(cls, text: str) -> Wording:
        """Read a sentence."""
        return cls.of_tokens(tokens_of(text))

    @classmethod
    def of_tokens(cls, tokens: tuple[Token, ...]) -> Wording:
        """Put tokens into order."""
        ordered = _active(_front_moved(tokens))
        return cls(ordered, tuple(_content(ordered)))


@lru_cache(maxsize=4000)
def tokens_of(text: str) -> tuple[Token, ...]:
    """Take a text apart."""
    found: list[Token] = []
    for match in _TOKEN.finditer(_spelled_alike(text)):
        written = match.group()
        plain = folded(written).strip("'-")
        if written[-1].isdigit() or written[0].isdigit():
            found.append(_number(written))
        elif written in ",;:()–—":
            if not found or found[-1] != BREAK:
                found.append(BREAK)
        else:
            found.extend(_word(written, plain, first=not found))
    return tuple(_particle(token, following) for token, following in zip_longest(found, found[1:]) if token)


def _particle(token: Token, following: Token | None) -> Token:
    """Give a preposition that stands before nothing ("prices go up") as the word that it is then."""
    if token.kind == "prep" and (following is None or following.kind in ("break", "join", "prep")):
        return replace(token, kind="word", key=token.plain)
    return token


def _spelled_alike(text: str) -> str:
    text = _INITIALS.sub(lambda match: match.group().replace(".", ""), text)
    text = _CONDITION.sub(" if ", _CONTRACTION.sub(" not", text))
    text = _MONTH_FIRST.sub(lambda match: f"{match['day']} {match['month']} ", text)
    text = _CURRENCY.sub(
        lambda match: f"{match['amount']}{match['large'] or ''} {match['land'] or ''} {CURRENCIES[match['sign']]}", text
    )
    return _IN_WORDS.sub(_digits, _PER_CENT.sub(" percent ", text))


def _digits(match: re.Match[str]) -> str:
    """Give a number in words, or with words, in digits: "one thousand two hundred", "12.5 million"."""
    total = group = Decimal(0)
    for word in re.findall(r"\d+(?:,\d+)*(?:\.\d+)?|[^\W\d_]+", match.group().casefold()):
        if word[0].isdigit():
            if not _NUMBER.fullmatch(word):  # "3,5 million" is not how it is written here
                return match.group()
            group += Decimal(word.replace(",", ""))
        elif word in SMALL:
            group += SMALL[word]
        elif (factor := LARGE.get(word.rstrip("s"))) is not None:
            group *= factor
            if factor >= 1000:
                total, group = total + group, Decimal(0)
    return f"{total + group:f}"


def _number(written: str) -> Token:
    match = _NUMBER.fullmatch(written)
    if match is None:  # "3-1", "88th"
        key = written.casefold().replace("–", "-")
    else:
        key = f"{Decimal(written.replace(',', '')):f}"
        key = key.rstrip("0").rstrip(".") if "." in key else key
    return Token("number", key, written)


def _word(written: str, plain: str, *, first: bool) -> list[Token]:
    bare = re.sub(r"'s?$", "", plain)
    kind = KINDS.get(bare, "word")
    name = written[0].isupper() and kind in ("word", "modal") and not (first and bare in ("may", "will"))
    if name:
        kind = "word"
    if written.isupper() and bare in ALIASES:
        return [Token("word", terms(part)[0], part, name=True) for part in ALIASES[bare].split()]
    if kind == "word":
        stems = terms(bare)
        key = LEMMAS.get(bare) or (stems[0] if stems else bare)
        key = LEMMAS.get(key, key)
        measures = bare in QUANTIFIERS or bare in CHANGING
        return [
            Token("word", key, bare, name=name, quantifier=measures, possessive=_POSSESSIVE.search(written) is not None)
        ]
    if bare in QUANTIFIERS:  # "up to", "about"
        return [Token("prep", bare, bare, quantifier=True)]
    if kind == "modal":
        return [Token(kind, MODALS.get(bare, bare), bare)]
    key = SAME_PREPOSITION.get(bare, bare) if kind == "prep" else bare
    return [Token(kind, key, bare)]


def _front_moved(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """Move what stands in front ("On Friday", "Against the euro,") to the end."""
    if not tokens or tokens[0].kind != "prep" or tokens[0].key in ("up", "as", "so", "because", "although", "though"):
        return tokens
    end = _end_of_front(tokens)
    if end is None:
        return tokens
    front = tuple(replace(token, moved=True) for token in tokens[:end])
    rest = tokens[end + 1 :] if tokens[end] == BREAK else tokens[end:]
    return (*rest, *front)


def _end_of_front(tokens: tuple[Token, ...]) -> int | None:
    held: Token | None = None
    for place, token in enumerate(tokens[1:], start=1):
        before = tokens[place - 1]
        if token == BREAK:
            return place
        if held is not None and before.is_content:
            article = token.plain in ("a", "an", "the")
            subject = token.kind == "pronoun" or (
                token.name and not token.is_time and (held.is_time or held.kind == "number")
            )
            counted = token.kind == "number" and before.name and not before.is_time
            if article or subject or counted:
                return place
        if token.kind in ("be", "modal", "who", "join"):
            return None
        held = token if token.is_content else held
    return None


def _active(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """Put the first passive into the order of an active verb: who acts, the verb, whom it is done to."""
    for place, token in enumerate(tokens):
        if token.kind != "be":
            continue
        verb = next((at for at in range(place + 1, min(place + 4, len(tokens))) if _is_participle(tokens[at])), None)
        if verb is None or any(tokens[at].kind in ("prep", "break", "join") for at in range(place + 1, verb)):
            continue
        start = _clause_start(tokens, place)
        agent_from, agent_to = _agent(tokens, verb + 1)
        agent, rest = tokens[agent_from:agent_to], tokens[verb + 1 : max(agent_from - 1, verb + 1)]
        rest = (*rest, *tokens[agent_to:]) if agent else tokens[verb + 1 :]
        done_to = tokens[start:place]
        return (*tokens[:start], *agent, *tokens[place + 1 : verb + 1], *done_to, *rest)
    return tokens


def _clause_start(tokens: tuple[Token, ...], place: int) -> int:
    """Give where the clause of a verb begins; what stands between two commas before the verb is in it."""
    at = place - 1
    if at > 0 and tokens[at] == BREAK:
        at = next((other - 1 for other in range(at - 1, -1, -1) if tokens[other] == BREAK), at)
    while at >= 0 and tokens[at].kind not in ("break", "join", "who") and tokens[at].plain != "that":
        at -= 1
    return at + 1


def _is_participle(token: Token) -> bool:
    return token.kind == "word" and (token.plain.endswith("ed") or token.plain in PARTICIPLES)


def _agent(tokens: tuple[Token, ...], start: int) -> tuple[int, int]:
    """Give the range of who acts ("by the board"), empty where nobody does."""
    for place in range(start, len(tokens) - 1):
        if tokens[place].kind in ("break", "join", "who", "be"):
            break
        if tokens[place].key != "by" or tokens[place].kind != "prep":
            continue
        first = next((token for token in tokens[place + 1 :] if token.is_content), None)
        if first is None or first.kind == "number" or first.is_time or first.quantifier or first.plain in AMOUNTS:
            continue
        end = place + 1
        while end < len(tokens) and (tokens[end].kind in ("word", "other") or tokens[end].key == "of"):
            end += 1
        return place + 1, end
    return start, start


def _content(tokens: tuple[Token, ...]) -> list[Content]:
    found: list[Content] = []
    preposition, block_preposition, block, joined = "", "", 0, False
    moved = False
    for place, token in enumerate(tokens):
        if token.moved != moved:
            moved, block, joined, block_preposition = token.moved, block + 1, False, ""
        if token.kind == "prep":
            preposition, block_preposition, block, joined = token.key, token.key, block + 1, False
        elif token.kind in ("break", "join", "who"):
            preposition, block_preposition, block, joined = "", "", block + 1, False
        elif token.is_content:
            found.append(Content(token, place, preposition, joined, block, block_preposition))
            preposition, joined = "", True
        elif token.kind in ("be", "modal", "not"):
            preposition, joined = "", False
    return found
