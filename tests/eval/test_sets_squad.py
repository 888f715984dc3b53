"""Questions of SQuAD's JSON, and of `qa.jsonl` beside a corpus, with their answers found in the cleaned articles."""

import json

import pytest

from eval.sets.lines import DatasetError
from eval.sets.squad import load_qa_lines, load_squad

CONTEXT = "The ferry stopped on Monday. On Monday it carried 40 cars."


def asked(name, *answers, question="When did the ferry stop?", **more):
    """A question with answers given as (text, start)."""
    given = [{"text": text, "answer_start": start} for text, start in answers]
    return {"id": name, "question": question, "answers": given} | more


def squad(*questions, context=CONTEXT, title="Ferry_to_Hallin"):
    return {"version": "1.1", "data": [{"title": title, "paragraphs": [{"context": context, "qas": list(questions)}]}]}


@pytest.fixture
def load(tmp_path):
    """A function that writes SQuAD's JSON and loads it."""

    def load(document):
        file = tmp_path / "dev.json"
        file.write_text(document if isinstance(document, str) else json.dumps(document))
        return load_squad(file)

    return load


@pytest.fixture
def refused(load, tmp_path):
    """A function that gives why a document is refused, without the name of its file."""

    def refused(document):
        with pytest.raises(DatasetError) as caught:
            load(document)
        message = str(caught.value)
        assert message.startswith(f"{tmp_path / 'dev.json'}")
        return message.removeprefix(f"{tmp_path / 'dev.json'}: ")

    return refused


def words_of(opened):
    """The gold words of each question, as they stand in the article."""
    texts = {article.id: article.text for article in opened.articles}
    return {
        question.row.id: [gold.span.of(texts[gold.article_id]) for gold in question.gold]
        for question in opened.questions
    }


def test_a_paragraph_becomes_an_article_and_an_answer_a_span(load):
    opened = load(squad(asked("q1", ("Monday", 21)), asked("q2", ("40 cars", 50), question="How many cars?")))
    (article,) = opened.articles
    assert (opened.name, article.title, article.text) == ("dev", "Ferry to Hallin", CONTEXT)
    first, second = opened.questions
    assert (first.row.question, first.row.type, first.row.answer) == ("When did the ferry stop?", "unsorted", "Monday")
    assert (first.row.answer_keys, first.row.unanswerable) == ((("Monday",),), None)
    assert [(gold.span.start, gold.span.end) for gold in second.gold] == [(50, 57)]
    assert opened.excluded == {}


def test_of_repeated_words_the_right_place_is_found(load):
    opened = load(squad(asked("first", ("Monday", 21)), asked("second", ("Monday", 32))))
    assert [question.gold[0].span.start for question in opened.questions] == [21, 32]


def test_any_of_several_answers_will_do_and_the_same_one_twice_is_one(load):
    opened = load(squad(asked("q1", ("Monday", 21), ("on Monday", 18), ("Monday", 21))))
    assert words_of(opened) == {"q1": ["Monday", "on Monday"]}
    assert opened.questions[0].row.answer_keys == (("Monday", "on Monday"),)


def test_the_impossible_questions_of_squad_2_are_not_stated(load):
    """What it calls plausible answers are wrong ones."""
    plausible = [{"text": "Monday", "answer_start": 21}]
    opened = load(squad(asked("q1", is_impossible=True, plausible_answers=plausible)))
    (question,) = opened.questions
    assert (question.row.type, question.row.unanswerable, question.gold) == ("unanswerable", "not_stated", ())
    assert (question.row.answer, question.row.answer_keys) == (None, ())


def test_an_answer_is_found_again_after_cleaning(load):
    """Cleaning takes out the reference mark and the run of spaces, so every place behind them moves."""
    context = "It stopped [1] on   Monday. Then, on Monday, it sailed."
    opened = load(squad(asked("q1", ("Monday", context.rindex("Monday"))), context=context))
    assert opened.articles[0].text == "It stopped on Monday. Then, on Monday, it sailed."
    assert opened.questions[0].gold[0].span.start == opened.articles[0].text.rindex("Monday")


def test_an_answer_that_cleaning_changed_leaves_its_question_out_and_is_counted(load):
    context = "It stopped [1] on Monday."
    lost = asked("lost", ("stopped [1] on", 3))
    opened = load(squad(lost, asked("kept", ("Monday", 18)), context=context))
    assert [question.row.id for question in opened.questions] == ["kept"]
    assert opened.excluded == {"answers that cleaning took out of their article": 1}


def test_of_occurrences_that_overlap_the_right_one_is_found(load):
    opened = load(squad(asked("at 0", ("ana", 0)), asked("at 2", ("ana", 2)), context="anana was her first word."))
    assert [question.gold[0].span.start for question in opened.questions] == [0, 2]


def test_the_same_paragraph_twice_is_one_article(load):
    document = squad(asked("q1", ("Monday", 21)))
    document["data"] += squad(asked("q2", ("40 cars", 50)), title="Again")["data"]
    opened = load(document)
    assert [article.title for article in opened.articles] == ["Ferry to Hallin"]
    assert [question.gold[0].article_id for question in opened.questions] == [opened.articles[0].id] * 2


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "Invalid JSON"),
        ({"data": [{"title": "x"}]}, "data.0.paragraphs: is missing"),
        (squad({"id": "q1"}), "data.0.paragraphs.0.qas.0.question: is missing"),
        (squad(asked("q1", ("Monday", -1))), "data.0.paragraphs.0.qas.0.answers.0.answer_start: "),
        (squad(asked("q1", ("Monday", 20))), "question 'q1': the answer 'Monday' does not stand at 20"),
        (squad(asked("q1")), "question 'q1' has no answer and is not marked impossible"),
        (squad(asked("q1", ("Monday", 21)), asked("q1", ("40", 50))), "the question 'q1' occurs twice"),
        (squad(asked("q1", is_impossible=True), context=" "), "a paragraph of 'Ferry_to_Hallin': no text is left"),
        ({"data": []}, "holds no questions"),
    ],
)
def test_a_malformed_file_is_refused_with_the_place(refused, tmp_path, document, message):
    assert refused(document).removeprefix(f"{tmp_path / 'dev.json'} ").startswith(message)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"gone\.json cannot be read: No such file"):
        load_squad(tmp_path / "gone.json")


ROW = {
    "id": "q1",
    "question": "When did it stop?",
    "context_id": "d1",
    "answers": ["Monday"],
    "answer_starts": [21],
}


@pytest.fixture
def load_lines(tmp_path):
    """A function that writes `qa.jsonl` beside a corpus of two documents and loads it."""

    def load_lines(*rows):
        corpus = [{"_id": "d1", "title": "Ferry", "text": CONTEXT}, {"_id": "d2", "title": "", "text": "Nobody asks."}]
        (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(one) + "\n" for one in corpus))
        file = tmp_path / "qa.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return load_qa_lines(file)

    return load_lines


def test_lines_beside_a_corpus_are_asked_of_all_its_articles(load_lines, tmp_path):
    opened = load_lines(ROW, ROW | {"id": "q2", "answers": ["40", "40 cars"], "answer_starts": [50, 50]})
    assert opened.name == f"{tmp_path.name}-qa"
    assert [article.external_id for article in opened.articles] == ["d1", "d2"]
    assert words_of(opened) == {"q1": ["Monday"], "q2": ["40", "40 cars"]}
    assert {question.scope for question in opened.questions} == {None}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"context_id": "d9"}, "line 2: there is no document 'd9'"),
        ({"answers": []}, "line 2: expected as many answers as answer_starts, at least one"),
        ({"answer_starts": [21, 32]}, "line 2: expected as many answers as answer_starts, at least one"),
        ({"answer_starts": [22]}, ": question 'q2': the answer 'Monday' does not stand at 22"),
        ({"id": "q1"}, ": the question 'q1' occurs twice"),
        ({"id": 7}, "line 2: id: "),
    ],
)
def test_a_malformed_line_is_refused_with_its_place(load_lines, tmp_path, change, message):
    with pytest.raises(DatasetError) as caught:
        load_lines(ROW, {**ROW, "id": "q2"} | change)
    assert str(caught.value).removeprefix(str(tmp_path / "qa.jsonl")).lstrip().startswith(message)
