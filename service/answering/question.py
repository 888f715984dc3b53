"""From a message in a conversation to a question that stands alone, by rules over words; English only.

What a message leaves unsaid is in the question before it and in the answer to that: the person that "she" is, the place
that is "there", the subject of "and how much?". Names are put in where they are sure; what the last question was about
is named behind ("… (about: …)"), for the search and for the reader to see.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from index.lexical import STOP_WORDS, terms
from service.answering.mentions import Mention, mentions
from service.answering.reply import Turn

LOOKED_BACK = 8
"""Turns of a conversation that a message may lean on."""

LONGEST_TURN_CHARS = 600
"""Of an earlier turn, no more is read."""

MOST_SUBJECTS = 6
"""Words and names of the last question that are named behind a message that leans on it."""

_PERSON = re.compile(r"\b(?:he|she|him|her|his|hers|himself|herself)\b", re.IGNORECASE)
_THING = re.compile(
    r"\b(?:it|its|this|they|them|their|theirs|these|those|one|ones)\b"
    # Not "the cactus that stands".
    r"|(?:^|\b(?:do|does|did|about|of|for|to|with|by|is|was|after|before|on|in|why|how|like) )that\b",
    re.IGNORECASE,
)
_THERE = re.compile(r"\bthere\b(?! (?:is|are|was|were|be|been|any|anything|anyone)\b)", re.IGNORECASE)
_BACK = re.compile(
    r"\b(?:then|former|latter|same|that (?:day|year|time)|both|else|other|another|afterwards|instead)\b", re.IGNORECASE
)
_GOES_ON = re.compile(r"^\s*(?:and|but|so|also|or|ok|okay)\b[\s,:]*", re.IGNORECASE)
_WHAT_ABOUT = re.compile(r"\s*(?:and |but |so )?(?:(?:what|how) about|and)\s+(?P<what>.+?)\s*\?*\s*$", re.IGNORECASE)
_ASKS = re.compile(
    r"\b(?:who|whom|whose|what|which|when|where|why|how|is|are|was|were|do|does|did|has|have|can|could|will|would|"
    r"should|may)\b",
    re.IGNORECASE,
)
_WHO = re.compile(
    r"\bwho(?:m|se)?\b|\b(?:which|what) (?:\w+ )?(?:person|lawyer|minister|president|leader|mayor|director|scientist|"
    r"professor|economist|actor|author|singer|player|coach|governor|judge|official|man|woman)\b",
    re.IGNORECASE,
)
_ORDINAL = re.compile(r"\b(?:first|second|third|fourth|fifth|last|next|previous|earlier|later|other)\b", re.IGNORECASE)
_YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b")
_MONTH = re.compile(r"\b(?:January|February|March|April|May|June|July|August|September|October|November|December)\b")
_DEFINITE = re.compile(r"\bthe (?!(?:us|u\.s|uk|eu|united)\b)[a-z]", re.IGNORECASE)
_SMALL_TALK = re.compile(
    r"\W*(?:thanks?|thank you|ok(?:ay)?|hi|hello|hey|great|good|bye|please|sorry|yes|no)\b[\W\w]{0,20}$",
    re.IGNORECASE,
)
_MARK = re.compile(r"\s*\[\d+\]")
_ABOUT = re.compile(r" \(about: (?P<subjects>[^()]*)\)$")
_EMPTY = frozenset(
    "tell name list please many much long say said says happened happen did does people thing things get got "
    "give gave take "
    "took make made go goes went come comes came ask asks asked mean means know".split()
)
_WORD = re.compile(r"[^\W_][\w’'.-]*[^\W_]|[^\W_]")


def stand_alone(message: str, history: Sequence[Turn]) -> str:
    """Give the question to search for.

    Args:
        message: The user's words.
        history: The turns before it, oldest first.

    Returns:
        The message as it is, stripped, if it leans on nothing or there is nothing to lean on; else its words with the
        names that they stand for, and what the last question was about.
    """
    message = message.strip()
    before, answer = "", ""
    for turn in history[-LOOKED_BACK:]:
        content = _MARK.sub("", turn.content.strip()[:LONGEST_TURN_CHARS])
        if turn.role == "assistant":
            answer = content
        elif content and not _SMALL_TALK.match(content):
            before, answer = _resolved(content, before, answer), ""
    return _resolved(message, before, answer)


def _resolved(message: str, before: str, answer: str) -> str:
    """Resolve a message by the question before it, which stands alone, and the answer to that."""
    if not before or not leans(message):
        return message
    if changed := same_question(message, before):
        return changed
    asked = mentions(before)
    told = mentions(answer)
    # Who was asked for is in the answer; else who the question was about is meant.
    people, places = (told, asked) if _WHO.search(before) else (asked, told), (asked, told)
    words = _with_names(_GOES_ON.sub("", message, count=1), _first(people, "person"), _first(places, "place"))
    words = words[:1].upper() + words[1:]
    subjects = _subjects(before, asked, told, words)
    return f"{words} (about: {', '.join(subjects)})" if subjects else words


def leans(message: str) -> bool:
    """Tell whether a message leans on what was said before."""
    if _SMALL_TALK.match(message):
        return False
    if any(pattern.search(message) for pattern in (_PERSON, _THING, _THERE, _BACK)) or _GOES_ON.match(message):
        # Somebody it names itself may be whom it means.
        return not (mentions(message) and not _GOES_ON.match(message) and not _PERSON.search(message))
    if mentions(message):
        return False
    content = [term for term in terms(message) if term not in _EMPTY]
    return len(content) <= 2 or (len(content) <= 5 and bool(_DEFINITE.search(message)))


def same_question(message: str, before: str) -> str | None:
    """Ask the question before again of something else ("And in Orlo?", "What about 2024?", "Which on the second?")."""
    before = _ABOUT.sub("", before)
    found = _WHAT_ABOUT.match(message)
    what = found["what"] if found and not _ASKS.search(found["what"]) else None
    for pattern in (_YEAR, _MONTH):
        if what and (new := pattern.search(what)) and pattern.search(before):
            return pattern.sub(new.group(), before, count=1)
    ordinal = _ORDINAL.search(what or message)
    if ordinal and _ORDINAL.search(before) and len(terms(message)) <= 3:
        return _ORDINAL.sub(ordinal.group().lower(), before, count=1)
    if what and (named := mentions(f"of {what}")):
        old = next((one for one in mentions(before) if one.kind == named[0].kind), None)
        if old is not None:
            return before.replace(old.words, named[0].words, 1)
    return None


def _with_names(words: str, person: Mention | None, place: Mention | None) -> str:
    """Put in a name for the first pronoun of each kind that stands for one."""
    if person is not None and (pronoun := _PERSON.search(words)):
        name = person.words
        if pronoun.group().casefold() in {"his", "hers"} or _owns(words, pronoun):
            name += "’" if name.endswith("s") else "’s"
        words = words[: pronoun.start()] + name + words[pronoun.end() :]
    if place is not None and (there := _THERE.search(words)):
        words = words[: there.start()] + f"in {place.words}" + words[there.end() :]
    return words


def _owns(words: str, pronoun: re.Match[str]) -> bool:
    """Tell "her post" from "met her"."""
    following = _WORD.match(words, pronoun.end() + 1)
    return pronoun.group().casefold() == "her" and following is not None and following.group() not in STOP_WORDS


def _first(found: Sequence[Sequence[Mention]], kind: str) -> Mention | None:
    return next((one for some in found for one in some if one.kind == kind), None)


def _subjects(before: str, asked: Sequence[Mention], told: Sequence[Mention], words: str) -> list[str]:
    """Give what the question before was about, in its order, and the first thing that its answer names."""
    held = set(terms(words))
    earlier = _ABOUT.search(before)
    plain = _ABOUT.sub("", before)
    found = [one.words for one in asked if one.words in plain]
    rest = plain
    for name in found:
        rest = rest.replace(name, " ")
    found += [word for word in _WORD.findall(rest) if _is_content(word)]
    found.sort(key=lambda one: plain.find(one))
    if earlier:
        found += earlier["subjects"].split(", ")
    # A thing that the answer names is often what "it" is.
    found += [one.words for one in told if one.kind == "thing"][:1]
    kept: list[str] = []
    for one in found:
        stems = set(terms(one))
        if stems and not stems <= held:
            held |= stems
            kept.append(one)
    return kept[:MOST_SUBJECTS]


def _is_content(word: str) -> bool:
    if _MONTH.fullmatch(word):  # May, too
        return True
    plain = word.casefold()
    return plain not in STOP_WORDS and plain not in _EMPTY and not _ASKS.fullmatch(plain) and bool(terms(word))
