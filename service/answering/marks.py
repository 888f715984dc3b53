"""Where the citation marks of a finished answer stand, and the pieces that it is made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from service.answering.answer import Answer, AnswerSentence
from service.answering.composition import Piece

# Only right behind a sentence: elsewhere an answer may repeat the user's words, marks and all.
_MARKS = re.compile(r" ?((?:\[[0-9]+\])*)")
_MARK = re.compile(r"\[([0-9]+)\]")


@dataclass(frozen=True, slots=True)
class Mark:
    """The mark of a citation, at `answer.text[start:end]`."""

    number: int
    start: int
    end: int


def marks_of(answer: Answer) -> Iterator[Mark]:
    """Give the marks of an answer in their order."""
    for sentence in answer.sentences:
        for mark in _MARK.finditer(answer.text, *_marks_behind(answer, sentence)):
            yield Mark(int(mark[1]), mark.start(), mark.end())


def pieces_of(answer: Answer) -> Iterator[Piece]:
    """Give an answer a sentence at a time, as an LLM's comes; what is behind the last one's marks is in no piece."""
    citations = {citation.number: citation for citation in answer.citations}
    said = 0
    for sentence in answer.sentences:
        _, end = _marks_behind(answer, sentence)
        new = tuple(citations.pop(number) for number in sentence.citations if number in citations)
        yield Piece(answer.text[said:end], sentence, new)
        said = end


def _marks_behind(answer: Answer, sentence: AnswerSentence) -> tuple[int, int]:
    found = _MARKS.match(answer.text, sentence.end)
    return found.span(1) if found and found[1] else (sentence.end, sentence.end)
