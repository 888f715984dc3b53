"""The gate lets noise through and stops a loss."""

import pytest
from made_runs import answer, citation, result, run

from eval.gate import baseline_of, gate, read_baseline, write_baseline
from eval.sets.lines import DatasetError


def made(values, *, prefix="q", **changes):
    return run(*(result(f"{prefix}{n:02}", keys=value, answered=1.0) for n, value in enumerate(values)), **changes)


BEFORE = made([1.0] * 30)


def test_a_run_passes_its_own_baseline_by_way_of_its_file(tmp_path):
    write_baseline(baseline_of(BEFORE), tmp_path / "b.json")
    verdict = gate(read_baseline(tmp_path / "b.json"), BEFORE)
    assert verdict.passed
    assert [row.difference.change for row in verdict.rows] == [0, 0]


def test_a_run_passes_its_own_baseline():
    verdict = gate(baseline_of(BEFORE), BEFORE)
    assert verdict.passed
    assert [row.metric.name for row in verdict.rows] == ["keys", "answered"]


def test_a_significant_drop_is_stopped_and_said_with_its_figures():
    verdict = gate(baseline_of(BEFORE), made([0.0] * 12 + [1.0] * 18))
    assert not verdict.passed
    assert verdict.faults[0].startswith("keys fell from 1.000 to 0.600 (-0.400, 95 % interval ")


def test_a_gain_and_a_drop_that_may_be_chance_pass():
    assert gate(baseline_of(made([0.0] * 30)), BEFORE).passed
    assert gate(baseline_of(BEFORE), made([0.0] * 2 + [1.0] * 28)).passed


def test_differences_beyond_the_fourth_digit_are_none():
    verdict = gate(baseline_of(made([1 / 3] * 30)), made([1 / 3 - 1e-9] * 30))
    assert [row.difference.change for row in verdict.rows] == [0, 0]


def test_the_order_of_the_questions_does_not_matter():
    after = made([0.0] * 2 + [1.0] * 28)
    turned = after.model_copy(update={"results": after.results[::-1]})
    assert gate(baseline_of(BEFORE), turned) == gate(baseline_of(BEFORE), after)


@pytest.mark.parametrize("change", [{"set_sha256": "ee" * 32}, {"set": "other"}, {"split": "tune"}])
def test_another_set_needs_another_baseline(change):
    verdict = gate(baseline_of(BEFORE), made([1.0] * 30, **change))
    assert not verdict.passed
    assert "make the baseline anew with 'byline eval gate --update'" in verdict.faults[0]


@pytest.mark.parametrize("values", [[1.0] * 29, [1.0] * 31])
def test_a_missing_or_new_question_is_not_passed_over(values):
    verdict = gate(baseline_of(BEFORE), made(values))
    assert not verdict.passed
    assert "1 question" in verdict.faults[0]


def test_another_question_in_the_place_of_one_is_not_passed_over():
    other = BEFORE.results[0].model_copy(update={"id": "new"})
    verdict = gate(baseline_of(BEFORE), BEFORE.model_copy(update={"results": (other, *BEFORE.results[1:])}))
    assert not verdict.passed
    assert "2 questions (new, q00)" in verdict.faults[0]


def test_a_ranking_does_not_pass_for_a_run_of_answers():
    ranked = run(*(result(f"q{n:02}", chunk__nDCG_at_10=1.0) for n in range(30)), mode="hybrid")
    assert gate(baseline_of(BEFORE), ranked).faults == (
        "keys is not measured any more",
        "answered is not measured any more",
    )


def test_times_are_not_gated():
    def of(latency):
        return run(*(result(f"q{n:02}", keys=1.0, latency_ms=latency) for n in range(30)))

    verdict = gate(baseline_of(of(1)), of(1000))
    assert [row.metric.name for row in verdict.rows] == ["keys"]
    assert verdict.passed


def test_a_run_of_several_systems_is_not_judged():
    both = run(result("a", system="dense", keys=1.0), result("a", system="lexical", keys=1.0))
    with pytest.raises(DatasetError, match="judges one system; the run has dense, lexical"):
        gate(baseline_of(BEFORE), both)


def test_a_lost_metric_is_not_passed_over():
    """A metric that no question has any more would otherwise have no row, and so no drop."""
    without = run(*(result(f"q{n:02}", answered=1.0) for n in range(30)))
    verdict = gate(baseline_of(BEFORE), without)
    assert verdict.faults == ("keys is not measured any more",)


def test_a_quote_that_is_not_verbatim_is_stopped():
    loose = BEFORE.results[0].model_copy(update={"metrics": BEFORE.results[0].metrics | {"verbatim": 0.5}})
    verdict = gate(baseline_of(BEFORE), BEFORE.model_copy(update={"results": (loose, *BEFORE.results[1:])}))
    assert verdict.faults == ("quotes are not the exact words of their article in q00",)


def test_a_baseline_reads_as_it_was_written_a_question_a_line(tmp_path):
    baseline = baseline_of(BEFORE)
    write_baseline(baseline, tmp_path / "b.json")
    assert read_baseline(tmp_path / "b.json") == baseline
    assert '\n  "q07": {"keys": 1.0, "answered": 1.0},\n' in (tmp_path / "b.json").read_text()


def test_a_baseline_holds_no_texts(tmp_path):
    quoted = citation("The ferry stopped.", 0, 18)
    write_baseline(baseline_of(run(result("a", given=answer(quoted), keys=1.0))), tmp_path / "b.json")
    assert "ferry" not in (tmp_path / "b.json").read_text()


def test_what_is_no_baseline_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"cannot be read: No such file.*byline eval gate --update"):
        read_baseline(tmp_path / "none.json")
    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(DatasetError, match="is no baseline"):
        read_baseline(tmp_path / "b.json")
    write_baseline(baseline_of(BEFORE), tmp_path / "b.json")
    (tmp_path / "b.json").write_text(
        (tmp_path / "b.json").read_text().replace("byline-baseline/1", "byline-baseline/2")
    )
    with pytest.raises(DatasetError, match="is no baseline: format: "):
        read_baseline(tmp_path / "b.json")
    with pytest.raises(DatasetError, match="of one system; the run has dense, lexical"):
        baseline_of(run(result("a", system="dense"), result("a", system="lexical")))
