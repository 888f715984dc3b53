"""Whether the evidence answers at all: the model's file, its features, and what it decides."""

import json
from dataclasses import replace
from math import exp

import pytest

from service.answering.abstention import (
    FEATURES,
    HEARD,
    AbstentionModel,
    AbstentionModelRefused,
    decide,
    features,
    load_abstention_model,
)
from service.answering.evidence import Question, gather
from service.answering.extractive import ExtractiveAnswerer
from service.errors import WrongUse


def model(*, threshold=0.5, least_relevant=0.0, intercept=0.0, **weights):
    return AbstentionModel(
        weights=dict.fromkeys(FEATURES, 0.0) | weights,
        intercept=intercept,
        threshold=threshold,
        relevant=least_relevant,
    )


NONE = dict.fromkeys(FEATURES, 0.0)


def test_the_confidence_by_hand():
    fitted = model(relevant=2.0, meaning=-3.0, intercept=0.5)
    found = NONE | {"relevant": 0.75, "meaning": 0.5, "score": 1.0}
    assert fitted.confidence(found) == pytest.approx(1 / (1 + exp(-(0.5 + 2 * 0.75 - 3 * 0.5))))
    assert model().confidence(found) == 0.5


@pytest.mark.parametrize(("intercept", "confidence"), [(1e9, 1), (-1e9, 0)])
def test_a_confidence_is_a_share_however_large_the_weights(intercept, confidence):
    assert model(intercept=intercept).confidence(NONE) == pytest.approx(confidence)


def test_the_shipped_model_is_one_over_the_features_of_this_version():
    shipped = load_abstention_model()
    assert set(shipped.weights) == set(FEATURES)
    assert 0 < shipped.threshold < 1


@pytest.fixture
def written(tmp_path):
    """A function that writes a model with some fields changed, or any text, and gives the file."""

    def written(change):
        file = tmp_path / "model.json"
        values = json.loads(model(meaning=1.0).model_dump_json())
        file.write_text(change if isinstance(change, str) else json.dumps(values | change))
        return file

    return written


def test_a_model_is_read_from_its_file(written):
    assert load_abstention_model(written({})) == model(meaning=1.0)
    assert load_abstention_model(written({"fitted": {"sets": ["mine"]}})).fitted == {"sets": ["mine"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("{", "is not JSON: "),
        ("[]", "is refused: "),
        ({"format": "byline-abstention/2"}, "is refused: format: "),
        ({"threshold": 1.5}, "is refused: threshold: "),
        ({"relevant": "no"}, "is refused: relevant: "),
        ({"bias": 1}, "is refused: bias: "),
        ({"weights": {"score": "much"}}, "is refused: weights.score: "),
        (
            {"weights": dict.fromkeys([name for name in FEATURES if name != "meaning"], 0.0) | {"length": 1.0}},
            "has other features than this version (length, meaning); make it anew with 'byline eval calibrate'",
        ),
    ],
)
def test_what_is_no_model_is_wrong_use_and_named(written, change, message):
    file = written(change)
    with pytest.raises(AbstentionModelRefused) as refused:
        load_abstention_model(file)
    assert str(refused.value).startswith(f"the abstention model {file} {message}")
    assert isinstance(refused.value, WrongUse)


@pytest.mark.parametrize(("fitted", "now"), [("on", "off"), ("off", "on")])
def test_a_model_is_for_evidence_that_is_read_or_is_not(written, fitted, now):
    file = written({"fitted": {"reader": fitted == "on"}})
    assert load_abstention_model(file, read=fitted == "on").fitted == {"reader": fitted == "on"}
    with pytest.raises(AbstentionModelRefused, match=rf"fitted with answer_reader {fitted}, and it is {now}; leave"):
        load_abstention_model(file, read=now == "on")


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(AbstentionModelRefused, match=r"gone\.json cannot be read: No such file"):
        load_abstention_model(tmp_path / "gone.json")


@pytest.fixture
def looked_at(parts):
    """A function that gives a question and its evidence, from the articles that all tests share."""

    def looked_at(text):
        searcher = parts.live.searcher()
        asked = Question.read(text, searcher.generation)
        return asked, gather(asked, searcher.search(text), searcher.generation)

    return looked_at


@pytest.mark.model
def test_the_features_are_those_of_the_best_evidence_and_of_what_is_beside_it(looked_at):
    _, ranked = looked_at("How much did the Alder Bridge in Norwick cost?")
    found = features(ranked)
    assert list(found) == list(FEATURES)
    assert "40 million euros" in ranked[0].quote
    assert found["score"] == ranked[0].score == max(evidence.score for evidence in ranked)
    assert found["relevant"] == max(evidence.cosine for evidence in ranked[:5])
    assert found["meaning"] == max(evidence.hit.scores.dense for evidence in ranked)
    assert features(ranked[:1])["relevant"] == ranked[0].cosine


@pytest.mark.model
def test_the_reason_for_an_abstention(looked_at):
    asked, ranked = looked_at("How much did the Alder Bridge in Norwick cost?")
    certain = model(intercept=2.0)
    assert decide(asked, ranked, certain).reason is None
    assert decide(asked, ranked, certain).confidence == pytest.approx(1 / (1 + exp(-2)))
    assert decide(asked, ranked, model(threshold=0.5)).reason is None  # its confidence is 0.5: the least that answers
    unsure = decide(asked, ranked, model(intercept=-2.0))
    assert (unsure.reason, unsure.confidence) == ("not_stated", pytest.approx(1 / (1 + exp(2))))
    foreign = decide(asked, ranked, model(intercept=2.0, least_relevant=1.0))
    assert (foreign.reason, foreign.confidence) == ("no_relevant_passage", pytest.approx(1 / (1 + exp(-2))))
    assert decide(asked, [], certain).reason == "no_relevant_passage"
    assert decide(asked, [], certain).confidence == 0


@pytest.mark.model
def test_without_a_word_to_look_for_nothing_is_answered(looked_at):
    asked, _ = looked_at("the of and?")
    _, ranked = looked_at("How much did the Alder Bridge in Norwick cost?")
    assert decide(asked, ranked, model(intercept=9.0)).reason == "no_relevant_passage"


@pytest.mark.model
def test_what_is_said_nowhere_near_is_not_answered_however_sure_the_model(looked_at):
    asked, ranked = looked_at("Why was the Alder Bridge demolished?")
    nowhere = [replace(evidence, context=0.0) for evidence in ranked]
    assert decide(asked, ranked, model(intercept=9.0)).reason is None
    assert decide(asked, nowhere, model(intercept=9.0)).reason == "not_stated"
    one = replace(ranked[4], context=HEARD)
    assert decide(asked, [*nowhere[:4], one], model(intercept=9.0)).reason is None


@pytest.mark.model
@pytest.mark.parametrize("question", ["How much did the Alder Bridge cost?", "Who baked the bread of Tamsel?"])
def test_a_threshold_of_1_declines_all_and_one_of_0_answers_what_is_relevant(parts, question):
    searcher = parts.live.searcher()
    result = searcher.search(question)

    def answer(**fitted):
        return ExtractiveAnswerer(model(**fitted)).answer(question, result, searcher.generation)

    declined, answered = answer(threshold=1.0), answer(threshold=0.0, least_relevant=-1.0)
    assert (declined.status, declined.abstain_reason, declined.citations) == ("abstained", "not_stated", ())
    assert [citation.number for citation in declined.nearest] == [1, 2, 3]
    assert answered.status == "answered"
    assert declined.confidence == answered.confidence == 0.5
    assert answer(threshold=0.0, least_relevant=1.0).abstain_reason == "no_relevant_passage"
