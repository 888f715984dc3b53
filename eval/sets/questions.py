"""Question sets: questions with answers that are known, and the articles that they are about.

Our own form is a folder with `questions.jsonl` and `articles/`; public forms become the same values. Gold answers
are quotes of articles, found as spans, so that no label depends on how articles are cut into chunks.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from eval.sets.lines import DatasetError, parse_line, read_lines
from ingest.article import Article, ArticleId, RefusedInput, Span
from ingest.folders import find_files
from ingest.intake import prepare
from ingest.readers import RawArticle, Refusal, read_file

SHIPPED = Path(__file__).parents[1] / "data"

QuestionType = Literal[
    "fact",
    "indirect",
    "multi",
    "list",
    "time",
    "attribution",
    "number",
    "conflict",
    "follow_up",
    "unsorted",
    "unanswerable",
]
"""What kind of question; those of public sets are `unsorted`."""

Unanswerable = Literal["off_topic", "not_stated", "false_premise"]
Split = Literal["tune", "held_out"]


Key = Annotated[str, Field(min_length=1)]


class GoldQuote(BaseModel):
    """The exact words that answer, in an article named by its file (`name.md`, `name.jsonl#id`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    article: str = Field(min_length=1)
    quote: str = Field(min_length=1)


class EarlierTurn(BaseModel):
    """One message of the conversation before a question."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Literal["user", "assistant"]
    content: str = Field(min_length=1)


class QuestionRow(BaseModel):
    """One line of `questions.jsonl`; docs/evaluation.md explains each field."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1)
    question: str = Field(min_length=1)
    type: QuestionType
    answer: str | None
    answer_keys: tuple[tuple[Key, ...], ...]
    gold: tuple[GoldQuote, ...]
    unanswerable: Unanswerable | None
    history: tuple[EarlierTurn, ...] = ()
    as_of: date | None = None
    draft: bool = False


@dataclass(frozen=True, slots=True)
class Gold:
    """Where an answer stands: `article.text[span.start:span.end]` is the quote."""

    article_id: ArticleId
    span: Span


@dataclass(frozen=True, slots=True)
class LabelledQuestion:
    """A question with its gold spans; `row.unanswerable` says why there are none.

    `scope` is the only article that may be searched, for questions that are asked of one; None for all.
    """

    row: QuestionRow
    gold: tuple[Gold, ...]
    scope: ArticleId | None = None

    @property
    def split(self) -> Split:
        """The half of the set that the question is in, by its id: stable when questions are added."""
        return "tune" if hashlib.sha256(self.row.id.encode()).digest()[0] % 2 else "held_out"


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Questions and the articles that they are about.

    `excluded` counts the entries of the files that are no questions of the set, by the reason.
    """

    name: str
    articles: tuple[Article, ...]
    questions: tuple[LabelledQuestion, ...]
    excluded: Mapping[str, int] = field(default_factory=dict)


DRAFTS = "drafts that nobody has accepted"
LOST = "answers that cleaning took out of their article"


def load_question_set(folder: Path = SHIPPED) -> QuestionSet:
    """Load a question set and find every gold quote in its article. Drafts are checked too, and left out.

    Raises:
        DatasetError: A line is malformed, an id occurs twice, an article is refused or missing, a quote does
            not stand in its article exactly once, or an answer key in none of its question's quotes.
    """
    articles = _load_articles(folder / "articles")
    rows = _load_rows(folder / "questions.jsonl")
    labelled = [label(row, articles) for row in rows]
    questions = tuple(question for question in labelled if not question.row.draft)
    name = "shipped" if folder == SHIPPED else folder.resolve().name
    drafts = len(labelled) - len(questions)
    return QuestionSet(name, unique(articles.values()), questions, {DRAFTS: drafts} if drafts else {})


def unsorted_row(
    name: str, question: str, answers: Sequence[str] = (), *, unanswerable: Unanswerable | None
) -> QuestionRow:
    """Make the row of a public set's question, of which any one of `answers` will do; they need not be known."""
    return QuestionRow(
        id=name,
        question=question,
        type="unsorted" if unanswerable is None else "unanswerable",
        answer=answers[0] if answers else None,
        answer_keys=(tuple(answers),) if answers else (),
        gold=(),
        unanswerable=unanswerable,
    )


def article_key(article: Article) -> str:
    """Give the name of an article in rankings and judgments: its id in the set that it came from, else our own."""
    return article.external_id or article.id


def unique(articles: Iterable[Article]) -> tuple[Article, ...]:
    """Give articles, each id once."""
    return tuple({article.id: article for article in articles}.values())


def named_articles(
    file: Path, *, folder: Path | None = None, max_chars: int = 2_000_000
) -> tuple[list[tuple[str, Article]], list[Refusal]]:
    """Read the articles of a file, each with the name that questions have for it, and refusals of parts of the file.

    Args:
        file: The file.
        folder: The folder of the set, which makes no difference to what the articles are.
        max_chars: Longest article.

    Raises:
        RefusedInput: The whole file is refused.
    """
    read = read_file(file)
    named: list[tuple[str, Article]] = []
    refusals = list(read.refusals)
    for raw in read.articles:
        name = file.name if len(read.articles) == 1 else f"{file.name}#{raw.external_id}"
        try:
            article = prepare(_within(folder, raw) if folder else raw, max_chars=max_chars)
        except RefusedInput as error:
            refusals.append(Refusal(name, str(error)))
        else:
            named.append((name, article))
    return named, refusals


def _load_articles(folder: Path) -> dict[str, Article]:
    files, refusals = find_files([folder])
    if refusals:
        raise DatasetError(f"{refusals[0].name}: {refusals[0].reason}")
    articles: dict[str, Article] = {}
    for file in files:
        try:
            named, refused = named_articles(file, folder=folder)
        except RefusedInput as error:
            raise DatasetError(f"{file}: {error}") from error
        if refused:
            raise DatasetError(f"{refused[0].name}: {refused[0].reason}")
        articles.update(named)
    return articles


def _within(folder: Path, raw: RawArticle) -> RawArticle:
    """Give an article with its path in the set: the same set has the same articles wherever it lies."""
    return replace(raw, path=raw.path.removeprefix(f"{folder.resolve()}{os.sep}") if raw.path else None)


def _load_rows(file: Path) -> list[QuestionRow]:
    rows: list[QuestionRow] = []
    seen: set[str] = set()
    for number, line in read_lines(file):
        row = parse_line(QuestionRow, line, f"{file} line {number}")
        if row.id in seen:
            raise DatasetError(f"{file} line {number}: the id {row.id!r} occurs twice")
        seen.add(row.id)
        rows.append(row)
    return rows


def label(row: QuestionRow, articles: Mapping[str, Article]) -> LabelledQuestion:
    """Check a row against the articles, by name, and find its gold quotes.

    Raises:
        DatasetError: It does not hold; see `load_question_set`.
    """
    if (row.unanswerable is None) != bool(row.gold) or bool(row.gold) != bool(row.answer_keys):
        raise DatasetError(f"question {row.id}: gold quotes and answer keys go together, and not with unanswerable")
    if (row.unanswerable is None) != (row.type != "unanswerable"):
        raise DatasetError(f"question {row.id}: the type is {row.type!r}, and unanswerable {row.unanswerable!r}")
    if row.type == "follow_up" and not row.history:
        raise DatasetError(f"question {row.id}: a follow-up needs the history that it follows")
    if row.type == "conflict" and min(len(row.gold), len(row.answer_keys)) < 2:
        raise DatasetError(f"question {row.id}: a conflict needs a gold quote and an answer key for each position")
    for key in row.answer_keys:
        if not has_key(key, [gold.quote for gold in row.gold]):
            raise DatasetError(f"question {row.id}: none of the answer keys {key} stands in a gold quote")
    return LabelledQuestion(row, tuple(_find(row.id, gold, articles) for gold in row.gold))


def _find(question: str, gold: GoldQuote, articles: Mapping[str, Article]) -> Gold:
    article = articles.get(gold.article)
    if article is None:
        raise DatasetError(f"question {question}: there is no article {gold.article!r}")
    found = article.text.count(gold.quote)
    if found != 1:
        raise DatasetError(
            f"question {question}: the quote {gold.quote[:60]!r} stands {found} times in {gold.article!r}, "
            "expected once"
        )
    start = article.text.index(gold.quote)
    return Gold(article.id, Span(start, start + len(gold.quote)))


def has_key(alternatives: Sequence[str], texts: Sequence[str]) -> bool:
    """Tell whether any of the alternatives of an answer key stands in any of the texts, whatever the case.

    A number must stand there whole: 25 is in neither 250 nor 1.25.
    """
    return any(_key_pattern(key).search(text) is not None for key in alternatives for text in texts)


def _key_pattern(key: str) -> re.Pattern[str]:
    before = r"(?<!\d)(?<!\d[.,])" if key[:1].isdigit() else ""
    after = r"(?![.,]?\d)" if key[-1:].isdigit() else ""
    return re.compile(before + re.escape(key) + after, re.IGNORECASE)
