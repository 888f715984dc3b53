"""TREC's files: judgments (`query 0 document grade`) and runs (`query Q0 document rank score tag`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from eval.sets.lines import DatasetError, read_lines


@dataclass(frozen=True, slots=True)
class TrecRun:
    """The rankings of another system: documents by query, best first, and the name that the run gives itself."""

    tag: str
    rankings: dict[str, tuple[str, ...]]


def read_qrels(file: Path) -> Iterator[tuple[int, str, str, int]]:
    """Give line, query, document and grade of every judgment.

    Raises:
        DatasetError: The file cannot be read, or a line is not four fields with a whole number at the end.
    """
    for number, line in read_lines(file):
        fields = line.split()
        try:
            query, _, document, grade = fields
            yield number, query, document, int(grade)
        except ValueError as error:
            raise DatasetError(
                f"{file} line {number}: {line[:80]!r} is not 'query 0 document grade' with a whole number"
            ) from error


def load_qrels(file: Path) -> dict[str, dict[str, int]]:
    """Load judgments: grades by query and document.

    Raises:
        DatasetError: As `read_qrels`; a query judges a document twice; or there is no judgment.
    """
    qrels: dict[str, dict[str, int]] = {}
    for number, query, document, grade in read_qrels(file):
        grades = qrels.setdefault(query, {})
        if document in grades:
            raise DatasetError(f"{file} line {number}: query {query!r} judges document {document!r} twice")
        grades[document] = grade
    if not qrels:
        raise DatasetError(f"{file} holds no judgments")
    return qrels


def load_trec_run(file: Path) -> TrecRun:
    """Load a run. As in trec_eval scores decide and not ranks; equal ones go by document, last first.

    Raises:
        DatasetError: The file cannot be read, a line is not six fields with a number as score, a query names a
            document twice, the tags differ, or there is no line.
    """
    scores: dict[str, dict[str, float]] = {}
    tags: set[str] = set()
    for number, line in read_lines(file):
        fields = line.split()
        try:
            query, _, document, _, score, tag = fields
            value = float(score)
            if not isfinite(value):
                raise ValueError(score)
        except ValueError as error:
            raise DatasetError(
                f"{file} line {number}: {line[:80]!r} is not 'query Q0 document rank score tag'"
            ) from error
        found = scores.setdefault(query, {})
        if document in found:
            raise DatasetError(f"{file} line {number}: query {query!r} names document {document!r} twice")
        found[document] = value
        tags.add(tag)
    if len(tags) != 1:
        raise DatasetError(f"{file} holds runs of {len(tags)} tags; expected exactly one")
    rankings = {
        query: tuple(document for _, document in sorted(((s, d) for d, s in found.items()), reverse=True))
        for query, found in scores.items()
    }
    return TrecRun(tags.pop(), rankings)
