"""Metrics of retrieval: what rankings of articles, chunks and sentences are worth, computed by ir_measures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import ir_measures

from eval.metrics import MEASURES
from eval.sets.questions import Gold, article_key
from index.generation import Generation
from index.searcher import Hit
from ingest.article import ArticleId, Span

DEPTH = 100
"""Hits asked for: with three of one article at most, at least 33 articles where there are so many."""

RRF_K = 60
"""The damping that the paper uses, and with it everybody."""

RELEVANT = 50
"""From this grade on a chunk counts as relevant for the measures that know only yes and no: half of a gold quote."""

Grades = Mapping[str, int]
"""Grades by document; 0 is not relevant."""

Qrels = Mapping[str, Grades]
Rankings = Mapping[str, Sequence[str]]


def score(rankings: Rankings, qrels: Qrels, *, relevant: int = 1) -> dict[str, dict[str, float]]:
    """Score rankings by their judgments, with ir_measures over trec_eval.

    Args:
        rankings: Documents of each query, best first; a query that is missing or empty found nothing and scores 0.
        qrels: Grades by query and document. A query without a relevant document is left out.
        relevant: Least grade that counts for the measures other than nDCG, which takes the grade as its gain.

    Returns:
        The values of `MEASURES` by query.

    Raises:
        ValueError: A ranking names a document twice.
    """
    counted = {query: dict(grades) for query, grades in qrels.items() if max(grades.values(), default=0) >= relevant}
    runs = {query: _falling(query, rankings.get(query, ())) for query in counted}
    values: dict[str, dict[str, float]] = {query: dict.fromkeys(MEASURES, 0.0) for query in counted}
    named = {_measure(name, relevant): name for name in MEASURES}
    if counted:
        for metric in ir_measures.iter_calc(list(named), counted, runs):
            values[metric.query_id][named[metric.measure]] = metric.value
    return values


def _measure(name: str, relevant: int) -> ir_measures.measures.Measure:
    """Give the measure of a name; nDCG takes grades as they are, all others a least grade."""
    measure = ir_measures.parse_measure(name)
    return measure if name.startswith("nDCG") or relevant == 1 else measure(rel=relevant)


def _falling(query: str, ranking: Sequence[str]) -> dict[str, float]:
    """Give scores that fall by rank: trec_eval orders equal scores by id, and the searcher's order is what counts."""
    scores = {document: float(len(ranking) - place) for place, document in enumerate(ranking)}
    if len(scores) != len(ranking):
        raise ValueError(f"the ranking of query {query!r} names a document twice")
    return scores


def rank_articles(hits: Iterable[Hit]) -> tuple[str, ...]:
    """Give the articles of some hits; an article stands where its best chunk does."""
    return tuple(dict.fromkeys(article_key(hit.article) for hit in hits))


def article_grades(gold: Iterable[Gold], names: Mapping[ArticleId, str]) -> dict[str, int]:
    """Give grade 1 to every article that holds a gold quote."""
    return {names[one.article_id]: 1 for one in gold}


def chunk_grades(gold: Iterable[Gold], generation: Generation) -> dict[str, int]:
    """Grade chunks by the largest share of a gold quote that they hold, in percent.

    The best chunk of each quote has at least `RELEVANT`, so that a quote that no chunk holds half of can be found,
    too. A chunk that holds none is not in the result.
    """
    grades: dict[str, int] = {}
    for one in gold:
        row = generation.article_row(one.article_id)
        if row is None:
            continue
        shares: dict[str, int] = {}
        for number in generation.chunks_of(row):
            chunk = generation.chunk(number)
            if (share := covered(one.span, chunk.span)) > 0:
                shares[chunk.id] = max(round(100 * share), 1)
        best = max(shares.values(), default=0)
        for name, grade in shares.items():
            raised = max(grade, RELEVANT) if grade == best else grade
            grades[name] = max(grades.get(name, 0), raised)
    return grades


def covered(gold: Span, span: Span) -> float:
    """Give the share, in [0, 1], of a gold span that another span of the same article covers."""
    return max(0, min(gold.end, span.end) - max(gold.start, span.start)) / (gold.end - gold.start)


def sentence_grades(gold: Iterable[Gold], generation: Generation) -> dict[str, int]:
    """Give grade 1 to every sentence that shares a character with a gold quote; sentences go by their row."""
    grades: dict[str, int] = {}
    for one in gold:
        row = generation.article_row(one.article_id)
        rows = generation.sentences_of(row) if row is not None else range(0)
        grades |= {str(number): 1 for number in rows if generation.sentence(number).span.overlaps(one.span)}
    return grades


def reciprocal_rank_fusion(rankings: Sequence[Sequence[str]], *, k: float = RRF_K) -> tuple[str, ...]:
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
