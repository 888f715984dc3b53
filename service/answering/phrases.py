"""What a text speaks of: its names and its noun phrases, each with what a pronoun needs to know of it. English only.

No parser: closed lists of words that end a phrase, and the names of `mentions.py`. A phrase that is missed costs a
follow-up its subject, never a user's word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from index.lexical import STOP_WORDS
from service.answering.mentions import Kind, Mention, is_place_word, mentions
from service.answering.months import MONTH, WEEKDAY
from service.answering.persons import is_person_word

MOST_PHRASES = 24
"""Of a text with more, the first."""

_LONGEST_RUN = 6
_MOST_COMPLEMENTS = 3
_LONGEST_CLAUSE = 9
_FARTHEST_AUXILIARY = 14

_TOKEN = re.compile(r"\d[\d.,]*\d|[^\W_](?:[\w’'&.-]*[^\W_])?|[^\w\s]")
_DETERMINERS = frozenset("the a an my our your this that these those each every some any no both all".split())
_INDEFINITE = frozenset("a an some any each every no".split())
_NUMBERS = frozenset("two three four five six seven eight nine ten eleven twelve".split())
_OF = frozenset("of in on at for from between against with about to".split())
ASKING_WORDS = frozenset("who whom whose what which when where why how".split())
AUXILIARIES = frozenset(
    "is are was were be been being am do does did has have had can could will would shall should may might must".split()
)
_DOES = frozenset("do does did can could will would shall should may might must".split())
_STATES = frozenset(
    "open shut free ready available due safe cheap dear expensive big long old high late over dearer cheaper bigger "
    "longer older higher lower later safer".split()
)
_STOPS = (
    STOP_WORDS | ASKING_WORDS | AUXILIARIES | _OF | frozenset("and or but if as by than until against within".split())
)
# Verbs that follow a noun in questions. Some are nouns, too, which then ends a phrase early.
_VERBS = frozenset(
    word + ending
    for word in (
        "bid accept act agree allow announce appear apply approve ask attend ban become begin believe belong bring "
        "build buy call cancel carry cause change charge claim close come complain consider contain continue cost "
        "create cross cut deal decide deliver demand deny depend describe do earn employ end enter exist expect "
        "expire explain fail fall find finish follow fund gain get give go govern grow happen have help hire hold "
        "hope include increase join keep know last lead learn leave lie live look lose lower make mean measure meet "
        "move need object offer open operate oppose own pay plan plead prefer prepare produce promise propose "
        "protest prove provide publish put raise reach receive recommend reject remain repair replace represent "
        "require resign rest return rise run sail say see seem sell send serve show sign sit spend stand start stay "
        "stop suffer support take tell think travel try turn use vote wait want warn win work write"
    ).split()
    for ending in ("", "s", "es")
)
_PASTS = frozenset(
    "began became brought built came chose cut fell found gave got grew held kept knew led left lost made met paid "
    "rose ran said sold sent shut sat spoke spent stood stole took told thought went won wrote".split()
)
_PLURALS = frozenset("people men women children police staff media crew mice feet".split())
_BEFORE_PLURALS = _OF | AUXILIARIES | frozenset(("", "and", "or", "by", "why", "how", "where", "when"))
_BEFORE_SUBJECTS = frozenset(("", ".", "!", "?", "when", "where", "why", "how"))
_DAY_OR_MONTH = re.compile(
    rf"(?:(?:{MONTH})\b|{WEEKDAY}|last\b|next\b|spring\b|summer\b|autumn\b|winter\b)",
    re.IGNORECASE,
)
_CALENDAR = re.compile(rf"\d|{_DAY_OR_MONTH.pattern}", re.IGNORECASE)
_TIMES = frozenset(
    "second minute hour day night week weekend month quarter year decade century time moment morning afternoon evening "
    "date today tomorrow yesterday later earlier ago".split()
)
_OWNER = re.compile(r"[’']s?\b|[’'](?=\s)")


@dataclass(frozen=True, slots=True)
class Phrase:
    """Something that a text speaks of.

    Attributes:
        words: As it may stand in another question: "the relief fund of 12 million crowns".
        kind: What it is.
        start: Where it begins in the text.
        head: Its main word, in lower case.
        many: Whether "they" are meant.
        named: Whether a name is in it.
        definite: Whether it is a name, or something that is known already.
        proper: Whether it is a name itself.
        inner: Whether it is only part of a longer phrase.
        after: The word before it, in lower case.
    """

    words: str
    kind: Kind
    start: int
    head: str
    many: bool
    named: bool
    definite: bool
    proper: bool = False
    inner: bool = False
    after: str = ""

    @property
    def end(self) -> int:
        """Where it ends, if its first word was not changed in length."""
        return self.start + len(self.words)


def is_plural(word: str) -> bool:
    """Tell whether a lower-case noun looks like several."""
    return word in _PLURALS or word.endswith("men") or (len(word) > 3 and word[-1] == "s" and word[-2] not in "sui")


def is_time(phrase: Phrase) -> bool:
    """Tell "the day" and "five months later", which are nothing to talk about."""
    short = phrase.named or len(phrase.words.split()) < 4
    return short and not phrase.proper and phrase.head.removesuffix("s") in _TIMES


def phrases(text: str) -> list[Phrase]:
    """Give the names and noun phrases of a text in their order, at most `MOST_PHRASES`."""
    return _Reader(text).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [(match.group(), match.start(), match.end()) for match in _TOKEN.finditer(text)]
        self._words = [word.casefold() for word, _, _ in self._tokens]
        self._names: dict[int, Mention] = {name.start: name for name in mentions(text, repeated=True)}
        self._places = {start: place for place, (_, start, _) in enumerate(self._tokens)}
        self._names = {start: name for start, name in self._names.items() if start in self._places}
        self._found: list[Phrase] = []

    def read(self) -> list[Phrase]:
        at = 0
        while at < len(self._tokens) and len(self._found) < MOST_PHRASES:
            at = max(self._phrase(at), at + 1)
        self._found.sort(key=lambda one: one.start)
        return self._found

    def _phrase(self, at: int) -> int:
        """Read a phrase that begins at a token; gives the token after it, or `at` where there is none."""
        word = self._plain(at)
        start = self._tokens[at][1]
        if start in self._names:
            after = self._past_name(at)
            if not self._owns(self._names[start].start + len(self._names[start].words)):
                self._add_name(self._names[start])
                return after
            self._add_name(self._names[start], inner=True)
            return self._noun_phrase(at, after) or after
        if word == "that" and self._before(at) == "it":  # "since when is it that …"
            return at
        if word in _DETERMINERS or word in _NUMBERS:
            return self._noun_phrase(at, at + 1) or at
        if is_plural(word) and self._is_content(at) and self._before(at) in _BEFORE_PLURALS and word not in _VERBS:
            return self._noun_phrase(at, at) or at
        if self._before(at) in {"", ".", "!", "?"} and self._is_content(at) and is_plural(self._plain(at + 1)):
            return self._noun_phrase(at, at) or at  # "Train drivers voted"
        if self._is_content(at) and not word.endswith("ly") and (self._is_subject(at) or self._is_topic(at)):
            return self._noun_phrase(at, at) or at  # "When will tram line 4 open"
        return at

    def _is_topic(self, at: int) -> bool:
        """Tell whether words were put behind a question: "Why (about tram line 4)?"."""
        return self._before(at) == "about" and self._before(at - 1) == "("

    def _is_subject(self, at: int) -> bool:
        """Tell whether words stand where a question has its subject: "Does …", "What did …", "When will …".

        One word alone is left out: "construction of the bridge" is about the bridge as well.
        """
        if self._before(at) not in AUXILIARIES or not self._is_content(at + 1) or self._acts(at, at + 1):
            return False
        asks = self._plain(at - 2) if at > 1 else ""
        if asks in _BEFORE_SUBJECTS or (self._before(at) in {"do", "does", "did"} and asks):
            return True
        # "How much will tram line 4 cost", but "how many will come", "which big firm will win".
        return (self._plain(at - 3) == "how" and asks != "many") or asks in _TIMES

    def _noun_phrase(self, first: int, at: int) -> int:
        """Read the words of a phrase from `at`, with what belongs to it; `first` is where it begins. 0 for none."""
        end, name = self._run(at)
        if end == at:
            return 0
        last = end - 1
        while last > at and self._plain(last).isdigit():
            last -= 1  # "line 4"
        head = self._plain(last)
        inner: list[Mention] = [name] if name and name.words.split()[-1].casefold() != head else []
        for _ in range(_MOST_COMPLEMENTS):
            after = self._complement(end, inner)
            if after == end:
                break
            end = after
        end = self._clause(end, inner)
        start, stop = self._tokens[first][1], self._tokens[end - 1][2]
        determiner = self._plain(first)
        words = self._text[start:stop]
        own = name if name and name.words.split()[-1].casefold() == head else None
        many = (is_plural(head) and own is None) or determiner in _NUMBERS | {"these", "those", "both", "all"}
        self._found.append(
            Phrase(
                words=words,
                kind=own.kind if own else _kind_of(head),
                start=start,
                head=head,
                many=many and determiner not in {"a", "an", "each", "every"},
                named=own is not None or bool(inner) or (first != at and start in self._names),
                definite=determiner not in _INDEFINITE,
                proper=own is not None,
                after=self._before(first),
            )
        )
        for one in inner:
            self._add_name(one, inner=True)
        return end

    def _run(self, at: int) -> tuple[int, Mention | None]:
        """Read content words and names; gives the token after them and the last name."""
        name: Mention | None = None
        begin = at
        while at < len(self._tokens) and at - begin < _LONGEST_RUN:
            start = self._tokens[at][1]
            if start in self._names:
                name = self._names[start]
                at = self._past_name(at)
            elif self._is_content(at) and not (at > begin and self._acts(begin, at)):
                at += 1
            else:
                break
        return at, name

    def _complement(self, at: int, inner: list[Mention]) -> int:
        """Read "of public works", "in Port Callis"; gives the token after it, or `at` where there is none."""
        word = self._plain(at)
        if word not in _OF or at + 1 >= len(self._tokens):
            return at
        following = self._tokens[at + 1]
        if word != "of" and _CALENDAR.match(following[0]):
            return at
        begin = at + 1
        if self._plain(begin) in _DETERMINERS:
            begin += 1
        end, name = self._run(begin)
        if end == begin or (word in {"to", "with", "about", "against", "for"} and name is None):
            return at
        if name is not None:
            inner.append(name)
        if word == "between" and self._plain(end) == "and" and self._run(end + 1)[0] > end + 1:
            end = self._run(end + 1)[0]
        return end

    def _clause(self, at: int, inner: list[Mention]) -> int:
        """Read "that were stolen in Brackwater" where the sentence ends with it."""
        if self._plain(at) not in {"who", "that", "which"} or self._plain(at + 1) not in AUXILIARIES:
            return at
        for end in range(at + 2, min(at + 2 + _LONGEST_CLAUSE, len(self._tokens) + 1)):
            if end == len(self._tokens) or self._tokens[end][0] in ",.?!;:":
                starts = (start for _, start, _ in self._tokens[at:end])
                inner.extend(self._names[start] for start in starts if start in self._names)
                return end
            if self._plain(end) in (AUXILIARIES | ASKING_WORDS) - {"been", "being"}:
                return at
        return at

    def _add_name(self, name: Mention, *, inner: bool = False) -> None:
        before = self._before(self._places[name.start])
        head = name.words.split()[-1].casefold()
        article = before == "the" and not inner
        self._found.append(
            Phrase(
                words=f"the {name.words}" if article else name.words,
                kind=name.kind,
                start=name.start,
                head=head,
                many=name.kind != "person" and is_plural(head) and article,
                named=True,
                definite=True,
                proper=True,
                inner=inner,
                after=before,
            )
        )

    def _past_name(self, at: int) -> int:
        name = self._names[self._tokens[at][1]]
        end = name.start + len(name.words)
        while at < len(self._tokens) and self._tokens[at][1] < end:
            at += 1
        return at

    def _owns(self, place: int) -> bool:
        return _OWNER.match(self._text, place) is not None

    def _acts(self, begin: int, at: int) -> bool:
        word = self._plain(at)
        if word in _STATES:
            return True  # "is the bistro car open"
        if word not in _VERBS:
            return word in _PASTS or (len(word) > 4 and word.endswith("ed"))
        # "does the ticket cost", "the fund opens", "works" and "fund" are nouns in "is the director of works a fund".
        if self._waits_for_verb(begin, at):
            return not word.endswith("s")
        if self._has_auxiliary(at):
            return False
        return word.endswith("s") or is_plural(self._plain(at - 1))  # "the fund opens", "the companies bid"

    def _waits_for_verb(self, begin: int, at: int) -> bool:
        """Tell whether a phrase stands right after "does", "can", "did", with no verb in between."""
        for place in range(begin - 1, max(at - _FARTHEST_AUXILIARY, 0) - 1, -1):
            word = self._plain(place)
            if word in _DOES:
                return True
            if word in _VERBS or word in _PASTS or not word[0].isalnum():
                return False
        return False

    def _has_auxiliary(self, at: int) -> bool:
        for place in range(at - 1, max(at - _FARTHEST_AUXILIARY, 0) - 1, -1):
            if self._tokens[place][0] in ".?!":
                return False
            if self._plain(place) in AUXILIARIES:
                return True
        return False

    def _is_content(self, at: int) -> bool:
        word = self._plain(at)
        return bool(word) and word[0].isalnum() and word not in _STOPS and not _DAY_OR_MONTH.match(word)

    def _plain(self, at: int) -> str:
        return self._words[at] if 0 <= at < len(self._words) else ""

    def _before(self, at: int) -> str:
        return self._plain(at - 1) if at else ""


def _kind_of(head: str) -> Kind:
    if is_person_word(head):
        return "person"
    return "place" if is_place_word(head) else "thing"


def as_known(phrase: Phrase) -> Phrase:
    """Give a phrase as one speaks of it the second time: "a relief fund" becomes "the relief fund"."""
    determiner, _, rest = phrase.words.partition(" ")
    plain = determiner.casefold()
    if rest and plain in {"a", "an", "some", "any", "this", "that", "these", "those", "the"}:
        known = "those" if plain in {"these", "those"} else "the"
        return replace(phrase, words=f"{known} {rest}")
    if not phrase.named and phrase.many and phrase.words == phrase.words.casefold() and plain not in {"my", "our"}:
        return replace(phrase, words=f"the {phrase.words}")
    if plain in {"my", "our", "your"} or phrase.named or phrase.words[:1].islower():
        return phrase
    return replace(phrase, words=phrase.words[:1].lower() + phrase.words[1:])


def pairs(text: str, found: Sequence[Phrase]) -> list[tuple[Phrase, Phrase]]:
    """Give what is named side by side: "A and B", "A or B"."""
    outer = [one for one in found if not one.inner]
    return [
        (one, other)
        for one, other in pairwise(outer)
        if one.kind == other.kind and re.fullmatch(r"[.,]?\s+(?:and|or|nor)\s+(?:the\s+)?", text[one.end : other.start])
    ]
