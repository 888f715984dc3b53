"""What a sentence that is not borne out was trying to say, in the articles' own words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from index.lexical import terms
from service.answering.composition import Source
from service.answering.support import Encode, Passage, PassageSentence
from service.answering.wording import Token, tokens_of

SAME_CLAIM = 0.55
"""From this cosine on, a sentence that was cited is what an unsupported sentence was trying to say."""

SAME_ANSWER = 0.4
"""The same for one that has what the unsupported sentence brings as an answer, wherever it stands."""

FEWEST_TERMS = 4
"""A sentence with fewer different words (function words aside) is a fragment: "Ada Brandt."."""

CITED = 0.05
"""What a passage that was cited is ahead of others, as a cosine."""

MOST_SENTENCES = 3
"""What one sentence was trying to say is said in at most so many."""

WORTH = 0.3
"""Each of them brings at least this share of the answer."""

PLAIN = 0.1
"""What a word is worth in an answer beside a name or a number."""

UNIT_WITHIN = 2
"""What a number counts is one of so many words behind it."""


def is_fragment(words: str) -> bool:
    """Tell whether words say something only together with the question."""
    return len(set(terms(words))) < FEWEST_TERMS


def meant(
    words: str, question: str, encode: Encode, passages: Sequence[Passage], cited: Sequence[Passage]
) -> list[Source]:
    """Find the sentences that say what an unsupported sentence was trying to say.

    What it says beyond the question is its answer, the names and numbers of it above all; a number is the same where it
    counts the same. The sentences that have the answer are taken; where none has, the one that was cited and is nearly
    the same, which corrects a number that was misread.

    Args:
        words: The unsupported sentence, without marks.
        question: What it answers, standing alone.
        encode: Embeds texts, as `Embedder.encode`.
        passages: Those that it may rest on.
        cited: Those of them that it cites; all where it cites none.

    Returns:
        Those of an article in its order; none where no sentence is near enough, or where the unsupported one only
        repeats the question.
    """
    asked = {token.key for token in tokens_of(question)}
    tokens = tokens_of(words)
    new = [one for one in _words(tokens) if one.token.key not in asked]
    if not new:
        return []
    fragment = is_fragment(words)
    vector = encode([f"{question} {words}" if fragment else words])[0]
    near = [
        _Near(one, passage, _held(one.words), float(one.vector @ vector), passage in cited)
        for passage in passages
        for one in passage.sentences
        if one.whole
    ]
    worth = _worth(new, near, opening=tokens[0])
    found = _having(worth, near, least=1 if fragment else WORTH)
    if not found and not fragment:
        alike = [one for one in near if one.cited and one.cosine >= SAME_CLAIM]
        found = sorted(alike, key=lambda one: -one.cosine)[:1]
    found.sort(key=lambda one: (one.passage.hit.article_row, one.sentence.row))
    return [Source(one.passage.hit, one.sentence.cited, min(max(round(one.cosine, 4), 0.0), 1.0)) for one in found]


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of what was said; of a number also what it may count."""

    token: Token
    units: frozenset[str]

    def stands_in(self, held: Mapping[str, Sequence[frozenset[str]]]) -> bool:
        """Whether it is among the words of a sentence, as a number of the same things."""
        return any(not units or not self.units or units & self.units for units in held.get(self.token.key, ()))


@dataclass(frozen=True, slots=True, eq=False)
class _Near:
    """A sentence that may be meant, the words that it holds, and how near it is to what was said."""

    sentence: PassageSentence
    passage: Passage
    held: Mapping[str, Sequence[frozenset[str]]]
    cosine: float
    cited: bool


def _words(tokens: Sequence[Token]) -> Iterator[_Word]:
    """Give the words that say something."""
    for place, token in enumerate(tokens):
        if token.is_content and token.kind != "pronoun":
            following = tokens[place + 1 : place + 1 + UNIT_WITHIN] if token.kind == "number" else ()
            yield _Word(token, frozenset(one.key for one in following if one.kind == "word"))


@lru_cache(maxsize=4000)
def _held(words: str) -> Mapping[str, Sequence[frozenset[str]]]:
    """Give the words of a sentence by what they are compared by, with what each number may count."""
    held: dict[str, list[frozenset[str]]] = {}
    for word in _words(tokens_of(words)):
        held.setdefault(word.token.key, []).append(word.units)
    return held


def _worth(new: Sequence[_Word], near: Sequence[_Near], *, opening: Token) -> dict[_Word, float]:
    """Give what each word of an answer is worth: its rarity among the sentences, ln(1 + n / df).

    Names and numbers are worth more; words that stand nowhere are left out, and all are where half of the names and
    numbers stand nowhere. The capital of the word that opens a sentence makes no name where articles have it without.
    """
    plain = {token.key for one in near for token in tokens_of(one.sentence.words) if not token.name}
    counts = {word: sum(word.stands_in(one.held) for one in near) for word in new}
    sure = {
        word
        for word in new
        if word.token.kind == "number" or (word.token.name and not (word.token is opening and word.token.key in plain))
    }
    if sure and 2 * sum(counts[word] > 0 for word in sure) <= len(sure):
        return {}
    return {
        word: math.log(1 + len(near) / count) * (1 if word in sure else PLAIN)
        for word, count in counts.items()
        if count
    }


def _having(answer: Mapping[_Word, float], near: Sequence[_Near], *, least: float) -> list[_Near]:
    """Take the sentences that have an answer, as many as it takes; each brings at least a share of it."""
    total, left = sum(answer.values()), dict(answer)
    taken: list[_Near] = []
    while left and len(taken) < MOST_SENTENCES:
        brings = {
            one: sum(worth for word, worth in left.items() if word.stands_in(one.held)) / total
            for one in near
            if one.cosine >= SAME_ANSWER
        }
        enough = [one for one, share in brings.items() if share >= least]
        if not enough:
            break
        taken.append(max(enough, key=lambda one: 2 * brings[one] + one.cosine + CITED * one.cited))
        left = {word: worth for word, worth in left.items() if not word.stands_in(taken[-1].held)}
    return taken
