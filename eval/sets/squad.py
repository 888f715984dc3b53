"""Questions whose answers are strings of a paragraph: SQuAD's JSON (1.1 and 2.0), and JSONL beside a BEIR corpus.

Every paragraph becomes an article. An answer's span is found again after cleaning, near where the file says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, takewhile
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eval.sets.beir import load_corpus
from eval.sets.lines import DatasetError, parse_line, read_lines
from eval.sets.questions import LOST, Gold, LabelledQuestion, QuestionSet, unique, unsorted_row
from ingest.article import Article, RefusedInput, Span
from ingest.intake import prepare
from ingest.readers.raw import RawArticle
from service.errors import first_fault


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True)  # other fields are allowed: the forms have variants


class _Answer(_Strict):
    text: str = Field(min_length=1)
    answer_start: int = Field(ge=0)


class _Question(_Strict):
    id: str = Field(min_length=1)
    question: str = Field(min_length=1)
    answers: list[_Answer] = Field(default_factory=list)
    is_impossible: bool = False


class _Paragraph(_Strict):
    context: str
    qas: list[_Question]


class _Page(_Strict):
    title: str = ""
    paragraphs: list[_Paragraph]


class _Squad(_Strict):
    data: list[_Page]


class _Line(_Strict):
    """A line of `qa.jsonl`: a question about one document of the corpus beside it."""

    id: str = Field(min_length=1)
    question: str = Field(min_length=1)
    context_id: str = Field(min_length=1)
    answers: list[str]
    answer_starts: list[int]


def load_squad(file: Path) -> QuestionSet:
    """Load SQuAD's JSON; a question without an answer counts as `not_stated`.

    Raises:
        DatasetError: The file is no such JSON, an id occurs twice, a paragraph is refused, or an answer does not
            stand where its offset says.
    """
    try:
        squad = _Squad.model_validate_json(file.read_bytes())
    except OSError as error:
        raise DatasetError(f"{file} cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        raise DatasetError(f"{file}: {first_fault(error)}") from error
    articles: dict[str, Article] = {}
    collected = _Collected(str(file))
    for page in squad.data:
        for paragraph in page.paragraphs:
            name = hashlib.sha256(paragraph.context.encode("utf-8", "surrogatepass")).hexdigest()[:20]
            if name not in articles:
                articles[name] = _article(paragraph.context, page.title, name, file)
            for asked in paragraph.qas:
                answers = [(answer.text, answer.answer_start) for answer in asked.answers]
                if not answers and not asked.is_impossible:
                    raise DatasetError(f"{file}: question {asked.id!r} has no answer and is not marked impossible")
                collected.add(asked.id, asked.question, articles[name], paragraph.context, answers)
    return collected.as_set(file.stem, articles)


def load_qa_lines(file: Path) -> QuestionSet:
    """Load `qa.jsonl`, whose questions are about documents of `corpus.jsonl` beside it.

    Raises:
        DatasetError: As `load_squad`; or a question names a document that is not there.
    """
    corpus = load_corpus(file.with_name("corpus.jsonl"))
    collected = _Collected(str(file))
    for number, line in read_lines(file):
        row = parse_line(_Line, line, f"{file} line {number}")
        document = corpus.get(row.context_id)
        if document is None:
            raise DatasetError(f"{file} line {number}: there is no document {row.context_id!r}")
        if not row.answers or len(row.answers) != len(row.answer_starts):
            raise DatasetError(f"{file} line {number}: expected as many answers as answer_starts, at least one")
        answers = list(zip(row.answers, row.answer_starts, strict=True))
        collected.add(row.id, row.question, document.article, document.text, answers)
    articles = {name: document.article for name, document in corpus.items()}
    return collected.as_set(f"{file.resolve().parent.name}-{file.stem}", articles)


class _Collected:
    """The questions of one file as they are read, and how many had to be left out."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._questions: dict[str, LabelledQuestion] = {}
        self._lost = 0
        self._seen: set[str] = set()

    def add(self, name: str, question: str, article: Article, context: str, answers: Sequence[tuple[str, int]]) -> None:
        if name in self._seen:
            raise DatasetError(f"{self._file}: the question {name!r} occurs twice")
        self._seen.add(name)
        for text, start in answers:
            if context[start : start + len(text)] != text:
                raise DatasetError(
                    f"{self._file}: question {name!r}: the answer {text[:60]!r} does not stand at {start}"
                )
        spans = [_find(article.text, context, text, start) for text, start in answers]
        found = tuple(dict.fromkeys(Gold(article.id, span) for span in spans if span is not None))
        if answers and not found:
            self._lost += 1
            return
        keys = tuple(dict.fromkeys(gold.span.of(article.text) for gold in found))
        row = unsorted_row(name, question, keys, unanswerable=None if found else "not_stated")
        self._questions[name] = LabelledQuestion(row, found)

    def as_set(self, name: str, articles: Mapping[str, Article]) -> QuestionSet:
        if not self._questions:
            raise DatasetError(f"{self._file} holds no questions")
        excluded = {LOST: self._lost} if self._lost else {}
        return QuestionSet(name, unique(articles.values()), tuple(self._questions.values()), excluded)


def _article(text: str, title: str, name: str, file: Path) -> Article:
    try:
        return prepare(RawArticle(text=text, title=title.replace("_", " ") or None, external_id=name))
    except RefusedInput as error:
        raise DatasetError(f"{file}: a paragraph of {title!r}: {error}") from error


def _find(cleaned: str, context: str, words: str, start: int) -> Span | None:
    """Find an answer in the cleaned text: the occurrence with the same number as in the context, None for none."""
    before = sum(1 for _ in takewhile(lambda place: place < start, _places(context, words)))
    # Where cleaning took out some of the occurrences, the last one that is left of those up to it.
    found = list(islice(_places(cleaned, words), before + 1))
    return Span(found[-1], found[-1] + len(words)) if found else None


def _places(text: str, words: str) -> Iterator[int]:
    """Give the places of some words in a text, in order; occurrences may overlap."""
    place = text.find(words)
    while place >= 0:
        yield place
        place = text.find(words, place + 1)
