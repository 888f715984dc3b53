"""From a message in a conversation to a question that stands alone, by rules over words; English only.

What a message leaves unsaid is in the question before it and in the answer to that. A pronoun becomes the name that it
stands for (`pronouns.py`), a message that says only what is new becomes the question before with that in it
(`ellipsis.py`). Where neither is sure, the user's words stay and what the talk is about is named behind them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from index.lexical import terms
from service.answering.ellipsis import asked_again
from service.answering.mentions import mentions
from service.answering.phrases import Phrase, as_known, is_time, phrases
from service.answering.pronouns import leans, with_names
from service.answering.reply import Turn
from service.answering.scene import Scene

LOOKED_BACK = 10
"""Turns of a conversation that a message may lean on."""

LONGEST_TURN_CHARS = 600
LONGEST_OLD_TURN_CHARS = 240
"""Of an earlier turn, no more is read: of the last answer the first figure, of those before the second."""

LONGEST_LEANING_CHARS = 400
"""A longer message says by itself what it asks."""

LONGEST_TOPIC_WORDS = 12

_GOES_ON = re.compile(r"\s*(?:and|but|so|also|or|ok|okay|well)\b[\s,:]*", re.IGNORECASE)
_SMALL_TALK = re.compile(
    r"\W*(?:thanks?|thank you|ok(?:ay)?|hi|hello|hey|great|good|nice|perfect|bye|please|sorry|yes|no|cool|i see)\b"
    r"[^?]{0,40}$",
    re.IGNORECASE,
)
_MORE = re.compile(
    r"\b(?:tell me|say|give me|explain|elaborate|go on|continue)\b.{0,30}\b(?:more|further|details?|on)\b"
    r"|^\W*(?:more|details?|explain|elaborate|go on|continue|why not|what happened(?: \w+)?)\W*$",
    re.IGNORECASE,
)
_DEFINITION = re.compile(
    r"\W*(?:what (?:is|are|was|were) (?:an? |[a-z-]+\W*$)|what does \w+ mean|(?:what is|who is) meant by)",
    re.IGNORECASE,
)
_DIRECT = re.compile(r"\W*how (?:do|can|should|often should) (?:i|you|we|one)\b", re.IGNORECASE)
_SOMEBODY = re.compile(
    r"\b(?:anyone|anybody|anything|someone|somebody|people|everyone|nobody|victims?|those)\b.*", re.IGNORECASE
)
_PAST = re.compile(r"\b(?:was|were|did|had|\w+ed)\b", re.IGNORECASE)
# There is only one of it, whatever one talks about.
_ONLY_ONE = frozenset(
    "weather sun moon earth world internet news time future past universe economy sea sky government eu us uk un "
    "difference best largest biggest highest longest".split()
)
# What an answer may end with: the last sentence that is whole, else the last word.
_WHOLE = re.compile(r".*[.!?][\"”’»)]*(?: ?\[\d+\])*(?=\s)|.*(?=\s)", re.DOTALL)
_DATELINE = re.compile(r"(?:^|(?<=\s))[A-Z][A-Z.’' -]{2,30}(?:\([\w ]{2,20}\) ?)?(?:, \w[\w ,.]{2,24})? ?[–—] ")
_MARK = re.compile(r"\s*\[\d+\]")
_LAST_MARK = re.compile(r"[\s?!.,;:…]*$")
_LETTER = re.compile(r"[^\W\d_]")
_EMPTY = frozenset(
    terms(
        "tell name list please many much long say said says happened happen did does people thing things get got give "
        "gave take took made make go goes went come comes came ask asks asked mean means know exactly"
    )
)


def stand_alone(message: str, history: Sequence[Turn]) -> str:
    """Give the question to search for.

    Args:
        message: The user's words.
        history: The turns before it, oldest first.

    Returns:
        The message as it is, stripped, if it leans on nothing or there is nothing to lean on; else a question that
        says by itself what is asked.
    """
    message = message.strip()
    if not history or not may_lean(message):
        return message
    scene = _scene(history)
    return _resolved(message, scene)[0] if scene is not None else message


def may_lean(message: str) -> bool:
    """Tell whether a message may lean on what was said before."""
    if len(message) > LONGEST_LEANING_CHARS or not re.search(r"[^\W_]", message):
        return False
    if _SMALL_TALK.match(message):
        return False
    return leans(message) or bool(_GOES_ON.match(message)) or bool(_MORE.search(message)) or _says_little(message)


def shortened(text: str, longest: int) -> str:
    """Give no more characters of a text than so many, up to the end of a sentence; of one that is longer, of a word."""
    if len(text) <= longest:
        return text
    whole = _WHOLE.match(text[: longest + 1])
    return whole.group() if whole and whole.group() else text[:longest]


def _scene(history: Sequence[Turn]) -> Scene | None:
    """Go through the turns, oldest first, each message resolved by those before it."""
    scene: Scene | None = None
    turns = _since_it_stood(history[-LOOKED_BACK:])
    for number, turn in enumerate(turns, start=1):
        longest = LONGEST_TURN_CHARS if turn.role == "user" or number == len(turns) else LONGEST_OLD_TURN_CHARS
        content = _DATELINE.sub("", _MARK.sub("", shortened(turn.content.strip(), longest)))
        if turn.role == "assistant":
            if scene is not None and content:
                scene = scene.answered(content)
        elif content and not _SMALL_TALK.match(content):
            question, kept = _resolved(content, scene) if scene and may_lean(content) else (content, ())
            scene = Scene.of(question, "", scene, kept)
    return scene


def _since_it_stood(turns: Sequence[Turn]) -> Sequence[Turn]:
    """Leave out what was before the last two questions that lean on nothing."""
    stood = [
        number
        for number, turn in enumerate(turns)
        if turn.role == "user" and not _SMALL_TALK.match(turn.content) and not may_lean(turn.content.strip())
    ]
    return turns[stood[-2] :] if len(stood) > 1 else turns


def _resolved(message: str, scene: Scene) -> tuple[str, tuple[str, ...]]:
    """Give the question that a message asks, and what was put in for its pronouns."""
    if changed := asked_again(message, scene):
        return changed, ()
    goes_on = _GOES_ON.match(message)
    words = message[goes_on.end() :] if goes_on else message
    if not _LETTER.search(words):
        words = message
    named = with_names(words, scene)
    words = named.words
    if words != message:
        words = words[:1].upper() + words[1:]
    if named.used:  # what the answer named is to be seen with what was asked
        more = not any(one in scene.asked for one in named.used)
    else:
        more = _says_little(words) or (goes_on is not None and _adds_little(words))
    kept = tuple(as_known(one).words for one in named.used)
    if named.open or more or _MORE.search(words):
        topic = _topic(scene, words)
        if topic:
            end = _LAST_MARK.search(words)
            place = end.start() if end else len(words)
            return f"{words[:place]} (about {topic}){words[place:].strip()}", kept
    return words, kept


def _says_little(message: str) -> bool:
    """Tell a question that names nothing by which it could be searched: "How many people had applied for the post?"."""
    if mentions(message) or _DEFINITION.match(message) or _DIRECT.match(message):
        return False
    content = [term for term in terms(message) if term not in _EMPTY]
    numbers = sum(term.isdigit() for term in content)
    if 1 < numbers < len(content):  # "Is the tariff 25% or 35%?"
        return False
    if len(content) <= 1 or _MORE.search(message):
        return True
    if len(content) <= 4 and _SOMEBODY.search(message) and _PAST.search(message):
        return True
    return len(content) <= 5 and any(_is_known_before(one) for one in phrases(message))


def _adds_little(message: str) -> bool:
    content = [term for term in terms(message) if term not in _EMPTY]
    named = {term for one in mentions(message) for term in terms(one.words)}
    return len([term for term in content if term not in named]) <= (0 if named else 3)


def _is_known_before(one: Phrase) -> bool:
    """Tell a phrase like "the post", which nothing in it tells apart from others."""
    words = one.words.casefold().split()
    return words[0] == "the" and 2 <= len(words) <= 3 and not set(words) & _ONLY_ONE


def _topic(scene: Scene, words: str) -> str:
    """Give what the talk is about, as far as it is not in the words already."""
    said = set(terms(words))
    found: list[str] = []
    outer = [one for one in scene.asked if not one.inner]
    ranked = sorted(outer, key=lambda one: not one.named) + [one for _, one in scene.ranked(lambda one: one.proper)]
    for one in ranked:
        own = set(terms(one.words))
        if not own or own <= said or is_time(one) or len(one.words.split()) > LONGEST_TOPIC_WORDS:
            continue
        found.append(as_known(one).words.replace("(", "").replace(")", ""))
        said |= own
        if one.named:
            break
        if len(found) == 2:
            break
    only_times = bool(outer) and all(is_time(one) for one in outer)
    if found or ((scene.asked or scene.told) and not only_times):
        return ", ".join(found)
    return scene.plain_question.rstrip(" ?!.").replace("(", "").replace(")", "")
