"""TREC's files: judgments and runs of other systems."""

import pytest

from eval.sets.lines import DatasetError
from eval.sets.trec import load_qrels, load_trec_run


@pytest.fixture
def write(tmp_path):
    """A function that writes lines to a file and gives it."""

    def write(*lines):
        file = tmp_path / "file.txt"
        file.write_text("".join(line + "\n" for line in lines))
        return file

    return write


def test_judgments_with_any_white_space_between_the_fields(write):
    qrels = load_qrels(write("q1 0 d1 2", "q1\t0\td2\t0", "q2  Q0   d1  1"))
    assert qrels == {"q1": {"d1": 2, "d2": 0}, "q2": {"d1": 1}}


def test_scores_decide_and_not_ranks_and_of_equal_ones_the_last_document_is_first(write):
    """As in trec_eval."""
    run = load_trec_run(
        write(
            "q1 Q0 a 1 0.5 other",
            "q1 Q0 c 2 0.5 other",
            "q1 Q0 b 3 0.5 other",
            "q1 Q0 z 4 9e0 other",
            "q2 Q0 a 1 -1 other",
            "q2 Q0 b 2 -0.5 other",
        )
    )
    assert run.tag == "other"
    assert run.rankings == {"q1": ("z", "c", "b", "a"), "q2": ("b", "a")}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("q1 0 d2", "line 2: 'q1 0 d2' is not 'query 0 document grade'"),
        ("q1 0 d2 high", "line 2: 'q1 0 d2 high' is not"),
        ("q1 0 d2 1.5", "line 2: 'q1 0 d2 1.5' is not"),
        ("", "line 2: '' is not"),
        ("q1 0 d1 0", "line 2: query 'q1' judges document 'd1' twice"),
    ],
)
def test_malformed_judgments_are_refused_with_their_line(write, line, message):
    file = write("q1 0 d1 1", line)
    with pytest.raises(DatasetError) as caught:
        load_qrels(file)
    assert str(caught.value).startswith(f"{file} {message}")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("q1 Q0 d2 2 0.4", "line 2: 'q1 Q0 d2 2 0.4' is not 'query Q0 document rank score tag'"),
        ("q1 Q0 d2 2 high tag", "line 2: 'q1 Q0 d2 2 high tag' is not"),
        ("q1 Q0 d2 2 nan tag", "line 2: 'q1 Q0 d2 2 nan tag' is not"),
        ("q1 Q0 d1 2 0.4 tag", "line 2: query 'q1' names document 'd1' twice"),
        ("q1 Q0 d2 2 0.4 gat", "holds runs of 2 tags; expected exactly one"),
    ],
)
def test_a_malformed_run_is_refused_with_its_line(write, line, message):
    file = write("q1 Q0 d1 1 0.5 tag", line)
    with pytest.raises(DatasetError) as caught:
        load_trec_run(file)
    assert str(caught.value).startswith(f"{file} {message}")


def test_empty_files_and_missing_ones_are_refused(write, tmp_path):
    with pytest.raises(DatasetError, match="holds no judgments"):
        load_qrels(write())
    with pytest.raises(DatasetError, match="holds runs of 0 tags"):
        load_trec_run(write())
    with pytest.raises(DatasetError, match=r"gone\.txt cannot be read: No such file"):
        load_trec_run(tmp_path / "gone.txt")
