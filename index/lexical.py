"""Words in common, by BM25 (Robertson's, in Lucene's form, k1 1.5, b 0.75), over Snowball stems.

`terms` is the one place that says what a word is; questions, passages and the answerer's coverage all use it.

Kept is how often each term stands in each text, not a score: scores depend on all texts, counts on one. So texts are
added and taken out by copying counts, and scored exactly, at every question, from what is there.
"""

from __future__ import annotations

import math
import re
import threading
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import Stemmer
from numpy.typing import NDArray

from index.durable import map_array, save_array, write

Scores = NDArray[np.float32]
Numbers = NDArray[np.int64]

K1 = 1.5
B = 0.75

_WORD = re.compile(r"\w+(?:['’]\w+)?")
_APOSTROPHE = re.compile(r"['’]s?$|['’]")
_INITIALS = re.compile(r"\b(?:[A-Za-z]\.){2,}")
_DIGIT_GROUPS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_DECIMAL = re.compile(r"(?<=\d)\.(?=\d)")
_PER_CENT = re.compile(r"\bper[\s-]?cent\b")

# Function words: they say how a question is asked, not what it is about. Negations and numbers stay.
STOP_WORDS = frozenset(
    "a about after again all also am an and any are as at be because been before being between both but by can "
    "could did do does doing down during each few for from further had has have having he her here hers herself "
    "him himself his how i if in into is it its itself just me more most my myself now of off on once only or other "
    "our ours ourselves out over own s same she should so some such t than that the their theirs them themselves "
    "then there these they this those through to too under until up very was we were what when where which while "
    "who whom whose why will with would you your yours yourself".split()
)

TERMS_FILE = "terms.txt"
STARTS_FILE = "starts.npy"
ROWS_FILE = "rows.npy"
COUNTS_FILE = "counts.npy"
LENGTHS_FILE = "lengths.npy"

_local = threading.local()


def _stemmer() -> Stemmer.Stemmer:
    # A Stemmer object is not thread-safe.
    if not hasattr(_local, "stemmer"):
        _local.stemmer = Stemmer.Stemmer("english")
    return _local.stemmer


def terms(text: str) -> list[str]:
    """Give the searchable words of a text, in order: lower case, no accents, no function words, stemmed.

    "U.S." is one word (`us` would be a function word in other lists, not in ours); "1,200" is `1200`. "35%",
    "35 percent" and "35 per cent" are `35`.
    """
    # Most questions and sentences have no such marks within; to look for one costs a tenth of a pattern.
    if "." in text:
        text = _INITIALS.sub(lambda match: match.group().replace(".", ""), text)
    if "," in text:
        text = _DIGIT_GROUPS.sub("", text)
    if "." in text:
        text = _DECIMAL.sub("_", text)
    folded = text.casefold()
    if not folded.isascii():
        decomposed = unicodedata.normalize("NFKD", folded)
        folded = "".join(char for char in decomposed if not unicodedata.combining(char))
    if "cent" in folded:
        folded = _PER_CENT.sub(" ", folded)
    words: list[str] = _WORD.findall(folded)
    if "'" in folded or "’" in folded:
        words = [_APOSTROPHE.sub("", word) for word in words]
    stems: list[str] = _stemmer().stemWords([word for word in words if word and word not in STOP_WORDS])
    return stems


@dataclass(frozen=True, slots=True)
class Postings:
    """Which terms stand in which rows and how often, by term.

    Attributes:
        terms: All different terms, sorted; each stands in a row.
        starts: Where each term's postings begin, and the end: shape (n_terms + 1,).
        rows: The rows of the postings, ascending within a term: shape (n_postings,).
        counts: How often the term stands in the row: shape (n_postings,).
        lengths: Number of terms of every row, repeated ones counted again: shape (n_rows,).
    """

    terms: tuple[str, ...]
    starts: Numbers
    rows: NDArray[np.int32]
    counts: NDArray[np.uint16]
    lengths: NDArray[np.int32]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Postings:
        """Count the terms of texts; a text's row is its place."""
        numbers: dict[str, int] = {}
        columns: list[int] = []
        rows: list[int] = []
        counts: list[int] = []
        lengths = np.zeros(len(texts), dtype=np.int32)
        for row, text in enumerate(texts):
            counted = Counter(terms(text))
            lengths[row] = counted.total()
            for term, count in counted.items():
                columns.append(numbers.setdefault(term, len(numbers)))
                rows.append(row)
                counts.append(count)
        places = _Places.sorted_from(numbers)
        return places.postings(places.of[np.array(columns, dtype=np.int64)], np.array(rows), np.array(counts), lengths)

    @classmethod
    def open(cls, folder: Path) -> Postings:
        """Map what `write` wrote into memory."""
        arrays = [map_array(folder / name) for name in (STARTS_FILE, ROWS_FILE, COUNTS_FILE, LENGTHS_FILE)]
        words = (folder / TERMS_FILE).read_text(encoding="utf-8")
        return cls(tuple(words.split("\n")[:-1]), *arrays)

    @classmethod
    def merged(cls, parts: Iterable[tuple[Postings, Numbers]], rows: int) -> Postings:
        """Take postings over from several indexes into one of `rows` rows.

        Args:
            parts: Postings, and the new row of each of their rows, -1 for one that is left out. Terms that stand
                in rows left out alone are not taken over.
            rows: How many rows there are in the end.
        """
        numbers: dict[str, int] = {}
        lengths = np.zeros(rows, dtype=np.int32)
        pieces: list[tuple[Numbers, Numbers, NDArray[np.uint16]]] = []
        for part, new_rows in parts:
            stays = new_rows >= 0
            lengths[new_rows[stays]] = part.lengths[stays]
            targets = new_rows[part.rows]
            kept = targets >= 0
            columns = np.repeat(np.arange(len(part.terms)), np.diff(part.starts))[kept]
            used = np.unique(columns)
            number_of = np.zeros(len(part.terms), dtype=np.int64)
            number_of[used] = [numbers.setdefault(part.terms[one], len(numbers)) for one in used]
            pieces.append((number_of[columns], targets[kept], part.counts[kept]))
        places = _Places.sorted_from(numbers)
        columns, targets, counts = (
            (np.concatenate([_NONE, *column]) for column in zip(*pieces, strict=True))
            if pieces
            else (_NONE, _NONE, _NONE)
        )
        return places.postings(places.of[columns], targets, counts, lengths)

    def write(self, folder: Path) -> None:
        """Write the postings into `folder`, which is made."""
        folder.mkdir()
        with (folder / TERMS_FILE).open("wb") as file:
            write(file, "".join(f"{term}\n" for term in self.terms).encode("utf-8"))
        for name, array in (
            (STARTS_FILE, self.starts),
            (ROWS_FILE, self.rows),
            (COUNTS_FILE, self.counts),
            (LENGTHS_FILE, self.lengths),
        ):
            save_array(folder / name, array)


_NONE: Numbers = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class _Places:
    """Terms in order, and for each term by the number it got when it was first met, its place among them."""

    terms: tuple[str, ...]
    of: Numbers

    @classmethod
    def sorted_from(cls, numbers: dict[str, int]) -> _Places:
        words = tuple(sorted(numbers))
        of = np.empty(len(words), dtype=np.int64)
        of[[numbers[word] for word in words]] = np.arange(len(words))
        return cls(words, of)

    def postings(
        self, columns: Numbers, rows: NDArray[np.integer], counts: NDArray[np.integer], lengths: NDArray[np.int32]
    ) -> Postings:
        """Bring postings in any order into that of terms and rows, in time linear to their number."""
        # Imported only here: a search needs none of scipy, which takes a tenth of a second.
        from scipy.sparse import coo_array

        shape = (len(lengths), len(self.terms))
        table = coo_array((counts.astype(np.uint16), (rows.astype(np.int32), columns.astype(np.int32))), shape=shape)
        by_term = table.tocsr().tocsc()  # each turn sorts by one index and keeps the order of the other
        return Postings(
            self.terms,
            by_term.indptr.astype(np.int64),
            by_term.indices.astype(np.int32),
            by_term.data.astype(np.uint16),
            lengths,
        )


def write_lexical(texts: Sequence[str], folder: Path) -> None:
    """Write a BM25 index of `texts` into `folder`, which is made."""
    Postings.of(texts).write(folder)


class LexicalIndex:
    """An opened BM25 index; rows are numbered in the order of the texts."""

    def __init__(self, postings: Postings) -> None:
        self._postings = postings
        self._numbers = {term: number for number, term in enumerate(postings.terms)}
        lengths = np.asarray(postings.lengths, dtype=np.float32)
        mean = lengths.mean() if len(lengths) else np.float32(0)
        relative = lengths / mean if mean > 0 else lengths
        self._norms: Scores = np.float32(K1) * (np.float32(1 - B) + np.float32(B) * relative)
        # What each posting adds to its row. Computed when its term is first asked for: no other takes up memory.
        self._weights: Scores = np.empty(len(postings.rows), dtype=np.float32)
        self._weighed = np.zeros(len(postings.terms), dtype=np.bool_)

    @classmethod
    def open(cls, folder: Path) -> LexicalIndex:
        """Open what was written; the arrays are mapped into memory, not read."""
        return cls(Postings.open(folder))

    def __len__(self) -> int:
        return len(self._norms)

    def idf(self, term: str) -> float:
        """Give how rare a term is: ln(1 + (N - df + 0.5) / (df + 0.5)), Lucene's form; df is 0 for an unknown one."""
        number = self._numbers.get(term)
        df = 0 if number is None else len(self._range(number))
        return math.log(1 + (len(self) - df + 0.5) / (df + 0.5))

    def scores(self, query: str) -> Scores:
        """Score every row by a question; see `scores_of`."""
        return self.scores_of(Counter(terms(query)))

    def scores_of(self, asked: Mapping[str, int]) -> Scores:
        """Score every row by some terms: shape (n,), float32, at least 0, and 0 where no word is shared.

        The sum over the query's terms of idf · tf / (tf + k1 · (1 - b + b · length / mean length)); Robertson and
        Zaragoza, The Probabilistic Relevance Framework (2009), with the constant factor k1 + 1 left out as in Lucene.

        Args:
            asked: The `terms` of a question, and how often each stands in it.
        """
        scores = np.zeros(len(self), dtype=np.float32)
        for term, times in asked.items():
            number = self._numbers.get(term)
            if number is None:
                continue
            first, last = self._postings.starts[number : number + 2].tolist()
            # Numpy adds by rows of its own kind of number several times faster than by others.
            rows = self._postings.rows[first:last].astype(np.intp)
            weights = self._weights[first:last]
            if not self._weighed[number]:
                # Threads that meet here write the same.
                counts = self._postings.counts[first:last].astype(np.float32)
                weights[:] = np.float32(self.idf(term)) * counts / (counts + self._norms[rows])
                self._weighed[number] = True
            np.add.at(scores, rows, weights if times == 1 else weights * np.float32(times))
        return scores

    def _range(self, number: int) -> range:
        return range(int(self._postings.starts[number]), int(self._postings.starts[number + 1]))
