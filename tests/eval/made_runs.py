"""Runs made by hand, for tests of what reads them."""

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


def circumstances(**changes):
    given = {
        "date": "2026-03-01T10:00:00+00:00",
        "set": "tiny",
        "set_sha256": "ab" * 32,
        "split": "all",
        "mode": "answers",
        "unit": "chunk",
        "settings": {
            "embedding_model": "all-MiniLM-L6-v2",
            "chunk_tokens": 160,
            "chunk_overlap_tokens": 40,
            "answer_passages": 1,
        },
        "generation": "000001",
        "model": "all-MiniLM-L6-v2",
        "model_sha256": "cd" * 32,
        "articles": 3,
        "chunks": 7,
        "byline_version": "0.1.0",
        "git_revision": "f" * 40,
        "python": "3.11.7",
        "machine": Machine(cpu="Test CPU", cores=2, memory_bytes=8 << 30, platform="Linux x86_64"),
    }
    return Circumstances(**given | changes)


def citation(passage, start, end, *, number=1, at=0, right=True, title="Ferry stops"):
    """A citation of passage[start:end]; the passage stands at `at` of its article."""
    return CitationRecord(
        number=number,
        article_id="art_1",
        title=title,
        source="Post",
        url=None,
        published_at=date(2025, 3, 4),
        start=at + start,
        end=at + end,
        quote=passage[start:end],
        score=0.5,
        right=right,
        passage=Passage(start=at, end=at + len(passage), text=passage),
    )


def answer(*citations, status="answered", text=None, nearest=(), conflicts=(), confidence=0.8, **changes):
    """An answer that says what it cites, a sentence a citation."""
    said, sentences = "", []
    for cited in citations:
        said += " " if said else ""
        sentences.append(
            SentenceRecord(
                start=len(said),
                end=len(said) + len(cited.quote),
                citations=(cited.number,),
                support="verbatim",
                supported=True,
            )
        )
        said += f"{cited.quote} [{cited.number}]"
    given = {
        "status": status,
        "abstain_reason": "not_stated" if status == "abstained" else None,
        "text": said if text is None else text,
        "answerer": "extractive",
        "degraded": False,
        "searched": "?",
        "confidence": confidence,
        "sentences": tuple(sentences),
        "citations": citations,
        "nearest": tuple(nearest),
        "conflicts": tuple(ConflictRecord(about="rate", values=tuple(values), citations=(1,)) for values in conflicts),
        "search_ms": 5.0,
        "answer_ms": 2.0,
        "total_ms": 7.0,
    }
    return AnswerRecord(**given | changes)


def result(name, *, system="extractive", type_="fact", unanswerable=None, given=None, **metrics):
    """A result of the question `name`; keyword arguments are metrics, a double underscore standing for a dot."""
    return Result(
        id=name,
        system=system,
        question=f"Question {name}?",
        type="unanswerable" if unanswerable else type_,
        split="tune",
        unanswerable=unanswerable,
        expected=None if unanswerable else "Monday",
        answer_keys=() if unanswerable else (("Monday", "Mon."),),
        answer=given,
        metrics={metric.replace("__", ".").replace("_at_", "@"): value for metric, value in metrics.items()},
    )


def gold(quote, *, cited=False, rank=None):
    return GoldRecord(
        article_id="art_1", title="Ferry stops", start=0, end=len(quote), quote=quote, cited=cited, rank=rank
    )


def hit(name, *, gain=0):
    return HitRecord(id=name, article_id=name, title=f"Title of {name}", score=0.5, gain=gain)


def run(*results, **changes):
    return Run(circumstances=circumstances(**changes), figures=figures(results), results=results)
