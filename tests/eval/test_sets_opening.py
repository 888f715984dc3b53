"""Which form a set has, told by its files."""

import json

import pytest

from eval.circumstances import set_digest
from eval.sets.beir import BeirSet
from eval.sets.opening import NoSuchSet, has_halves, open_set, place_of
from eval.sets.questions import SHIPPED


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


QUESTION = {
    "id": "own",
    "question": "When?",
    "type": "time",
    "answer": "Monday",
    "answer_keys": [["Monday"]],
    "gold": [{"article": "ferry.md", "quote": "on Monday"}],
    "unanswerable": None,
}
SENTENCES = lines({"id": "sentence", "question": "When?", "sentences": ["It stopped on Monday."], "labels": [1]})
SQUAD = {
    "data": [{"paragraphs": [{"context": "On Monday.", "qas": [{"id": "squad", "question": "?", "answers": []}]}]}]
}
SQUAD["data"][0]["paragraphs"][0]["qas"][0]["is_impossible"] = True


@pytest.fixture
def sets(tmp_path):
    """A folder with a set of every form."""
    files = {
        "own/questions.jsonl": lines(QUESTION),
        "own/articles/ferry.md": "# Ferry\n\nIt stopped on Monday.\n",
        "beir/corpus.jsonl": lines({"_id": "d1", "title": "Ferry", "text": "It stopped on Monday."}),
        "beir/queries.jsonl": lines({"_id": "q1", "text": "When did it stop?"}),
        "beir/qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\td1\t1\n",
        "beir/qa.jsonl": lines(
            {"id": "qa", "question": "?", "context_id": "d1", "answers": ["Monday"], "answer_starts": [14]}
        ),
        "beir/unanswerable.jsonl": lines({"_id": "none", "text": "Who baked it?"}),
        "wiki/sentences.jsonl": SENTENCES,
        "squad/dev.json": json.dumps(SQUAD),
        "other/readme.txt": "no set",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "opened", "questions"),
    [
        ("own", "own", ["own"]),
        ("wiki", "wiki-sentences", ["sentence"]),
        ("wiki/sentences.jsonl", "wiki-sentences", ["sentence"]),
        ("squad/dev.json", "dev", ["squad"]),
        ("beir/qa.jsonl", "beir-qa", ["qa"]),
        ("beir/unanswerable.jsonl", "beir-unanswerable", ["q1", "none"]),
    ],
)
def test_question_sets_are_found_by_the_names_of_their_files(sets, name, opened, questions):
    found = open_set(str(sets / name))
    assert found.name == opened
    assert [question.row.id for question in found.questions] == questions
    assert has_halves(str(sets / name))


def test_a_beir_folder_is_one_of_queries_and_has_no_halves(sets):
    found = open_set(str(sets / "beir"))
    assert isinstance(found, BeirSet)
    assert found.queries == {"q1": "When did it stop?"}
    assert not has_halves(str(sets / "beir"))


def test_the_shipped_set_goes_by_its_name():
    assert place_of("shipped") == SHIPPED
    assert open_set("shipped").name == "shipped"
    assert has_halves("shipped")


@pytest.mark.parametrize("name", ["other", "other/readme.txt", "beir/corpus.jsonl", "gone"])
def test_what_is_no_set_is_refused_with_the_forms_there_are(sets, name):
    with pytest.raises(NoSuchSet) as caught:
        open_set(str(sets / name))
    assert str(caught.value).startswith(f"'{sets / name}' is no set: expected 'shipped', a folder with questions.jsonl")


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("own", "own/questions.jsonl"),
        ("own", "own/articles/ferry.md"),
        ("beir", "beir/qrels/test.tsv"),
        ("beir/qa.jsonl", "beir/qa.jsonl"),
        ("beir/qa.jsonl", "beir/corpus.jsonl"),
        ("beir/unanswerable.jsonl", "beir/qrels/test.tsv"),
        ("squad/dev.json", "squad/dev.json"),
        ("wiki/sentences.jsonl", "wiki/sentences.jsonl"),
    ],
)
def test_the_digest_of_a_set_follows_every_file_of_it(sets, name, changed):
    before = set_digest(sets / name)
    assert set_digest(sets / name) == before
    (sets / changed).write_text((sets / changed).read_text() + "\n")
    assert set_digest(sets / name) != before


def test_the_digest_of_a_set_is_the_same_wherever_it_lies(sets):
    before = {name: set_digest(sets / name) for name in ("own", "beir/qa.jsonl", "squad/dev.json")}
    moved = sets.rename(sets.with_name("moved"))
    assert {name: set_digest(moved / name) for name in before} == before
