"""A run: under what circumstances a set was run, how each question went, and the file that says so."""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from eval.answers import Figure, Judged, Summary, judge
from eval.retrieval import Ranking, Scored
from eval.sets.questions import LabelledQuestion
from index.manifest import Manifest
from service.answering.answer import Citation
from service.answering.reply import Turn
from service.assistant import Assistant
from service.settings import Settings

_ROOT = Path(__file__).parents[1]
_SET_FILES = ("questions.jsonl", "articles/**/*", "corpus.jsonl", "queries.jsonl", "qrels/*.tsv")


@dataclass(frozen=True, slots=True)
class Circumstances:
    """All that can move a figure. `git_revision` ends in `-dirty` where files were changed since."""

    date: str
    set: str
    set_sha256: str
    split: str
    settings: dict[str, Any]
    generation: str
    model: str
    model_sha256: str
    chunks: int
    byline_version: str | None
    git_revision: str | None
    python: str
    platform: str


@dataclass(frozen=True, slots=True)
class AnswerRun:
    """The answers to a question set. `groups` are its figures by the name of the group of questions."""

    made: Circumstances
    judged: tuple[Judged, ...]
    groups: Mapping[str, Summary]
    verbatim: Figure

    def document(self) -> dict[str, Any]:
        """Give the run as JSON values."""
        figures = {name: asdict(summary) for name, summary in self.groups.items()}
        return {
            "circumstances": asdict(self.made),
            "figures": {"groups": figures, "verbatim": asdict(self.verbatim)},
            "results": [_answer_row(one) for one in self.judged],
        }


@dataclass(frozen=True, slots=True)
class RetrievalRun:
    """The rankings for a BEIR set, by system; `excluded` queries have no relevant article."""

    made: Circumstances
    scored: Mapping[str, Scored]
    rankings: Mapping[str, Mapping[str, Ranking]]
    excluded: int

    def document(self) -> dict[str, Any]:
        """Give the run as JSON values; rankings are cut at rank 10, as the metrics are."""
        means = {system: {**result.means, "n": result.n} for system, result in self.scored.items()}
        return {
            "circumstances": asdict(self.made),
            "figures": {"systems": means, "excluded": self.excluded},
            "results": [
                {"system": system, "query": query, "ranking": self.rankings[system][query][:10], **metrics}
                for system, result in self.scored.items()
                for query, metrics in result.per_query.items()
            ],
        }


def circumstances(folder: Path, *, set_name: str, split: str, settings: Settings, manifest: Manifest) -> Circumstances:
    """Take down the circumstances of a run of the set in a folder that starts now."""
    return Circumstances(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        set=set_name,
        set_sha256=_set_digest(folder),
        split=split,
        settings=settings.model_dump(mode="json"),
        generation=manifest.generation,
        model=manifest.embedding.model,
        model_sha256=manifest.embedding.model_sha256,
        chunks=manifest.counts.chunks,
        byline_version=byline_version(),
        git_revision=git_revision(),
        python=platform.python_version(),
        platform=platform.platform(),
    )


def ask_all(
    assistant: Assistant,
    questions: Sequence[LabelledQuestion],
    *,
    on_question: Callable[[], None] = lambda: None,
) -> list[Judged]:
    """Ask every question by itself, with only the history that it brings, and mark each answer."""
    judged: list[Judged] = []
    for question in questions:
        row = question.row
        history = [Turn(turn.role, turn.content) for turn in row.history]
        reply = assistant.ask(row.question, history=history, as_of=row.as_of)
        judged.append(judge(question, reply.answer, total_ms=reply.timings.total))
        on_question()
    return judged


def _answer_row(one: Judged) -> dict[str, Any]:
    return {
        "id": one.question.row.id,
        "question": one.question.row.question,
        "type": one.question.row.type,
        "unanswerable": one.question.row.unanswerable,
        "split": one.question.split,
        "status": one.answer.status,
        "abstain_reason": one.answer.abstain_reason,
        "answer": one.answer.text,
        "citations": [_citation(citation) for citation in one.answer.citations],
        "keys": one.keys,
        "precision": one.precision,
        "recall": one.recall,
        "total_ms": one.total_ms,
    }


def _citation(citation: Citation) -> dict[str, Any]:
    return {
        "article_id": citation.article_id,
        "title": citation.title,
        "start": citation.start,
        "end": citation.end,
        "quote": citation.quote,
        "score": citation.score,
    }


def _set_digest(folder: Path) -> str:
    """Give the SHA-256 (hex) over the files of a set, the same wherever the folder lies."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in _SET_FILES for path in folder.glob(pattern) if path.is_file()):
        file_digest = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{file_digest}\n".encode())
    return digest.hexdigest()


def byline_version() -> str | None:
    """Give the version of the installed package; None where it is run from a source tree."""
    try:
        return version("byline")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return None


def git_revision() -> str | None:
    """Give the commit of the source tree; None where this is an installed package or there is no commit."""
    git = shutil.which("git")
    if git is None or not (_ROOT / ".git").exists():
        return None
    command = [git, "-C", str(_ROOT), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # no outside words
    return found.stdout.strip() or None
