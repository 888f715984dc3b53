"""The run file: what is written is what is read, and nothing else is."""

import json

import pytest
from made_runs import answer, citation, gold, result, run

from eval.records import read_run, write_run
from eval.sets.lines import DatasetError


@pytest.fixture
def made():
    quoted = citation("Before. The ferry stopped. After.", 8, 26, at=100)
    first = result("a", given=answer(quoted), keys=1.0, **{"chunk__nDCG_at_10": 0.63}).model_copy(
        update={"gold": (gold("The ferry stopped.", cited=True, rank=1),)}
    )
    return run(first, result("b", unanswerable="off_topic", given=answer(status="abstained"), declined=1.0))


def test_a_run_reads_as_it_was_written_and_writes_the_same_bytes(made, tmp_path):
    write_run(made, tmp_path / "a.json")
    read = read_run(tmp_path / "a.json")
    assert read == made
    write_run(read, tmp_path / "b.json")
    assert (tmp_path / "b.json").read_bytes() == (tmp_path / "a.json").read_bytes()
    assert read.systems == ("extractive",)
    assert [one.id for one in read.of_system("extractive")] == ["a", "b"]
    assert read.figures["extractive"]["all"]["chunk.nDCG@10"].value == 0.63


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "byline-run/9"}, "format: "),
        ({"extra": 1}, "extra: is not a known name"),
        ({"circumstances": {}}, "circumstances.date: "),
        ({"results": [{"id": "a"}]}, "results.0."),
        (None, "Invalid JSON"),
    ],
)
def test_what_is_no_run_is_refused_with_what_to_do(made, tmp_path, change, message):
    file = tmp_path / "run.json"
    write_run(made, file)
    file.write_text("{" if change is None else json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(DatasetError, match="make one with 'byline eval run --out FILE'") as refused:
        read_run(file)
    assert message in str(refused.value)


def test_a_missing_run_is_named(tmp_path):
    with pytest.raises(
        DatasetError, match=r"none\.json cannot be read: No such file.*; make one with 'byline eval run --out FILE'"
    ):
        read_run(tmp_path / "none.json")
