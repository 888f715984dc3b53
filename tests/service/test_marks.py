"""The marks of a finished answer, and the pieces that it is made of."""

from service.answering.answer import Answer, AnswerSentence
from service.answering.marks import Mark, marks_of, pieces_of


def answer(text, *sentences):
    found = [
        AnswerSentence(words, text.index(words), text.index(words) + len(words), numbers, "verbatim", 0.9)
        for words, numbers in sentences
    ]
    return Answer("answered", text, tuple(found), ())


TWO = answer(
    "They differ: Ünder [9] 5 €. [1][2]\n- a\n- b [10] Not found: why [1]?",
    ("Ünder [9] 5 €.", (1, 2)),
    ("- a\n- b", (10,)),
)


def test_a_mark_is_what_stands_behind_a_sentence():
    assert list(marks_of(TWO)) == [Mark(1, 28, 31), Mark(2, 31, 34), Mark(10, 43, 47)]
    assert [TWO.text[mark.start : mark.end] for mark in marks_of(TWO)] == ["[1]", "[2]", "[10]"]


def test_pieces_are_the_answer_up_to_its_last_mark():
    pieces = list(pieces_of(TWO))
    assert [piece.text for piece in pieces] == ["They differ: Ünder [9] 5 €. [1][2]", "\n- a\n- b [10]"]
    assert [piece.sentence for piece in pieces] == list(TWO.sentences)


def test_a_sentence_without_marks_ends_where_it_ends():
    bare = answer("One. Two.", ("One.", ()), ("Two.", ()))
    assert list(marks_of(bare)) == []
    assert [piece.text for piece in pieces_of(bare)] == ["One.", " Two."]
