"""Metrics of answers, by hand: the arithmetic stands beside what is expected."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.answers import judge, sentence_supported, token_f1
from eval.sets.questions import Gold, LabelledQuestion, QuestionRow
from ingest.article import ArticleId, ChunkId, Span
from service.answering.answer import Answer, AnswerSentence, Citation, Conflict, Position

TEXT = "The ferry stopped on Monday. It carried 40 cars. Nobody was hurt."
FERRY = ArticleId("art_ferry")
TEXTS = {FERRY: TEXT}


def question(*gold, keys=(("Monday",),), unanswerable=None, kind="fact", expected=None):
    """A question whose gold spans are (start, end) of TEXT."""
    row = QuestionRow(
        id="q",
        question="?",
        type="unanswerable" if unanswerable else kind,
        answer=expected,
        answer_keys=() if unanswerable else keys,
        gold=(),
        unanswerable=unanswerable,
    )
    return LabelledQuestion(row, tuple(Gold(FERRY, Span(*span)) for span in gold))


def cite(start, end, *, number=1, article=FERRY, quote=None):
    return Citation(
        number=number,
        article_id=article,
        title="Ferry",
        source="Post",
        url=None,
        published_at=None,
        date_source="unknown",
        quote=TEXT[start:end] if quote is None else quote,
        start=start,
        end=end,
        chunk_id=ChunkId("c"),
        score=0.5,
    )


def said(*citations, conflicts=()):
    """The answer that says what it cites, one sentence a citation."""
    sentences = tuple(AnswerSentence(c.quote, 0, 1, (c.number,), "verbatim", 0.5) for c in citations)
    text = " ".join(f"{c.quote} [{c.number}]" for c in citations)
    return Answer("answered", text, sentences, citations, conflicts=conflicts)


def declined(*nearest):
    return Answer("abstained", "Monday? The articles do not say this.", (), (), nearest=nearest)


def marks(asked, answer):
    return judge(asked, answer, TEXTS)


FIRST, SECOND, THIRD = (0, 28), (29, 48), (49, 65)


def test_the_sentences_are_where_this_file_thinks():
    assert [TEXT[slice(*span)] for span in (FIRST, SECOND, THIRD)] == [
        "The ferry stopped on Monday.",
        "It carried 40 cars.",
        "Nobody was hurt.",
    ]


def test_one_of_two_citations_is_right_and_one_of_two_gold_spans_is_cited():
    asked = question(FIRST, SECOND, keys=(("Monday", "Mon."), ("40 cars",), ("hurt",)))
    found = marks(asked, said(cite(*FIRST), cite(*THIRD, number=2)))
    assert found["citation_precision"] == pytest.approx(1 / 2)
    assert found["citation_recall"] == pytest.approx(1 / 2)
    assert found["keys"] == pytest.approx(2 / 3)
    assert (found["all_keys"], found["answered"]) == (0, 1)
    assert "declined" not in found


def test_a_citation_is_right_from_one_shared_character_on_and_in_the_same_article_only():
    assert marks(question((0, 10)), said(cite(9, 28)))["citation_precision"] == 1
    assert marks(question((0, 10)), said(cite(10, 28)))["citation_precision"] == 0
    found = marks(question(FIRST), said(cite(*FIRST, article=ArticleId("art_other"))))
    assert (found["citation_precision"], found["citation_recall"]) == (0, 0)


def test_an_answer_that_was_due_and_not_given_scores_0_but_has_no_citations_to_be_wrong():
    found = marks(question(FIRST, expected="Monday"), declined(cite(*FIRST)))
    assert {name: found[name] for name in ("keys", "all_keys", "token_f1", "citation_recall", "answered")} == {
        "keys": 0,
        "all_keys": 0,
        "token_f1": 0,
        "citation_recall": 0,
        "answered": 0,
    }
    assert "citation_precision" not in found
    assert "supported" not in found


def test_a_citation_mark_is_no_number_of_the_answer_and_an_uncited_sentence_earns_nothing():
    answer = said(cite(*FIRST))
    assert "[1]" in answer.text
    assert marks(question(FIRST, keys=(("1",),)), answer)["keys"] == 0
    uncited = Answer("answered", "Monday.", (AnswerSentence("Monday.", 0, 7, (), "supported", 0.5),), ())
    assert marks(question(FIRST), uncited)["keys"] == 0


def test_an_unanswerable_question_has_no_marks_but_whether_it_was_declined():
    assert marks(question(unanswerable="off_topic"), said(cite(*FIRST)))["declined"] == 0
    found = marks(question(unanswerable="not_stated"), declined(cite(*FIRST)))
    assert found == {"verbatim": 1, "declined": 1}


def test_a_question_without_keys_or_expected_answer_has_no_marks_for_them():
    found = marks(question(FIRST, keys=()), said(cite(*FIRST)))
    assert not {"keys", "all_keys", "token_f1"} & found.keys()
    assert found["citation_recall"] == 1


def test_every_citation_must_be_the_words_of_the_set():
    right, shifted = cite(*FIRST), cite(1, 28, quote=TEXT[0:27])
    foreign = cite(*FIRST, article=ArticleId("art_other"))
    assert marks(question(FIRST), said(right))["verbatim"] == 1
    assert marks(question(FIRST), said(right, shifted))["verbatim"] == 1 / 2
    assert marks(question(FIRST), declined(foreign))["verbatim"] == 0
    assert marks(question(FIRST), said(cite(5, 5, quote="")))["verbatim"] == 0
    assert "verbatim" not in marks(question(FIRST), declined())


def test_a_conflict_is_shown_when_every_position_stands_in_one():
    def conflict(*values):
        return Conflict("number", tuple(Position(value, 1, None) for value in values))

    asked = question(FIRST, SECOND, keys=(("23", "twenty-three"), ("57",)), kind="conflict")
    assert marks(asked, said(cite(*FIRST), conflicts=[conflict("57 people", "23")]))["conflict_shown"] == 1
    assert marks(asked, said(cite(*FIRST), conflicts=[conflict("23"), conflict("57")]))["conflict_shown"] == 0
    assert marks(asked, said(cite(*FIRST)))["conflict_shown"] == 0
    other = said(cite(*FIRST), conflicts=[conflict("1", "2")])
    assert marks(question(FIRST), other)["conflict_false"] == 1
    assert marks(question(FIRST), said(cite(*FIRST)))["conflict_false"] == 0
    assert "conflict_false" not in marks(question(FIRST), declined())


@pytest.mark.parametrize(
    ("sentence", "supported"),
    [
        ("It carried 40 cars.", True),
        ("40 cars", True),
        ("The ferry carried 41 cars.", False),  # another number
        ("It carried 4 cars.", False),  # 4 is not 40
        ("The ferry that carried 40 cars stopped.", True),
        ("The captain of the ferry sold the 40 cars in Spain.", False),  # half of the words
        ("", True),
    ],
)
def test_a_sentence_is_borne_out_by_its_quotes(sentence, supported):
    """Every number and four fifths of the content words must be there."""
    citations = (cite(*FIRST), cite(*SECOND, number=2), cite(*THIRD, number=3))
    said_so = AnswerSentence(sentence, 0, 1, (1, 2), "supported", 0.5)
    assert sentence_supported(said_so, citations) is supported


def test_only_the_quotes_that_it_cites_bear_a_sentence_out():
    citations = (cite(*FIRST), cite(*SECOND, number=2))
    assert not sentence_supported(AnswerSentence("It carried 40 cars.", 0, 1, (1,), "supported", 0.5), citations)
    assert not sentence_supported(AnswerSentence("Cars.", 0, 1, (), "supported", 0.5), citations)


@pytest.mark.parametrize(
    ("said_so", "supported"), [("alpha beta gamma delta omega", True), ("alpha beta gamma psi omega", False)]
)
def test_four_of_five_words_are_enough_and_three_are_not(said_so, supported):
    (quote,) = (cite(0, 5, quote="Alpha, beta, gamma and delta."),)
    assert sentence_supported(AnswerSentence(said_so, 0, 1, (1,), "supported", 0.5), (quote,)) is supported


def test_the_share_of_supported_sentences():
    citations = (cite(*FIRST), cite(*SECOND, number=2))
    changed = AnswerSentence("It carried 41 cars.", 0, 1, (2,), "supported", 0.5)
    uncited = AnswerSentence("All is well.", 0, 1, (), "supported", 0.5)
    right = AnswerSentence("The ferry stopped on Monday.", 0, 1, (1,), "verbatim", 0.5)
    answer = Answer("answered", "", (right, changed, uncited), citations)
    assert marks(question(FIRST), answer)["supported"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("answered", [True, False])
def test_a_conflict_that_was_not_shown_counts_whether_or_not_there_was_an_answer(answered):
    asked = question(FIRST, SECOND, keys=(("Monday",), ("40 cars",)), kind="conflict")
    found = marks(asked, said(cite(*FIRST)) if answered else declined(cite(*FIRST)))
    assert found["conflict_shown"] == 0
    assert "conflict_false" not in found


def test_an_answer_to_an_unanswerable_question_may_show_a_false_conflict_too():
    shown = (Conflict("number", (Position("1", 1, None), Position("2", 1, None))),)
    found = marks(question(unanswerable="not_stated"), said(cite(*FIRST), conflicts=shown))
    assert found == {"verbatim": 1, "supported": 1, "declined": 0, "conflict_false": 1}


def test_every_metric_of_a_right_answer():
    found = marks(question(FIRST, expected="On Monday"), said(cite(*FIRST)))
    # "ferry stopped on monday" (the article is no word) and "on monday" share two words of 4 and 2.
    assert found.pop("token_f1") == pytest.approx(2 * 2 / (4 + 2))
    assert found == {
        "verbatim": 1,
        "supported": 1,
        "answered": 1,
        "keys": 1,
        "all_keys": 1,
        "citation_precision": 1,
        "citation_recall": 1,
        "conflict_false": 0,
    }


def test_a_partial_answer_is_an_answer():
    whole = said(cite(*FIRST))
    partial = Answer("partial", whole.text, whole.sentences, whole.citations)
    assert marks(question(FIRST), partial) == marks(question(FIRST), whole)


@pytest.mark.parametrize(
    ("answer", "expected", "value"),
    [
        ("The ferry stopped.", "ferry stopped", 1),
        ("on Monday", "Monday", 2 * 1 / (2 + 1)),
        ("a big, big dog", "big cat", 2 * 1 / (3 + 2)),
        ("dog", "cat", 0),
        ("", "cat", 0),
        ("the", "a", 1),  # nothing is left of both
    ],
)
def test_token_f1_by_hand(answer, expected, value):
    assert token_f1(answer, expected) == pytest.approx(value)


@given(st.text(), st.text())
def test_token_f1_is_symmetric_and_a_share(one, other):
    assert 0 <= token_f1(one, other) <= 1
    assert token_f1(one, other) == token_f1(other, one)
