"""Metrics of answers whose questions have known ones. Pure functions of what was asked and what was answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import get_args

from eval.sets.questions import Gold, LabelledQuestion, QuestionType, Split, Unanswerable, has_key
from ingest.article import ArticleId, Span
from service.answering.answer import Answer, Citation

GROUPINGS: tuple[tuple[str, ...], ...] = (
    ("all",),
    get_args(Split),
    tuple(kind for kind in get_args(QuestionType) if kind != "unanswerable"),
    get_args(Unanswerable),
)
"""The groups that figures are given for: the whole, the halves, the types of question, why there is no answer."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One question's answer with its marks.

    `keys` is the share of answer keys found; `precision` the share of citations that overlap a gold span;
    `recall` the share of gold spans that a citation overlaps. All three are None where no answer was due or
    none was given, except that `keys` and `recall` are 0 for an answer that was due and not given.
    """

    question: LabelledQuestion
    answer: Answer
    keys: float | None
    precision: float | None
    recall: float | None
    total_ms: float

    @property
    def answered(self) -> bool:
        """Whether an answer was given."""
        return self.answer.status != "abstained"


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean (or, for times, a median) over `n` cases; None over none, which is not the same as 0."""

    value: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of some judged answers; docs/evaluation.md says what each means.

    Abstention counts an unanswerable question as the thing to find: precision over abstentions, recall over
    unanswerable questions.
    """

    keys: Figure
    all_keys: Figure
    citation_precision: Figure
    citation_recall: Figure
    sentences: Figure
    abstained: Figure
    abstention_precision: Figure
    abstention_recall: Figure
    median_ms: Figure


def judge(question: LabelledQuestion, answer: Answer, *, total_ms: float) -> Judged:
    """Mark one answer."""
    if question.row.unanswerable is not None:
        return Judged(question, answer, None, None, None, total_ms)
    # The sentences, not the text: its citation marks are numbers too. An uncited sentence earns nothing.
    said = [sentence.text for sentence in answer.sentences if sentence.citations]
    cited = [any(_holds(citation, gold) for gold in question.gold) for citation in answer.citations]
    return Judged(
        question=question,
        answer=answer,
        keys=fmean(has_key(key, said) for key in question.row.answer_keys),
        precision=fmean(cited) if cited else None,
        recall=fmean(any(_holds(citation, gold) for citation in answer.citations) for gold in question.gold),
        total_ms=total_ms,
    )


def summarise(judged: Sequence[Judged]) -> Summary:
    """Give the figures over some judged answers."""
    due = [one for one in judged if one.question.row.unanswerable is None]
    undue = [one for one in judged if one.question.row.unanswerable is not None]
    declined = [one for one in judged if not one.answered]
    times = [one.total_ms for one in judged]
    return Summary(
        keys=_mean([one.keys for one in due]),
        all_keys=_mean([one.keys == 1 for one in due]),
        citation_precision=_mean([one.precision for one in due]),
        citation_recall=_mean([one.recall for one in due]),
        sentences=_mean([len(one.answer.sentences) for one in judged if one.answered]),
        abstained=_mean([not one.answered for one in judged]),
        abstention_precision=_mean([one.question.row.unanswerable is not None for one in declined]),
        abstention_recall=_mean([not one.answered for one in undue]),
        median_ms=Figure(median(times) if times else None, len(times)),
    )


def summarise_groups(judged: Sequence[Judged]) -> dict[str, Summary]:
    """Give the figures of every group of `GROUPINGS` that has questions; there is always `all`."""
    members: dict[str, list[Judged]] = {name: [] for names in GROUPINGS for name in names}
    for one in judged:
        row = one.question.row
        for name in ("all", one.question.split, row.unanswerable or row.type):
            members[name].append(one)
    return {name: summarise(ones) for name, ones in members.items() if ones or name == "all"}


def verbatim(answers: Sequence[Answer], texts: Mapping[ArticleId, str]) -> Figure:
    """Give the share of citations, those beside an abstention included, that are the exact words of an article.

    Args:
        answers: Any number.
        texts: The text of every article of the library, which is not where the answerer read.
    """
    citations = [citation for answer in answers for citation in (*answer.citations, *answer.nearest)]
    return _mean([_is_verbatim(citation, texts) for citation in citations])


def _is_verbatim(citation: Citation, texts: Mapping[ArticleId, str]) -> bool:
    text = texts.get(citation.article_id, "")
    return bool(citation.quote) and text[citation.start : citation.end] == citation.quote


def _holds(citation: Citation, gold: Gold) -> bool:
    return citation.article_id == gold.article_id and Span(citation.start, citation.end).overlaps(gold.span)


def _mean(values: Sequence[float | None]) -> Figure:
    known = [value for value in values if value is not None]
    return Figure(fmean(known) if known else None, len(known))
