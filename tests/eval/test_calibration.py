"""Fitting the model that decides when not to answer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from eval.calibration import Case, calibrate, errors_of, fit, write_model
from eval.sets.lines import DatasetError
from service.answering.abstention import FEATURES, AbstentionModel, load_abstention_model
from service.settings import Settings

NEUTRAL = {"score": 0.0, "relevant": 0.5, "meaning": 0.5}


def case(answerable, *, name="one", split="tune", **found):
    kind = "answerable" if answerable else "off_topic"
    return Case(name, split, kind, answerable, NEUTRAL | found)


def separable(count=40):
    """Cases that two features tell apart, one of them the wrong way round, and the third not at all."""
    chance = np.random.default_rng(7)
    return [
        case(
            answerable,
            relevant=chance.uniform(0.6, 0.9) if answerable else chance.uniform(0.1, 0.4),
            meaning=chance.uniform(0, 0.4) if answerable else chance.uniform(0.6, 1),
        )
        for answerable in (True, False) * (count // 2)
    ]


def test_the_direction_of_every_feature_is_recovered():
    model = fit(separable(), most_declined=0.1, relevant=0.3)
    assert list(model.weights) == list(FEATURES)
    assert model.weights["relevant"] > 1
    assert model.weights["meaning"] < -1
    # What does not vary has no weight.
    assert model.weights["score"] == 0
    assert model.relevant == 0.3
    assert all((model.confidence(one.found) > 0.5) == one.answerable for one in separable())


def test_weights_for_features_as_they_are_predict_what_standardised_ones_do():
    cases = separable()
    found = np.array([[one.found[name] for name in FEATURES] for one in cases])
    answerable = [one.answerable for one in cases]
    reference = make_pipeline(StandardScaler(), LogisticRegression(C=1.0)).fit(found, answerable)
    model = fit(cases, most_declined=0.1, relevant=0.3)
    assert [model.confidence(one.found) for one in cases] == pytest.approx(
        list(reference.predict_proba(found)[:, 1]), abs=1e-3
    )


def test_the_held_out_half_has_no_say():
    """Even where it says the opposite."""
    contrary = [case(not one.answerable, split="held_out", **one.found) for one in separable()]
    assert fit([*separable(), *contrary], most_declined=0.1, relevant=0.3) == fit(
        separable(), most_declined=0.1, relevant=0.3
    )


def test_a_large_set_does_not_outvote_a_small_one():
    """Two sets that say the opposite, one ten times as large, cancel."""
    small = [case(answerable, name="small", score=float(answerable)) for answerable in (True, False) * 10]
    large = [case(answerable, name="large", score=float(not answerable)) for answerable in (True, False) * 100]
    assert fit([*small, *large], most_declined=0.1, relevant=0.3).weights["score"] == pytest.approx(0, abs=0.01)
    assert fit(large, most_declined=0.1, relevant=0.3).weights["score"] < -2


@pytest.mark.parametrize("answerable", [True, False])
def test_both_kinds_of_question_are_needed_in_the_tuning_half(answerable):
    cases = [case(answerable), case(not answerable, split="held_out")]
    with pytest.raises(DatasetError, match="need both answerable and unanswerable questions"):
        fit(cases, most_declined=0.1, relevant=0.3)


def declined(model, cases, name):
    """The share of a set's answerable questions of the tuning half that a model declines."""
    confidences = [model.confidence(one.found) for one in cases if one.answerable and one.set == name]
    return sum(confidence < model.threshold for confidence in confidences) / len(confidences)


CASES = st.lists(
    st.builds(
        case,
        st.booleans(),
        name=st.sampled_from(["one", "two"]),
        relevant=st.floats(-1, 1),
        meaning=st.sampled_from([0.0, 0.5, 1.0]),
        score=st.sampled_from([0.0, 1.0]),
    ),
    min_size=4,
    max_size=40,
)
BOTH = [case(answerable, name=name, relevant=0.5) for answerable in (True, False) for name in ("one", "two")]


@given(cases=CASES, most_declined=st.sampled_from([0, 0.05, 0.1, 0.25, 1 / 3, 0.5, 1]))
@settings(max_examples=60)
def test_no_more_of_the_answerable_are_declined_than_allowed(cases, most_declined):
    """The mean of the shares of the sets: each weighs the same."""
    cases = [*BOTH, *cases]
    model = fit(cases, most_declined=most_declined, relevant=0.3)
    assert (declined(model, cases, "one") + declined(model, cases, "two")) / 2 <= most_declined + 1e-9


def ladder(count, name="one", *, low=0.6, high=0.9):
    """Answerable cases at even steps of cosine."""
    return [case(True, name=name, relevant=float(cosine)) for cosine in np.linspace(low, high, count)]


@pytest.mark.parametrize(("most_declined", "expected"), [(0, 0), (0.1, 2), (0.14, 2), (0.15, 3), (0.5, 10), (1, 20)])
def test_as_many_are_declined_as_allowed(most_declined, expected):
    unanswerable = [case(False, relevant=cosine) for cosine in (0.1, 0.2, 0.3, 0.65)]
    cases = [*ladder(20), *unanswerable]
    assert declined(fit(cases, most_declined=most_declined, relevant=0.3), cases, "one") == expected / 20


def test_a_set_of_few_answerable_questions_has_as_much_of_a_say_in_the_threshold():
    """By hand: all of "few" lie below all of "many", so 2 of its 10 make a mean share of (0.2 + 0) / 2."""
    few = [*ladder(10, "few", low=0.5, high=0.6), *(case(False, name="few", relevant=0.1) for _ in range(90))]
    many = [*ladder(100, "many", low=0.7, high=0.9), case(False, name="many", relevant=0.1)]
    model = fit([*few, *many], most_declined=0.1, relevant=0.3)
    assert (declined(model, few, "few"), declined(model, many, "many")) == (0.2, 0)


def test_equal_confidences_are_declined_together_or_not_at_all():
    cases = [*(case(True, relevant=0.8) for _ in range(10)), *(case(False, relevant=0.2) for _ in range(10))]
    assert declined(fit(cases, most_declined=0.5, relevant=0.3), cases, "one") == 0


def test_errors_by_hand():
    """The confidence is the logistic function of ten times the cosine less 5: above 0.5 from a cosine of 0.5 on."""
    model = AbstentionModel(
        weights={name: 10.0 if name == "relevant" else 0.0 for name in FEATURES},
        intercept=-5,
        threshold=0.5,
        relevant=0,
    )
    cases = [
        *(case(True, relevant=cosine) for cosine in (0.9, 0.8, 0.4)),
        *(case(False, relevant=cosine) for cosine in (0.6, 0.1)),
        case(True, split="held_out", relevant=0.2),
        case(False, name="two", split="held_out", relevant=0.3),
    ]
    found = [one.to_json() for one in errors_of(model, cases)]
    assert found == [
        {
            "set": "one",
            "half": "tune",
            "answerable": 3,
            "answerable_declined": 1,
            "unanswerable": 2,
            "unanswerable_declined": 1,
            "abstention_precision": 1 / 2,
            "abstention_recall": 1 / 2,
            # Of the 3 * 2 pairs, 0.9 and 0.8 beat both and 0.4 beats one.
            "auroc": round(5 / 6, 4),
        },
        {
            "set": "one",
            "half": "held_out",
            "answerable": 1,
            "answerable_declined": 1,
            "unanswerable": 0,
            "unanswerable_declined": 0,
            "abstention_precision": 0,
            "abstention_recall": None,
            "auroc": None,
        },
        {
            "set": "two",
            "half": "held_out",
            "answerable": 0,
            "answerable_declined": 0,
            "unanswerable": 1,
            "unanswerable_declined": 1,
            "abstention_precision": 1,
            "abstention_recall": 1,
            "auroc": None,
        },
    ]


def test_a_fitted_model_is_read_as_it_was_written(tmp_path):
    model = fit(separable(), most_declined=0.1, relevant=0.3).model_copy(update={"fitted": {"sets": ["one"]}})
    write_model(model, tmp_path / "model.json")
    assert load_abstention_model(tmp_path / "model.json") == model


@pytest.mark.model
@pytest.mark.usefixtures("model_loaded")
def test_questions_are_looked_at_as_the_service_does(question_set, eval_data):
    found = calibrate([str(question_set)], Settings(data=eval_data, answer_passages=3), most_declined=0)
    record = found.model.fitted
    assert (record["sets"], record["most_declined"], record["passages"]) == ([question_set.name], 0, 3)
    assert {(one.set, one.split) for one in found.errors} == {
        (question_set.name, "tune"),
        (question_set.name, "held_out"),
    }
    tune = next(one for one in found.errors if one.split == "tune")
    assert record["questions"] == tune.answerable + tune.unanswerable
    assert (tune.declined, tune.auroc) == (0, 1)
    assert found.model.relevant == load_abstention_model().relevant


@pytest.mark.model
@pytest.mark.usefixtures("model_loaded")
def test_a_beir_folder_cannot_be_fitted_on(beir, eval_data):
    with pytest.raises(DatasetError, match="is a BEIR folder and has no unanswerable questions; name a question set"):
        calibrate([str(beir)], Settings(data=eval_data))
