"""Taking the words of removed articles out of stored replies; what was asked, and that it was answered, stays.

A reply is the JSON of the contract (`service.api.chat_schemas.ReplyOut`), as `ConversationStore` keeps it.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from copy import deepcopy
from itertools import islice
from typing import Any

import sqlalchemy as sa

from ingest.article import ArticleId
from ingest.database import leave_to_scrub

REMOVED = "[removed]"
"""Stands in an answer for the words of an article that was removed."""

_LOOKED_FOR_AT_ONCE = 100
"""Articles in one pass over the replies; databases bound the number of parameters."""


def forget_in(connection: sa.Connection, messages: sa.Table, articles: Collection[ArticleId]) -> int:
    """Take the words of some articles out of the replies of a table, in the caller's transaction.

    Args:
        connection: In a transaction.
        messages: The table, with `number`, `content` and `reply`.
        articles: Those that were removed.

    Returns:
        How many replies were changed.
    """
    number, reply = messages.c.number, messages.c.reply
    wanted, concerned = iter(sorted(articles)), set[int]()
    while some := list(islice(wanted, _LOOKED_FOR_AT_ONCE)):
        named = sa.or_(*(sa.func.instr(reply, article) > 0 for article in some))
        concerned.update(connection.execute(sa.select(number).where(reply.is_not(None), named)).scalars())
    changed, among = 0, frozenset(articles)
    for one in sorted(concerned):
        stored = connection.execute(sa.select(reply).where(number == one)).scalar()
        after = forgotten(json.loads(stored), among) if stored else None
        if after is not None:
            values = {"content": after["answer"], "reply": json.dumps(after, ensure_ascii=False)}
            connection.execute(sa.update(messages).where(number == one).values(values))
            changed += 1
    if changed:
        leave_to_scrub(connection)
    return changed


def forgotten(reply: dict[str, Any], articles: Collection[ArticleId]) -> dict[str, Any] | None:
    """Give a reply without the words of some articles, None where it has none.

    A citation keeps its number, article and title. A sentence that rests on one of them becomes `REMOVED`, as a whole:
    what else it rests on cannot be told apart. An article that only says the same as a cited one leaves its list.

    Args:
        reply: A stored reply; it is not changed.
        articles: Those that were removed.
    """
    after = deepcopy(reply)
    numbers = {citation.get("number") for citation in _all(after, "citations") if _forget_citation(citation, articles)}
    for citation in _all(after, "nearest"):
        _forget_citation(citation, articles)
    _forget_sentences(after, numbers)
    for conflict in _all(after, "conflicts"):
        doomed = [one for one in conflict.get("positions", []) if one.get("citation") in numbers]
        for position in doomed:
            position["value"] = REMOVED
        if doomed:
            conflict["about"] = REMOVED
    return after if after != reply else None


def _all(reply: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [entry for entry in reply.get(name) or [] if isinstance(entry, dict)]


def _forget_citation(citation: dict[str, Any], articles: Collection[ArticleId]) -> bool:
    """Take the words out of a citation; tells whether it is of one of the articles."""
    if "also_in" in citation:
        citation["also_in"] = [other for other in citation["also_in"] if other not in articles]
    if citation.get("article_id") not in articles:
        return False
    citation["quote"] = ""
    citation["removed"] = True
    return True


def _forget_sentences(reply: dict[str, Any], numbers: set[Any]) -> None:
    """Put `REMOVED` for the sentences that rest on these citations, and set all offsets in the answer right."""
    if not numbers:
        return
    answer = str(reply.get("answer", ""))
    sentences = sorted(_all(reply, "sentences"), key=lambda sentence: int(sentence.get("start", 0)))
    pieces, read, length = [], 0, 0
    for sentence in sentences:
        start, end = int(sentence.get("start", 0)), int(sentence.get("end", 0))
        if start < read or answer[start:end] != sentence.get("text"):
            # Not as we write them: where the words stand is not known, so that all of them go.
            reply["answer"], reply["sentences"] = REMOVED, []
            return
        doomed = not numbers.isdisjoint(sentence.get("citations", []))
        words = REMOVED if doomed else answer[start:end]
        before = answer[read:start]
        sentence["text"] = words
        sentence["start"] = length + len(before)
        sentence["end"] = sentence["start"] + len(words)
        pieces += [before, words]
        read, length = end, int(sentence["end"])
    reply["answer"] = "".join(pieces) + answer[read:]
