"""A set run for each combination of some settings."""

import pytest

from eval.sweep import MOST, parse_grid, sweep
from service.errors import WrongUse
from service.settings import SettingsError, load_settings


def test_a_grid_has_the_values_of_each_setting_in_their_order():
    grid = parse_grid(["chunk_tokens=160,120", "answer_passages=6"])
    assert list(grid.items()) == [("chunk_tokens", ("160", "120")), ("answer_passages", ("6",))]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["chunk_tokens"], "'chunk_tokens' is not of the form NAME=VALUE,VALUE"),
        (["chunk_tokens="], "'chunk_tokens=' is not of the form"),
        (["chunk_tokens=120,"], "'chunk_tokens=120,' is not of the form"),
        (["chunk_size=120"], "'chunk_size' is no setting; docs/settings.md lists the names"),
        (["=120"], "'' is no setting"),
        (["chunk_tokens=120", "chunk_tokens=160"], "'chunk_tokens' is named twice"),
        ([], f"the grid has 0 combinations; expected 1 to {MOST}"),
        (
            [f"answer_passages={','.join(map(str, range(1, 14)))}", "answer_sentences=1,2,3,4,5"],
            f"the grid has 65 combinations; expected 1 to {MOST}",
        ),
    ],
)
def test_a_malformed_grid_is_wrong_use(words, message):
    with pytest.raises(WrongUse) as caught:
        parse_grid(words)
    assert str(caught.value).startswith(message)


@pytest.fixture
def swept(question_set, eval_data, model_loaded):
    """A function that sweeps the small question set."""

    def swept(grid, *, by="keys", data=eval_data, name=question_set, **options):
        return sweep(str(name), grid, lambda varied: load_settings(data=data, **varied), by=by, **options)

    return swept


@pytest.mark.model
def test_rows_come_in_the_order_of_the_grid_and_differ_from_the_first(swept):
    rows = list(swept({"chunk_title": ("true", "false"), "answer_passages": ("1", "12")}, split="all"))
    assert [tuple(row.varied.values()) for row in rows] == [
        ("true", "1"),
        ("true", "12"),
        ("false", "1"),
        ("false", "12"),
    ]
    assert [
        (row.run.circumstances.settings["chunk_title"], row.run.circumstances.settings["answer_passages"])
        for row in rows
    ] == [(True, 1), (True, 12), (False, 1), (False, 12)]
    assert rows[0].difference is None
    means = [row.run.figures["extractive"]["all"]["keys"].value for row in rows]
    assert [row.difference.change for row in rows[1:]] == pytest.approx([mean - means[0] for mean in means[1:]])


@pytest.mark.model
@pytest.mark.parametrize(("by", "mode"), [("keys", None), ("article.R@5", "lexical"), ("chunk.R@50", None)])
def test_rows_are_compared_by_any_metric(swept, by, mode):
    first, second = swept({"answer_sentences": ("4", "4")}, by=by, mode=mode)
    assert first.difference is None
    assert (second.difference.change, second.difference.p) == (0, 1)


@pytest.mark.model
def test_the_other_half_stays_unseen_unless_it_is_asked_for(swept):
    (row,) = swept({"answer_passages": ("12",)}, mode="lexical")
    assert {result.split for result in row.run.results} == {"tune"}


@pytest.mark.model
def test_a_beir_set_is_swept_by_its_first_mode(swept, beir):
    rows = list(swept({"chunk_title": ("true", "false")}, by="article.RR@10", name=beir, split="all"))
    assert rows[1].run.systems[0] == "hybrid"
    assert (rows[1].difference.before, rows[1].difference.n) == (1, 2)


@pytest.mark.model
@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"chunk_tokens": ("160", "3")}, "chunk_tokens: must be at least 32"),
        (
            {"chunk_tokens": ("160", "40")},
            "chunk_overlap_tokens is 40, chunk_tokens 40; set chunk_overlap_tokens below",
        ),
    ],
)
def test_every_value_is_checked_before_the_first_run(swept, tmp_path, grid, message):
    with pytest.raises(SettingsError) as caught:
        next(swept(grid, data=tmp_path))
    assert message in str(caught.value)
    assert list(tmp_path.iterdir()) == []
