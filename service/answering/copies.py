"""One piece of evidence for what several articles hold in the same words, and none from what was corrected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial

from index.generation import Generation
from index.searcher import Hit, SearchResult
from ingest.article import ArticleId, Span
from ingest.likeness import COUNTERPART, Statement, folded
from service.answering.evidence import Evidence, quotable

_LONG_ENOUGH = 6
"""Words of a sentence that two articles hold because one has it from the other; shorter ones may be chance."""


def one_of_each_copy(ranked: Sequence[Evidence], result: SearchResult, generation: Generation) -> list[Evidence]:
    """Quote each sentence once, from the best of the articles that hold it.

    What a copy says is quoted from the correction or the earliest original among the articles that may be used
    (`Copies.best`), with the others that hold the same sentence in `also_in`. What stands only in an article that was
    corrected is left out.

    Args:
        ranked: Evidence, best first.
        result: The search it comes from.
        generation: The generation that was searched.

    Returns:
        Evidence, best first.
    """
    quoting = _Quoting(result, generation)
    kept: dict[tuple[int, Span], Evidence] = {}
    for evidence in ranked:
        quoted = quoting.best(evidence)
        if quoted is not None:
            kept.setdefault((quoted.hit.article_row, quoted.span), quoted)
    by_words: dict[object, Evidence] = {}
    for place, evidence in kept.items():
        words = folded(evidence.quote)
        key = words if len(words.split()) >= _LONG_ENOUGH else place
        before = by_words.setdefault(key, evidence)
        if before is not evidence:
            held = dict.fromkeys((*before.also_in, evidence.article.id, *evidence.also_in))
            by_words[key] = replace(before, also_in=tuple(held.keys() - {before.article.id}))
    return [
        replace(evidence, also_in=tuple(sorted(evidence.also_in))) if len(evidence.also_in) > 1 else evidence
        for evidence in by_words.values()
    ]


def standing(hits: Sequence[Hit], result: SearchResult, generation: Generation) -> list[Hit]:
    """Leave out the hits of articles that were corrected by one that may be used.

    Args:
        hits: Of the search, or of another one with the same filters.
        result: The search.
        generation: The generation that was searched.
    """
    copies, admitted = generation.copies, result.admitted

    def stands(row: int) -> bool:
        group = copies.group(row)
        usable = [other for other in group if admitted is None or admitted[other]] if len(group) > 1 else []
        return not copies.corrected(row, usable)

    return [hit for hit in hits if stands(hit.article_row)]


class _Quoting:
    """Finds the words of evidence in the copies of its article."""

    def __init__(self, result: SearchResult, generation: Generation) -> None:
        self._admitted = result.admitted
        self._generation = generation
        self._sentences = cache(partial(_sentences, generation))  # of a method it would be garbage in a ring

    def best(self, evidence: Evidence) -> Evidence | None:
        """Give evidence as the best article of its group has it; None if its article was corrected and it is gone."""
        own, copies = evidence.hit.article_row, self._generation.copies
        group: Sequence[int] = copies.group(own)
        if len(group) > 1 and self._admitted is not None:
            group = [row for row in group if self._admitted[row]]
        if len(group) < 2:
            return evidence
        best = copies.best(group)
        corrected = copies.corrected(own, group)
        held = {row: span for row in group if (span := self._same(evidence, row)) is not None}
        if best in held:
            others = [self._generation.articles[row].id for row in held if row != best]
            return self._moved(evidence, best, held[best], tuple(others))
        counterpart = self._counterpart(evidence, best, corrected=corrected)
        if counterpart is not None:
            return self._moved(evidence, best, counterpart, ())
        return None if corrected else evidence

    def _same(self, evidence: Evidence, article_row: int) -> Span | None:
        """Find the same sentences, in the same order, in another article."""
        if article_row == evidence.hit.article_row:
            return evidence.span
        inside = (words for span, words in self._sentences(evidence.hit.article_row) if span.overlaps(evidence.span))
        wanted, there = list(inside), self._sentences(article_row)
        for first in range(len(there) - len(wanted) + 1):
            run = there[first : first + len(wanted)]
            if run and [words for _, words in run] == wanted:
                return Span(run[0][0].start, run[-1][0].end)
        return None

    def _counterpart(self, evidence: Evidence, article_row: int, *, corrected: bool) -> Span | None:
        """Find the sentence that stands for one in another article, in partly other words.

        Only a correction may say something else in it.
        """
        text, said = self._generation.articles[article_row].text, Statement.of(evidence.quote)
        spans = [span for span, _ in self._sentences(article_row) if quotable(span.of(text))]
        if evidence.is_list or not spans:
            return None
        there = {span: Statement.of(span.of(text)) for span in spans}
        nearest = max(spans, key=lambda span: said.overlap(there[span]))
        if said.overlap(there[nearest]) < COUNTERPART or (not corrected and said.differs(there[nearest])):
            return None
        return nearest

    def _moved(self, evidence: Evidence, article_row: int, span: Span, also_in: tuple[ArticleId, ...]) -> Evidence:
        """Give evidence as it stands in another article: its score stays, as the words do but for a few."""
        if article_row == evidence.hit.article_row:
            return replace(evidence, also_in=also_in)
        generation = self._generation
        chunks = [(row, generation.chunk(row)) for row in generation.chunks_of(article_row)]
        row, chunk = next(
            ((row, chunk) for row, chunk in chunks if chunk.span.start <= span.start and span.end <= chunk.span.end),
            chunks[0],
        )
        article = generation.articles[article_row]
        hit = replace(evidence.hit, row=row, article_row=article_row, article=article, chunk=chunk)
        sentences = generation.sentences_in(article_row, span)
        vector = generation.sentence_vectors(sentences)[0] if len(sentences) == 1 else evidence.vector
        return replace(evidence, hit=hit, span=span, vector=vector, also_in=also_in)


def _sentences(generation: Generation, article_row: int) -> list[tuple[Span, str]]:
    """Give the sentences of an article, with their folded words."""
    text = generation.articles[article_row].text
    spans = [generation.sentence(row).span for row in generation.sentences_of(article_row)]
    return [(span, folded(span.of(text))) for span in spans]
