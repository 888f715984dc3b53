"""Messages that say only what is new: "And in Orlo?", "What about 2025?", "Since when?", "Who else?". English only.

What they leave out is the question before: it is asked again with the new part in the place of the old one.
"""

from __future__ import annotations

import re

from service.answering.phrases import ASKING_WORDS, AUXILIARIES, Phrase, as_known, phrases
from service.answering.scene import DATE, Scene

_ASKS = "|".join(sorted(ASKING_WORDS))
_HELPS = "|".join(sorted(AUXILIARIES))
_LEAD = re.compile(r"\W*(?:(?:and|but|so|or|ok(?:ay)?|well|then)\b[\s,:]*)*(?:(?:what|how) about\b\s*)?", re.IGNORECASE)
_BARE = re.compile(
    r"(?P<asks>(?:(?:since|until|till|by|from|at|for|in|on|to|with|of|under|against) )?"
    r"(?:why not|why|when|where|how (?:long|often|far|soon)|how|whom|who))"
    r"(?: exactly| precisely| then| so)?\W*",
    re.IGNORECASE,
)
_ELSE = re.compile(r"(?P<asks>who|what|where|which|when|how) else\W*", re.IGNORECASE)
_OPENING = re.compile(r"\W*(?P<asks>who|what|where|which|when|how)\b", re.IGNORECASE)
_ADVERBIAL = re.compile(
    r"(?:(?:since|until|till|by|from|at|in|on|to|for) )?(?:when|where|why|how(?: long| often| far| soon)?)"
    r"|(?:since|until|till|by|from|at|in|on|to) (?:what|which)(?: \w+){1,2}",
    re.IGNORECASE,
)
_FIRST_HELP = re.compile(rf"\b(?:{_HELPS})\b", re.IGNORECASE)
_SUBJECT_ASKED = re.compile(
    rf"\W*(?P<asks>who|(?:which|what)(?: [a-z-]+){{1,2}})"
    rf" (?!(?:{_HELPS}|in|on|at|to|of|with|from|for|after|before|during|by)\b)(?P<does>[a-z]+) (?P<rest>.+?)\W*$",
    re.IGNORECASE,
)
_COPULA = re.compile(r"\W*(?:who|what) (?P<is>is|are|was|were) (?P<what>(?:the|an?|[A-Z]).+?)\W*$", re.IGNORECASE)
_ORDINAL = re.compile(
    r"\b(?:first|second|third|fourth|fifth|sixth|last|next|previous|earlier|later|former|latter)\b", re.IGNORECASE
)
_PREPOSITION = re.compile(
    r"(?P<by>in|on|at|for|of|to|from|with|without|about|near|by|under|against|between|since|until|before|after|during)"
    r"\s+(?P<rest>.+)",
    re.IGNORECASE,
)
_WHEN = re.compile(
    r"(?:on )?(?:(?:mon|tues|wednes|thurs|fri|satur|sun)days?|weekdays|weekends|sundays)|now|today|tomorrow|yesterday"
    r"|(?:this|next|last) (?:year|month|week|spring|summer|autumn|winter)|these days|nowadays|earlier|later|before",
    re.IGNORECASE,
)
_YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b")
_OTHER = re.compile(r"the other(?: one)?", re.IGNORECASE)
_ONE = re.compile(r"\bones?\b\W*$", re.IGNORECASE)
_LONGEST_FRAGMENT = 9
_LAST_MARK = re.compile(r"\W*$")


def asked_again(message: str, scene: Scene) -> str | None:
    """Give the question of a scene, asked as a message changes it; None if the message is a question of its own."""
    body = _LEAD.sub("", message, count=1)
    led = body != message
    return _else(body, scene) or _bare(body, scene) or _changed(body, scene, led=led)


def _else(body: str, scene: Scene) -> str | None:
    found, opening = _ELSE.fullmatch(body), _OPENING.match(scene.plain_question)
    if not found or not opening or found["asks"].casefold() != opening["asks"].casefold():
        return None
    question = scene.plain_question
    return f"{question[: opening.end()]} else{question[opening.end() :]}"


def _bare(body: str, scene: Scene) -> str | None:
    """Put "Since when" before what the question says."""
    found = _BARE.fullmatch(body)
    if not found:
        return None
    asks = found["asks"][:1].upper() + found["asks"][1:]
    question = scene.plain_question.strip()
    if asks.casefold() == "why not":
        return None
    first = _FIRST_HELP.search(question)
    if first is None or first.start() > 60:
        return _of_subject(asks, question, scene)
    before = question[: first.start()].strip()
    if not before:
        return f"{asks} {question[:1].lower()}{question[1:]}"
    if copula := _COPULA.fullmatch(question):
        who = _first_told(scene)
        return f"{asks} {copula['is']} {who} {copula['what']}?" if who else None
    if _ADVERBIAL.fullmatch(before):
        return f"{asks} {question[first.start() :]}"
    return _of_subject(asks, question, scene)


def _of_subject(asks: str, question: str, scene: Scene) -> str | None:
    """Ask of "Who designed it?" when it was that they designed it."""
    found = _SUBJECT_ASKED.fullmatch(question)
    if found is None:
        return None
    does = found["does"].casefold()
    who = _first_told(scene) or "they"
    is_it = "is it" if does.endswith("s") else "was it"
    return f"{asks} {is_it} that {who} {found['does']} {found['rest']}?"


def _first_told(scene: Scene) -> str | None:
    """Give whom or what the answer names first, other than the question did."""
    plain = scene.question.casefold()
    for one in scene.told:
        if (
            one.named
            and not one.inner
            and one.words.casefold() not in plain
            and not scene.names(one)
            and scene.wanted in (None, one.kind, "thing")
        ):
            return as_known(one).words
    return None


def _changed(body: str, scene: Scene, *, led: bool) -> str | None:
    """Put the new part into the place of the old one of its kind, or behind."""
    part = _LAST_MARK.sub("", body).removesuffix(", too").removesuffix(" too").strip()
    question = scene.plain_question.strip()
    if not part or len(part.split()) > _LONGEST_FRAGMENT or _is_question(part):
        return None
    if _OTHER.fullmatch(part) and (two := scene.spoken_and_other()):
        return re.sub(re.escape(two[0].words), lambda _: as_known(two[1]).words, question, count=1, flags=re.IGNORECASE)
    found = _PREPOSITION.fullmatch(part)
    short = led or found is not None or len(part.split()) == 1
    if not short:
        return None
    return (
        _date_for_date(part, question)
        or _ordinal_for_ordinal(part, question, scene)
        or (_in_its_place(found, question, scene) if found else _name_for_name(part, question, scene, led=led))
        or (_behind(part, question) if found or _WHEN.fullmatch(part) else None)
    )


def _is_question(part: str) -> bool:
    words = re.findall(r"[\w’']+", part.casefold())
    return any(word in ASKING_WORDS | AUXILIARIES for word in words if word != "may") or "may i" in part.casefold()


def _date_for_date(part: str, question: str) -> str | None:
    new, old = DATE.search(part), DATE.search(question)
    if new is None:
        return None
    if old is None:
        return None if _PREPOSITION.fullmatch(part) is None and len(part.split()) > 1 else _behind(part, question)
    year = _YEAR.search(new.group())
    kept = _YEAR.search(old.group())
    words = new.group()
    if year and year.group() == words and kept:  # only the year is new
        words = _YEAR.sub(words, old.group(), count=1)
    elif year is None and kept:
        words = kept.group() if words == kept.group() else f"{words} {kept.group()}"
    return question[: old.start()] + words + question[old.end() :]


def _ordinal_for_ordinal(part: str, question: str, scene: Scene) -> str | None:
    new, old = _ORDINAL.search(part), _ORDINAL.search(question)
    if new is None or old is None or _names(part):
        return None
    return question[: old.start()] + new.group().lower() + question[old.end() :]


def _in_its_place(found: re.Match[str], question: str, scene: Scene) -> str | None:
    """Put "in Orlo" where the question has "in Tamsel", "for children" where it has "for adults"."""
    new = phrases(f"{found['by']} {found['rest']}")
    kind = new[0].kind if new and new[0].named else None
    by = found["by"].casefold()
    olds = [one for one in scene.asked if one.end <= len(question)]
    same = [one for one in olds if one.after in {by, "the"} and _preposition_of(one, question) == by]
    fitting = [one for one in same if kind is None or one.named] or same
    if not fitting and kind is not None:
        fitting = [
            one for one in olds if one.kind == kind == "place" and _preposition_of(one, question) in {"in", "at", "on"}
        ]
        by = found["by"]
        for one in fitting[-1:]:
            start = question.lower().rfind(_preposition_of(one, question), 0, one.start)
            return f"{question[:start]}{by} {found['rest']}{question[one.start + len(one.words) :]}"
    if not fitting and (plain := re.search(rf"\b{by} ([\w-]+)(?=\W*$)", question)):
        return question[: plain.start(1)] + found["rest"] + question[plain.end(1) :]
    for one in fitting[-1:]:
        return question[: one.start] + found["rest"] + question[one.start + len(one.words) :]
    return None


def _preposition_of(one: Phrase, question: str) -> str:
    before = re.search(r"(\w+)\s+(?:the\s+)?$", question[: one.start])
    return before[1].casefold() if before else ""


def _name_for_name(part: str, question: str, scene: Scene, *, led: bool) -> str | None:
    """Ask of "Joly" what was asked of "Carney", of "the ferry" what was asked of "the bridge"."""
    olds = [one for one in scene.asked if one.end <= len(question)]
    new = next(iter(phrases(f"of {part}")), None)
    if _ONE.search(part) or new is None:
        return None
    outer = [one for one in olds if not one.inner]
    if new.named:
        bare = new.words == part.removeprefix("the ") or f"the {new.words}" == part or new.words == part
        old = next((one for one in olds if one.named and _is_like(new, one)), None) if bare else None
    else:
        heads = [one for one in outer if one.head.rstrip("s") == new.head.rstrip("s")]
        unnamed = [one for one in outer if not one.named and one.many == new.many and one.definite == new.definite]
        old = next(iter(heads or unnamed), None) if new.words.casefold() == part.casefold() else None
    if old is None or old.words.casefold() == part.casefold():
        return None
    return question[: old.start] + part + question[old.start + len(old.words) :]


def _is_like(new: Phrase, old: Phrase) -> bool:
    """Tell whether a name may take the place of another; one alone ("And Joly?") does not tell its kind."""
    if old.words.casefold() in new.words.casefold():
        return False
    alone = len(new.words.removeprefix("the ").split()) == 1
    return old.kind == new.kind or (alone and old.kind in {"person", "place"} and not old.inner)


def _names(part: str) -> bool:
    return any(one.named for one in phrases(f"of {part}"))


def _behind(part: str, question: str) -> str:
    end = _LAST_MARK.search(question)
    place = end.start() if end else len(question)
    return f"{question[:place]} {part}?"
