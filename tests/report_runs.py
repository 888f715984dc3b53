"""Runs made by hand for the tests of the report: answers of every kind, hostile text, and rankings of three systems."""

from datetime import date

from eval.metrics import figures
from eval.records import (
    AnswerRecord,
    Circumstances,
    CitationRecord,
    ConflictRecord,
    GoldRecord,
    HitRecord,
    Machine,
    Passage,
    Result,
    Run,
    SentenceRecord,
)
from eval.sets.questions import EarlierTurn
from service.settings import Settings

HOSTILE = (
    "<script>document.title = 'taken'</script></style></title><img src=x onerror=alert(1)> &amp; & \"'\n"
    "[press](javascript:alert(1)) \u202eevil\u202c \x07\x00\x85\u2028\ufeff\u200b {{ 7 * 7 }} ]]> <!-- \ufffe"
)
"""What an article, a user or a set may hold, and what the page may only show."""


def circumstances(**changes):
    settings = {name: field.get_default() for name, field in Settings.model_fields.items()}
    made = Circumstances(
        date="2026-03-04T05:06:07+00:00",
        set="hand-made",
        set_sha256="ab" * 32,
        split="all",
        mode="hybrid",
        unit="chunk",
        settings={**settings, "data": "/somewhere", "chunk_tokens": 120},
        generation="000007",
        model="all-MiniLM-L6-v2",
        model_sha256="cd" * 32,
        articles=3,
        chunks=12,
        excluded={"without_gold": 2},
        byline_version="0.1.0",
        git_revision="1234567890abcdef-dirty",
        python="3.11.2",
        machine=Machine(cpu="Some CPU", cores=2, memory_bytes=8 * 2**30, platform="Linux"),
    )
    return made.model_copy(update=changes)


def citation(number, quote, *, before="Before it. ", after=" After it.", right=True, start=500, **changes):
    text = before + quote + after
    record = CitationRecord(
        number=number,
        article_id=f"article-{number}",
        title=f"Article {number}",
        source="Norwick Herald",
        url="https://herald.example/one",
        published_at=date(2025, 3, 4),
        start=start + len(before),
        end=start + len(before) + len(quote),
        quote=quote,
        score=0.5,
        right=right,
        passage=Passage(start=start, end=start + len(text), text=text),
    )
    return record.model_copy(update=changes)


def answer(*citations, status="answered", supported=True, **changes):
    text = ""
    sentences = []
    for one in citations:
        text += " " if text else ""
        end = len(text) + len(one.quote)
        sentences.append(
            SentenceRecord(start=len(text), end=end, citations=(one.number,), support="verbatim", supported=supported)
        )
        text += f"{one.quote} [{one.number}]"
    record = AnswerRecord(
        status=status,
        abstain_reason=None,
        text=text,
        answerer="extractive",
        degraded=False,
        searched="what was searched",
        confidence=0.75,
        sentences=tuple(sentences),
        citations=citations,
        nearest=(),
        conflicts=(),
        search_ms=20.0,
        answer_ms=10.0,
        total_ms=30.0,
    )
    return record.model_copy(update=changes)


def abstention(*nearest, **changes):
    return answer(status="abstained").model_copy(
        update={"abstain_reason": "not_stated", "text": "I found nothing.", "nearest": nearest, **changes}
    )


def gold(quote="the gold words", *, cited=True, rank=1):
    return GoldRecord(
        article_id="article-1", title="Article 1", start=3, end=3 + len(quote), quote=quote, cited=cited, rank=rank
    )


def result(name, given, *, kind="fact", unanswerable=None, metrics=None, **changes):
    record = Result(
        id=name,
        system="extractive",
        question=f"What about {name}?",
        type="unanswerable" if unanswerable else kind,
        split="tune",
        unanswerable=unanswerable,
        expected=None if unanswerable else f"The answer to {name}",
        answer_keys=() if unanswerable else (("gold words", "words of gold"),),
        gold=() if unanswerable else (gold(),),
        answer=given,
        hits=(HitRecord(id="c1", article_id="article-1", title="Article 1", score=0.9, gain=1),),
        metrics={"verbatim": 1.0, "latency_ms": 30.0, **(metrics or {})},
    )
    return record.model_copy(update=changes)


def marks(keys, precision=None, recall=0.0, **others):
    """The metrics of an answerable question."""
    found = {"keys": keys, "all_keys": float(keys == 1), "citation_recall": recall, **others}
    found["answered"] = float(precision is not None)
    return found if precision is None else {**found, "citation_precision": precision}


EMOJI = "The 🛶 ferry of 𝔑orwick"


def answer_results():
    """One question or more of each outcome."""
    ranked = {f"chunk.R@{k}": float(k >= 3) for k in (1, 3, 5, 10, 20, 50)} | {"chunk.nDCG@10": 0.5}
    ranked |= {f"article.R@{k}": 1.0 for k in (1, 3, 5, 10, 20, 50)}
    return (
        result("right1", answer(citation(1, "Here are the gold words.")), metrics=marks(1.0, 1.0, 1.0, **ranked)),
        result(
            "emoji1",
            answer(citation(1, EMOJI + ", the gold words.", before="🛶🛶 𝔑ext, ")),
            kind="indirect",
            metrics=marks(1.0, 1.0, 1.0),
        ),
        result(
            "wrong1",
            answer(citation(1, "Something else.", right=False), confidence=0.9, judged="incorrect"),
            gold=(gold(cited=False, rank=4), gold("other gold", cited=False, rank=None)),
            metrics=marks(0.0, 0.0),
        ),
        result(
            "missed1",
            answer(citation(1, "What nobody asked.", right=None)),
            unanswerable="false_premise",
            metrics={"declined": 0.0},
        ),
        result(
            "declined1",
            abstention(citation(1, "A near one.", right=False)),
            gold=(gold(cited=False, rank=2),),
            metrics=marks(0.0),
        ),
        result(
            "partial1",
            answer(
                citation(1, "Half of the gold words."),
                citation(2, "Not that.", right=False),
                status="partial",
                supported=False,
                degraded=True,
            ),
            kind="multi",
            answer_keys=(("gold words",), ("absent",)),
            metrics=marks(0.5, 0.5, 1.0, supported=0.0),
        ),
        result(
            "off1", abstention(abstain_reason="made_up"), unanswerable="off_topic", metrics={"declined": 1.0}
        ),
        result(
            "conflict1",
            answer(
                citation(1, "12 gold words."),
                citation(2, "15 gold words."),
                conflicts=(ConflictRecord(about="the number", values=("12", "15"), citations=(1, 2)),),
                judged="correct",
                judged_because="Both stand there.",
            ),
            kind="conflict",
            metrics=marks(1.0, 1.0, 1.0, conflict_shown=1.0),
        ),
        result(
            "hidden1",
            answer(citation(1, "One side of the gold words.")),
            kind="conflict",
            metrics=marks(1.0, 1.0, 1.0, conflict_shown=0.0),
        ),
        result(
            "follow1",
            answer(citation(1, "And then the gold words.")),
            kind="follow_up",
            history=(
                EarlierTurn(role="user", content="Who was first?"),
                EarlierTurn(role="assistant", content="Ines Roth."),
            ),
            as_of=date(2025, 6, 7),
            metrics=marks(1.0, 1.0, 1.0),
        ),
        result(
            HOSTILE,
            answer(
                citation(1, HOSTILE, before=HOSTILE, title=HOSTILE, source=HOSTILE, url="javascript:alert(1)"),
                answerer=HOSTILE,
                searched=HOSTILE,
                conflicts=(ConflictRecord(about=HOSTILE, values=(HOSTILE,), citations=(1,)),),
                judged=HOSTILE,
                judged_because=HOSTILE,
            ),
            question=HOSTILE,
            expected=HOSTILE,
            answer_keys=((HOSTILE,),),
            history=(EarlierTurn(role="user", content=HOSTILE),),
            gold=(gold(HOSTILE, cited=False),),
            hits=(HitRecord(id=HOSTILE, article_id=HOSTILE, title=HOSTILE, score=1, gain=2),),
            metrics=marks(1.0, 1.0, 0.0) | {HOSTILE: 0.5},
        ),
    )  # fmt: skip


def answer_run(*results, **changes):
    results = results or answer_results()
    return Run(circumstances=circumstances(**changes), figures=figures(results), results=results)


def ranking(name, system, first, *, question=None):
    """A query whose only relevant article stands at rank `first`, or nowhere in the first ten for None."""
    hits = tuple(
        HitRecord(
            id=f"d{rank}", article_id=f"d{rank}", title=f"Title {rank}", score=1 / rank, gain=float(rank == first)
        )
        for rank in range(1, 11)
    )
    # Hand-made, not nDCG: only what is larger matters here.
    quality = 1 / first if first else 0.0
    metrics = {"article.nDCG@10": quality, "article.RR@10": quality, "article.R@10": float(first is not None)}
    return Result(
        id=name,
        system=system,
        question=question or f"Query {name}",
        type=None,
        split=None,
        unanswerable=None,
        hits=hits,
        metrics=metrics,
    )


def retrieval_run(ranks, **changes):
    """A run of systems that only rank; `ranks` gives each system the first relevant rank of every query."""
    results = tuple(
        ranking(f"q{number}", system, first)
        for system, firsts in ranks.items()
        for number, first in enumerate(firsts, start=1)
    )
    made = circumstances(**{"unit": "article", "mode": "each mode", **changes})
    return Run(circumstances=made, figures=figures(results), results=results)


THREE_SYSTEMS = {"hybrid": [1, 1, None, 2], "dense": [1, 2, None, 10], "lexical <b>$x$ 模型": [1, 5, None, 2]}
