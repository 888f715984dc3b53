"""Whether a sentence of an article says what another sentence says, by laying their words side by side.

Every word and number of the claim has to stand in the sentence, and what stands between the words has to be the
same: their order, prepositions, negations, "could" and "will", who says so. What the sentence says besides may be left
out where that leaves the rest true: in front, behind, between commas, or a few words of description.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from service.answering.wording import BREAK, Content, Token, Wording, folded, tokens_of

MOST_STEPS = 300
"""Steps in laying a claim's words over those of a sentence; more come only of words that are repeated many times."""

MOST_LEFT_OUT = 3
"""Words in a row that a claim may leave out without commas around them."""

_CLAUSE_WORDS = frozenset({"although", "though", "while", "but", "whereas", "because"})
_SPEAKING = frozenset("i me my we us our you your".split())
"""Whoever is meant by them, it is not the one who answers."""

_QUOTED = re.compile(r"[“\"](?P<words>[^“”\"]*)[”\"]")
_TIME_WORDS = frozenset("last next this yesterday today tomorrow tonight again".split())
_NEW_STATEMENT = frozenset(
    "it he she they because although though while when as than so if unless that since until".split()
)
_OPEN_PRONOUNS = frozenset({"it", "he", "she", "they"})
_PERSONS = frozenset({"he", "she", "they"})
_UNITS_FOLLOW = 2
"""Words from a number to what it counts, at most: "12 new boats"."""

_TITLES = frozenset(
    "coach captain minister president mayor chair chairman chairwoman director governor professor doctor leader "
    "secretary spokesman spokeswoman owner author chief head manager judge general".split()
)


def says(sentence: str, claim: str, *, before: str | None = None) -> bool:
    """Tell whether a sentence says what a claim says.

    Args:
        sentence: Of an article.
        claim: Of somebody else.
        before: The sentence before it in the article, whose subject a pronoun at its beginning stands for.
    """
    if not _marks_kept(sentence, claim):
        return False
    speaker, told = _without_speaker(tokens_of(claim))
    held = tokens_of(sentence)
    if before is not None:
        held = _with_subject(held, tokens_of(before), spoken=bool(speaker))
        if not held:
            return False
    if speaker and not _is_speaker(speaker, held):
        return False
    if before is None and any(token.plain in _OPEN_PRONOUNS for token in told[:1]) and told[:1] != held[:1]:
        return False
    said, source = Wording.of_tokens(told), Wording.of_tokens(held)
    if not said.content or any(token.plain in _SPEAKING for token in tokens_of(_QUOTED.sub(" ", claim))):
        return False
    return any(_fits(said, source, places) for places in _layings(said, source))


def _marks_kept(sentence: str, claim: str) -> bool:
    """Tell whether words that a claim puts into quotes, and its signs ("<", "?"), are those of the sentence."""
    quoted = [folded(match["words"]) for match in _QUOTED.finditer(sentence)]
    for match in _QUOTED.finditer(claim):
        if not any(folded(match["words"]).strip(" ,.") in held for held in quoted):
            return False
    signs = {char for char in claim if char in "/?~#*^|\\@" or unicodedata.category(char) in ("Sm", "So", "Sk")}
    return signs <= set(sentence)


def _layings(said: Wording, source: Wording) -> Iterator[tuple[int, ...]]:
    """Give the ways to lay each word of a claim on the same word of a sentence, as places in `source.content`."""
    places = [
        [place for place, held in enumerate(source.content) if _same(one.token, held.token)] for one in said.content
    ]
    if not all(places) or len(said.content) > len(source.content):
        return
    laid: list[int] = []
    steps = 0

    def lay() -> Iterator[tuple[int, ...]]:
        nonlocal steps
        if len(laid) == len(places):
            yield tuple(laid)
            return
        for place in places[len(laid)]:
            steps += 1
            if place not in laid and steps <= MOST_STEPS:
                laid.append(place)
                yield from lay()
                laid.pop()

    yield from lay()


def _same(one: Token, other: Token) -> bool:
    return one.key == other.key and one.kind == other.kind and one.possessive == other.possessive


def _fits(said: Wording, source: Wording, laying: Sequence[int]) -> bool:
    pairs = [(one, source.content[place]) for one, place in zip(said.content, laying, strict=True)]
    return (
        _in_order(said, source, laying)
        and _neighbours_kept(pairs, laying)
        and _prepositions_kept(said, source, laying)
        and _same_mood(said, source, laying)
        and _left_out_is_harmless(source, sorted(laying), said)
    )


def _in_order(said: Wording, source: Wording, laying: Sequence[int]) -> bool:
    """Words keep their order; only phrases that begin with a preposition may move, and only within one statement."""
    inverted = [
        (one, other)
        for one in range(len(laying))
        for other in range(one + 1, len(laying))
        if laying[one] > laying[other]
    ]
    for one, other in inverted:
        first, second = said.content[one], said.content[other]
        if first.block == second.block or not (_moves(first) or _moves(second)):
            return False
    if not inverted:
        return True
    start, end = source.content[min(laying)].place, source.content[max(laying)].place
    return not any(token.kind in ("who", "join") for token in source.tokens[start:end])


def _moves(one: Content) -> bool:
    """Tell whether a word is in a phrase that may stand elsewhere ("in May", but not "of Orlo")."""
    return one.block_preposition not in ("", "of")


def _neighbours_kept(pairs: Sequence[tuple[Content, Content]], laying: Sequence[int]) -> bool:
    """Names stay whole, and a number stays with what it counts."""
    for index, ((one, held), (other, held_other)) in enumerate(pairwise(pairs)):
        if not other.joined:
            continue
        step = laying[index + 1] - laying[index]
        begins = index == 0 and not held.token.name  # a capital that only the beginning of the claim gives
        names = one.token.name and other.token.name and not (one.token.is_time or other.token.is_time or begins)
        if names and (step != 1 or not held_other.joined):
            return False
        counted = one.token.kind == "number" or (other.token.kind == "number" and one.token.name)
        if counted and not 1 <= step <= _UNITS_FOLLOW:
            return False
    return True


def _prepositions_kept(said: Wording, source: Wording, laying: Sequence[int]) -> bool:
    for index, (one, place) in enumerate(zip(said.content, laying, strict=True)):
        held = source.content[place]
        if one.preposition == held.preposition:
            continue
        if one.preposition and one.preposition != _leading(source.content, place):
            return False
        if held.preposition and held.preposition != _leading(said.content, index):
            return False
    return True


def _leading(content: Sequence[Content], place: int) -> str:
    """Give the preposition that leads to a word, past one or two that describe it; "" for none."""
    for at in range(place, max(place - 3, -1), -1):
        if content[at].preposition:
            return content[at].preposition
        if not content[at].joined:
            break
    return ""


def _same_mood(said: Wording, source: Wording, laying: Sequence[int]) -> bool:
    """Both deny, expect, allow and doubt the same, in those parts of the sentence that the claim is about."""
    touched = _touched(source, laying)
    ours, theirs = said.tokens, [token for number in touched for token in number]
    if sum(token.kind == "not" for token in ours) != sum(token.kind == "not" for token in theirs):
        return False
    if Counter(token.key for token in ours if token.kind == "modal") != Counter(
        token.key for token in theirs if token.kind == "modal"
    ):
        return False
    return {token.key for token in theirs if token.distances} <= {token.key for token in ours}


def _touched(source: Wording, laying: Sequence[int]) -> list[list[Token]]:
    """Give the clauses that a claim's words stand in; ", who …" is one of its own."""
    clauses: list[list[Token]] = [[]]
    numbers: list[int] = []
    now, outside = 0, None  # `outside` goes on behind ", who …,"
    for place, token in enumerate(source.tokens):
        after_break = place > 0 and source.tokens[place - 1] == BREAK
        relative = token.kind == "who" and after_break
        begins = token.plain in _CLAUSE_WORDS and any(one.is_content for one in clauses[now])
        if relative or begins or (token.kind == "join" and after_break):
            outside = now if relative else None
            clauses.append([])
            now = len(clauses) - 1
        elif token == BREAK and outside is not None:
            now, outside = outside, None
        clauses[now].append(token)
        numbers.append(now)
    touched = {numbers[source.content[place].place] for place in laying}
    return [clauses[number] for number in sorted(touched)]


def _left_out_is_harmless(source: Wording, places: Sequence[int], said: Wording) -> bool:
    content = source.content
    for place in places:
        here = content[place]
        if place > 0 and place - 1 not in places:
            before = content[place - 1].token
            adjacent = here.joined or here.preposition == before.key
            if adjacent and (
                before.quantifier or before.possessive or (before.kind == "number" and not here.token.is_time)
            ):
                return False
        if _limited(source, here) and not _limited_in(said, here):
            return False
        if place + 1 < len(content) and place + 1 not in places and not _may_end(source, place, places):
            return False
    if _is_part_of_subject(source, content[places[0]]) or _alternative_follows(source, content[places[-1]]):
        return False
    return all(
        other == one + 1 or _may_be_left_out(source, content[one], content[one + 1 : other], content[other])
        for one, other in pairwise(places)
    )


def _may_end(source: Wording, place: int, places: Sequence[int]) -> bool:
    """Tell whether the word behind a word may be left out: "the council member" is not the council."""
    here, following = source.content[place], source.content[place + 1]
    if following.place != here.place + 1 or following.token.moved != here.token.moved or here.token.kind == "pronoun":
        return True
    if following.token.is_time or following.token.plain in _TIME_WORDS:
        return True
    later = next((at for at in places if at > place), None)
    if later is None or not source.content[later].token.name or here.token.name:
        return False
    # "dismissed Transport Minister Felix Marr": what a name goes with
    return all(source.content[at].place == source.content[at - 1].place + 1 for at in range(place + 1, later + 1))


def _is_part_of_subject(source: Wording, first: Content) -> bool:
    """Tell whether a word is not the whole subject: it stands behind "and", or in "officials who met Brask left"."""
    for token in reversed(source.tokens[: first.place]):
        if token == BREAK:
            break
        if token.kind == "who":
            return True
    place = first.place - 1
    while place >= 0 and source.tokens[place].kind == "other":
        place -= 1
    return place > 0 and source.tokens[place].kind == "join" and source.tokens[place - 1] != BREAK


def _alternative_follows(source: Wording, last: Content) -> bool:
    return any(token.plain in ("or", "nor") for token in source.tokens[last.place + 1 : last.place + 2])


def _limited(source: Wording, held: Content) -> bool:
    """Tell whether "up to", "about" or the like stands right before a number."""
    if held.token.kind != "number":
        return False
    return any(token.quantifier for token in source.tokens[max(held.place - 2, 0) : held.place])


def _limited_in(said: Wording, held: Content) -> bool:
    return any(_same(one.token, held.token) and _limited(said, one) for one in said.content)


def _may_be_left_out(source: Wording, first: Content, left: Sequence[Content], last: Content) -> bool:
    between = source.tokens[first.place + 1 : last.place]
    breaks = [place for place, token in enumerate(between) if token == BREAK]
    if first.token.moved != last.token.moved:
        return True  # it stands in front of the one, or behind the other
    if len(breaks) >= 2 and breaks[0] == 0:
        behind = between[breaks[-1] :]
        if not any(token.is_content or token.kind in ("who", "join") for token in behind):
            return True
    if any(token.kind in ("who", "join") or token.says or token.plain in _NEW_STATEMENT for token in between):
        return False
    if breaks and (between[0].kind != "prep" or any(t.is_content for t in between[breaks[0] :])):
        return False
    if any(one.token.kind == "number" and not (one.preposition or one.block_preposition) for one in left):
        return False
    return len(left) <= MOST_LEFT_OUT


def _with_subject(held: tuple[Token, ...], before: tuple[Token, ...], *, spoken: bool) -> tuple[Token, ...]:
    """Put the subject of the sentence before in the place of "it" or "she"; nothing where it is not surely meant.

    Args:
        held: The tokens of the sentence.
        before: Those of the sentence before. Where it names others, too, "he" may be one of them.
        spoken: Whether the pronoun of "…, she said" counts, too.
    """
    subject = subject_of(before)
    others = [token for token in before if token.name and not token.is_time and token not in subject]
    for place, token in enumerate(held):
        says_so = spoken and any(one.says for one in (*held[max(place - 1, 0) : place], *held[place + 1 : place + 2]))
        if token.plain in _OPEN_PRONOUNS and (place == 0 or says_so):
            sure = subject and not (others and token.plain in _PERSONS)
            return (*held[:place], *subject, *held[place + 1 :]) if sure else ()
    return ()


def subject_of(tokens: Sequence[Token]) -> tuple[Token, ...]:
    """Give what a sentence is about: the words at its beginning that are surely one thing, with a name among them."""
    ordered = Wording.of_tokens(tuple(tokens)).tokens
    found: list[Token] = []
    for place, token in enumerate(ordered):
        if token.kind == "other" and not found:
            continue
        joins = token.kind == "prep" and token.key == "of" and found
        if token.kind != "word" and not joins:
            break
        titled = token.plain in _TITLES and place + 1 < len(ordered) and ordered[place + 1].name
        if found and found[-1].name and not token.name and not joins and not titled:
            break
        found.append(token)
    if not any(token.name for token in found):
        return ()  # without a name, where the verb begins is not seen
    last = max(place for place, token in enumerate(found) if token.name)
    return tuple(found[: last + 1])


def _without_speaker(tokens: tuple[Token, ...]) -> tuple[tuple[Token, ...], tuple[Token, ...]]:
    """Part a claim into who says something and what is said; nobody where it names no speaker."""
    spoken = [place for place, token in enumerate(tokens) if token.says]
    if len(spoken) != 1:
        return (), tokens
    at = spoken[0]
    if at == 0 and BREAK in tokens:  # "According to the board, …"
        end = tokens.index(BREAK)
        if any(token.kind not in ("word", "other", "prep") or token.may_be_verb for token in tokens[1:end]):
            return (), tokens
        return tuple(t for t in tokens[1:end] if t.is_content), tokens[end + 1 :]
    breaks = [place for place, token in enumerate(tokens) if token == BREAK]
    last = breaks[-1] if breaks else None
    if last is not None and at > last and _only_speaks(tokens[last + 1 :]):  # "…, said the board"
        return tuple(t for t in tokens[last + 1 :] if t.is_content and not t.says), tokens[:last]
    if any(token.kind in ("prep", "who", "join", "not", "modal") for token in tokens[:at]) or at > 6:
        return (), tokens
    negated = any(token.kind in ("not", "modal") for token in tokens[max(at - 2, 0) : at])
    content = tuple(t for t in tokens[:at] if t.is_content)
    rest = tokens[at + 1 :]
    if negated or not content or not rest or (rest and rest[0].kind in ("pronoun", "who", "prep")):
        return (), tokens
    return content, rest[1:] if rest[0] == BREAK else rest


def _only_speaks(tokens: Sequence[Token]) -> bool:
    """Tell whether words say no more than who says something: "the board said", "said Ada Brandt of the mill"."""
    inside = [token for token in tokens if not token.says]
    edge = tokens[0].says or tokens[-1].says
    return (
        edge and 0 < len(inside) <= 8 and all(token.kind in ("word", "other") or token.key == "of" for token in inside)
    )


def _is_speaker(speaker: Sequence[Token], held: Sequence[Token]) -> bool:
    """Tell whether a sentence has these words right before or behind a verb of saying."""
    keys = [token.key for token in speaker]
    for place, token in enumerate(held):
        if not token.says:
            continue
        behind = [t.key for t in held[place + 1 :] if t.is_content][: len(keys)]
        front = [t.key for t in held[:place] if t.is_content and t != BREAK][-len(keys) :]
        if keys in (behind, front):
            return True
    return False
