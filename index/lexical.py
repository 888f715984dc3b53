"""Words in common, by BM25 (Robertson's, in Lucene's form, k1 1.5, b 0.75), over Snowball stems.

`terms` is the one place that says what a word is; questions, passages and the answerer's coverage all use it.
"""

from __future__ import annotations

import errno
import json
import math
import re
import threading
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import bm25s
import numpy as np
import Stemmer
from numpy.typing import NDArray

Scores = NDArray[np.float32]

_WORD = re.compile(r"\w+(?:['’]\w+)?")
_APOSTROPHE = re.compile(r"['’]s?$|['’]")
_INITIALS = re.compile(r"\b(?:[A-Za-z]\.){2,}")
_DIGIT_GROUPS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_DECIMAL = re.compile(r"(?<=\d)\.(?=\d)")

# Function words: they say how a question is asked, not what it is about. Negations and numbers stay.
STOP_WORDS = frozenset(
    "a about after again all also am an and any are as at be because been before being between both but by can "
    "could did do does doing down during each few for from further had has have having he her here hers herself "
    "him himself his how i if in into is it its itself just me more most my myself now of off on once only or other "
    "our ours ourselves out over own s same she should so some such t than that the their theirs them themselves "
    "then there these they this those through to too under until up very was we were what when where which while "
    "who whom whose why will with would you your yours yourself".split()
)

_ROWS_FILE = "rows.json"

_local = threading.local()


def _stemmer() -> Stemmer.Stemmer:
    # A Stemmer object is not thread-safe.
    if not hasattr(_local, "stemmer"):
        _local.stemmer = Stemmer.Stemmer("english")
    return _local.stemmer


def terms(text: str) -> list[str]:
    """Give the searchable words of a text, in order: lower case, no accents, no function words, stemmed.

    "U.S." is one word (`us` would be a function word in other lists, not in ours); "1,200" is `1200`.
    """
    text = _INITIALS.sub(lambda match: match.group().replace(".", ""), text)
    text = _DECIMAL.sub("_", _DIGIT_GROUPS.sub("", text))
    folded = text.casefold()
    if not folded.isascii():
        decomposed = unicodedata.normalize("NFKD", folded)
        folded = "".join(char for char in decomposed if not unicodedata.combining(char))
    words = [_APOSTROPHE.sub("", word) for word in _WORD.findall(folded)]
    stems: list[str] = _stemmer().stemWords([word for word in words if word and word not in STOP_WORDS])
    return stems


def write_lexical(texts: Sequence[str], folder: Path) -> None:
    """Write a BM25 index of `texts` into `folder`, which is made."""
    folder.mkdir()
    tokens = [terms(text) for text in texts]
    (folder / _ROWS_FILE).write_text(json.dumps(len(texts)), encoding="utf-8")
    if not any(tokens):
        return  # bm25s divides by the mean length
    # The numpy backend always: another one is stored in the index and must then be there when it is opened.
    index = bm25s.BM25(method="lucene", k1=1.5, b=0.75, backend="numpy")
    index.index(tokens, show_progress=False)
    try:
        index.save(folder, allow_pickle=False, show_progress=False)
    except OSError as error:
        if error.errno is not None:
            raise
        # How numpy tells of a file that it could not write to the end.
        raise OSError(errno.ENOSPC, str(error)) from error


class LexicalIndex:
    """An opened BM25 index; rows are numbered in the order of the texts."""

    def __init__(self, index: bm25s.BM25 | None, rows: int) -> None:
        self._index = index
        self._rows = rows
        self._vocabulary: dict[str, int] = index.vocab_dict if index is not None else {}

    @classmethod
    def open(cls, folder: Path) -> LexicalIndex:
        """Open what `write_lexical` wrote; the arrays are mapped into memory, not read."""
        rows = json.loads((folder / _ROWS_FILE).read_text(encoding="utf-8"))
        # Without any word in any row there is nothing but the number of rows.
        some = len(list(folder.iterdir())) > 1
        index = bm25s.BM25.load(folder, mmap=True, allow_pickle=False, show_progress=False) if some else None
        return cls(index, rows)

    def __len__(self) -> int:
        return self._rows

    def idf(self, term: str) -> float:
        """Give how rare a term is: ln(1 + (N - df + 0.5) / (df + 0.5)), Lucene's form; df is 0 for an unknown one."""
        number = self._vocabulary.get(term)
        df = 0
        if number is not None and self._index is not None:
            starts = self._index.scores["indptr"]
            df = int(starts[number + 1] - starts[number])
        return math.log(1 + (len(self) - df + 0.5) / (df + 0.5))

    def scores(self, query: str) -> Scores:
        """Score every row: shape (n,), float32, at least 0, and 0 where no word is shared."""
        known = [term for term in terms(query) if term in self._vocabulary]
        if not known or self._index is None:
            return np.zeros(len(self), dtype=np.float32)
        return np.asarray(self._index.get_scores(known), dtype=np.float32)
