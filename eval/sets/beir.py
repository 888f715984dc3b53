"""Retrieval sets in the layout of BEIR: `corpus.jsonl`, `queries.jsonl`, `qrels/<split>.tsv`.

`unanswerable.jsonl` beside them, queries that the corpus does not answer, makes a question set of both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from eval.sets.lines import DatasetError, parse_line, read_lines
from eval.sets.questions import Gold, LabelledQuestion, QuestionSet, article_key, has_key, unsorted_row
from eval.sets.trec import read_qrels
from ingest.article import Article, RefusedInput, Span
from ingest.intake import prepare
from ingest.readers.raw import RawArticle

_HEADER = "query-id\tcorpus-id\tscore"

WITHOUT_RELEVANT = "queries without a relevant article"
"""Why a judged query is left out."""


class _Document(BaseModel):
    model_config = ConfigDict(strict=True)  # other fields (metadata, dates) are BEIR's custom

    id: str = Field(alias="_id", min_length=1)
    title: str = ""
    text: str


class _Query(BaseModel):
    model_config = ConfigDict(strict=True)

    id: str = Field(alias="_id", min_length=1)
    text: str = Field(min_length=1)
    answers: list[str] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Document:
    """A document of a corpus: its text in the file, and the article that it became."""

    text: str
    article: Article


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
            judgment names a query or an article that is not there; or no query has a relevant article.
    """
    corpus = load_corpus(folder / "corpus.jsonl")
    queries = {query.id: query.text for query in _load_queries(folder / "queries.jsonl")}
    judged = _load_qrels(_qrels_file(folder / "qrels"), corpus, queries)
    qrels = {query: grades for query, grades in judged.items() if max(grades.values()) > 0}
    if not qrels:
        raise DatasetError(f"{folder}: no query has a relevant article; there is nothing to measure")
    return BeirSet(
        name=folder.resolve().name,
        articles=tuple(document.article for document in corpus.values()),
        queries={query: text for query, text in queries.items() if query in qrels},
        qrels=qrels,
        excluded=len(judged) - len(qrels),
    )


def load_with_unanswerable(file: Path) -> QuestionSet:
    """Load `unanswerable.jsonl` with the BEIR folder around it, as a question set.

    A query's gold is the whole of each relevant article, its keys the `answers` that stand in one; an unanswerable
    one counts as off the topic.

    Raises:
        DatasetError: As `load_beir`.
    """
    folder = file.parent
    beir = load_beir(folder)
    articles = {article_key(article): article for article in beir.articles}
    asked = {query.id: query for query in _load_queries(folder / "queries.jsonl")}
    questions: list[LabelledQuestion] = []
    for name, grades in beir.qrels.items():
        relevant = [articles[known] for known, grade in grades.items() if grade > 0]
        keys = [key for key in asked[name].answers if has_key([key], [article.text for article in relevant])]
        golds = tuple(Gold(article.id, Span(0, len(article.text))) for article in relevant)
        questions.append(LabelledQuestion(unsorted_row(name, asked[name].text, keys, unanswerable=None), golds))
    for query in _load_queries(file):
        if query.id in asked:
            raise DatasetError(f"{file}: the query {query.id!r} is in queries.jsonl, too")
        questions.append(LabelledQuestion(unsorted_row(query.id, query.text, unanswerable="off_topic"), ()))
    excluded = {WITHOUT_RELEVANT: beir.excluded} if beir.excluded else {}
    return QuestionSet(f"{beir.name}-{file.stem}", beir.articles, tuple(questions), excluded)


def load_corpus(file: Path) -> dict[str, Document]:
    """Load the documents of `corpus.jsonl` by their ids.

    Raises:
        DatasetError: A line is malformed, an id occurs twice, or an article is refused.
    """
    documents: dict[str, Document] = {}
    for number, line in read_lines(file):
        place = f"{file} line {number}"
        document = parse_line(_Document, line, place)
        try:
            article = prepare(RawArticle(text=document.text, title=document.title or None, external_id=document.id))
        except RefusedInput as error:
            raise DatasetError(f"{place}: article {document.id!r}: {error}") from error
        if article.external_id != document.id:
            raise DatasetError(f"{place}: the id {document.id!r} has white space at its ends or in runs")
        if document.id in documents:
            raise DatasetError(f"{place}: the article {document.id!r} occurs twice")
        documents[document.id] = Document(document.text, article)
    return documents


def _load_queries(file: Path) -> list[_Query]:
    queries: dict[str, _Query] = {}
    for number, line in read_lines(file):
        query = parse_line(_Query, line, f"{file} line {number}")
        if query.id in queries:
            raise DatasetError(f"{file} line {number}: the query {query.id!r} occurs twice")
        queries[query.id] = query
    return list(queries.values())


def _qrels_file(folder: Path) -> Path:
    files = sorted(path for ending in ("*.tsv", "*.qrels", "*.txt") for path in folder.glob(ending))
    if folder / "test.tsv" in files:
        return folder / "test.tsv"
    if len(files) != 1:
        raise DatasetError(f"{folder} has {len(files)} files of judgments; expected test.tsv, or exactly one")
    return files[0]


def _load_qrels(file: Path, corpus: Mapping[str, Document], queries: Mapping[str, str]) -> dict[str, dict[str, int]]:
    qrels: dict[str, dict[str, int]] = {}
    for number, query, article, grade in _read_judgments(file):
        if query not in queries or article not in corpus:
            kind, name = ("query", query) if query not in queries else ("article", article)
            raise DatasetError(f"{file} line {number}: there is no {kind} {name!r}")
        grades = qrels.setdefault(query, {})
        if article in grades:
            raise DatasetError(f"{file} line {number}: query {query!r} judges article {article!r} twice")
        grades[article] = grade
    if not qrels:
        raise DatasetError(f"{file} holds no judgments")
    return qrels


def _read_judgments(file: Path) -> Iterator[tuple[int, str, str, int]]:
    """Give line, query, article and grade of every judgment; without BEIR's header the file is TREC's."""
    lines = read_lines(file)
    if file.suffix != ".tsv":
        yield from read_qrels(file)
        return
    if not lines or lines[0][1].rstrip("\r") != _HEADER:
        raise DatasetError(f"{file} line 1: expected the header {_HEADER!r}")
    for number, line in lines[1:]:
        yield number, *_judgment(line.rstrip("\r"), f"{file} line {number}")


def _judgment(line: str, place: str) -> tuple[str, str, int]:
    fields = line.split("\t")
    try:
        query, article, grade = fields
        return query, article, int(grade)
    except ValueError as error:
        raise DatasetError(f"{place}: {line!r} is not a query, an article and a whole number") from error
