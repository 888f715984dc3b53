"""Single questions of a run as the page shows them: what went wrong first, each with all that explains it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from eval.records import AnswerRecord, CitationRecord, GoldRecord, Result
from eval.sets.questions import has_key

OutcomeName = Literal["wrong", "missed", "declined", "partial", "right", "rightly_declined"]

_MARK = re.compile(r"\[(\d+)\]")
_PLAIN_ID = re.compile(r"[\w-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a question went: a sign and a name, so that colour says nothing alone, and what the name stands for."""

    name: OutcomeName
    sign: str
    label: str
    meaning: str


OUTCOMES: tuple[Outcome, ...] = (
    Outcome(
        "wrong", "✗", "Wrong answers", "answered, and with no answer key (or, where there are none, no gold quote)"
    ),
    Outcome("missed", "!", "Missed abstentions", "answered, though the articles hold no answer"),
    Outcome("declined", "∅", "Declined, though answerable", "no answer, though the articles hold one"),
    Outcome("partial", "◐", "Partly right", "some of the answer keys, or a conflict left out or invented"),
    Outcome("right", "✓", "Right answers", "every answer key"),
    Outcome("rightly_declined", "–", "Rightly declined", "no answer, and there is none"),
)
"""In the order of the page."""

REASONS = {
    "no_relevant_passage": "no passage is about the question",
    "not_stated": "no sentence clearly answers it",
    "premise_contradicted": "the articles contradict what the question takes for granted",
}


def is_right(result: Result) -> bool:
    """Tell whether it was right to give this answer: answerable, and every key found, or gold cited without keys."""
    if result.unanswerable is not None:
        return False
    if result.answer_keys:
        return result.metrics.get("all_keys", float(result.metrics.get("keys", 0) >= 1)) >= 1
    return result.metrics.get("citation_precision", 0) > 0


def outcome_of(result: Result, answer: AnswerRecord) -> OutcomeName:
    """Tell how a question went; `OUTCOMES` says by what rule."""
    if answer.status == "abstained":
        return "declined" if result.unanswerable is None else "rightly_declined"
    if result.unanswerable is not None:
        return "missed"
    conflict_wrong = result.metrics.get("conflict_shown", 1) < 1 or result.metrics.get("conflict_false", 0) > 0
    if is_right(result):
        return "partial" if conflict_wrong else "right"
    return "partial" if result.metrics.get("keys", 0) > 0 else "wrong"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of an answer's text: a sentence (or what stands between), or the mark of citation `number`."""

    text: str
    number: int | None = None
    unsupported: bool = False


@dataclass(frozen=True, slots=True)
class Quotation:
    """A citation in its passage; the three texts joined are the passage, unless `astray` says why they are not."""

    record: CitationRecord
    anchor: str
    before: str
    quote: str
    after: str
    astray: bool


@dataclass(frozen=True, slots=True)
class Key:
    """An answer key and whether the cited sentences hold it; None where no answer was given."""

    alternatives: tuple[str, ...]
    found: bool | None


@dataclass(frozen=True, slots=True)
class Question:
    """One question and what came of it, ready to be shown."""

    anchor: str
    result: Result
    answer: AnswerRecord
    outcome: Outcome
    pieces: tuple[Piece, ...]
    quotations: tuple[Quotation, ...]
    nearest: tuple[Quotation, ...]
    keys: tuple[Key, ...]
    missed_gold: tuple[GoldRecord, ...]

    @property
    def counts(self) -> tuple[str, ...]:
        """What was found of what there is, short enough for the line that is seen first."""
        said: list[str] = []
        if any(key.found is not None for key in self.keys):
            said.append(f"keys {sum(key.found is True for key in self.keys)}/{len(self.keys)}")
        if self.result.gold and any(quotation.record.right is not None for quotation in self.quotations):
            right = sum(quotation.record.right is True for quotation in self.quotations)
            said.append(f"cited right {right}/{len(self.quotations)}")
        if self.result.gold and self.quotations:
            said.append(f"gold {sum(gold.cited is True for gold in self.result.gold)}/{len(self.result.gold)}")
        if not said:
            said.append(self.reason if self.answer.status == "abstained" else f"{len(self.quotations)} cited")
        return tuple(said)

    @property
    def reason(self) -> str:
        """Why there is no answer, in words where the reason is one we know."""
        reason = self.answer.abstain_reason
        return "no reason given" if reason is None else REASONS.get(reason, reason)


def questions_of(results: Sequence[Result], *, prefix: str) -> list[Question]:
    """Give the questions with an answer, in the order of the set.

    Args:
        results: Of one system.
        prefix: What anchors begin with; another one for every system.
    """
    return [
        _question(result, result.answer, anchor_of(result.id, number, prefix=prefix))
        for number, result in enumerate(results, start=1)
        if result.answer is not None
    ]


def anchor_of(question_id: str, number: int, *, prefix: str) -> str:
    """Give the anchor of a question: its id where that can stand in an address as it is, else its number."""
    return f"{prefix}-{question_id}" if _PLAIN_ID.fullmatch(question_id) else f"{prefix}.{number}"


def _question(result: Result, answer: AnswerRecord, anchor: str) -> Question:
    name = outcome_of(result, answer)
    said = [answer.text[sentence.start : sentence.end] for sentence in answer.sentences if sentence.citations]
    given = answer.status != "abstained"
    return Question(
        anchor=anchor,
        result=result,
        answer=answer,
        outcome=next(outcome for outcome in OUTCOMES if outcome.name == name),
        pieces=tuple(_pieces(answer)),
        quotations=tuple(quotation(record, f"c{record.number}.{anchor}") for record in answer.citations),
        nearest=tuple(quotation(record, f"n{record.number}.{anchor}") for record in answer.nearest),
        keys=tuple(Key(key, has_key(key, said) if given else None) for key in result.answer_keys),
        missed_gold=tuple(gold for gold in result.gold if not gold.cited),
    )


def quotation(record: CitationRecord, anchor: str) -> Quotation:
    """Find the words of a citation in its passage; where they are not in it, they stand alone and `astray` is set."""
    passage = record.passage
    start, end = record.start - passage.start, record.end - passage.start
    if 0 <= start <= end and passage.text[start:end] == record.quote:
        return Quotation(record, anchor, passage.text[:start], record.quote, passage.text[end:], astray=False)
    return Quotation(record, anchor, "", record.quote, "", astray=True)


def _pieces(answer: AnswerRecord) -> Iterator[Piece]:
    """Cut an answer's text into sentences and marks; only what stands between sentences can be a mark."""
    numbers = {citation.number for citation in answer.citations}
    at = 0
    for sentence in sorted(answer.sentences, key=lambda sentence: sentence.start):
        start, end = max(at, sentence.start), max(at, sentence.end)
        yield from _between(answer.text[at:start], numbers)
        yield Piece(answer.text[start:end], unsupported=not sentence.supported)
        at = end
    yield from _between(answer.text[at:], numbers)


def _between(text: str, numbers: set[int]) -> Iterator[Piece]:
    at = 0
    for mark in _MARK.finditer(text):
        if int(mark[1]) in numbers:
            if mark.start() > at:
                yield Piece(text[at : mark.start()])
            yield Piece(mark[0], number=int(mark[1]))
            at = mark.end()
    if at < len(text):
        yield Piece(text[at:])
