"""Chosen evidence to an answer: order, citation numbers, offsets."""

from __future__ import annotations

import re
from collections.abc import Sequence

from service.answering.answer import AbstainReason, Answer, AnswerSentence, Citation, Status
from service.answering.evidence import Evidence

# Cleaning takes native marks out of articles; one that came another way must not pass for ours.
_NATIVE_MARK = re.compile(r"\[(\d+(?:\s*[,–-]\s*\d+)*)\]")

_ABSTENTION: dict[AbstainReason, str] = {
    "no_relevant_passage": "I found nothing about this in the articles.",
    "not_stated": "I found no sentence in the articles that clearly answers this.",
    "premise_contradicted": "The articles say otherwise.",
}

_MISSING = "I found no sentence in the articles that clearly answers: {}?"


def compose(chosen: Sequence[Evidence], *, sureness: float, missing: Sequence[str] = ()) -> Answer:
    """Make the answer that says the chosen evidence and nothing else, each piece cited.

    Args:
        chosen: At least one piece, best first. Pieces of one article are said in the article's order, articles in
            the order of their best piece.
        sureness: How sure it is that they answer, in [0, 1].
        missing: What the question asks besides and nothing answers, in its own words; the answer says so at its end.
    """
    sentences: list[AnswerSentence] = []
    citations: list[Citation] = []
    text = ""
    for number, evidence in enumerate(_readable(chosen), start=1):
        if text:
            # A list stands on lines of its own.
            text += "\n" if evidence.is_list or sentences[-1].text.count("\n") else " "
        words = _NATIVE_MARK.sub(r"(\1)", evidence.quote)
        sentences.append(
            AnswerSentence(
                text=words,
                start=len(text),
                end=len(text) + len(words),
                citations=(number,),
                support="verbatim" if words == evidence.quote else "supported",
                score=confidence(evidence),
            )
        )
        citations.append(cite(evidence, number))
        text += f"{words} [{number}]"
    for words in missing:
        text += f" {_MISSING.format(words)}"
    status: Status = "partial" if missing else "answered"
    return Answer(status, text, tuple(sentences), tuple(citations), confidence=sureness)


def abstain(reason: AbstainReason, nearest: Sequence[Evidence], *, sureness: float) -> Answer:
    """Make the answer that there is none, with the closest passages to look at."""
    return Answer(
        status="abstained",
        text=_ABSTENTION[reason],
        sentences=(),
        citations=(),
        abstain_reason=reason,
        nearest=tuple(cite(evidence, number) for number, evidence in enumerate(nearest, start=1)),
        confidence=sureness,
    )


def cite(evidence: Evidence, number: int) -> Citation:
    """Make the citation of a piece of evidence."""
    article = evidence.article
    return Citation(
        number=number,
        article_id=article.id,
        title=article.title,
        source=article.source,
        url=article.url,
        published_at=article.published_at,
        date_source=article.date_source,
        quote=evidence.quote,
        start=evidence.span.start,
        end=evidence.span.end,
        chunk_id=evidence.hit.chunk.id,
        score=confidence(evidence),
    )


def confidence(evidence: Evidence) -> float:
    """Give a score in [0, 1] for people: the mean of cosine and coverage in context, rounded."""
    return round(min(max((evidence.cosine + evidence.context) / 2, 0.0), 1.0), 4)


def _readable(chosen: Sequence[Evidence]) -> list[Evidence]:
    articles = list(dict.fromkeys(evidence.article.id for evidence in chosen))
    return sorted(chosen, key=lambda evidence: (articles.index(evidence.article.id), evidence.span))
