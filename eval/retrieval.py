"""Metrics of retrieval, by articles: the rankings that searches give, and what judgments say of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import ir_measures

from index.searcher import Hit, Mode, Searcher

DEPTH = 100
"""Hits asked for: with three of one article at most, at least 33 articles where there are so many."""

RRF_K = 60
"""The damping that the paper uses, and with it everybody."""

METRICS = {
    "nDCG@10": ir_measures.nDCG @ 10,
    "R@10": ir_measures.R @ 10,
    "RR@10": ir_measures.RR @ 10,
}

MODES: tuple[Mode, ...] = ("hybrid", "dense", "lexical")

Ranking = tuple[str, ...]
"""Ids of articles, best first, each once."""

Qrels = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Scored:
    """The metrics of one system: per query, and their means over the `n` queries with a relevant article."""

    per_query: Mapping[str, Mapping[str, float]]
    means: Mapping[str, float]
    n: int


def rank_articles(hits: Iterable[Hit]) -> Ranking:
    """Give the external ids of the articles of some hits; an article stands where its best chunk does."""
    return tuple(dict.fromkeys(hit.article.external_id or hit.article.id for hit in hits))


def search_all(
    searcher: Searcher,
    queries: Mapping[str, str],
    mode: Mode,
    *,
    on_query: Callable[[], None] = lambda: None,
) -> dict[str, Ranking]:
    """Search for every query; gives the ranking of each by the query's id."""
    rankings: dict[str, Ranking] = {}
    for query, text in queries.items():
        rankings[query] = rank_articles(searcher.search(text, top_k=DEPTH, mode=mode).hits)
        on_query()
    return rankings


def score(rankings: Mapping[str, Sequence[str]], qrels: Qrels) -> Scored:
    """Score rankings by their judgments, with ir_measures.

    Args:
        rankings: Articles of each query, best first; a query that is missing or empty found nothing and scores 0.
        qrels: Grades by query and article. A query without a relevant article is left out.

    Raises:
        ValueError: No query has a relevant article, or a ranking names an article twice.
    """
    counted = {query: dict(grades) for query, grades in qrels.items() if max(grades.values(), default=0) > 0}
    if not counted:
        raise ValueError("no query has a relevant article; there is nothing to measure")
    runs = {query: _falling(query, rankings.get(query, ())) for query in counted}
    per_query: dict[str, dict[str, float]] = {query: dict.fromkeys(METRICS, 0.0) for query in counted}
    for metric in ir_measures.iter_calc(list(METRICS.values()), counted, runs):
        per_query[metric.query_id][str(metric.measure)] = metric.value
    means = {name: fmean(values[name] for values in per_query.values()) for name in METRICS}
    return Scored(per_query, means, len(counted))


def _falling(query: str, ranking: Sequence[str]) -> dict[str, float]:
    """Give scores that fall by rank: trec_eval orders equal scores by id, and the searcher's order is what counts."""
    scores = {article: float(len(ranking) - place) for place, article in enumerate(ranking)}
    if len(scores) != len(ranking):
        raise ValueError(f"the ranking of query {query!r} names an article twice")
    return scores


def reciprocal_rank_fusion(rankings: Sequence[Sequence[str]], *, k: float = RRF_K) -> Ranking:
    """Fuse rankings by the sum of 1 / (k + rank), ranks from 1: what our own fusion is compared with.

    Returns:
        Every id once, best first; of equal sums the one that comes first in the earlier ranking.

    Source: Cormack, Clarke, Buettcher, SIGIR 2009, doi:10.1145/1571941.1572114.
    """
    sums: dict[str, float] = {}
    for ranking in rankings:
        for rank, article in enumerate(ranking, start=1):
            sums[article] = sums.get(article, 0.0) + 1 / (k + rank)
    # Sorting is stable, and the dict holds the ids of the earlier ranking first.
    return tuple(sorted(sums, key=lambda article: -sums[article]))
