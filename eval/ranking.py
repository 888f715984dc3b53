"""Rankings of articles for queries with judgments: our own modes over a BEIR set, and runs of other systems."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from eval.circumstances import circumstances
from eval.index_cache import indexed
from eval.metrics import figures
from eval.records import Circumstances, HitRecord, Result, Run
from eval.retrieval import DEPTH, Qrels, Rankings, rank_articles, reciprocal_rank_fusion, score
from eval.sets.beir import WITHOUT_RELEVANT, BeirSet
from eval.sets.lines import DatasetError
from eval.sets.questions import article_key
from eval.sets.trec import load_qrels, load_trec_run
from eval.watching import Watch
from eval.whole_articles import WholeArticles
from index.embedding import Embedder
from index.generation import Generation
from index.manifest import Manifest
from index.searcher import Mode, Searcher
from service.settings import Settings

Unit = Literal["chunk", "article"]

MODES: tuple[Mode, ...] = ("hybrid", "dense", "lexical")
RRF = "RRF (k=60)"
SHOWN = 10
"""Ranks that go into the run file; the metrics see all."""


def run_beir(
    beir: BeirSet, place: Path, settings: Settings, mode: Mode | None, unit: Unit, watch: Watch, embedder: Embedder
) -> Run:
    """Search for the queries in one mode, or in all; see `eval.running.run_set`."""
    modes = MODES if mode is None else (mode,)
    search, manifest = _search(beir, settings, modes, unit, watch, embedder)
    rankings: dict[str, dict[str, Sequence[str]]] = {one: {} for one in modes}
    with watch.steps("searching", len(modes) * len(beir.queries)) as step:
        for one in modes:
            for query, text in beir.queries.items():
                rankings[one][query] = search(text, one)
                step()
    if mode is None:
        # No mode of the product: the usual fusion of its two sides, for our own one to be compared with.
        rankings[RRF] = {
            query: reciprocal_rank_fusion([rankings["dense"][query], rankings["lexical"][query]])
            for query in beir.queries
        }
    made = circumstances(
        place,
        set_name=beir.name,
        mode=mode or "all",
        unit=unit,
        settings=settings,
        manifest=manifest,
        excluded={WITHOUT_RELEVANT: beir.excluded} if beir.excluded else {},
    )
    titles = {article_key(article): article.title for article in beir.articles}
    return _as_run(made, rankings, beir.qrels, beir.queries, titles)


def _search(
    beir: BeirSet, settings: Settings, modes: Sequence[Mode], unit: Unit, watch: Watch, embedder: Embedder
) -> tuple[Callable[[str, Mode], Sequence[str]], Manifest | None]:
    """Give what ranks articles for a query in a mode, and the manifest of the generation that it asks, if any."""
    if unit == "article":
        return WholeArticles(beir.articles, settings, embedder, dense=set(modes) != {"lexical"}).rank, None
    with watch.building() as step:
        catalog = indexed(settings, beir.name, beir.articles, embedder=embedder, on_progress=step)
    searcher = Searcher(catalog.open_newest_good(Generation.open).value, embedder)
    return (
        lambda query, mode: rank_articles(searcher.search(query, top_k=DEPTH, mode=mode).hits),
        searcher.generation.manifest,
    )


def run_trec(qrels_file: Path, run_files: Sequence[Path], settings: Settings) -> Run:
    """Score runs of other systems by TREC's judgments, with the metrics of our own.

    Raises:
        DatasetError: A file is malformed, two runs have the same tag, or no judged query has a relevant document.
    """
    qrels = load_qrels(qrels_file)
    rankings: dict[str, Rankings] = {}
    for file in run_files:
        run = load_trec_run(file)
        if run.tag in rankings:
            raise DatasetError(f"{file}: another run has the tag {run.tag!r}, too; give each its own")
        rankings[run.tag] = run.rankings
    relevant = {query: grades for query, grades in qrels.items() if max(grades.values()) > 0}
    if not relevant:
        raise DatasetError(f"{qrels_file}: no query has a relevant document; there is nothing to measure")
    without = len(qrels) - len(relevant)
    made = circumstances(
        qrels_file,
        set_name=qrels_file.name,
        mode="TREC run",
        unit="article",
        settings=settings,
        manifest=None,
        excluded={WITHOUT_RELEVANT: without} if without else {},
    )
    return _as_run(made, rankings, relevant, {query: query for query in relevant}, {})


def _as_run(
    made: Circumstances,
    rankings: Mapping[str, Rankings],
    qrels: Qrels,
    queries: Mapping[str, str],
    titles: Mapping[str, str],
) -> Run:
    results: list[Result] = []
    for system, ranked in rankings.items():
        scored = score(ranked, qrels)
        for query, text in queries.items():
            shown = ranked.get(query, ())[:SHOWN]
            results.append(
                Result(
                    id=query,
                    system=system,
                    question=text,
                    type=None,
                    split=None,
                    unanswerable=None,
                    hits=tuple(_hit(name, rank, qrels[query], titles) for rank, name in enumerate(shown)),
                    metrics={f"article.{measure}": value for measure, value in scored[query].items()},
                )
            )
    return Run(circumstances=made, figures=figures(results), results=tuple(results))


def _hit(name: str, rank: int, grades: Mapping[str, int], titles: Mapping[str, str]) -> HitRecord:
    # Rankings of articles have no score of their own: the rank stands for it.
    return HitRecord(
        id=name, article_id=name, title=titles.get(name, name), score=1 / (1 + rank), gain=grades.get(name, 0)
    )
