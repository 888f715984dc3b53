"""Whether the best evidence answers the question at all: a logistic model over what is known of the evidence.

Its weights are a readable file, `abstention.json`, made by `byline eval calibrate` from questions whose answers are
known; docs/measurements.md has its errors.
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
from service.errors import WrongUse, first_fault

SHIPPED_FILE = Path(__file__).with_name("abstention.json")

LOOKED_AT = 5
"""Pieces of evidence whose best cosine says whether the articles are about the question at all."""


class AbstentionModelRefused(WrongUse):
    """The file of the abstention model is missing or is not one; the message says what to do."""


class AbstentionModel(BaseModel):
    """A fitted model, as it stands in its file.

    Attributes:
        weights: By the name of a feature; those that `features` gives, each once.
        intercept: Added to the weighted sum; the logistic function of both is the confidence.
        threshold: Least confidence that answers, in [0, 1].
        relevant: Below this cosine of the best few pieces of evidence nothing is even about the question.
        fitted: How the file was made and how well it did, for people.
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


def load_abstention_model(file: Path | None = None) -> AbstentionModel:
    """Load a model from its file, or the shipped one.

    Raises:
        AbstentionModelRefused: The file cannot be read, or is not a model over the features of this version.
    """
    file = file or SHIPPED_FILE
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
    return model


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to answer: `reason` says why not, None where it is answered; `confidence` is in [0, 1]."""

    reason: AbstainReason | None
    confidence: float


FEATURES: Mapping[str, str] = {
    "cosine": "cosine of the best evidence to the question",
    "coverage": "weighted share of the question's words that the best evidence holds",
    "context": "the same with its title, heading and the sentence before",
    "expected": "1 where the best evidence holds the kind of thing that is asked for",
    "missing": "weighted share of the question's words that none of the first five pieces holds",
    "margin": "by how much the best evidence outscores the next that does not overlap it",
}


def features(question: Question, ranked: Sequence[Evidence]) -> dict[str, float]:
    """Give what the model knows of some evidence.

    Args:
        question: The question.
        ranked: All evidence, best first, at least one piece.
    """
    best = ranked[0]
    held = frozenset[str]().union(*(evidence.covered for evidence in ranked[:LOOKED_AT]))
    apart = (e for e in ranked if e.article.id != best.article.id or not e.span.overlaps(best.span))
    next_best = next(apart, None)
    return {
        "cosine": best.cosine,
        "coverage": best.coverage,
        "context": best.context,
        "expected": float(best.expected),
        "missing": 1 - question.coverage(held),
        "margin": best.score - (next_best.score if next_best else 0.0),
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
    confidence = model.confidence(features(question, ranked))
    if max(evidence.cosine for evidence in ranked[:LOOKED_AT]) < model.relevant:
        return Decision("no_relevant_passage", confidence)
    return Decision("not_stated" if confidence < model.threshold else None, confidence)
