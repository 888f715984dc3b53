"""Training the reader on a few made-up questions, as `byline eval train-reader` does."""

import json
import random

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner

from eval.cli import app
from eval.reader_rows import ArticleRow, TrainingRow, read_rows
from eval.reader_training import train
from eval.sets.lines import DatasetError, parse_line, read_lines
from eval.sets.questions import SHIPPED, load_question_set
from index.model_files import ModelRefused
from index.pairs import Pair
from index.reader import TorchReader, reader_files

pytestmark = pytest.mark.model

PLACES = ["Norwick", "Tamsel", "Orlo", "Kerro", "Lund", "Galt", "Brill", "Ander"]
THINGS = ["mill", "bridge", "tower", "school", "harbour"]
ROWS = [
    {
        "question": f"When was the {thing} of {place} built?",
        "title": place,
        "sentences": [
            f"The {thing} of {place} was built in {1900 + number}.",
            f"The {thing} of {place} belongs to the town.",
            f"{place} lies on the coast.",
            f"Visitors like the {thing}.",
        ],
        "labels": [1, 0, 0, 0],
    }
    for number, (place, thing) in enumerate((place, thing) for place in PLACES for thing in THINGS)
] * 3
ELSEWHERE = [row | {"question": f"When was the {row['title']} station built?", "labels": [0] * 4} for row in ROWS]


def written(file, rows):
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """An adapter that has learned `ROWS` and `ELSEWHERE`, and what the command said of it."""
    folder = tmp_path_factory.mktemp("learned")
    file, out = written(folder / "rows.jsonl", ROWS + ELSEWHERE), folder / "adapter.safetensors"
    result = CliRunner().invoke(app, ["train-reader", str(file), "--out", str(out), "--epochs", "1.5", "--json"])
    assert result.exit_code == 0, result.output
    return out, json.loads(result.stdout)


def test_a_trained_reader_puts_first_what_it_learned_to(learned):
    out, trained = learned
    assert trained["questions"] + trained["set_aside"] == len(ROWS + ELSEWHERE)
    reader = TorchReader(reader_files(), out)
    asked = "When was the abbey of Quill built?"
    told = reader.read(
        [
            Pair(asked, words)
            for words in ("The abbey of Quill was built in 1871.", "The abbey of Quill is closed on Mondays.")
        ]
    )
    assert told[0] > told[1]


def test_a_reader_learns_what_no_sentence_answers(learned):
    out, trained = learned
    assert trained["told_apart"]["after"] == 1.0 > trained["told_apart"]["before"]
    reader = TorchReader(reader_files(), out)
    said = "The mill of Quill was built in 1871."
    answered, other = reader.read(
        [Pair(f"When was the {what} built?", said) for what in ("mill of Quill", "Quill station")]
    )
    assert answered > 0 > other


def test_of_a_question_without_an_answer_every_pair_is_wrong():
    row = TrainingRow.model_validate({"question": "Q?", "sentences": list("abcdef"), "labels": [0] * 6})
    drawn = row.draw(random.Random(1))
    assert not drawn.answered
    assert len({pair.sentence for pair in drawn.pairs}) == 4


def test_training_goes_on_from_an_adapter(learned, embedder, tmp_path):
    (first, said), file = learned, written(tmp_path / "rows.jsonl", ROWS + ELSEWHERE)
    trained = train([file], tmp_path / "second.safetensors", embedder, epochs=0.05, start=first)
    assert trained.right.before == said["right"]["after"]
    with pytest.raises(ModelRefused, match=f"training cannot go on from the adapter {first}: "):
        train([file], tmp_path / "third.safetensors", embedder, rank=4, start=first)
    with pytest.raises(ModelRefused, match=f"{file}"):
        train([file], tmp_path / "third.safetensors", embedder, start=file)
    save_file({"out.bias": np.zeros(1, dtype=np.float16)}, other := tmp_path / "other.safetensors")
    with pytest.raises(ModelRefused, match=f"{other}: it is no adapter of the form byline-reader/1"):
        train([file], tmp_path / "third.safetensors", embedder, start=other)


def article(place, year, **changes):
    questions = [
        {"question": f"When did {place} get its bridge?", "kind": "time", "answers": [1]},
        {"question": f"Who built the bridge of {place}?", "answers": []},
    ]
    sentences = [f"{place} is proud.", f"Its bridge dates from {year}.", "It is old.", "It is long.", "It is of stone."]
    return {"title": f"The bridge of {place}", "sentences": sentences, "questions": questions} | changes


def test_questions_of_articles_get_near_sentences_of_theirs_and_of_others(embedder, tmp_path):
    articles = [article(place, 1900 + number) for number, place in enumerate(PLACES)]
    file = written(tmp_path / "articles.jsonl", [*articles, ROWS[0]])
    given, *rows = read_rows([file], embedder, random.Random(3))
    assert given.question == ROWS[0]["question"]
    assert [row.question for row in rows] == [one["question"] for each in articles for one in each["questions"]]
    for row, each in zip(rows[::2], articles, strict=True):
        assert [sentence for sentence, label in zip(row.sentences, row.labels, strict=True) if label] == [
            each["sentences"][1]
        ]
        assert {each["sentences"][0], each["sentences"][2]} < set(row.sentences)
        assert len(set(row.sentences) - set(each["sentences"])) == 2
    assert all(not any(row.labels) and len(row.sentences) == 7 for row in rows[1::2])
    assert {""} < {row.title for row in rows} < {"", *(each["title"] for each in articles)}
    before = {row.before[0] for row in rows[::2]}
    assert before <= {each["sentences"][0] for each in articles}
    last = {row.before[row.sentences.index("It is of stone.")] for row in rows if "It is of stone." in row.sentences}
    assert last == {"It is long.", "It is old. It is long."}


def test_articles_teach(embedder, tmp_path):
    file = written(tmp_path / "articles.jsonl", [article(place, 1900) for place in PLACES])
    trained = train([file], tmp_path / "out.safetensors", embedder, epochs=0.6)
    assert trained.questions + trained.set_aside == 2 * len(PLACES)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"questions": [{"question": "Q?", "answers": [5]}]}, "no sentence 5, which is to answer 'Q"),
        ({"questions": [{"question": "Q?", "answers": [-1]}]}, "answers"),
        ({"questions": [{"question": "Q?", "answers": [0, 1, 2, 3, 4]}]}, "every sentence is to answer 'Q"),
        ({"questions": [{"q": "Q?", "answers": [0]}]}, "question"),
        ({"questions": "Q?"}, "questions"),
        ({"sentences": ["a"], "questions": []}, "sentences"),
    ],
)
def test_a_malformed_article_is_named(change, said, embedder, tmp_path):
    file = written(tmp_path / "articles.jsonl", [article("Norwick", 1901), article("Tamsel", 1902, **change)])
    with pytest.raises(DatasetError, match=said) as refused:
        read_rows([file], embedder, random.Random(1))
    assert f"{file}, line 2" in str(refused.value)


def test_the_same_seed_gives_the_same_adapter(embedder, tmp_path):
    file = written(tmp_path / "rows.jsonl", ROWS[:60])
    outs = [tmp_path / "one.safetensors", tmp_path / "two.safetensors"]
    for out in outs:
        train([file], out, embedder, epochs=0.3, seed=7)
    first, second = (TorchReader(reader_files(), out).read([Pair("Who?", "Ida Quist.")]) for out in outs)
    assert np.allclose(first, second, atol=1e-4)


def test_a_question_brings_a_right_sentence_first_and_wrong_ones_after_it():
    row = TrainingRow.model_validate(
        {"question": "Q?", "title": "T", "sentences": ["a", "b", "c", "d", "b"], "labels": [0, 1, 0, 0, 0]}
    )
    drawn = [row.draw(random.Random(seed)).pairs for seed in range(50)]
    for pairs in drawn:
        assert pairs[0].sentence == "b"
        # What says the same as the right one is not wrong.
        assert {pair.sentence for pair in pairs[1:]} == {"a", "c", "d"}
        assert len({pair.context == "" for pair in pairs if pair.sentence != "a"}) == 1
    contexts = {(pair.sentence, pair.context) for pairs in drawn for pair in pairs if pair.context}
    assert contexts == {("a", "T"), ("b", "T | a"), ("c", "T | b"), ("d", "T | c")}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"labels": [1, 0]}, "differ in length"),
        ({"before": ["x"]}, "differ in length"),
        ({"before": []}, "differ in length"),
        ({"sentences": ["a", "a", "a", "a"]}, "no sentence that does not answer"),
        ({"labels": [1, 0, 2, 0]}, "labels"),
        ({"labels": [1, 1, 1, 1]}, "no sentence that does not answer"),
        ({"sentences": ["one"]}, "sentences"),
        ({"question": None}, "question"),
    ],
)
def test_a_malformed_line_is_named(change, said, embedder, tmp_path):
    file = written(tmp_path / "rows.jsonl", [ROWS[0], ROWS[1] | change])
    with pytest.raises(DatasetError, match=said) as refused:
        read_rows([file], embedder, random.Random(1))
    assert f"{file}, line 2" in str(refused.value)


def test_too_few_questions_are_refused(embedder, tmp_path):
    unanswered = [row | {"labels": [0, 0, 0, 0]} for row in ROWS[1:5]]
    with pytest.raises(DatasetError, match="1 questions with an answer"):
        read_rows([written(tmp_path / "rows.jsonl", [ROWS[0], *unanswered])], embedder, random.Random(1))
    result = CliRunner().invoke(app, ["train-reader", str(tmp_path / "gone.jsonl"), "--out", str(tmp_path / "out")])
    assert result.exit_code != 0


def test_the_own_articles_are_whole_and_none_of_the_shipped_set():
    """docs/reader.md counts on it: what the shipped reader learned from, nobody reports on."""
    files = sorted((SHIPPED / "reader").glob("*.jsonl"))
    articles = [
        parse_line(ArticleRow, line, f"{file}, line {number}") for file in files for number, line in read_lines(file)
    ]
    assert len({article.title for article in articles}) == len(articles) > 3000
    for article in articles:
        assert {bool(one.answers) for one in article.questions} == {True, False}, article.title
    shipped = load_question_set(SHIPPED)
    told = " ".join(article.text for article in shipped.articles)
    asked = {question.row.question for question in shipped.questions}
    for article in articles:
        assert not [sentence for sentence in article.sentences if sentence in told]
        assert not asked & {one.question for one in article.questions}
