"""Where sentences begin and end in an article, by rules for news English, with exact spans.

The text is one block a line, as cleaning leaves it. A block is prose, a heading or a list item; prose is split
into sentences. Quoted speech that closes within its paragraph stays whole, so that a quote keeps its speaker.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ingest.article import Span

SENTENCES_VERSION = 1
"""Raised when the rules change, so that a build cuts every article anew."""

SentenceKind = Literal["prose", "heading", "item"]

LONGEST_KEPT_QUOTE_CHARS = 320
"""A quotation up to this long is not split inside: about four spoken sentences."""

_ITEM = re.compile(r"(?:[-•*–]|\d{1,3}[.)])[ ]+(?=\S)")
# A terminator, what may close after it, and the space that follows. CJK terminators need no space.
_END = re.compile(r"(?:[.!?…]+[\"'”’»)\]]*(?=[ ]|$))|(?:[。！？]+[」』”’)]*)")
_LAST_WORD = re.compile(r"([^\s(“\"‘'\[]+)$")
_INITIALISM = re.compile(r"^(?:[A-Za-z]\.){2,}$|^[A-Z]\.$")
_GAP = re.compile(r"\s*")
_OPENERS = "\"'“‘«([-–—"
_TERMINATED = re.compile(r"[.!?…:。！？][\"'”’»)\]]*$")
_NUMBERED_HEADING = re.compile(r"\d{1,3}[.)] ")

# Never at the end of a sentence: a name, number or word follows.
_PREFIXES = frozenset(
    "mr mrs ms messrs dr prof rev hon gen lt col maj capt sgt cmdr adm gov sen rep reps sens pres supt st mt ft "
    "fig figs eq vs v no nos art sec vol pp ed eds approx est dept e.g i.e cf ca al viz".split()
)
# May end a sentence or not: the next word decides.
_EITHER = frozenset(
    "jr sr inc corp ltd co llc plc bros etc a.m p.m ph.d b.a m.a m.d jan feb mar apr jun jul aug sep sept oct nov "
    "dec mon tue tues wed thu thur thurs fri sat sun ave blvd rd min max".split()
)
# Words that begin a new sentence far more often than they go on after an abbreviation.
_STARTERS = frozenset(
    "the a an this that these those he she it they we i you his her its their our my in on at by for from with "
    "without under over after before since during while when where as if although though because but and or so "
    "yet however meanwhile instead still then there here now today yesterday both each some many most several "
    "all no not who what which why how according despite until once another other one two three".split()
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence's span and kind, and the number of the block (line) it stands in, counted from 0.

    The span of a list item leaves out its mark ("- ", "1. "). Spans never overlap and stand in text order.
    """

    span: Span
    kind: SentenceKind
    block: int


def split_sentences(text: str) -> list[Sentence]:
    """Find the sentences of a cleaned text; every code point that is not white space or a list mark is in one.

    Returns:
        Sentences in text order; none for a blank text. No span starts or ends with white space.
    """
    found: list[Sentence] = []
    blocks = list(_blocks(text))
    for number, block in enumerate(blocks):
        words = block.of(text)
        mark = _ITEM.match(words)
        following = blocks[number + 1].of(text) if number + 1 < len(blocks) else ""
        if mark and not _is_heading(words, following):
            found.append(Sentence(Span(block.start + mark.end(), block.end), "item", number))
        elif _is_heading(words, following):
            found.append(Sentence(block, "heading", number))
        else:
            found.extend(Sentence(span, "prose", number) for span in _split_prose(text, block))
    return found


def _blocks(text: str) -> Iterator[Span]:
    start = 0
    for line in text.split("\n"):
        stripped = line.strip()
        if stripped:
            offset = start + len(line) - len(line.lstrip())
            yield Span(offset, offset + len(stripped))
        start += len(line) + 1


def _is_heading(block: str, following: str) -> bool:
    """A short line without a terminator, followed by text that is no sibling in a list."""
    if len(block) > 120 or len(block.split()) > 16 or _TERMINATED.search(block) or not following:
        return False
    mark = _ITEM.match(block)
    if mark is None:
        return True
    # "1. The role" over a paragraph is a heading; over "2. …" or another short line it is an item.
    return bool(_NUMBERED_HEADING.match(block)) and not _ITEM.match(following) and len(following.split()) > 16


def _split_prose(text: str, block: Span) -> Iterator[Span]:
    line = block.of(text)
    quoted = _kept_quotes(line)
    start = 0
    next_quote = 0
    for end in _END.finditer(line):
        while next_quote < len(quoted) and quoted[next_quote][1] <= end.start():
            next_quote += 1
        inside = next_quote < len(quoted) and quoted[next_quote][0] < end.start() < quoted[next_quote][1]
        # The quote's own closing mark belongs to the terminator: "…on.” He left" may split there.
        if inside and end.end() < quoted[next_quote][1]:
            continue
        if end.end() < len(line) and not _may_split(line, start, end):
            continue
        yield Span(block.start + start, block.start + end.end())
        gap = _GAP.match(line, end.end())
        start = gap.end() if gap else end.end()
    if start < len(line):
        yield Span(block.start + start, block.end)


def _kept_quotes(line: str) -> list[tuple[int, int]]:
    """Give the runs (start, end) of double-quoted speech that are short enough to stay whole."""
    runs: list[tuple[int, int]] = []
    opened: int | None = None
    for position, char in enumerate(line):
        if char == "“" or (char == '"' and opened is None):
            opened = position
        elif char in '”"' and opened is not None:
            if position - opened <= LONGEST_KEPT_QUOTE_CHARS:
                runs.append((opened, position + 1))
            opened = None
    return runs


def _may_split(line: str, start: int, end: re.Match[str]) -> bool:
    """Decide whether a terminator in mid-line ends the sentence, by the words on both sides of it."""
    if end.group()[0] in "。！？":
        return True
    next_word, first_char = _word_after(line, end.end())
    if not first_char:
        return True
    if first_char.islower():
        return False
    if not end.group().startswith(".") or len(end.group().rstrip("\"'”’»)]")) > 1:
        return True
    before = _LAST_WORD.search(line[max(start, end.start() - 40) : end.start()])
    word = before.group(1) if before else ""
    bare = word.lower().rstrip(".")
    if bare in _PREFIXES:
        # "No. 5" and "St. Anne" go on; "He said no. Then" does not.
        return bare == "no" and not first_char.isdigit()
    if bare in _EITHER or _INITIALISM.match(word + "."):
        return next_word.lower() in _STARTERS
    return True


def _word_after(line: str, position: int) -> tuple[str, str]:
    """Give the word that follows, without opening marks, and its first letter or digit."""
    rest = line[position : position + 60].lstrip().lstrip(_OPENERS)
    match = re.match(r"[\w’'-]+", rest)
    return (match.group(), rest[0]) if match else ("", rest[:1])
