"""Answer-sentence sets: a question, the sentences of one article, and which of them answer it (WikiQA, SciFact).

The sentences become one article, and the question is asked of it alone. Where no sentence answers, there is nothing
to say: answering or not is what the literature calls answer triggering.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from eval.sets.lines import DatasetError, parse_line, read_lines
from eval.sets.questions import LOST, Gold, LabelledQuestion, QuestionSet, unique, unsorted_row
from ingest.article import Article, RefusedInput, Span
from ingest.cleaning import one_line
from ingest.intake import prepare
from ingest.readers.raw import RawArticle


class _Line(BaseModel):
    model_config = ConfigDict(strict=True)  # other fields are allowed: SciFact has a verdict

    id: str = Field(min_length=1)
    question: str = Field(min_length=1)
    title: str | None = None
    sentences: list[str] = Field(min_length=1)
    labels: list[int]


def load_answer_sentences(file: Path) -> QuestionSet:
    """Load a file of answer sentences.

    Raises:
        DatasetError: A line is malformed, an id occurs twice, labels and sentences differ in number, or an article
            is refused.
    """
    articles: dict[str, Article] = {}
    questions: dict[str, LabelledQuestion] = {}
    lost = 0
    for number, line in read_lines(file):
        place = f"{file} line {number}"
        row = parse_line(_Line, line, place)
        if row.id in questions:
            raise DatasetError(f"{place}: the id {row.id!r} occurs twice")
        if len(row.labels) != len(row.sentences) or not set(row.labels) <= {0, 1}:
            raise DatasetError(f"{place}: expected a label, 0 or 1, for each of the {len(row.sentences)} sentences")
        article = _article(row, place)
        articles[article.id] = article
        spans = _find_all(article.text, row.sentences)
        right = [span for span, label in zip(spans, row.labels, strict=True) if label]
        found = tuple(Gold(article.id, span) for span in right if span is not None)
        if right and not found:
            lost += 1
            continue
        asked = unsorted_row(row.id, row.question, unanswerable=None if found else "not_stated")
        questions[row.id] = LabelledQuestion(asked, found, scope=article.id)
    if not questions:
        raise DatasetError(f"{file} holds no questions")
    name = f"{file.resolve().parent.name}-{file.stem}"
    excluded = {LOST: lost} if lost else {}
    return QuestionSet(name, unique(articles.values()), tuple(questions.values()), excluded)


def _article(row: _Line, place: str) -> Article:
    # A line each, so that no splitter can join what the labels keep apart.
    text = "\n".join(one_line(sentence) for sentence in row.sentences)
    name = hashlib.sha256(f"{row.title or ''}\0{text}".encode("utf-8", "surrogatepass")).hexdigest()[:20]
    try:
        return prepare(RawArticle(text=text, title=row.title or None, external_id=name))
    except RefusedInput as error:
        raise DatasetError(f"{place}: {error}") from error


def _find_all(cleaned: str, sentences: Sequence[str]) -> list[Span | None]:
    """Find each sentence after the one before; None for one that cleaning changed or took out."""
    spans: list[Span | None] = []
    place = 0
    for sentence in sentences:
        words = one_line(sentence)
        start = cleaned.find(words, place) if words else -1
        spans.append(Span(start, start + len(words)) if start >= 0 else None)
        place = start + len(words) if start >= 0 else place
    return spans
