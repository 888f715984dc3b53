"""Metrics of answers, by hand: the arithmetic stands beside what is expected."""

import pytest

from eval.answers import Figure, judge, summarise, summarise_groups, verbatim
from eval.sets.questions import Gold, LabelledQuestion, QuestionRow
from ingest.article import ArticleId, ChunkId, Span
from service.answering.answer import Answer, AnswerSentence, Citation

TEXT = "The ferry stopped on Monday. It carried 40 cars. Nobody was hurt."
FERRY = ArticleId("art_ferry")


def question(*gold, keys=(("Monday",),), unanswerable=None, name="q", kind="fact"):
    """A question whose gold spans are (start, end) of TEXT."""
    row = QuestionRow(
        id=name,
        question="?",
        type="unanswerable" if unanswerable else kind,
        answer=None,
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


def said(*citations):
    """The answer that says what it cites, one sentence a citation."""
    sentences = tuple(AnswerSentence(c.quote, 0, 1, (c.number,), "verbatim", 0.5) for c in citations)
    return Answer("answered", " ".join(f"{c.quote} [{c.number}]" for c in citations), sentences, citations)


def declined(*nearest):
    return Answer("abstained", "Monday? The articles do not say this.", (), (), nearest=nearest)


FIRST, SECOND, THIRD = (0, 28), (29, 48), (49, 65)


def test_the_sentences_are_where_this_file_thinks():
    assert [TEXT[slice(*span)] for span in (FIRST, SECOND, THIRD)] == [
        "The ferry stopped on Monday.",
        "It carried 40 cars.",
        "Nobody was hurt.",
    ]


def test_one_of_two_citations_is_right_and_one_of_two_gold_spans_is_cited():
    asked = question(FIRST, SECOND, keys=(("Monday", "Mon."), ("40 cars",), ("hurt",)))
    marks = judge(asked, said(cite(*FIRST), cite(*THIRD, number=2)), total_ms=7)
    assert marks.precision == pytest.approx(1 / 2)
    assert marks.recall == pytest.approx(1 / 2)
    assert marks.keys == pytest.approx(2 / 3)
    assert (marks.answered, marks.total_ms) == (True, 7)


def test_a_citation_is_right_from_one_shared_character_on_and_in_the_same_article_only():
    assert judge(question((0, 10)), said(cite(9, 28)), total_ms=1).precision == 1
    assert judge(question((0, 10)), said(cite(10, 28)), total_ms=1).precision == 0
    other = cite(*FIRST, article=ArticleId("art_other"))
    marks = judge(question(FIRST), said(other), total_ms=1)
    assert (marks.precision, marks.recall) == (0, 0)


def test_an_answer_that_was_due_and_not_given_scores_0_but_has_no_citations_to_be_wrong():
    marks = judge(question(FIRST), declined(cite(*FIRST)), total_ms=1)
    assert (marks.keys, marks.precision, marks.recall, marks.answered) == (0, None, 0, False)


def test_a_citation_mark_is_no_number_of_the_answer_and_an_uncited_sentence_earns_nothing():
    answer = said(cite(*FIRST))
    assert "[1]" in answer.text
    assert judge(question(FIRST, keys=(("1",),)), answer, total_ms=1).keys == 0
    uncited = Answer("answered", "Monday.", (AnswerSentence("Monday.", 0, 7, (), "supported", 0.5),), ())
    assert judge(question(FIRST), uncited, total_ms=1).keys == 0


def test_an_unanswerable_question_has_no_marks_but_its_status():
    marks = judge(question(unanswerable="off_topic"), said(cite(*FIRST)), total_ms=1)
    assert (marks.keys, marks.precision, marks.recall, marks.answered) == (None, None, None, True)


def four():
    """Two answerable questions, the second declined; two unanswerable ones, the second declined."""
    return [
        judge(question(FIRST, name="a002"), said(cite(*FIRST), cite(*THIRD, number=2)), total_ms=10),
        judge(question(FIRST, name="a001", kind="time"), declined(), total_ms=2),
        judge(question(unanswerable="off_topic", name="a002"), said(cite(*THIRD)), total_ms=4),
        judge(question(unanswerable="not_stated", name="a001"), declined(), total_ms=6),
    ]


def test_a_summary_by_hand():
    summary = summarise(four())
    assert summary.keys == Figure((1 + 0) / 2, 2)
    assert summary.all_keys == Figure(1 / 2, 2)
    assert summary.citation_precision == Figure(1 / 2, 1)  # the declined one cites nothing
    assert summary.citation_recall == Figure((1 + 0) / 2, 2)
    assert summary.sentences == Figure((2 + 1) / 2, 2)
    assert summary.abstained == Figure(2 / 4, 4)
    assert summary.abstention_precision == Figure(1 / 2, 2)  # two declined, one of them rightly
    assert summary.abstention_recall == Figure(1 / 2, 2)  # two unanswerable, one of them declined
    assert summary.median_ms == Figure((4 + 6) / 2, 4)


def test_over_nothing_a_figure_is_none_and_not_0():
    summary = summarise([])
    assert summary.keys == summary.abstention_precision == summary.median_ms == Figure(None, 0)


def test_groups_are_the_whole_the_halves_the_types_and_the_kinds():
    groups = summarise_groups(four())
    assert {name: figures.abstained.n for name, figures in groups.items()} == {
        "all": 4,
        "tune": 2,
        "held_out": 2,
        "fact": 1,
        "time": 1,
        "off_topic": 1,
        "not_stated": 1,
    }
    assert groups["off_topic"].abstained == Figure(0, 1)
    assert groups["not_stated"].abstained == Figure(1, 1)


def test_every_citation_must_be_the_words_of_the_library():
    texts = {FERRY: TEXT}
    right, shifted = cite(*FIRST), cite(1, 28, quote=TEXT[0:27])
    foreign = cite(*FIRST, article=ArticleId("art_other"))
    assert verbatim([said(right), declined(right)], texts) == Figure(1, 2)
    assert verbatim([said(right, shifted), declined(foreign)], texts) == Figure(pytest.approx(1 / 3), 3)
    assert verbatim([said(cite(5, 5, quote=""))], texts) == Figure(0, 1)
    assert verbatim([declined()], texts) == Figure(None, 0)
