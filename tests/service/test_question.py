import pytest

from service.answering.expectation import asks_for_several, expectation_of, holds
from service.answering.question import stand_alone
from service.answering.reply import Turn

FIRST = Turn("user", "Who designed the Quillon Bridge?")
REPLY = Turn("assistant", "It was designed by an office. [1]")


@pytest.mark.parametrize("message", ["And what does it cost?", "When?", "Why did she resign?", "What about the ferry?"])
def test_a_message_that_leans_back_is_joined_to_the_question_before_it(message):
    assert stand_alone(message, [FIRST, REPLY]) == f"{FIRST.content} {message}"


def test_a_chain_of_leaning_messages_goes_back_to_the_one_that_stands():
    turns = [FIRST, REPLY, Turn("user", "And when?"), REPLY]
    assert stand_alone("How much did it cost?", turns).startswith(FIRST.content)


@pytest.mark.parametrize(
    ("message", "history"),
    [
        ("Which company repaired the Orvalt stadium roof in June?", [FIRST, REPLY]),
        ("And what does it cost?", []),
        ("And what does it cost?", [REPLY]),
    ],
)
def test_a_message_that_stands_or_has_nothing_to_lean_on_is_searched_as_it_is(message, history):
    assert stand_alone(f"  {message} ", history) == message


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("How many people came?", "number"),
        ("When does the bridge open?", "time"),
        ("In which year was it built?", "time"),
        ("Who resigned?", "person"),
        ("Who said that the plan is bad?", "quotation"),
        ("Where was the meeting held?", "place"),
        ("Why was it closed?", "reason"),
        ("Is it open?", "any"),
    ],
)
def test_the_question_word_tells_what_is_asked_for(question, kind):
    assert expectation_of(question) == kind


def test_what_the_question_names_itself_is_no_answer():
    question = "How many of the 12 ships sank?"
    assert not holds("number", "The 12 ships left in fog.", question)
    assert holds("number", "Of the 12 ships, 3 sank.", question)


@pytest.mark.parametrize(
    ("question", "several"),
    [
        ("Which bodies typically take part in the talks?", True),
        ("What are the conditions?", True),
        ("List the detour routes.", True),
        ("Who is the mayor?", False),
        ("When does it open?", False),
    ],
)
def test_plural_questions_ask_for_lists(question, several):
    assert asks_for_several(question) is several
