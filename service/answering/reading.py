"""The sentences of an LLM's reply as it comes in, each with the numbers of the passages that it cites."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from ingest.markup import without_links
from ingest.sentences import split_sentences

LONGEST_SENTENCE_CHARS = 1_000
"""What goes on for longer without an end is no sentence, and is dropped."""

_MARK = r"(?:\[\s*\d{1,4}(?:\s*[,;–-]\s*\d{1,4})*\s*\]|【\s*\d{1,4}[^】\n]{0,20}】)"
_MARKS = re.compile(_MARK)
_NUMBERS = re.compile(r"\d+")
_AFTER_THE_END = re.compile(rf"(?P<end>[.!?…]+[\"'”’)]*)(?P<marks>(?:\s*{_MARK})+)")
_MARK_BEGINS = re.compile(r"\s*[\[【]")
_THOUGHT = re.compile(r"\A\s*<think>.*?(?:</think>|\Z)", re.DOTALL | re.IGNORECASE)
_MAY_THINK = "<think>"
_DRESS = re.compile(
    r"^(?:\s|[#>*•–-]|\d{1,2}[.)]\s|(?:final |short |the )?answer(?: is)?\s*:)+|\*\*|__|`", re.IGNORECASE
)
# Not before ".example": articles have the names of hosts written so.
_BEFORE_MARK = re.compile(r"\s+(?=[.,;:!?…](?:\W|$))")


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence of a reply, without marks and markup, and the numbers that it cites, whatever they are."""

    words: str
    numbers: tuple[int, ...]


class SentenceReader:
    """Takes a reply piece by piece and gives its sentences as soon as each is whole, with the marks after it."""

    def __init__(self) -> None:
        self._text = ""
        self._overlong = False  # what came last is the beginning of no sentence

    def feed(self, piece: str) -> list[Said]:
        """Take a piece; gives the sentences that are whole with it."""
        self._text += piece
        return self._whole(ended=False)

    def end(self) -> list[Said]:
        """Give what is left when the reply has come to its end."""
        return self._whole(ended=True)

    def _whole(self, *, ended: bool) -> list[Said]:
        text = self._text
        if not ended and _MAY_THINK.startswith(text.lstrip()[: len(_MAY_THINK)].lower()) and "</think>" not in text:
            if len(text) > LONGEST_SENTENCE_CHARS:  # of a thought only its end is waited for
                self._text = _MAY_THINK + text[-len("</think>") :]
            return []
        text = _AFTER_THE_END.sub(r"\g<marks>\g<end>", _THOUGHT.sub("", text))
        sentences = [sentence.span for sentence in split_sentences(text)]
        whole = len(sentences) if ended else len(sentences) - 1
        if not ended and sentences and _MARK_BEGINS.match(sentences[-1].of(text)):
            whole -= 1  # the mark that begins there may be of the sentence before
        whole = max(whole, 0)
        rest = sentences[whole].start if whole < len(sentences) else len(text)
        self._text = text[rest:]
        first = 1 if self._overlong and whole else 0
        self._overlong = self._overlong and not whole
        if len(self._text) > LONGEST_SENTENCE_CHARS:
            self._text, self._overlong = "", True
        return [said for span in sentences[first:whole] if (said := _read(span.of(text))).words]


def _read(sentence: str) -> Said:
    numbers = [int(number) for mark in _MARKS.findall(sentence) for number in _NUMBERS.findall(mark)]
    # What is not seen, or turns what is seen around, is nobody's words.
    shown = "".join(char for char in sentence if char.isspace() or unicodedata.category(char)[0] != "C")
    words = _DRESS.sub("", _MARKS.sub("", shown))
    words = without_links(_BEFORE_MARK.sub("", " ".join(words.split())))
    if len(words) > LONGEST_SENTENCE_CHARS:
        words = ""
    return Said(words, tuple(dict.fromkeys(numbers)))
