"""Sets of answer sentences: the sentences of one article, and which of them answer a question that is asked of it."""

import json

import pytest

from eval.sets.answer_sentences import load_answer_sentences
from eval.sets.lines import DatasetError

SENTENCES = ["The ferry stopped on Monday.", "It carried 40 cars.", "Nobody was hurt."]
ROW = {"id": "s1", "question": "How many cars?", "title": "Ferry", "sentences": SENTENCES, "labels": [0, 1, 0]}


@pytest.fixture
def load(tmp_path):
    """A function that writes rows to `wiki/sentences.jsonl` and loads the file."""

    def load(*rows):
        file = tmp_path / "wiki" / "sentences.jsonl"
        file.parent.mkdir(exist_ok=True)
        file.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
        return load_answer_sentences(file)

    return load


def gold_words(opened, question):
    texts = {article.id: article.text for article in opened.articles}
    return [gold.span.of(texts[gold.article_id]) for gold in question.gold]


def test_labels_become_gold_in_an_article_that_alone_is_searched(load):
    opened = load(ROW, ROW | {"id": "s2", "labels": [1, 0, 1]})
    (article,) = opened.articles  # the same sentences are one article
    assert (opened.name, article.title, article.text) == ("wiki-sentences", "Ferry", "\n".join(SENTENCES))
    first, second = opened.questions
    assert gold_words(opened, first) == ["It carried 40 cars."]
    assert gold_words(opened, second) == ["The ferry stopped on Monday.", "Nobody was hurt."]
    assert first.scope == second.scope == article.id
    assert (first.row.type, first.row.answer, first.row.answer_keys) == ("unsorted", None, ())


def test_where_no_sentence_answers_the_answer_is_not_stated(load):
    (question,) = load(ROW | {"labels": [0, 0, 0]}).questions
    assert (question.row.type, question.row.unanswerable, question.gold) == ("unanswerable", "not_stated", ())


def test_the_same_sentence_twice_is_found_in_its_own_place(load):
    opened = load(ROW | {"sentences": ["Nobody came.", "It rained.", "Nobody came."], "labels": [0, 0, 1]})
    (gold,) = opened.questions[0].gold
    assert gold.span.start == opened.articles[0].text.rindex("Nobody came.")


def test_a_sentence_that_cleaning_changes_is_no_gold_and_the_others_stay(load):
    """A reference mark is taken out of the article, so the sentence is no longer in it as it was."""
    marked = ["It carried 40 [1] cars.", "The cars numbered 40."]
    opened = load(ROW | {"sentences": marked, "labels": [1, 1]})
    assert gold_words(opened, opened.questions[0]) == ["The cars numbered 40."]
    assert opened.excluded == {}


def test_a_question_whose_only_answer_cleaning_changes_is_left_out_and_counted(load):
    """It must not pass for one that is not answered."""
    opened = load(ROW, ROW | {"id": "s2", "sentences": ["It carried 40 [1] cars.", "Nobody came."], "labels": [1, 0]})
    assert [question.row.id for question in opened.questions] == ["s1"]
    assert opened.excluded == {"answers that cleaning took out of their article": 1}


def test_white_space_within_a_sentence_changes_nothing(load):
    opened = load(ROW | {"sentences": ["It  carried\n40 cars. ", "Nobody came."], "labels": [1, 0]})
    assert gold_words(opened, opened.questions[0]) == ["It carried 40 cars."]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("{", "line 2: Invalid JSON"),
        ({"labels": [0, 1]}, "line 2: expected a label, 0 or 1, for each of the 3 sentences"),
        ({"labels": [0, 2, 0]}, "line 2: expected a label, 0 or 1, for each of the 3 sentences"),
        ({"sentences": []}, "line 2: sentences: "),
        ({"id": "s1"}, "line 2: the id 's1' occurs twice"),
        ({"question": ""}, "line 2: question: "),
        ({"sentences": [" "], "labels": [0]}, "line 2: no text is left after cleaning"),
    ],
)
def test_a_malformed_line_is_refused_with_its_place(load, tmp_path, change, message):
    second = change if isinstance(change, str) else {**ROW, "id": "s2"} | change
    with pytest.raises(DatasetError) as caught:
        load(ROW, second)
    assert str(caught.value).removeprefix(f"{tmp_path / 'wiki' / 'sentences.jsonl'} ").startswith(message)


def test_a_file_of_no_questions_is_refused(load):
    with pytest.raises(DatasetError, match="holds no questions"):
        load()
