"""Retrieval sets in the layout of BEIR: `corpus.jsonl`, `queries.jsonl`, `qrels/<split>.tsv`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from eval.sets.lines import DatasetError, parse_line, read_lines
from ingest.article import Article, RefusedInput
from ingest.intake import prepare
from ingest.readers.raw import RawArticle

_HEADER = "query-id\tcorpus-id\tscore"


class _Document(BaseModel):
    model_config = ConfigDict(strict=True)  # other fields (metadata, dates) are BEIR's custom

    id: str = Field(alias="_id", min_length=1)
    title: str = ""
    text: str


class _Query(BaseModel):
    model_config = ConfigDict(strict=True)

    id: str = Field(alias="_id", min_length=1)
    text: str = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class BeirSet:
    """Articles, queries and judgments; a BEIR id is the `external_id` of an article.

    `queries` are those with a relevant article, in the order of the file: without one there is nothing to find
    and no figure. `excluded` counts the judged queries that have none.
    """

    name: str
    articles: tuple[Article, ...]
    queries: Mapping[str, str]
    qrels: Mapping[str, Mapping[str, int]]
    excluded: int


def is_beir(folder: Path) -> bool:
    """Tell whether a folder has the layout of BEIR."""
    return (folder / "corpus.jsonl").is_file()


def load_beir(folder: Path) -> BeirSet:
    """Load a BEIR folder; of several qrels files `test.tsv` counts.

    Raises:
        DatasetError: A file is missing, a line is malformed, an id occurs twice, an article is refused, or a
            judgment names a query or an article that is not there.
    """
    articles = _load_articles(folder / "corpus.jsonl")
    queries = _load_queries(folder / "queries.jsonl")
    judged = _load_qrels(_qrels_file(folder / "qrels"), articles, queries)
    qrels = {query: grades for query, grades in judged.items() if max(grades.values()) > 0}
    return BeirSet(
        name=folder.resolve().name,
        articles=tuple(articles.values()),
        queries={query: text for query, text in queries.items() if query in qrels},
        qrels=qrels,
        excluded=len(judged) - len(qrels),
    )


def _load_articles(file: Path) -> dict[str, Article]:
    articles: dict[str, Article] = {}
    for number, line in read_lines(file):
        place = f"{file} line {number}"
        document = parse_line(_Document, line, place)
        try:
            article = prepare(RawArticle(text=document.text, title=document.title or None, external_id=document.id))
        except RefusedInput as error:
            raise DatasetError(f"{place}: article {document.id!r}: {error}") from error
        if article.external_id != document.id:
            raise DatasetError(f"{place}: the id {document.id!r} has white space at its ends or in runs")
        if document.id in articles:
            raise DatasetError(f"{place}: the article {document.id!r} occurs twice")
        articles[document.id] = article
    return articles


def _load_queries(file: Path) -> dict[str, str]:
    queries: dict[str, str] = {}
    for number, line in read_lines(file):
        query = parse_line(_Query, line, f"{file} line {number}")
        if query.id in queries:
            raise DatasetError(f"{file} line {number}: the query {query.id!r} occurs twice")
        queries[query.id] = query.text
    return queries


def _qrels_file(folder: Path) -> Path:
    files = sorted(folder.glob("*.tsv"))
    if folder / "test.tsv" in files:
        return folder / "test.tsv"
    if len(files) != 1:
        raise DatasetError(f"{folder} has {len(files)} .tsv files; expected test.tsv, or exactly one")
    return files[0]


def _load_qrels(file: Path, articles: Mapping[str, Article], queries: Mapping[str, str]) -> dict[str, dict[str, int]]:
    lines = read_lines(file)
    if not lines or lines[0][1].rstrip("\r") != _HEADER:
        raise DatasetError(f"{file} line 1: expected the header {_HEADER!r}")
    qrels: dict[str, dict[str, int]] = {}
    for number, line in lines[1:]:
        query, article, grade = _judgment(line.rstrip("\r"), f"{file} line {number}")
        if query not in queries or article not in articles:
            kind, name = ("query", query) if query not in queries else ("article", article)
            raise DatasetError(f"{file} line {number}: there is no {kind} {name!r}")
        grades = qrels.setdefault(query, {})
        if article in grades:
            raise DatasetError(f"{file} line {number}: query {query!r} judges article {article!r} twice")
        grades[article] = grade
    if not qrels:
        raise DatasetError(f"{file} holds no judgments")
    return qrels


def _judgment(line: str, place: str) -> tuple[str, str, int]:
    fields = line.split("\t")
    try:
        query, article, grade = fields
        return query, article, int(grade)
    except ValueError as error:
        raise DatasetError(f"{place}: {line!r} is not a query, an article and a whole number") from error
