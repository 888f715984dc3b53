"""Pronouns of a message, and what they stand for in the conversation before it. English only."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from service.answering.persons import Gender
from service.answering.phrases import ASKING_WORDS, AUXILIARIES, Phrase, as_known, is_plural, phrases
from service.answering.scene import DATE, Scene

MOST_PRONOUNS = 12
"""Of a message with more, the first."""

_SURE = 3.0
"""What a phrase must be worth to be put in for "it" or "they"; for persons and places any will do."""

_LONGEST_OWNER = 3
_LONGEST_WORDS = 14
"""A longer phrase is not put in, but named behind."""

_PREPOSITIONS = "in|on|at|for|of|to|from|with|about|after|before|by|during|since|until|near|over|under|around|into"
_WHERE = frozenset("in at on near from to off outside around".split())
_LEANING = re.compile(
    r"\b(?:"
    r"(?P<person>he|she|him|her|his|hers)"
    r"|(?P<it>it|its)(?![’']s?\b)"
    r"|(?P<they>they|them|their|theirs)"
    rf"|(?P<then>(?:back |since |until |till |by |before |after |from )?then)(?! (?:{'|'.join(ASKING_WORDS)})\b)"
    r"|(?P<time>(?:(?:in|on|at|by|since|until|before|after|during) )?"
    r"(?:that|the same) (?:very )?(?:year|day|month|date))"
    r"|(?P<there>(?:(?:from|to|near) )?there)"
    r"(?! (?:is|are|was|were|be|been|will|has|have|any|anything|anyone|a|an|no)\b)"
    r"|(?P<order>the (?:former|latter))"
    r"|(?P<other>the other(?: ones?)?(?=\W*$| [a-z]+s?\W*$))"
    r")(?P<own>[’']s)?\b",
    re.IGNORECASE,
)
_SHOWN = re.compile(
    r"(?<!\bsay )(?<!\bsaid )(?<!\bsays )(?<!\btold )(?<!\btrue )(?<!\bthink )(?<!\bclaim )(?<!\bso )"
    r"\b(?P<shown>that|this|these|those) (?P<noun>[a-z]{3,})\b",
    re.IGNORECASE,
)
_SHOWN_FIRST = re.compile(
    rf"(?:^|\b(?:{_PREPOSITIONS}|{'|'.join(sorted(AUXILIARIES))}|and|or|why|how|who|like|than) )$", re.IGNORECASE
)
_BARE = re.compile(
    rf"\b(?:{_PREPOSITIONS}|is|was|are|were|do|does|did|said|say|why|how|like|than|and|but)\s(?:that|this|these|those)\b"
    r"(?=\W*$|\s*[,.?!;]|\s(?:and|or|cost|happen|mean|work|start|end|take|apply|go|come|affect|change|so|true|new)\b)"
    r"|^(?:that|this|these|those)\b",
    re.IGNORECASE,
)
_ONES = re.compile(r"\b(?:the|this|that|another|which|these|those) (?:[a-z]+ )?ones?\b", re.IGNORECASE)
_OTHERWISE = re.compile(
    r"\b(?:else|instead|afterwards?|beforehand|another|others|both|the same|either|neither|besides)\b"
    r"|\bnext\W*$|\bthe other\b",
    re.IGNORECASE,
)
_FILLER = re.compile(
    r"\b(?:is|was|be|would|will|does|did)?\s*it(?: \w+){0,2} (?:true|possible|likely|clear|known|legal|illegal|allowed|"
    r"necessary|important|worth|safe|said|expected|hard|easy|better|time) (?:that|to|for|if|whether)\b"
    r"|\bwhat time is it\b|\bit (?:takes?|took|rains?|rained|snows?)\b|\b(?:does|did|will) it take\b"
    r"|\bit is (?:said|thought)\b",
    re.IGNORECASE,
)
_NEW_CLAUSE = re.compile(
    r"[,;:.?!]|\b(?:and|but|or|when|if|that|because|before|after|since|while|which|who|where|how|why|what|than|as)\b",
    re.IGNORECASE,
)
_MOVES = re.compile(
    r"\b(?:go|goes|gone|going|went|get|got|come|came|travel|travelled|fly|flew|move|moved|sail|drive|drove|send|sent|walk)"
    r"(?: back)?\s$",
    re.IGNORECASE,
)
_WAS = re.compile(r"\b(?:was|were|did|had)\b", re.IGNORECASE)
_NO_NOUNS = ASKING_WORDS | AUXILIARIES | frozenset("year years week weeks month time morning evening much many".split())
_GENDERS: dict[str, Gender] = {"he": "he", "him": "he", "his": "he", "she": "she", "her": "she", "hers": "she"}


@dataclass(frozen=True, slots=True)
class Named:
    """A message with names for its pronouns; `open` if something in it still leans on what was said."""

    words: str
    open: bool
    used: tuple[Phrase, ...] = ()


def leans(message: str) -> bool:
    """Tell whether a message has words that stand for something else, be it in the message itself."""
    return bool(
        _LEANING.search(message)
        or any(_may_be_shown(match) for match in _SHOWN.finditer(message))
        or _BARE.search(message)
        or _ONES.search(message)
        or _OTHERWISE.search(message)
    )


def _may_be_shown(match: re.Match[str]) -> bool:
    return match["noun"].casefold() not in _NO_NOUNS


def with_names(message: str, scene: Scene) -> Named:
    """Put in names for what stands for them, where it is sure enough what is meant.

    Of several pronouns for one person or thing only the first becomes a name. A pronoun that means something that the
    message itself names stays.
    """
    return _Naming(message, scene).result()


class _Naming:
    def __init__(self, message: str, scene: Scene) -> None:
        self._message = message
        self._scene = scene
        self._own = phrases(message)
        self._open = False
        self._named: dict[str, Phrase | None] = {}
        self._filled = [match.span() for match in _FILLER.finditer(message)]

    def result(self) -> Named:
        words, place = [], 0
        for match in islice(_LEANING.finditer(self._message), MOST_PRONOUNS):
            name = self._name_for(match)
            if name is not None:
                words += [self._message[place : match.start()], name]
                place = match.end()
        words.append(self._message[place:])
        text = _SHOWN.sub(self._shown, "".join(words))
        open_ = self._open or bool(_BARE.search(text) or _ONES.search(text) or _OTHERWISE.search(text))
        return Named(text, open_, tuple(one for one in self._named.values() if one is not None))

    def _name_for(self, match: re.Match[str]) -> str | None:
        """Give what to put in for a pronoun; None to leave it."""
        kind = next(name for name, words in match.groupdict().items() if words)
        find = {
            "person": self._person,
            "it": self._it,
            "they": self._they,
            "then": self._then,
            "time": self._time,
            "there": self._there,
            "order": self._order,
            "other": self._other,
        }
        found = find[kind](match)
        if found is not None and match["own"]:
            return possessive(found)
        return found

    def _person(self, match: re.Match[str]) -> str | None:
        word = match["person"].casefold()
        gender = _GENDERS[word]
        if gender in self._named or self._bound(match, lambda one: one.kind == "person" and not one.many):
            return None
        used = {one.words for one in self._own}
        meant = self._scene.best(
            lambda one: (
                one.kind == "person"
                and not one.many
                and one.words not in used
                and self._scene.gender(one) in (gender, None)
            )
        )
        owns = word == "his" or (word == "her" and self._noun_follows(match.end()))
        if meant is None and self._bound(match, _may_be_surname):
            return None
        return self._put(gender, meant, owns=owns, alone=word == "hers")

    def _it(self, match: re.Match[str]) -> str | None:
        if any(start <= match.start() < end for start, end in self._filled):
            return None
        if "it" in self._named or self._bound(match, lambda one: one.kind != "person" and not one.many):
            return None
        asked = [one for one in self._scene.asked if _can_be_it(one)]
        where = [one for one in asked if one.kind == "place" and one.after in _WHERE]
        # "When does the ferry sail from Callis?" is about the ferry.
        behind = where if any(one not in where and not one.inner for one in asked) else []
        meant = self._scene.best(lambda one: _can_be_it(one) and one not in behind, least=_SURE)
        meant = meant or self._scene.best(_can_be_it, least=_SURE)
        return self._put("it", meant, owns=match["it"].casefold() == "its")

    def _they(self, match: re.Match[str]) -> str | None:
        if "they" in self._named or self._bound(match, _can_be_they) or self._of_somebody(match):
            return None
        several = self._scene.best(lambda one: one.many, least=_SURE - 1)
        meant = several or self._scene.best(_can_be_they, least=_SURE)
        word = match["they"].casefold()
        return self._put("they", meant, owns=word == "their", alone=word == "theirs")

    def _then(self, match: re.Match[str]) -> str | None:
        before, _, _ = match["then"].rpartition(" ")
        last = not self._message[match.end() :].strip(" ?!.")
        if not before and not (last and _WAS.search(self._message)):
            return None  # "so", "in that case"
        day = self._scene.date()
        if day is None or DATE.search(self._message):
            self._open = self._open or bool(before)
            return None
        if before.casefold() in {"", "back"}:
            return _on(day)
        return f"{before} {day}"

    def _time(self, match: re.Match[str]) -> str | None:
        day = self._scene.date()
        word = match["time"].rsplit(" ", 1)[-1].casefold()
        if day and word == "year":
            year = re.search(r"\d{4}", day)
            day = year.group() if year else None
        if day is None:
            self._open = True
            return None
        before = match["time"].split(" ", 1)[0]
        return f"{before} {day}" if before.casefold() not in {"that", "the", "in", "on", "at"} else _on(day)

    def _there(self, match: re.Match[str]) -> str | None:
        before = self._message[: match.start()]
        after = self._message[match.end() :]
        if re.search(r"\b(?:is|are|was|were|be|been)\s$", before, re.IGNORECASE) and after.strip(" ?!."):
            return None  # "is there …"
        meant = self._scene.best(_is_somewhere)
        self._named["there"] = meant
        if meant is None:
            self._open = True
            return None
        word, _, _ = match["there"].rpartition(" ")
        if not word:
            word = "to" if _MOVES.search(before) else meant.after if meant.after in {"on", "at"} else "in"
        return f"{word} {as_known(meant).words}"

    def _order(self, match: re.Match[str]) -> str | None:
        if self._scene.pair is None:
            self._open = True
            return None
        meant = self._scene.pair[0 if match["order"].casefold().endswith("former") else 1]
        self._named["order"] = meant
        return as_known(meant).words

    def _other(self, match: re.Match[str]) -> str | None:
        two = self._scene.spoken_and_other()
        if two is None or self._message[match.end() :].strip(" ?!."):
            self._open = True
            return None
        self._named["other"] = two[1]
        return as_known(two[1]).words

    def _shown(self, match: re.Match[str]) -> str:
        """Put in what "that bridge" or "those ministers" is, if it was called by that word."""
        noun = match["noun"].casefold()
        if noun in _NO_NOUNS:
            return match.group()
        meant = self._scene.best(lambda one: one.head == noun and not one.inner)
        if meant is not None:
            self._named["shown"] = meant
            return as_known(meant).words
        # "the plan that people know" shows nothing.
        self._open = self._open or _SHOWN_FIRST.search(match.string[: match.start()]) is not None
        return match.group()

    def _put(self, key: str, meant: Phrase | None, *, owns: bool, alone: bool = False) -> str | None:
        longest = _LONGEST_OWNER if owns or alone else _LONGEST_WORDS
        if meant is None or (len(meant.words.split()) > longest and not meant.proper):
            self._open = True
            return None
        self._named[key] = meant
        words = as_known(meant).words
        return possessive(words) if owns or alone else words

    def _bound(self, match: re.Match[str], fits: Callable[[Phrase], bool]) -> bool:
        """Tell whether a pronoun may well mean something that the message names before it.

        An owner may be named in the same clause ("Did the council publish its report?"), others not ("met him").
        """
        owner = match.group().casefold() in {"his", "its", "their"}
        owner = owner or (match.group().casefold() == "her" and self._noun_follows(match.end()))
        for one in self._own:
            if one.start + len(one.words) <= match.start() and fits(one):
                between = self._message[one.start + len(one.words) : match.start()]
                if owner or _NEW_CLAUSE.search(between):
                    return True
        return False

    def _of_somebody(self, match: re.Match[str]) -> bool:
        """Tell "who lost their seat", where nobody that was named before is meant."""
        before = self._message[: match.start()]
        return re.search(r"\b(?:who|anyone|everyone|somebody|someone|people)\b", before, re.IGNORECASE) is not None

    def _noun_follows(self, place: int) -> bool:
        """Tell "her post" from "met her in May"."""
        following = re.match(r"\s+([^\W\d_][\w’'-]*)", self._message[place:])
        return following is not None and following[1].casefold() not in _AFTER_HER


_AFTER_HER = (
    frozenset(
        "in on at for of to from with about after before by during since until near and or but that as then there "
        "again so now last this next".split()
    )
    | ASKING_WORDS
    | AUXILIARIES
)


def possessive(words: str) -> str:
    """Give a name as an owner."""
    return f"{words}’" if words.endswith("s") else f"{words}’s"


def _can_be_it(one: Phrase) -> bool:
    return one.kind != "person" and not one.many and not (one.kind == "place" and one.inner)


def _can_be_they(one: Phrase) -> bool:
    """Tell whether "they" can be said of it: several, or a company, a party, a team."""
    return one.many or (one.kind == "thing" and one.proper and not one.inner and not is_plural(one.head))


def _may_be_surname(one: Phrase) -> bool:
    """Tell a name like "Carney", which by itself does not show that it is a person's."""
    return one.kind == "thing" and one.proper and not one.many and not one.words.casefold().startswith("the ")


def _is_somewhere(one: Phrase) -> bool:
    return one.named and (
        one.kind == "place" or (one.kind == "thing" and one.after in {"in", "at", "on", "to", "near"})
    )


def _on(day: str) -> str:
    return f"on {day}" if re.search(r"\b\d{1,2}(?!\d)", day) else f"in {day}"
