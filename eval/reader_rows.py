"""What a reader learns from: questions with candidate sentences, given as such or as articles with questions.

docs/reader.md shows both kinds of line.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from eval.sets.lines import DatasetError, parse_line, read_lines
from index.embedding import Embedder
from index.pairs import Pair, context_of

WRONG_ONES = 3
"""Candidates that do not answer, for each question and step."""

NEAR = 3
"""Of a text in order, up to two of the wrong ones are at most so many sentences away: those are the hardest."""

WITHOUT_CONTEXT = 0.25
"""So often a question's candidates are shown without context, as a collection may have none."""

WITHOUT_TITLE = 0.5
"""So many of the questions of articles are learned without the title, so that a reader needs none and minds none."""

MOST_BEFORE = 2
"""Sentences that are shown before one of an article; one as often as two."""

OWN_CANDIDATES = 5
OTHER_CANDIDATES = 2
"""Wrong candidates for a question of an article: so many of its sentences, and of others', nearest by embedding."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A question's pairs of one step; of an answered one the first is right, and no other."""

    pairs: list[Pair]
    answered: bool


class TrainingRow(BaseModel):
    """A question with candidate sentences, some or none of which answer it.

    Attributes:
        question: The question.
        title: Of the article, or empty.
        sentences: At least two. Without `before` they are a text in order.
        labels: For each sentence 1 if it answers, else 0; not all 1.
        before: For each sentence what stands before it in its article, empty where nothing does.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    question: str
    title: str = ""
    sentences: Annotated[tuple[str, ...], Field(min_length=2)]
    labels: tuple[Literal[0, 1], ...]
    before: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _check(self) -> TrainingRow:
        before = self.sentences if self.before is None else self.before
        lengths = {len(self.labels), len(before), len(self.sentences)}
        if len(lengths) > 1:
            raise ValueError("sentences, labels and before differ in length")
        right = {sentence for sentence, label in zip(self.sentences, self.labels, strict=True) if label}
        if right == set(self.sentences):
            raise ValueError("no sentence that does not answer")
        return self

    def draw(self, choice: random.Random) -> Drawn:
        """Draw a sentence that answers, if there is one, and some that do not, all with or all without context."""
        right = [place for place, label in enumerate(self.labels) if label]
        said = {self.sentences[place] for place in right}
        wrong = [place for place, sentence in enumerate(self.sentences) if sentence not in said]
        taken = [choice.choice(right)] if right else []
        if taken and self.before is None:
            near = [place for place in wrong if abs(place - taken[0]) <= NEAR]
            taken += choice.sample(near, min(2, len(near)))
        left = [place for place in wrong if place not in taken]
        taken += choice.sample(left, min(WRONG_ONES + 1 - len(taken), len(left)))
        bare = choice.random() < WITHOUT_CONTEXT
        pairs = [Pair(self.question, self.sentences[place], "" if bare else self._context(place)) for place in taken]
        return Drawn(pairs, answered=bool(right))

    def _context(self, place: int) -> str:
        before = self.before[place] if self.before is not None else self.sentences[place - 1] if place else ""
        return context_of(before, self.title)


class ArticleQuestion(BaseModel):
    """A question asked of an article; `answers` are the places of the sentences that answer it, from 0, or none."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    question: str
    answers: tuple[Annotated[int, Field(ge=0)], ...]


class ArticleRow(BaseModel):
    """An article with questions.

    Attributes:
        title: Its headline.
        sentences: Its text in order; a list with its lead-in is one of them.
        questions: Those that it answers, and those that it does not.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    title: str
    sentences: Annotated[tuple[str, ...], Field(min_length=2)]
    questions: tuple[ArticleQuestion, ...]

    @model_validator(mode="after")
    def _check(self) -> ArticleRow:
        for asked in self.questions:
            if any(place >= len(self.sentences) for place in asked.answers):
                raise ValueError(f"no sentence {max(asked.answers)}, which is to answer {asked.question!r}")
            if {self.sentences[place] for place in asked.answers} == set(self.sentences):
                raise ValueError(f"every sentence is to answer {asked.question!r}")
        return self


def read_rows(files: Sequence[Path], embedder: Embedder, choice: random.Random) -> list[TrainingRow]:
    """Read training files: lines of `TrainingRow`, or of `ArticleRow`, or both.

    Args:
        files: The files.
        embedder: Finds the wrong candidates for the questions of articles; not used where there are none.
        choice: Draws what is shown with those.

    Raises:
        DatasetError: A file cannot be read, a line is malformed, or there are too few questions.
    """
    rows: list[TrainingRow] = []
    articles: list[ArticleRow] = []
    for file in files:
        for number, line in read_lines(file):
            place = f"{file}, line {number}"
            if _has_questions(line):
                articles.append(parse_line(ArticleRow, line, place))
            else:
                rows.append(parse_line(TrainingRow, line, place))
    rows += _rows_of(articles, embedder, choice)
    answered = sum(1 in row.labels for row in rows)
    if answered < 2:
        raise DatasetError(
            f"{', '.join(map(str, files))}: {answered} questions with an answer; a reader needs thousands to learn from"
        )
    return rows


def _has_questions(line: str) -> bool:
    try:
        found = json.loads(line)
    except ValueError:
        return False  # said by who parses it as a row
    return isinstance(found, dict) and "questions" in found


def _rows_of(articles: Sequence[ArticleRow], embedder: Embedder, choice: random.Random) -> Iterator[TrainingRow]:
    """Choose the candidates for the questions of articles, and what stands before them."""
    if not articles:
        return
    sentences = [sentence for article in articles for sentence in article.sentences]
    lengths = [len(article.sentences) for article in articles]
    # Of each sentence, where its article begins.
    starts = np.repeat(np.cumsum([0, *lengths[:-1]]), lengths)
    vectors = embedder.encode(sentences)
    own = range(0)
    for article in articles:
        own = range(own.stop, own.stop + len(article.sentences))
        asked = embedder.encode([one.question for one in article.questions])
        for one, cosines in zip(article.questions, asked @ vectors.T, strict=True):
            right = [own.start + place for place in one.answers]
            taken = [*right, *_wrong_ones(cosines, own, right)]
            many = choice.randint(1, MOST_BEFORE)
            yield TrainingRow(
                question=one.question,
                title="" if choice.random() < WITHOUT_TITLE else article.title,
                sentences=tuple(sentences[place] for place in taken),
                labels=tuple(1 if place in right else 0 for place in taken),
                before=tuple(" ".join(sentences[max(starts[place], place - many) : place]) for place in taken),
            )


def _wrong_ones(cosines: NDArray[np.float32], own: range, right: Sequence[int]) -> list[int]:
    """Give the places of sentences that do not answer: near ones, those beside a right one, and some of elsewhere."""
    nearest = [int(place) for place in np.argsort(-cosines)]
    wrong = [place for place in nearest if place in own and place not in right][:OWN_CANDIDATES]
    wrong += [place + step for place in right for step in (-1, 1) if place + step in own]
    elsewhere = [place for place in nearest if place not in own][:OTHER_CANDIDATES]
    return [place for place in dict.fromkeys(wrong + elsewhere) if place not in right]
