"""Figures over groups of results, by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import result

from eval.metrics import MEASURES, abstention, figures, find_metric, groups_of, risk_coverage
from eval.records import FigureRecord


def four():
    """Two answerable questions, the second declined; two unanswerable ones, the second declined."""
    return [
        result("a", keys=1, answered=1, citation_precision=0.5, latency_ms=10),
        result("b", type_="time", keys=0, answered=0, latency_ms=2),
        result("c", unanswerable="off_topic", declined=0, latency_ms=4),
        result("d", unanswerable="not_stated", declined=1, latency_ms=6),
    ]


def test_figures_by_hand():
    found = figures(four())["extractive"]
    whole = found["all"]
    assert whole["keys"] == FigureRecord(value=(1 + 0) / 2, n=2)
    assert whole["citation_precision"] == FigureRecord(value=0.5, n=1)  # the declined one cites nothing
    assert whole["latency_ms.p50"] == FigureRecord(value=(4 + 6) / 2, n=4)
    # Linear between the 3rd and the 4th of four: 6 + 0.85 * (10 - 6).
    assert whole["latency_ms.p95"].value == pytest.approx(6 + 0.85 * 4)
    assert "declined" not in found["fact"]
    assert list(found) == ["all", "tune", "fact", "time", "off_topic", "not_stated"]
    assert found["time"]["keys"] == FigureRecord(value=0, n=1)


def test_abstention_by_hand():
    found = abstention(four())
    assert found["abstention_precision"] == FigureRecord(value=1 / 2, n=2)  # two declined, one of them rightly
    assert found["abstention_recall"] == FigureRecord(value=1 / 2, n=2)  # two unanswerable, one of them declined
    assert found["abstention_f1"].value == pytest.approx(1 / 2)


def test_abstention_where_its_precision_and_recall_differ():
    asked = [
        *(result(f"u{n}", unanswerable="off_topic", declined=value) for n, value in enumerate([1, 1, 0])),
        *(result(f"a{n}", answered=value) for n, value in enumerate([1, 1, 1, 0, 0])),
    ]
    found = abstention(asked)
    assert found["abstention_precision"] == FigureRecord(value=2 / 4, n=4)
    assert found["abstention_recall"] == FigureRecord(value=2 / 3, n=3)
    assert found["abstention_f1"].value == pytest.approx(2 * (1 / 2) * (2 / 3) / (1 / 2 + 2 / 3))
    assert found["abstention_f1"].n == 8


def test_abstention_with_questions_of_one_kind():
    assert abstention([result("a", answered=0)]) == {"abstention_precision": FigureRecord(value=0, n=1)}
    assert abstention([result("u", unanswerable="off_topic", declined=1)]) == {
        "abstention_precision": FigureRecord(value=1, n=1),
        "abstention_recall": FigureRecord(value=1, n=1),
    }


def test_systems_are_counted_by_themselves():
    found = figures([result("a", system="dense", keys=1), result("a", system="lexical", keys=0)])
    assert {system: groups["all"]["keys"].value for system, groups in found.items()} == {"dense": 1, "lexical": 0}


def test_abstention_over_nothing_does_not_exist_and_without_a_right_one_is_0():
    assert abstention([]) == {}
    assert "abstention_precision" not in abstention([result("a", answered=1)])
    never = abstention([result("a", answered=1), result("b", unanswerable="off_topic", declined=0)])
    assert (never["abstention_recall"].value, never["abstention_f1"].value) == (0, 0)


def test_groups_of_a_result():
    assert groups_of(result("a")) == ("all", "tune", "fact")
    assert groups_of(result("a", unanswerable="false_premise")) == ("all", "tune", "false_premise")
    query = result("a").model_copy(update={"type": None, "split": None})
    assert groups_of(query) == ("all",)


def test_every_metric_is_found_by_its_name():
    assert find_metric("conflict_false").better == "lower"
    for measure in MEASURES:
        assert find_metric(f"chunk.{measure}").label == f"chunk {measure}"
    with pytest.raises(ValueError, match=r"there is no metric 'chunk\.R@7'"):
        find_metric("chunk.R@7")


def test_risk_and_coverage_by_hand():
    curve = risk_coverage([0.9, 0.8, 0.7, 0.1], [True, False, True, False])
    assert curve.coverage == (0.25, 0.5, 0.75, 1)
    assert curve.risk == pytest.approx((0, 1 / 2, 1 / 3, 1 / 2))
    assert curve.area == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert curve.best_area == pytest.approx((0 + 0 + 1 / 3 + 1 / 2) / 4)
    assert risk_coverage([], []) is None


def test_risk_and_coverage_with_a_tie_by_hand():
    """Within the tie every order is as good: its one error of two counts half at each place."""
    curve = risk_coverage([0.9, 0.5, 0.5], [False, True, False])
    assert curve.risk == pytest.approx((1 / 1, (1 + 1 / 2) / 2, (1 + 1 / 2 + 1 / 2) / 3))
    assert curve.best_area == pytest.approx((0 + 1 / 2 + 2 / 3) / 3)


@given(st.lists(st.tuples(st.sampled_from([0.2, 0.5, 0.8]), st.booleans()), min_size=1, max_size=8), st.data())
def test_the_order_in_which_answers_come_does_not_matter(answers, data):
    """Ties above all."""
    turned = data.draw(st.permutations(answers))
    curve, other = (
        risk_coverage([sure for sure, _ in some], [right for _, right in some]) for some in (answers, turned)
    )
    assert curve.risk == pytest.approx(other.risk)
    assert curve.area == pytest.approx(other.area)
    assert curve.best_area == pytest.approx(other.best_area)


def test_who_is_sure_of_its_right_answers_alone_reaches_the_best_area():
    curve = risk_coverage([0.9, 0.8, 0.2, 0.1], [True, True, False, False])
    assert curve.area == curve.best_area == pytest.approx((0 + 0 + 1 / 3 + 2 / 4) / 4)
    assert risk_coverage([0.5, 0.4], [True, True]).area == 0
    assert risk_coverage([0.5, 0.4], [False, False]).best_area == 1


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1))
def test_no_order_beats_the_best(answers):
    curve = risk_coverage([sure for sure, _ in answers], [right for _, right in answers])
    assert curve.area >= curve.best_area - 1e-9
    assert curve.risk[-1] == pytest.approx(sum(not right for _, right in answers) / len(answers))
