"""Synthetic news articles of any number, and questions whose answers are known to stand in them.

An article follows from the seed and its number alone: the same on every machine, whatever else was made before it,
so that a hundred thousand of them are written without being held. They are for timing: they have the lengths, the
sentences, the headings and lists of a local paper, but nothing is to be learned from them about the quality of answers.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TypeVar

from eval.bench import words
from eval.bench.topics import BACKGROUND, HEADINGS, QUOTES, TOPICS, Fact, Topic

T = TypeVar("T")

MAX_ARTICLES = 100_000
"""Most articles: up to here each has a town and a topic that no other has together."""

ARTICLES_PER_FILE = 1_000
"""Some two megabytes: far below what a reader takes."""

LIST_SHARE = 0.35
HEADINGS_SHARE = 0.4

PREAMBLES = (
    "",
    "Please tell me: ",
    "I would like to know: ",
    "A question from a reader: ",
    "For our archive: ",
    "One more thing. ",
    "Do you know this? ",
    "Our newsroom asks: ",
)
"""What stands before a question once all are used up as they are."""

_SLOT = re.compile(r"\{(any_)?(\w+)\}")


@dataclass(frozen=True, slots=True)
class KnownFact:
    """A sentence that stands in an article, the words in it that answer, and the questions that ask for them."""

    sentence: str
    key: str
    questions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SyntheticArticle:
    """An article as it is written to a file. `text` has one block (paragraph, heading, list item) a line."""

    number: int
    title: str
    text: str
    source: str
    url: str
    published: date
    facts: tuple[KnownFact, ...]

    def row(self) -> dict[str, str]:
        """Give the line of a JSON Lines file."""
        return {
            "title": self.title,
            "text": self.text,
            "source": self.source,
            "url": self.url,
            "published_at": self.published.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Question:
    """A question, the address of the article that answers it, and the words of the answer."""

    text: str
    url: str
    key: str


class _Dice:
    """Draws that are the same everywhere: only `random()` of Python's generator is promised never to change."""

    def __init__(self, *seed: object) -> None:
        self._generator = random.Random("/".join(map(str, seed)))  # noqa: S311  # no secret: it must be repeatable

    def chance(self, share: float) -> bool:
        return self._generator.random() < share

    def number(self, low: int, high: int) -> int:
        """Draw from `low` to `high`, both included."""
        return low + int(self._generator.random() * (high - low + 1))

    def one(self, choices: Sequence[T]) -> T:
        return choices[self.number(0, len(choices) - 1)]

    def some(self, choices: Sequence[T], count: int) -> list[T]:
        """Draw `count` different choices, in random order."""
        left = list(choices)
        return [left.pop(self.number(0, len(left) - 1)) for _ in range(min(count, len(left)))]


@cache
def towns() -> tuple[str, ...]:
    """Give the names of all towns, each once."""
    names = (head + tail for head in words.TOWN_HEADS for tail in words.TOWN_TAILS)
    plain = tuple(dict.fromkeys(names))
    return tuple(f"{qualifier} {name}".strip() for qualifier in words.TOWN_QUALIFIERS for name in plain)


def synthetic_article(seed: int, number: int) -> SyntheticArticle:
    """Make the article of a number.

    Args:
        seed: Another seed gives another collection.
        number: From 0 to below `MAX_ARTICLES`.

    Raises:
        ValueError: There is no article of this number.
    """
    if not 0 <= number < MAX_ARTICLES:
        raise ValueError(f"there is no synthetic article {number}; they are numbered from 0 to {MAX_ARTICLES - 1}")
    town, topic = _place_and_matter(seed, number)
    dice = _Dice(seed, number)
    fixed = {
        "town": town,
        "river": dice.one(words.RIVERS),
        "body": dice.one(words.BODIES),
        "weekday": dice.one(words.WEEKDAYS),
    }
    facts = tuple(_known(fact, fixed, dice) for fact in topic.facts)
    return SyntheticArticle(
        number=number,
        title=_fill(dice.one(topic.headlines), fixed, dice),
        text="\n".join(_blocks(topic, facts, fixed, dice)),
        source=dice.one(words.SOURCES),
        url=f"https://news.example/{seed}/{number:06d}",
        published=date(2023, 1, 1) + timedelta(days=dice.number(0, 1000)),
        facts=facts,
    )


def synthetic_articles(seed: int, count: int, *, first: int = 0) -> Iterator[SyntheticArticle]:
    """Give `count` articles by their numbers, from `first` up."""
    return (synthetic_article(seed, number) for number in range(first, first + count))


def write_articles(folder: Path, seed: int, count: int, *, first: int = 0) -> int:
    """Write articles to JSON Lines files in a folder, which is made.

    Returns:
        The number of bytes written.
    """
    return write_rows(folder, (article.row() for article in synthetic_articles(seed, count, first=first)), first=first)


def write_rows(folder: Path, rows: Iterator[dict[str, str]], *, first: int = 0) -> int:
    """Write lines of JSON to files of `ARTICLES_PER_FILE` in a folder, which is made; a file is named by its first row.

    Returns:
        The number of bytes written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    size = 0
    while shard := list(islice(rows, ARTICLES_PER_FILE)):
        file = folder / f"articles-{first:06d}.jsonl"
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in shard), encoding="utf-8")
        size += file.stat().st_size
        first += len(shard)
    return size


def questions(seed: int, articles: int) -> Iterator[Question]:
    """Give the questions to the first `articles` articles, all different, some eighty an article.

    Articles take turns, in a mixed order. Words put before a question make it another one for any cache, once all
    questions were given as they are.
    """
    step = _step(articles, _Dice(seed, "questions"))
    wordings = range(max(len(fact.questions) for topic in TOPICS for fact in topic.facts))
    facts = range(max(len(topic.facts) for topic in TOPICS))
    for preamble in PREAMBLES:
        for wording in wordings:
            for turn in facts:
                for place in range(articles):
                    article = synthetic_article(seed, place * step % articles)
                    if turn >= len(article.facts):
                        continue
                    fact = article.facts[(turn + article.number) % len(article.facts)]
                    if wording < len(fact.questions):
                        yield Question(preamble + fact.questions[wording], article.url, fact.key)


def _place_and_matter(seed: int, number: int) -> tuple[str, Topic]:
    """Give a town and a topic that no other article of the seed has together."""
    names = towns()
    dice = _Dice(seed, "towns")
    step, start = _step(len(names), dice), dice.number(0, len(names) - 1)
    turn, place = divmod(number, len(names))
    return names[(start + place * step) % len(names)], TOPICS[(place + turn) % len(TOPICS)]


def _step(count: int, dice: _Dice) -> int:
    """Draw a step that visits each of `count` places once before it comes back to the first."""
    step = dice.number(count // 3, count)
    while math.gcd(step, count) != 1:
        step += 1
    return step


def _known(fact: Fact, fixed: dict[str, str], dice: _Dice) -> KnownFact:
    key = _fill(fact.key, fixed, dice)
    return KnownFact(
        sentence=_fill(dice.one(fact.sentences), fixed | {"key": key}, dice),
        key=key,
        questions=tuple(_fill(question, fixed, dice) for question in fact.questions),
    )


def _blocks(topic: Topic, facts: Sequence[KnownFact], fixed: dict[str, str], dice: _Dice) -> Iterator[str]:
    """Give the lines of a text: a lead, paragraphs with facts, background and quotes, often headings or a list."""
    yield _fill(dice.one(topic.leads), fixed, dice)
    background = dice.some(BACKGROUND, dice.number(2, 8)) + dice.some(QUOTES, dice.number(0, 3))
    sentences = [fact.sentence for fact in facts] + [_fill(template, fixed, dice) for template in background]
    paragraphs = _paragraphs(dice.some(sentences, len(sentences)), dice)
    headings = dice.some(HEADINGS, dice.number(1, 2)) if dice.chance(HEADINGS_SHARE) else []
    list_after = dice.number(0, len(paragraphs) - 1) if dice.chance(LIST_SHARE) else None
    for place, paragraph in enumerate(paragraphs):
        if headings and place > 0 and dice.chance(0.5):
            yield _fill(headings.pop(), fixed, dice)
        yield paragraph
        if place == list_after:
            yield _fill(topic.list_lead, fixed, dice)
            yield from (f"- {_fill(item, fixed, dice)}" for item in topic.list_items)


def _paragraphs(sentences: list[str], dice: _Dice) -> list[str]:
    paragraphs: list[str] = []
    while sentences:
        size = dice.number(1, 4)
        paragraphs.append(" ".join(sentences[:size]))
        sentences = sentences[size:]
    return paragraphs


def _fill(template: str, fixed: dict[str, str], dice: _Dice) -> str:
    """Fill the slots of a template: by `fixed` where it has the name, by a new draw otherwise and after `any_`."""

    def word(slot: re.Match[str]) -> str:
        anew, name = slot.group(1), slot.group(2)
        known = None if anew else fixed.get(name.lower())
        filled = known if known is not None else _draw(name.lower(), dice)
        return filled[0].upper() + filled[1:] if name[0].isupper() else filled

    filled = _SLOT.sub(word, template)
    return filled[0].upper() + filled[1:] if template.startswith("{") else filled


def _draw(name: str, dice: _Dice) -> str:
    if name in _CHOICES:
        return dice.one(_CHOICES[name])
    if name in _NUMBERS:
        return f"{dice.number(*_NUMBERS[name])}"
    match name:
        case "town":
            return dice.one(towns())
        case "person":
            return f"{dice.one(words.FIRST_NAMES)} {dice.one(words.LAST_NAMES)}"
        case "money":
            return f"{dice.number(1, 89)}.{dice.number(1, 9)}"
        case "thousands":
            return f"{dice.number(110, 980) * 10:,}"
    raise ValueError(f"no word list is known for the slot {name!r}")


_CHOICES: dict[str, Sequence[str]] = {
    "river": words.RIVERS,
    "firm": words.FIRMS,
    "body": words.BODIES,
    "role": words.ROLES,
    "street": words.STREETS,
    "month": words.MONTHS,
    "weekday": words.WEEKDAYS,
    "side": ("north", "south", "east", "west"),
}

_NUMBERS: dict[str, tuple[int, int]] = {
    "few": (3, 9),
    "hour": (5, 11),
    "small": (5, 30),
    "tens": (12, 98),
    "hundreds": (110, 990),
    "percent": (2, 48),
    "votes": (12, 60),
    "age": (19, 88),
    "day": (1, 28),
    "year": (1995, 2022),
    "past_year": (1950, 2015),
    "old_year": (1650, 1890),
    "next_year": (2026, 2031),
}
