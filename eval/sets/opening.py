"""Which form a set has, told by the names of its files."""

from __future__ import annotations

from pathlib import Path

from eval.sets.answer_sentences import load_answer_sentences
from eval.sets.beir import BeirSet, is_beir, load_beir, load_with_unanswerable
from eval.sets.lines import DatasetError
from eval.sets.questions import SHIPPED, QuestionSet, load_question_set
from eval.sets.squad import load_qa_lines, load_squad
from service.errors import WrongUse

FORMS = (
    "a folder with questions.jsonl and articles/, a BEIR folder, SQuAD's .json, or one of qa.jsonl, "
    "unanswerable.jsonl (both beside a BEIR corpus) and sentences.jsonl"
)


class NoSuchSet(DatasetError, WrongUse):
    """A name is that of no set; the message says what would be one."""


def place_of(name: str) -> Path:
    """Give the file or folder of a set."""
    return SHIPPED if name == "shipped" else Path(name)


def has_halves(name: str) -> bool:
    """Tell, without loading it, whether a set has a half to tune on; a BEIR folder has not."""
    place = place_of(name)
    return not (place.is_dir() and is_beir(place) and not (place / "questions.jsonl").is_file())


def open_set(name: str) -> QuestionSet | BeirSet:
    """Load the shipped set by its name, or a set by its path.

    Raises:
        NoSuchSet: There is none.
        DatasetError: It is malformed.
    """
    path = place_of(name)
    if path.is_dir():
        if (path / "questions.jsonl").is_file():
            return load_question_set(path)
        if is_beir(path):
            return load_beir(path)
        if (path / "sentences.jsonl").is_file():
            return load_answer_sentences(path / "sentences.jsonl")
    elif path.is_file():
        if path.name == "qa.jsonl":
            return load_qa_lines(path)
        if path.name == "unanswerable.jsonl":
            return load_with_unanswerable(path)
        if path.name == "sentences.jsonl":
            return load_answer_sentences(path)
        if path.suffix == ".json":
            return load_squad(path)
    raise NoSuchSet(f"{name!r} is no set: expected 'shipped', {FORMS}")
