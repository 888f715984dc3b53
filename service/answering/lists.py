"""Lists of an article: their items say something only together with the line that says what they are items of."""

from __future__ import annotations

from index.generation import Generation
from ingest.article import Span

LONGEST_CHARS = 1500
LONGEST_ITEMS = 15
"""A longer list is told by its items."""


def list_around(row: int, everything: range, generation: Generation) -> range | None:
    """Give the rows of the list that a sentence is an item or the lead-in of: lead-in and all items.

    Args:
        row: Of the sentence.
        everything: The rows of its article.
        generation: What the rows are of.

    Returns:
        None where it is in no list, or in one of too many items.
    """
    first = row
    if generation.sentence(row).kind != "item":
        first = row + 1
    if first not in everything or generation.sentence(first).kind != "item":
        return None
    start = first
    while first - 1 in everything and start - first < LONGEST_ITEMS and generation.sentence(first - 1).kind == "item":
        first -= 1
    last = start
    while last + 1 in everything and last - first < LONGEST_ITEMS and generation.sentence(last + 1).kind == "item":
        last += 1
    if last == first or last - first >= LONGEST_ITEMS:
        return None
    # The line right before the items says what they are items of.
    if first - 1 in everything and generation.sentence(first - 1).block == generation.sentence(first).block - 1:
        first -= 1
    return range(first, last + 1) if first <= row else None


def span_of(rows: range, generation: Generation) -> Span:
    """Give the span of the sentences of some rows, one after the other, of one article."""
    return Span(generation.sentence(rows.start).span.start, generation.sentence(rows.stop - 1).span.end)
