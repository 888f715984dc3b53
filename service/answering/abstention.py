"""Whether the best evidence answers the question at all: a logistic model over what is known of the evidence.

Its weights are a readable file, `abstention.json`, made by `byline eval calibrate` from questions whose answers are
known; docs/answers.md has its errors.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.answering.answer import AbstainReason
from service.answering.evidence import Evidence, Question
from service.answering.premises import contradicting
from service.errors import WrongUse, first_fault

SHIPPED_FILE = Path(__file__).with_name("abstention.json")
UNREAD_FILE = Path(__file__).with_name("abstention_unread.json")
"""For evidence that no reader has read: its scores are others."""

LOOKED_AT = 5
"""Pieces of evidence whose best cosine says whether the articles are about the question at all."""


HEARD = 0.05
"""Share of a question's words, by their rarity, that one of the first `LOOKED_AT` pieces must have around it."""


class AbstentionModelRefused(WrongUse):
    """The file of the abstention model is missing or is not one; the message says what to do."""


class AbstentionModel(BaseModel):
    """A fitted model, as it stands in its file.

    Attributes:
        weights: By the name of a feature; those that `features` gives, each once.
        intercept: Added to the weighted sum; the logistic function of both is the confidence.
        threshold: Least confidence that answers, in [0, 1].
        relevant: Below this cosine of the best few pieces of evidence nothing is even about the question.
        fitted: How the file was made and how well it did, for people; `reader`, if it is there, says whether a reader
            had read the evidence.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["byline-abstention/1"] = "byline-abstention/1"
    weights: Mapping[str, float]
    intercept: float
    threshold: float = Field(ge=0, le=1)
    relevant: float = Field(ge=-1, le=1)
    fitted: Mapping[str, object] = Field(default_factory=dict)

    def confidence(self, found: Mapping[str, float]) -> float:
        """Give the probability, in [0, 1], that the evidence with these features answers its question."""
        logit = self.intercept + sum(weight * found[name] for name, weight in self.weights.items())
        return 1 / (1 + math.exp(-max(min(logit, 60.0), -60.0)))


def load_abstention_model(file: Path | None = None, *, read: bool = True) -> AbstentionModel:
    """Load a model from its file, or the shipped one.

    Args:
        file: The file; None for the shipped one.
        read: Whether a reader reads the evidence; of the two shipped ones it takes that for it.

    Raises:
        AbstentionModelRefused: The file cannot be read, is not a model over the features of this version, or was fitted
            on other evidence: read where it is now unread, or the other way round.
    """
    file = file or (SHIPPED_FILE if read else UNREAD_FILE)
    try:
        model = AbstentionModel.model_validate(json.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise AbstentionModelRefused(f"the abstention model {file} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise AbstentionModelRefused(f"the abstention model {file} is refused: {first_fault(error)}") from error
    except ValueError as error:
        raise AbstentionModelRefused(f"the abstention model {file} is not JSON: {error}") from error
    if set(model.weights) != set(FEATURES):
        odd = sorted(set(model.weights) ^ set(FEATURES))
        raise AbstentionModelRefused(
            f"the abstention model {file} has other features than this version ({', '.join(odd)}); "
            "make it anew with 'byline eval calibrate'"
        )
    if model.fitted.get("reader", read) != read:
        raise AbstentionModelRefused(
            f"the abstention model {file} was fitted with answer_reader {_on(not read)}, and it is {_on(read)}; leave "
            "the setting abstention_model out and make the file anew with 'byline eval calibrate'"
        )
    return model


def _on(value: bool) -> str:
    return "on" if value else "off"


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to answer: `reason` says why not, None where it is answered; `confidence` is in [0, 1].

    `against` is what contradicts the question, where that is the reason.
    """

    reason: AbstainReason | None
    confidence: float
    against: Evidence | None = None


FEATURES: Mapping[str, str] = {
    "score": "score of the best evidence: words, meaning and the kind of thing that is asked for, joined",
    "relevant": "largest cosine of the first five pieces of evidence to the question",
    "meaning": "largest share of meaning that a passage has in common with it (`index.fusion.meaning`)",
}


def features(ranked: Sequence[Evidence]) -> dict[str, float]:
    """Give what the model knows of some evidence.

    Args:
        ranked: All evidence, best first, at least one piece.
    """
    return {
        "score": ranked[0].score,
        "relevant": max(evidence.cosine for evidence in ranked[:LOOKED_AT]),
        "meaning": max(evidence.hit.scores.dense for evidence in ranked),
    }


def decide(question: Question, ranked: Sequence[Evidence], model: AbstentionModel) -> Decision:
    """Decide whether the evidence answers the question.

    Args:
        question: The question.
        ranked: All evidence, best first.
        model: The fitted model.
    """
    if not ranked or not question.weights:
        return Decision("no_relevant_passage", 0.0)
    found = features(ranked)
    confidence = model.confidence(found)
    if found["relevant"] < model.relevant:
        return Decision("no_relevant_passage", confidence)
    if (against := contradicting(question.text, ranked)) is not None:
        return Decision("premise_contradicted", confidence, against)
    # Nothing that sets the question apart is said anywhere near: "Why did she resign?" where nobody resigns.
    unheard = all(evidence.context < HEARD for evidence in ranked[:LOOKED_AT])
    return Decision("not_stated" if unheard or confidence < model.threshold else None, confidence)
