"""An LLM as a second judge of answers, beside the answer keys, and how far the two agree.

It judges answers to questions that have one. Whether it was right to answer at all follows from the labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from eval.metrics import figures
from eval.prompting import GivesUp, ask_about
from eval.records import Result, Run
from service.llm import ChatModel, LlmError, parse_reply

Grade = Literal["correct", "partial", "wrong"]

_MAX_REPLY_TOKENS = 1000
_MAX_REASON_CHARS = 500


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge makes of an answer, and its reason in one line, which may be empty."""

    grade: Grade
    reason: str


@dataclass(frozen=True, slots=True)
class Unjudged:
    """An answer that was put to the judge without getting a verdict: no mark against the answer."""

    reason: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far judge and labels agree on `n` answers with a verdict; `unjudged` ones are not among them.

    `raw` is the share on which they agree, None over none. `kappa` is Cohen's kappa, at most 1; 0 is what chance gives.
    None over none, and where judge and labels gave all answers the same mark: chance alone explains that fully.
    """

    n: int
    unjudged: int
    raw: float | None
    kappa: float | None


class _VerdictReply(BaseModel):
    # The reason first: a verdict that has to come first is a guess, and the reason then defends it.
    model_config = ConfigDict(extra="forbid")

    reason: str
    verdict: Grade


def judge_answer(
    model: ChatModel, question: str, *, expected: str | None, keys: Sequence[Sequence[str]], answer: str
) -> Verdict:
    """Have one answer judged.

    Args:
        model: The judge.
        question: What was asked.
        expected: A good answer; without one the keys are the measure alone.
        keys: What an answer must say: keys, each a list of alternatives.
        answer: The text of the answer, with its citation marks or without.

    Raises:
        ValueError: There are no keys: the question has no answer, and nothing to judge one by.
        LlmError: There is no verdict; the message says why.
    """
    if not keys:
        raise ValueError(f"the question {question!r} has no answer keys; judge whether it was right to answer instead")
    blocks = {
        "QUESTION": question,
        "EXPECTED": expected or "(none: go by the keys)",
        "KEYS": "\n".join(" | ".join(alternatives) for alternatives in keys),
        "ANSWER": answer,
    }
    said = ask_about(model, "judge", blocks, form=_VerdictReply, max_tokens=_MAX_REPLY_TOKENS)
    reply = parse_reply(said.text, _VerdictReply)
    return Verdict(reply.verdict, " ".join(reply.reason.split())[:_MAX_REASON_CHARS])


def judge_all(
    model: ChatModel, judged: Sequence[Result], *, on_answer: Callable[[], None] = lambda: None
) -> list[Verdict | Unjudged | None]:
    """Have the answers of a run judged, one after the other.

    Returns:
        For each of `judged`, in their order, what came of it; None where there is nothing for the judge: the question
        has no answer, or none was given.
    """
    patient = GivesUp(model)
    verdicts: list[Verdict | Unjudged | None] = []
    for one in judged:
        verdicts.append(_judge(patient, one))
        on_answer()
    return verdicts


def _judge(model: ChatModel, one: Result) -> Verdict | Unjudged | None:
    given = one.answer
    if not one.answer_keys or given is None or given.status == "abstained":
        return None
    try:
        return judge_answer(model, one.question, expected=one.expected, keys=one.answer_keys, answer=given.text)
    except LlmError as error:
        return Unjudged(str(error))


def judge_run(model: ChatModel, run: Run, *, on_answer: Callable[[], None] = lambda: None) -> tuple[Run, Agreement]:
    """Have the answers of a run judged.

    Returns:
        The run with the verdicts, the metric `judge` where there is one (1 for correct, else 0) and its figures; and
        how far the judge agrees with the answer keys.
    """
    verdicts = judge_all(model, run.results, on_answer=on_answer)
    labels = [result.metrics.get("all_keys") == 1 for result in run.results]
    results = tuple(_with(result, verdict) for result, verdict in zip(run.results, verdicts, strict=True))
    judged = run.model_copy(update={"results": results, "figures": figures(results)})
    return judged, agreement(verdicts, labels)


def _with(result: Result, verdict: Verdict | Unjudged | None) -> Result:
    if verdict is None or result.answer is None:
        return result
    grade = verdict.grade if isinstance(verdict, Verdict) else "not judged"
    answer = result.answer.model_copy(update={"judged": grade, "judged_because": verdict.reason})
    metrics = result.metrics | ({"judge": float(grade == "correct")} if isinstance(verdict, Verdict) else {})
    return result.model_copy(update={"answer": answer, "metrics": metrics})


def agreement(verdicts: Sequence[Verdict | Unjudged | None], labels: Sequence[bool]) -> Agreement:
    """Compare "correct" with the label "all keys found"; `partial` is not correct, as half an answer has no such label.

    Args:
        verdicts: As `judge_all` gives them.
        labels: For each, whether every answer key was found; not read where there is no verdict.

    Raises:
        ValueError: The two are not of the same length.

    Source: Cohen, Educational and Psychological Measurement 20, 1960, doi:10.1177/001316446002000104.
    """
    pairs = [
        (verdict.grade == "correct", bool(label))
        for verdict, label in zip(verdicts, labels, strict=True)
        if isinstance(verdict, Verdict)
    ]
    unjudged = sum(isinstance(verdict, Unjudged) for verdict in verdicts)
    n, same = len(pairs), sum(judge == label for judge, label in pairs)
    judge_yes, label_yes = sum(judge for judge, _ in pairs), sum(label for _, label in pairs)
    # Times n², so that all is whole numbers and "agree by chance alone" is exact.
    by_chance = judge_yes * label_yes + (n - judge_yes) * (n - label_yes)
    undefined = by_chance == n * n
    return Agreement(
        n=n,
        unjudged=unjudged,
        raw=same / n if n else None,
        kappa=None if undefined else (n * same - by_chance) / (n * n - by_chance),
    )
