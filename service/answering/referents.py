"""Sentences that need the one before them: "She had served there for 31 years" says nothing of whom."""

from __future__ import annotations

import re
from collections.abc import Sequence

from service.answering.evidence import Evidence
from service.answering.expectation import SPOKE

FARTHEST = 2
"""A name is looked for so many sentences before: farther up a pronoun means somebody else by now."""

_ROLES = (
    "minister|president|prime minister|mayor|governor|premier|senator|chancellor|leader|director|chair|chairman|"
    "chairwoman|spokesman|spokeswoman|official|officer|judge|court|company|firm|group|party|union|agency|bank|team|club|"
    "man|woman|boy|girl|couple|victim|suspect|author|actor|singer|scientist|researcher|professor|doctor|student"
)
_LEANS = re.compile(
    r"[“\"'‘(]*(?:He|She|They|It|His|Her|Hers|Him|Them|Their|Theirs|Its|These|Those|Both|Neither"
    r"|(?:This|That)(?! (?:week|weekend|month|year|decade|century|season|spring|summer|autumn|fall|winter|morning"
    r"|afternoon|evening|time|said)\b)"
    rf"|The (?:two|three|four|latter|former|pair|{_ROLES}))\b(?! (?:of|in|for|at|from|who|which)\b| [A-Z])"
)
# "On Friday she resigned", "However, he refused", "Asked about the money, she …".
_OPENED = re.compile(
    r"(?:(?:But|And|So|Yet|Still|However|Meanwhile|Later|Then|Instead|Yesterday|Today|Now|Earlier|Afterwards),?"
    r"|(?:On|In|At|By|Since|Until|After|Before|During) \w+(?: \w+)?,?|(?:Asked|[A-Z][a-z]+ing)\b[^,.A-Z]{0,60},)"
    r" (?:he|she|they)\b"
)
# "…," she said; …, he calculates, …: whose words they are stands before.
_SAYS = (
    f"{SPOKE}|say|adds|asked|recall(?:ed|s)|believe[ds]|thinks?|thought|calculate[ds]|estimate[ds]|expect(?:ed|s)?|hope[ds]"
    "|admit(?:ted|s)|conclude[ds]|continued|notes|claims|promises"
)
_SPOKEN = re.compile(
    rf"(?:,|[”\"’'][,.]?) (?:he|she|they) (?:\w+ ){{0,2}}(?:{_SAYS})\b"
    r"|[”\"’'][,.]? (?:said|says|added|wrote) (?:he|she|they)\b"
)
_QUOTED = re.compile(r"[“\"][^”\"]*[”\"]?")
_SOMEBODY = re.compile(r"\b[A-Z][\w’'-]+ [A-Z][\w’'-]+")
_BETWEEN = re.compile(r"[\s”\"’)\]]*")


def leans(words: str) -> bool:
    """Tell whether a sentence begins with what an earlier one names, or has the words of somebody named there."""
    if _LEANS.match(words) or _OPENED.match(words):
        return True
    spoken = _SPOKEN.search(words)
    # "When Mayor Roth came, she said …" names her itself.
    return spoken is not None and not _SOMEBODY.search(_QUOTED.sub(" ", words[: spoken.start()]))


def with_referents(chosen: Sequence[Evidence], ranked: Sequence[Evidence], *, most: int) -> list[Evidence]:
    """Add to each piece that leans the sentences right before it, up to the one that does not.

    Args:
        chosen: What is to be said, best first.
        ranked: All evidence, among which the sentences before are looked for.
        most: Most pieces; what leans comes with what it leans on, before others.

    Returns:
        At most `most` pieces, best first.
    """
    said: list[Evidence] = []
    for evidence in chosen:
        group = [evidence]
        while leans(group[-1].quote) and not group[-1].is_list and len(group) <= FARTHEST:
            before = _before(group[-1], ranked)
            if before is None:
                break
            group.append(before)
        for one in group:
            if len(said) < most and not any(_same(one, other) for other in said):
                said.append(one)
    return said


def _before(evidence: Evidence, ranked: Sequence[Evidence]) -> Evidence | None:
    """Give the sentence of the same article that ends right before a piece."""
    text = evidence.article.text
    for other in ranked:
        if other.hit.article_row != evidence.hit.article_row or other.is_list or other.span.end > evidence.span.start:
            continue
        if _BETWEEN.fullmatch(text, other.span.end, evidence.span.start):
            return other
    return None


def _same(one: Evidence, other: Evidence) -> bool:
    return one.hit.article_row == other.hit.article_row and one.span.overlaps(other.span)
