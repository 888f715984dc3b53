"""Which articles of a generation are copies of each other, and which correct others: found at build, and kept.

`copies.json` holds every pair of articles that look alike by their signatures, with what comparing them gave: it
depends on the two articles alone, so that a build compares only pairs that no earlier one did. Pairs that were found to
be different are kept for that reason; who opens a generation passes over them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path

import numpy as np

from index.durable import write
from index.passages import Passages
from ingest.duplicates import candidates
from ingest.likeness import Likeness, Reading, compare

COPIES_FILE = "copies.json"

Found = Mapping[tuple[str, str], Likeness]
"""What the first article of a pair is to the second; the smaller id comes first."""

_COMPARED_AT_ONCE = 512


def write_copies(folder: Path, known: Found) -> None:
    """Compare the articles of a folder that look alike, and write what they are to each other.

    Args:
        folder: Its passages are written.
        known: What is known of pairs of its articles.
    """
    passages = Passages(folder)
    reading = lru_cache(maxsize=_COMPARED_AT_ONCE)(lambda row: Reading(passages.article(row)))
    found: list[tuple[str, str, Likeness]] = []
    for first, second in candidates(np.asarray(passages.signatures)).tolist():
        one, other = passages.article(first).id, passages.article(second).id
        found.append((one, other, known.get((one, other)) or compare(reading(first), reading(second))))
    with (folder / COPIES_FILE).open("wb") as file:
        write(file, (json.dumps(found) + "\n").encode("ascii"))


def read_copies(folder: Path) -> dict[tuple[str, str], Likeness]:
    """Read what `write_copies` wrote."""
    pairs = json.loads((folder / COPIES_FILE).read_text("ascii"))
    return {(first, second): found for first, second, found in pairs}


class Copies:
    """The articles of one generation that are copies or corrections of others, by their rows."""

    def __init__(self, found: Found, ids: Sequence[str], passages: Passages) -> None:
        row_of = {article: row for row, article in enumerate(ids)}
        alike = {(row_of[one], row_of[two]): is_ for (one, two), is_ in found.items() if is_ != "different"}
        self._groups = _groups(alike)
        self._corrections = _corrections(alike)
        self._passages = passages

    @classmethod
    def open(cls, folder: Path, ids: Iterable[str], passages: Passages) -> Copies:
        """Open those of a folder whose articles have these ids, in the order of their rows."""
        return cls(read_copies(folder), list(ids), passages)

    def __len__(self) -> int:
        """Count the articles that are a copy or a correction of another, or have one."""
        return len(self._groups)

    def group(self, article_row: int) -> tuple[int, ...]:
        """Give the rows of an article's copies and corrections, its own among them, ascending."""
        return self._groups.get(article_row, (article_row,))

    def corrected(self, article_row: int, among: Collection[int]) -> bool:
        """Tell whether one of some articles corrects an article, or one that it is a copy of."""
        return any(row in among for row in self._corrections.get(article_row, ()))

    def best(self, among: Collection[int]) -> int:
        """Give the article to quote out of some of one group: a correction, else the one that was published first.

        Of several corrections it is the latest; of equal ones, the one with the smallest row.
        """
        standing = [row for row in among if not self.corrected(row, among)] or list(among)
        corrections = [row for row in standing if any(row in self._corrections.get(other, ()) for other in among)]
        return min(corrections or standing, key=lambda row: (self._day(row, latest_first=bool(corrections)), row))

    def spare(self, among: Iterable[int]) -> frozenset[int]:
        """Give those of some articles of which a better copy, or a correction, is among them, too."""
        if not self._groups:
            return frozenset()
        grouped: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
        for row in self._groups.keys() & among:
            grouped[self._groups[row]].append(row)
        return frozenset(row for rows in grouped.values() if len(rows) > 1 for row in set(rows) - {self.best(rows)})

    def _day(self, row: int, *, latest_first: bool) -> tuple[bool, int]:
        """Give what orders rows by their day; unknown days come last."""
        published: date | None = self._passages.published[row].item()
        if published is None:
            return (True, 0)
        day: int = published.toordinal()
        return (False, -day if latest_first else day)


def _groups(alike: Mapping[tuple[int, int], Likeness]) -> dict[int, tuple[int, ...]]:
    """Join pairs to groups; gives the group of every row that is in one."""
    neighbours = _neighbours(alike)
    groups: dict[int, tuple[int, ...]] = {}
    for row in neighbours:
        if row not in groups:
            group = tuple(sorted(_reached([row], neighbours)))
            groups.update(dict.fromkeys(group, group))
    return groups


def _corrections(alike: Mapping[tuple[int, int], Likeness]) -> dict[int, frozenset[int]]:
    """Give the rows that correct a row or one that it is a copy of, for every row that is corrected."""
    copies = _neighbours(pair for pair, found in alike.items() if found == "copy")
    corrected: defaultdict[int, set[int]] = defaultdict(set)
    for (one, other), found in alike.items():
        if found == "copy":
            continue
        correction, original = (one, other) if found == "corrects" else (other, one)
        for row in _reached([original], copies) - {correction}:
            corrected[row].add(correction)
    return {row: frozenset(rows) for row, rows in corrected.items()}


def _neighbours(pairs: Iterable[tuple[int, int]]) -> dict[int, set[int]]:
    neighbours: defaultdict[int, set[int]] = defaultdict(set)
    for one, other in pairs:
        neighbours[one].add(other)
        neighbours[other].add(one)
    return dict(neighbours)


def _reached(rows: Iterable[int], neighbours: Mapping[int, set[int]]) -> set[int]:
    reached = set(rows)
    pending = list(reached)
    while pending:
        fresh = neighbours.get(pending.pop(), set()) - reached
        reached |= fresh
        pending.extend(fresh)
    return reached
