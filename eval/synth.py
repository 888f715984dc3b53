"""Drafts of questions: an LLM reads articles and proposes, a person decides.

A draft is kept only if it holds against its article: the quote stands there once, word for word, and every answer key
stands in the quote. Whether the question is a good one, nobody but a reader can say: a draft counts in no figure until
its mark is taken out.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TextIO

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from eval.prompting import GivesUp, ask_about
from eval.sets.lines import DatasetError
from eval.sets.questions import GoldQuote, QuestionRow, label, named_articles
from ingest.article import Article, RefusedInput
from ingest.folders import find_files
from ingest.readers import Refusal
from service.assembly import open_llm
from service.console import note, one_line, say
from service.errors import ServiceError, WrongUse, first_fault
from service.llm import ChatModel, LlmError, parse_reply
from service.settings import Settings

MAX_SHOWN_CHARS = 12_000
"""What of an article is shown to the LLM: about 3000 tokens, so that small contexts hold it with the reply."""

_MAX_QUOTE_CHARS = 600
_TOKENS_A_DRAFT = 400


class SynthRefused(WrongUse):
    """Drafts cannot be made as asked: there is no LLM, nothing to read, or nowhere to write."""


class DraftsNotWritten(ServiceError):
    """The file of drafts cannot be written to any more."""


@dataclass(frozen=True, slots=True)
class ArticleDrafts:
    """What came of one article: drafts, and why others were refused; `fault` says why there is nothing at all.

    `left_out_chars` is how much of the end of the article the LLM did not see.
    """

    article: str
    kept: tuple[QuestionRow, ...] = ()
    refused: tuple[str, ...] = ()
    fault: str | None = None
    left_out_chars: int = 0


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("is blank")
    return text.strip()


# A validator, not a constraint: some servers refuse schemas that bound the length of a text.
_Words = Annotated[str, AfterValidator(_not_blank)]


class _Draft(BaseModel):
    model_config = ConfigDict(extra="forbid")

    quote: _Words
    question: _Words
    type: Literal["fact", "indirect", "list", "time", "attribution", "number"]
    answer: _Words
    answer_keys: list[_Words]


class _Drafts(BaseModel):
    """What the LLM is asked for."""

    model_config = ConfigDict(extra="forbid")

    drafts: list[_Draft]


class _Proposals(BaseModel):
    """What is taken from it: each draft is read by itself, so that a bad one does not cost the good ones."""

    drafts: list[dict[str, Any]]


def write_drafts(paths: Sequence[Path], out: Path, *, settings: Settings, per_article: int) -> int:
    """Draft questions about the articles of some files and folders, report on each, and write a file of drafts.

    The file is written article by article: what was drafted before an interruption is kept.

    Returns:
        How many drafts were kept; over none there is no file.

    Raises:
        SynthRefused: No LLM is set, nothing can be read, or `out` exists or cannot be made.
        DraftsNotWritten: Writing failed midway.
    """
    model = open_llm(settings)
    if model is None:
        raise SynthRefused("drafting needs an LLM, and none is set; set llm_base_url and llm_model (docs/settings.md)")
    articles, refusals = read_articles(paths, max_chars=settings.max_article_chars)
    for refusal in refusals:
        note(f"refused  {one_line(refusal.name)}: {refusal.reason}")
    if not articles:
        raise SynthRefused("there is no article to draft questions about; name files or folders that hold some")
    file = _create(out)
    kept = 0
    try:
        with file:
            for drafts in draft_questions(model, articles, per_article=per_article):
                for row in drafts.kept:
                    file.write(row.model_dump_json(exclude_defaults=True) + "\n")
                file.flush()
                kept += len(drafts.kept)
                _report(drafts)
    except OSError as error:
        raise DraftsNotWritten(f"{out} cannot be written: {error.strerror or error}") from error
    finally:
        if kept == 0:
            out.unlink(missing_ok=True)
    if kept:
        say(f"{kept} kept from {len(articles)} articles, in {out}")
        note('Next: read each beside its article, correct it, and take "draft": true out of those that are good.')
    else:
        note("No draft was kept, and no file was written.")
    return kept


def _create(out: Path) -> TextIO:
    try:
        return out.open("x", encoding="utf-8")
    except FileExistsError as error:
        raise SynthRefused(f"{out} exists already; name another file with --out, or move it away") from error
    except OSError as error:
        raise SynthRefused(f"{out} cannot be made ({error.strerror or error}); name another file with --out") from error


def _report(drafts: ArticleDrafts) -> None:
    name = one_line(drafts.article)
    if drafts.fault is not None:
        say(f"{name}: nothing drafted: {one_line(drafts.fault)}")
    else:
        say(f"{name}: {len(drafts.kept)} kept, {len(drafts.refused)} refused")
    for reason in drafts.refused:
        say(f"  refused  {one_line(reason)}")
    if drafts.left_out_chars:
        say(f"  the last {drafts.left_out_chars} characters of the article were not shown to the LLM")


def read_articles(paths: Sequence[Path], *, max_chars: int) -> tuple[dict[str, Article], list[Refusal]]:
    """Read the articles of files and folders, by the names that questions have for them.

    Returns:
        The articles, and a refusal for all that is none or that a question could not name.
    """
    files, refusals = find_files(paths)
    articles: dict[str, Article] = {}
    for file in files:
        try:
            read, refused = named_articles(file, max_chars=max_chars)
        except RefusedInput as error:
            refusals.append(Refusal(str(file), str(error)))
            continue
        refusals += refused
        for name, article in read:
            if len(read) > 1 and article.external_id is None:
                refusals.append(Refusal(name, "an article of a file of several needs an id for questions to name it"))
            elif name in articles:
                refusals.append(Refusal(name, "another article has this name, and questions tell them apart by it"))
            else:
                articles[name] = article
    return articles, refusals


def draft_questions(model: ChatModel, articles: dict[str, Article], *, per_article: int) -> Iterator[ArticleDrafts]:
    """Draft questions about articles, by name, one article after the other.

    A question that was kept for an earlier article is refused for a later one: it cannot tell which is meant.
    """
    patient = GivesUp(model)
    asked: set[str] = set()
    for name, article in articles.items():
        shown = _beginning(article.text)
        try:
            proposals = _propose(patient, article.title, shown, per_article)
        except LlmError as error:
            yield ArticleDrafts(name, fault=str(error))
            continue
        kept, refused = _choose(proposals, name, article, asked=asked, at_most=per_article)
        yield ArticleDrafts(name, kept, refused, left_out_chars=len(article.text) - len(shown))


def _beginning(text: str) -> str:
    """Give as much of an article as is shown, in whole paragraphs where there are any."""
    if len(text) <= MAX_SHOWN_CHARS:
        return text
    end = text.rfind("\n", 0, MAX_SHOWN_CHARS + 1)
    return text[: end if end > 0 else MAX_SHOWN_CHARS]


def _propose(model: ChatModel, title: str, text: str, count: int) -> list[dict[str, Any]]:
    said = ask_about(
        model,
        "synth",
        {"TITLE": title, "ARTICLE": text},
        form=_Drafts,
        max_tokens=_TOKENS_A_DRAFT * (count + 1),
        values={"count": str(count)},
    )
    return parse_reply(said.text, _Proposals).drafts


def _choose(
    proposals: Iterable[dict[str, Any]], name: str, article: Article, *, asked: set[str], at_most: int
) -> tuple[tuple[QuestionRow, ...], tuple[str, ...]]:
    """Keep the proposals that hold, in their order; `asked` has the questions before, and gets the kept ones."""
    kept: list[QuestionRow] = []
    refused: list[str] = []
    for number, proposal in enumerate(proposals, start=1):
        if len(kept) == at_most:
            break
        try:
            row = _row(_Draft.model_validate(proposal), name, article)
        except ValidationError as error:
            refused.append(f"draft {number}: {first_fault(error)}")
            continue
        words = " ".join(re.findall(r"\w+", row.question.casefold()))
        fault = "this question was drafted before" if words in asked else _fault(row, name, article)
        if fault is not None:
            refused.append(f"{row.question[:80]!r}: {fault}")
            continue
        asked.add(words)
        kept.append(row)
    return tuple(kept), tuple(refused)


def _fault(row: QuestionRow, name: str, article: Article) -> str | None:
    """Say why a set would refuse the row, or why its quote is of no use."""
    try:
        label(row, {name: article})
    except DatasetError as error:
        return str(error).removeprefix(f"question {row.id}: ")
    if len(row.gold[0].quote) > _MAX_QUOTE_CHARS:
        return f"the quote is longer than {_MAX_QUOTE_CHARS} characters: it points at nothing"
    return None


def _row(draft: _Draft, name: str, article: Article) -> QuestionRow:
    quote = _exact(draft.quote, article.text)
    content = json.dumps([name, draft.question, quote])
    return QuestionRow(
        id="s" + hashlib.sha256(content.encode()).hexdigest()[:12],
        question=draft.question,
        type=draft.type,
        answer=draft.answer,
        # Each must be there: the LLM gives no alternatives.
        answer_keys=tuple((key,) for key in dict.fromkeys(draft.answer_keys)),
        gold=(GoldQuote(article=name, quote=quote),),
        unanswerable=None,
        draft=True,
    )


def _exact(quote: str, text: str) -> str:
    """Give a quote in the article's own words where only its white space is another; else as it is."""
    if quote in text:
        return quote
    found = re.findall(r"\s+".join(re.escape(word) for word in quote.split()), text)
    return found[0] if len(found) == 1 else quote
