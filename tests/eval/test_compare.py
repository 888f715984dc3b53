"""Two runs side by side."""

import json
from datetime import date

import pytest
from made_runs import answer, citation, hit, result, run

from eval.compare import compare
from eval.sets.lines import DatasetError
from eval.sets.questions import EarlierTurn
from eval.tables import comparison_tables


def runs(before, after):
    """Two runs of as many questions as there are values of the metric `all_keys`."""
    return (
        run(*(result(f"q{n:02}", all_keys=value) for n, value in enumerate(before))),
        run(*(result(f"q{n:02}", all_keys=value) for n, value in enumerate(after))),
    )


def row(found, metric, group="all"):
    return next(one for one in found.rows if (one.metric.name, one.group) == (metric, group))


def test_a_clear_loss_is_named_and_its_questions_are_listed_losses_first():
    found = compare(*runs([1] * 20, [0] * 12 + [1] * 8))
    worse = row(found, "all_keys")
    assert (worse.worse, worse.better) == (True, False)
    assert worse.difference.change == pytest.approx(-12 / 20)
    assert [flip.after.id for flip in found.flips] == [f"q{n:02}" for n in range(12)]
    mixed = compare(*runs([0, 1, 1], [1, 0, 1]))
    assert [(flip.after.id, flip.gained) for flip in mixed.flips] == [("q01", False), ("q00", True)]


def test_a_small_difference_is_not_called_one():
    found = row(compare(*runs([1, 1, 1, 0], [1, 1, 1, 1])), "all_keys")
    assert found.difference.change == 0.25
    assert (found.worse, found.better) == (False, False)


def test_less_is_better_where_less_is_better():
    def of(value):
        return run(*(result(f"q{n}", latency_ms=value + n) for n in range(12)))

    assert row(compare(of(30), of(10)), "latency_ms").better
    assert row(compare(of(10), of(30)), "latency_ms").worse


def test_groups_are_compared_by_themselves_but_not_what_they_cost():
    first = run(*(result(f"q{n}", type_=kind, keys=1, latency_ms=9) for n, kind in enumerate(["fact", "time"])))
    second = run(*(result(f"q{n}", type_=kind, keys=0, latency_ms=5) for n, kind in enumerate(["fact", "time"])))
    found = compare(first, second)
    assert [one.group for one in found.rows if one.metric.name == "keys"] == ["all", "tune", "fact", "time"]
    assert [one.group for one in found.rows if one.metric.name == "latency_ms"] == ["all"]


def test_only_common_questions_are_compared_and_the_others_counted():
    found = compare(run(result("a", keys=1), result("b", keys=1)), run(result("b", keys=0), result("c", keys=1)))
    assert (found.common, found.only_before, found.only_after) == (1, 1, 1)
    assert row(found, "keys").difference.n == 1


def test_a_metric_that_one_side_lacks_is_compared_where_both_have_it():
    first = run(result("a", citation_precision=1), result("b", citation_precision=1))
    second = run(result("a", citation_precision=0), result("b"))
    assert row(compare(first, second), "citation_precision").difference.n == 1


def test_systems_are_paired_by_name():
    both = run(result("a", system="dense", keys=1), result("a", system="lexical", keys=0))
    assert row(compare(both, both), "keys").difference.change == 0
    assert row(compare(both, both, systems=("dense", "lexical")), "keys").difference.change == -1
    with pytest.raises(DatasetError, match="has no system 'hybrid'; it has dense, lexical"):
        compare(both, both, systems=("hybrid", "dense"))
    others = run(result("a", system="x"), result("a", system="y"))
    with pytest.raises(DatasetError, match="share no system: A has dense, lexical, B has x, y"):
        compare(both, others)


def test_runs_of_different_sets_or_questions_are_refused():
    with pytest.raises(DatasetError, match="different sets, 'tiny' and 'other'"):
        compare(run(result("a")), run(result("a"), set="other"))
    with pytest.raises(DatasetError, match="no question in common"):
        compare(run(result("a")), run(result("b")))
    changed = result("a").model_copy(update={"question": "Another?"})
    with pytest.raises(DatasetError, match="question 'a' is not the same in both runs"):
        compare(run(result("a")), run(changed))


@pytest.mark.parametrize(
    "change", [{"as_of": date(2026, 3, 1)}, {"history": (EarlierTurn(role="user", content="Which ferry?"),)}]
)
def test_a_question_in_another_conversation_or_on_another_day_is_another_one(change):
    with pytest.raises(DatasetError, match="question 'a' is not the same in both runs"):
        compare(run(result("a")), run(result("a").model_copy(update=change)))


def test_as_json():
    document = compare(*runs([1] * 12, [0] * 12)).document()
    assert document["questions"] == {"common": 12, "only_a": 0, "only_b": 0}
    assert document["differences"][0]["verdict"] == "worse"
    assert document["flips"][0]["id"] == "q00"
    assert document["flips"][0]["a"] == {"value": 1, "answer": None}
    first = document["differences"][0]
    assert (first["group"], first["metric"], first["before"], first["after"], first["n"]) == (
        "all",
        "all_keys",
        1,
        0,
        12,
    )
    assert json.loads(json.dumps(document)) == document
    assert compare(*runs([0] * 12, [1] * 12)).document()["differences"][0]["verdict"] == "better"
    assert compare(*runs([0], [1])).document()["differences"][0]["verdict"] == "no clear difference"


def test_a_flip_shows_what_was_said_or_else_what_was_found():
    said = answer(citation("It stopped on Monday.", 0, 21))
    found = compare(
        run(result("a", given=said, all_keys=1)),
        run(result("a", all_keys=0).model_copy(update={"hits": (hit("x"), hit("y"))})),
    )
    (flip,) = found.document()["flips"]
    assert (flip["a"]["answer"], flip["b"]["answer"]) == ("It stopped on Monday. [1]", "Title of x; Title of y")


def test_what_decides_a_flip_is_the_strictest_metric_that_both_have():
    def of(**metrics):
        return run(
            result("a", **metrics), result("b", unanswerable="off_topic", declined=metrics["all_keys"]), result("c")
        )

    flips = compare(of(all_keys=1, citation_recall=0), of(all_keys=0, citation_recall=1)).flips
    assert [(flip.after.id, flip.metric, flip.gained) for flip in flips] == [
        ("a", "all_keys", False),
        ("b", "declined", False),
    ]


def test_p_values_are_adjusted_for_the_metrics_of_their_group():
    """Two metrics of which one does not change at all: the other's p is doubled."""
    before = run(*(result(f"q{n}", keys=1, answered=1) for n in range(6)))
    after = run(*(result(f"q{n}", keys=0, answered=1) for n in range(6)))
    keys = row(compare(before, after), "keys")
    assert keys.difference.p == pytest.approx(2 / 2**6)
    assert keys.adjusted == pytest.approx(2 * 2 / 2**6)
    assert not keys.worse  # 0.0625, though 0.03125 alone would do


def test_changed_files_of_the_set_are_said():
    first = run(result("a", keys=1))
    assert compare(first, run(result("a", keys=1))).same_files
    changed = compare(first, run(result("a", keys=1), set_sha256="ee" * 32))
    assert changed.document()["same_files"] is False
    said = [part for part in comparison_tables(changed, flips=0) if isinstance(part, str)]
    assert "The files of the set are not the same in both runs: gold and keys may have changed, too." in said
