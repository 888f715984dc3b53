import json
from collections import Counter
from datetime import date

import pytest

from eval.sets.lines import DatasetError
from eval.sets.questions import SHIPPED, has_key, load_question_set

ARTICLE = "# Ferry to Hallin stops\n\nThe ferry to Hallin stopped on Monday.\n\nThe harbour cost 250 crowns. It is 250 m long.\n"
QUESTION = {
    "id": "q1",
    "question": "When did the ferry stop?",
    "type": "time",
    "answer": "On Monday",
    "answer_keys": [["Monday"]],
    "gold": [{"article": "ferry.md", "quote": "The ferry to Hallin stopped on Monday."}],
    "unanswerable": None,
}
UNANSWERABLE = {"type": "unanswerable", "answer": None, "answer_keys": [], "gold": [], "unanswerable": "not_stated"}


@pytest.fixture(scope="module")
def shipped():
    return load_question_set()


@pytest.fixture
def write_set(tmp_path):
    """A function that writes a set of one article and the given rows (or lines), and gives its folder."""

    def write(*rows, article=ARTICLE):
        (tmp_path / "articles").mkdir()
        (tmp_path / "articles" / "ferry.md").write_text(article)
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        (tmp_path / "questions.jsonl").write_text("".join(line + "\n" for line in lines))
        return tmp_path

    return write


def refused(folder) -> str:
    with pytest.raises(DatasetError) as caught:
        load_question_set(folder)
    return str(caught.value)


def test_the_shipped_set_is_large_enough(shipped):
    kinds = Counter(question.row.unanswerable for question in shipped.questions)
    assert shipped.name == "shipped"
    assert len(shipped.articles) >= 15
    assert kinds.pop(None) >= 80
    assert kinds.total() >= 20
    assert set(kinds) == {"off_topic", "not_stated", "false_premise"}


def test_every_quote_of_the_shipped_set_stands_where_its_span_says(shipped):
    texts = {article.id: article.text for article in shipped.articles}
    for question in shipped.questions:
        quotes = [gold.quote for gold in question.row.gold]
        assert [gold.span.of(texts[gold.article_id]) for gold in question.gold] == quotes


def test_both_halves_hold_answerable_and_unanswerable_questions(shipped):
    halves = Counter((question.split, question.row.unanswerable is None) for question in shipped.questions)
    assert len(halves) == 4
    assert min(halves.values()) >= 10


def test_the_half_of_a_question_follows_from_its_id_alone(shipped, write_set):
    """Pinned: a question that changes halves would leak what was tuned on it."""
    known = {question.row.id: question.split for question in shipped.questions}
    assert [known[name] for name in ("a001", "a002", "a003", "b001")] == ["tune", "held_out", "held_out", "tune"]
    (moved,) = load_question_set(write_set({**QUESTION, "id": "a001"})).questions
    assert moved.split == known["a001"]


def test_a_small_set_loads(write_set):
    loaded = load_question_set(write_set(QUESTION, {**QUESTION, **UNANSWERABLE, "id": "q2"}))
    assert [question.row.id for question in loaded.questions] == ["q1", "q2"]
    (gold,) = loaded.questions[0].gold
    assert gold.article_id == loaded.articles[0].id
    assert loaded.questions[1].gold == ()
    assert loaded.excluded == {}
    assert SHIPPED.name not in (loaded.name, "shipped")


CONFLICT = {
    "type": "conflict",
    "answer": "250 crowns or 250 m",
    "answer_keys": [["250 crowns"], ["250 m"]],
    "gold": [
        {"article": "ferry.md", "quote": "The harbour cost 250 crowns."},
        {"article": "ferry.md", "quote": "It is 250 m long."},
    ],
}
HISTORY = [{"role": "user", "content": "Which ferry?"}, {"role": "assistant", "content": "The one to Hallin."}]


def test_a_question_may_bring_a_history_and_a_day(write_set):
    row = {**QUESTION, "type": "follow_up", "history": HISTORY, "as_of": "2026-03-01"}
    first, second = load_question_set(write_set(row, {**QUESTION, **CONFLICT, "id": "q2"})).questions
    assert [(turn.role, turn.content) for turn in first.row.history] == [
        ("user", "Which ferry?"),
        ("assistant", "The one to Hallin."),
    ]
    assert first.row.as_of == date(2026, 3, 1)
    assert (second.row.history, second.row.as_of, second.scope) == ((), None, None)
    assert [gold.span.start for gold in second.gold] == sorted(gold.span.start for gold in second.gold)


def test_drafts_are_counted_and_left_out_but_checked(write_set, tmp_path):
    loaded = load_question_set(write_set(QUESTION, {**QUESTION, "id": "s1", "draft": True}))
    assert [question.row.id for question in loaded.questions] == ["q1"]
    assert loaded.excluded == {"drafts that nobody has accepted": 1}
    (tmp_path / "questions.jsonl").write_text(json.dumps({**QUESTION, "answer_keys": [["Friday"]], "draft": True}))
    assert "none of the answer keys ('Friday',)" in refused(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "follow_up"}, "question q1: a follow-up needs the history that it follows"),
        ({"history": [{"role": "system", "content": "x"}]}, "questions.jsonl line 1: history.0.role: "),
        ({"history": [{"role": "user", "content": ""}]}, "questions.jsonl line 1: history.0.content: "),
        ({"as_of": "soon"}, "questions.jsonl line 1: as_of: "),
        (
            {**CONFLICT, "answer_keys": [["250 crowns"]]},
            "question q1: a conflict needs a gold quote and an answer key for each position",
        ),
        (
            {**CONFLICT, "gold": CONFLICT["gold"][:1], "answer_keys": [["cost"], ["250"]]},
            "question q1: a conflict needs a gold quote and an answer key for each position",
        ),
        ({"typ": "fact"}, "questions.jsonl line 1: typ: is not a known name"),
        ({"type": "trivia"}, "questions.jsonl line 1: type: "),
        ({"id": ""}, "questions.jsonl line 1: id: "),
        ({"answer_keys": [[""]]}, "questions.jsonl line 1: answer_keys.0.0: "),
        ({"answer_keys": [["Friday"]]}, "question q1: none of the answer keys ('Friday',)"),
        ({"answer_keys": []}, "question q1: gold quotes and answer keys go together"),
        ({"unanswerable": "off_topic"}, "question q1: gold quotes and answer keys go together"),
        ({"type": "unanswerable"}, "question q1: the type is 'unanswerable', and unanswerable None"),
        ({**UNANSWERABLE, "type": "fact"}, "question q1: the type is 'fact', and unanswerable 'not_stated'"),
        ({"gold": [{"article": "gone.md", "quote": "on Monday"}]}, "question q1: there is no article 'gone.md'"),
        ({"gold": [{"article": "ferry.md", "quote": "on  Monday"}]}, "'on  Monday' stands 0 times in 'ferry.md'"),
        (
            {"gold": [{"article": "ferry.md", "quote": "250"}], "answer_keys": [["250"]]},
            "question q1: the quote '250' stands 2 times in 'ferry.md', expected once",
        ),
    ],
)
def test_a_malformed_question_is_refused_by_name(write_set, change, message):
    if "gold" in change and "answer_keys" not in change:
        change = {**change, "answer_keys": [["Monday"]]}
    assert message in refused(write_set({**QUESTION, **change}))


def test_a_line_that_is_no_json_and_an_empty_line_are_refused(write_set, tmp_path):
    assert "questions.jsonl line 2: Invalid JSON" in refused(write_set(QUESTION, "{"))
    (tmp_path / "questions.jsonl").write_text(json.dumps(QUESTION) + "\n\n")
    assert "questions.jsonl line 2: " in refused(tmp_path)


def test_an_id_that_occurs_twice_is_refused(write_set):
    assert "line 2: the id 'q1' occurs twice" in refused(write_set(QUESTION, QUESTION))


def test_a_missing_file_and_a_refused_article_are_named(write_set, tmp_path):
    folder = write_set(QUESTION, article="\n")
    assert "ferry.md" in refused(folder)
    (tmp_path / "articles" / "ferry.md").write_text(ARTICLE)
    (tmp_path / "questions.jsonl").unlink()
    assert "questions.jsonl cannot be read: No such file" in refused(tmp_path)


@pytest.mark.parametrize(
    ("key", "text", "found"),
    [
        ("monday", "On MONDAY.", True),
        ("crown", "250 crowns", True),
        ("25", "250 crowns", False),
        ("25", "1.25 crowns", False),
        ("25", "25,000 crowns", False),
        ("25", "It cost 25.", True),
        ("25", "25% of them", True),
        ("$25", "US$25", True),
        ("a.b", "a-b", False),
    ],
)
def test_a_key_is_found_whatever_the_case_and_a_number_only_whole(key, text, found):
    assert has_key([key], [text]) is found
    assert has_key(["nothing", key], ["", text]) is found


def test_no_key_stands_in_nothing():
    assert not has_key([], ["text"])
    assert not has_key(["text"], [])
