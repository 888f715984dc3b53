"""Answers without an LLM: the sentences that answer, verbatim, each cited, and nothing beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

import numpy as np

from index.generation import Generation
from index.reader import Reader
from index.searcher import SearchResult
from service.answering.abstention import AbstentionModel, decide
from service.answering.account import Account, Weighed
from service.answering.answer import Answer
from service.answering.composition import abstain, compose, compose_disputed
from service.answering.conflicts import Dispute, find_dispute
from service.answering.copies import one_of_each_copy
from service.answering.evidence import Evidence, Question, gather
from service.answering.parts import Part
from service.answering.referents import with_referents
from service.answering.reply import Told

NEAREST = 3
"""Passages shown with an abstention."""


@dataclass(frozen=True, slots=True)
class Sayable:
    """How much evidence is said (docs/answers.md).

    Attributes:
        enough: Evidence is said until the right one is among it with this probability.
        worth: And as long as a piece is at least this share as likely as the best one.
        lists: Beside the best piece, where several things are not asked for, only such lists as a reader gave at least
            this logit: they are long to read for nothing. None for all.
    """

    enough: float
    worth: float
    lists: float | None = None


UNREAD = Sayable(enough=0.7, worth=0.15)
READ = Sayable(enough=0.85, worth=0.07, lists=-0.5)
"""Where a reader has read: of what it puts first more is right, so that somewhat more may be said."""

SAME = 0.9
"""From this cosine on, two sentences say the same."""

Verdict = Literal["chosen", "repeats", "no_room", "enough", "unlikely", "list"]
"""Why a piece of evidence is said or not: `list`, as the list that was asked for is the whole answer."""


@dataclass(frozen=True, slots=True)
class FoundPart:
    """One of the things that a question asks, with what was found for it."""

    part: Part
    result: SearchResult


class ExtractiveAnswerer:
    """Picks sentences out of the passages found. Deterministic; safe to use from several threads."""

    def __init__(self, abstention: AbstentionModel, *, max_sentences: int = 5, reader: Reader | None = None) -> None:
        self._abstention = abstention
        self._max_sentences = max_sentences
        self._reader = reader

    def answer(
        self,
        question: str,
        result: SearchResult,
        generation: Generation,
        *,
        parts: Sequence[FoundPart] = (),
        max_citations: int = 5,
    ) -> Answer:
        """Answer from the hits of a search, or abstain.

        Args:
            question: The question, standing alone.
            result: What was found for it.
            generation: The generation that was searched.
            parts: What the question asks, where it asks several things: each is answered, or said to be missing.
            max_citations: Most citations, above 0; each sentence or list takes one.
        """
        return self.tell(question, result, generation, parts=parts, max_citations=max_citations).answer

    def tell(
        self,
        question: str,
        result: SearchResult,
        generation: Generation,
        *,
        parts: Sequence[FoundPart] = (),
        max_citations: int = 5,
    ) -> Told:
        """Answer as `answer` does, and say how the answer came about."""
        most = min(self._max_sentences, max_citations)
        whole = self.judge(question, result, generation)
        account = self.account([whole], generation, most)
        if len(parts) < 2 or most < len(parts):
            return Told(self._one(whole, generation, most, asks_one=len(parts) < 2), degraded=False, account=account)
        judged = [self.judge(one.part.search, one.result, generation) for one in parts]
        account = self.account([whole, *judged], generation, most)
        answered = [one for one in judged if one.decision.reason is None]
        if not answered:
            return Told(self._one(whole, generation, most, asks_one=False), degraded=False, account=account)
        said = [_say(one, most) for one in answered]
        chosen = _in_turns(said, most)
        missing = [one.part.words for one, said in zip(parts, judged, strict=True) if said.decision.reason is not None]
        sureness = min(one.decision.confidence for one in answered)
        return Told(compose(chosen, sureness=sureness, missing=missing), degraded=False, account=account)

    def judge(self, question: str, result: SearchResult, generation: Generation) -> Weighed:
        """Rank the evidence for a question, and decide whether it answers it."""
        asked = Question.read(question, generation)
        ranked = one_of_each_copy(self.evidence(asked, result, generation), result, generation)
        return Weighed(asked, result, ranked, decide(asked, ranked, self._abstention))

    def evidence(self, question: Question, result: SearchResult, generation: Generation) -> list[Evidence]:
        """Rank what could answer a question, copies of other articles among it."""
        return gather(question, result, generation, self._reader)

    def account(self, weighed: Sequence[Weighed], generation: Generation, most: int) -> Account:
        """Give the account of an answer that rests on what was weighed."""
        return Account(tuple(weighed), generation, self._abstention, most)

    def _one(self, judged: Weighed, generation: Generation, most: int, *, asks_one: bool) -> Answer:
        decision = judged.decision
        if decision.reason is not None:
            return abstain(decision.reason, nearest_of(judged), sureness=decision.confidence)
        chosen = _say(judged, most)
        dispute = dispute_in(judged, generation, most) if asks_one else None
        if dispute is None:
            return compose(chosen, sureness=decision.confidence)
        rest = [one for one in chosen if not any(_repeats(one, claimed) for claimed in dispute.evidence)]
        rest = rest[: most - len(dispute.claims)]
        return compose_disputed(dispute, judged.question, rest, sureness=decision.confidence)


def dispute_in(judged: Weighed, generation: Generation, most: int) -> Dispute | None:
    """Find what the articles give differently for a question; None too where an answer has no room for it."""
    dispute = find_dispute(judged.question, judged.ranked, generation)
    return dispute if dispute is not None and len(dispute.claims) <= most else None


def nearest_of(judged: Weighed) -> list[Evidence]:
    """Give what is shown with an abstention: what contradicts the question first."""
    against = [judged.decision.against] if judged.decision.against is not None else []
    return nearest([*against, *judged.ranked])


def _say(judged: Weighed, most: int) -> list[Evidence]:
    return with_referents(choose(judged.question, judged.ranked, most=most), judged.ranked, most=most)


def _in_turns(chosen: Sequence[Sequence[Evidence]], most: int) -> list[Evidence]:
    """Take the best of each part, then the second of each, until there are enough; nothing twice."""
    taken: list[Evidence] = []
    for turn in zip_longest(*chosen):
        for evidence in turn:
            if evidence is not None and len(taken) < most and not any(_repeats(evidence, other) for other in taken):
                taken.append(evidence)
    return taken


def choose(question: Question, ranked: Sequence[Evidence], *, most: int) -> list[Evidence]:
    """Pick the evidence to say: as much as it takes that the right one is probably among it.

    Args:
        question: The question.
        ranked: Evidence, best first, at least one.
        most: Most pieces, above 0.

    Returns:
        At least one piece, best first; none repeats or holds another.
    """
    reached = verdicts(question, ranked, most=most)
    return [evidence for evidence, verdict in zip(ranked, reached, strict=True) if verdict == "chosen"]


def verdicts(question: Question, ranked: Sequence[Evidence], *, most: int) -> list[Verdict]:
    """Say of each piece of evidence whether it is to be said, and why not; arguments as of `choose`."""
    if question.several and ranked[0].is_list:
        rest: list[Verdict] = ["list"] * (len(ranked) - 1)  # a list that was asked for is the whole answer
        return ["chosen", *rest]
    odds = likelihoods(ranked)
    sayable = READ if any(evidence.read is not None for evidence in ranked) else UNREAD
    chosen: list[Evidence] = []
    found: list[Verdict] = []
    reached = 0.0
    for evidence, likely in zip(ranked, odds, strict=True):
        if len(chosen) == most or reached >= sayable.enough or likely < sayable.worth * odds[0]:
            break
        reached += likely
        if chosen and evidence.is_list and not question.several and not _read_well(evidence, sayable):
            found.append("unlikely")
        elif any(_repeats(evidence, other) for other in chosen):
            found.append("repeats")
        else:
            chosen.append(evidence)
            found.append("chosen")
    left: Verdict = "no_room" if len(chosen) == most else "enough" if reached >= sayable.enough else "unlikely"
    return found + [left] * (len(ranked) - len(found))


def _read_well(evidence: Evidence, sayable: Sayable) -> bool:
    return sayable.lists is None or (evidence.read is not None and evidence.read >= sayable.lists)


def likelihoods(ranked: Sequence[Evidence]) -> list[float]:
    """Give for each piece of evidence the probability that it is the right one, if one of them is: they sum to 1."""
    scores = np.array([evidence.score for evidence in ranked], dtype=np.float64)
    powers = np.exp(scores - scores.max())
    likely: list[float] = (powers / powers.sum()).tolist()
    return likely


def _repeats(one: Evidence, other: Evidence) -> bool:
    if one.hit.article_row == other.hit.article_row and one.span.overlaps(other.span):
        return True
    return float(one.vector @ other.vector) >= SAME


def nearest(ranked: Sequence[Evidence]) -> list[Evidence]:
    """Give the first pieces of evidence, none of which repeats another: what is shown with an abstention."""
    shown: list[Evidence] = []
    for evidence in ranked:
        if len(shown) == NEAREST:
            break
        if not any(_repeats(evidence, other) for other in shown):
            shown.append(evidence)
    return shown
