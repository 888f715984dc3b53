"""Several views of the same chunks into one score, and the best of them spread over articles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]

DENSE_WEIGHT = 0.6
LEXICAL_WEIGHT = 0.4
ARTICLE_SHARE = 0.7
"""What was tried and what it gave is in docs/retrieval.md; tuning them further gains nothing elsewhere."""


def meaning(chunk: Scores, sentence: Scores, article: Scores) -> Scores:
    """Join three views of what a chunk is about: the mean of the cosines of all of it, its best sentence, its article.

    Args:
        chunk: Shape (n,), cosines of the chunks to the question.
        sentence: Shape (n,), those of the sentence of each chunk that is nearest.
        article: Shape (n,), the mean over all chunks of the article that each is of.

    Returns:
        Shape (n,), in [-1, 1].
    """
    mean: Scores = (chunk + sentence + article) / np.float32(3)
    return mean


def words(chunks: Scores, articles: Scores, article_rows: NDArray[np.int64]) -> Scores:
    """Score the words of chunks by those of their articles: which article is better told from all of it.

    The chunk of an article with the most of the question's words gets the article's score, the others at least
    `ARTICLE_SHARE` of it.

    Args:
        chunks: Shape (n_chunks,), BM25 of each chunk among chunks.
        articles: Shape (n_articles,), BM25 of each article among articles.
        article_rows: Shape (n_chunks,), the article of each chunk.

    Returns:
        Shape (n_chunks,), at least 0.
    """
    most = np.zeros_like(articles)
    np.maximum.at(most, article_rows, chunks)
    most[most == 0] = 1  # all of the article's chunks have 0
    share = chunks / most.take(article_rows)
    scores: Scores = articles.take(article_rows) * (ARTICLE_SHARE + (1 - ARTICLE_SHARE) * share)
    return scores


def nth_highest(scores: Scores, n: int) -> float:
    """Give the n-th highest of some scores, counted from 1; 0 where there are fewer."""
    place = len(scores) - n
    return float(np.partition(scores, place)[place]) if place >= 0 else 0.0


def highest(scores: Scores, n: int) -> tuple[NDArray[np.bool_], float]:
    """Mark the `n` highest scores above 0, of equal ones the first.

    Returns:
        The marks, shape (n_scores,), and the n-th highest score: see `nth_highest`.
    """
    least = nth_highest(scores, n)
    marked = scores > max(least, 0)
    if least > 0:
        marked[np.flatnonzero(scores == least)[: n - np.count_nonzero(marked)]] = True
    return marked, least


def weighted_sum(dense: Scores, lexical: Scores) -> Scores:
    """Fuse two scores of the same rows: 0.6 × dense / its largest + 0.4 × lexical / its largest.

    Args:
        dense: Shape (n,), of `meaning`; negative ones count as 0.
        lexical: Shape (n,), of `words`, at least 0.

    Returns:
        Shape (n,), float32, in [0, 1]; a side whose largest is 0 adds nothing.
    """
    return DENSE_WEIGHT * _by_largest(np.maximum(dense, 0)) + LEXICAL_WEIGHT * _by_largest(lexical)


def _by_largest(scores: Scores) -> Scores:
    largest = scores.max(initial=0)
    return scores / largest if largest > 0 else np.zeros_like(scores)


def spread(
    ranked: Sequence[int],
    *,
    group_of: Callable[[int], Hashable],
    top_k: int,
    per_group: int,
    spare: Container[Hashable] = (),
) -> list[int]:
    """Take the first `top_k` rows, at most `per_group` of one group while other groups still have some.

    Args:
        ranked: Rows, best first.
        group_of: The group (article) of a row.
        top_k: Most rows.
        per_group: Most rows of one group in the first pass; what it held back fills the rest.
        spare: Groups of which the first pass takes nothing.

    Returns:
        Rows in the order of `ranked`.
    """
    taken: Counter[Hashable] = Counter()
    kept: list[int] = []
    held_back: list[int] = []
    for position, row in enumerate(ranked):
        if len(kept) == top_k:
            break
        group = group_of(row)
        taken[group] += 1
        (kept if taken[group] <= per_group and group not in spare else held_back).append(position)
    positions = sorted((kept + held_back)[:top_k] if len(kept) < top_k else kept[:top_k])
    return [ranked[position] for position in positions]
