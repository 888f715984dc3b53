"""The days that a question speaks of, and the articles that it asks for by them."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.answering.days import Period, periods, publication_period

AS_OF = date(2026, 3, 18)  # a Wednesday


def day(text):
    return date.fromisoformat(text) if text else None


@pytest.mark.parametrize(
    ("question", "first", "last"),
    [
        ("What was decided in March 2025?", "2025-03-01", "2025-03-31"),
        ("What was decided in february 2024?", "2024-02-01", "2024-02-29"),
        ("What happened on 18 March 2025?", "2025-03-18", "2025-03-18"),
        ("What happened on March 18th, 2025?", "2025-03-18", "2025-03-18"),
        ("What happened on the 18th of March 2025?", "2025-03-18", "2025-03-18"),
        ("What happened on 2025-03-18?", "2025-03-18", "2025-03-18"),
        ("What happened in 2024?", "2024-01-01", "2024-12-31"),
        ("What has changed since 2024?", "2024-01-01", None),
        ("What changed after March 2025?", "2025-04-01", None),
        ("What changed before 18 March 2025?", None, "2025-03-17"),
        ("What must be done by 18 March 2025?", None, "2025-03-18"),
        ("What changed between March and May 2025?", "2025-03-01", "2025-05-31"),
        ("What changed from 3 May 2024 to 9 June 2025?", "2024-05-03", "2025-06-09"),
    ],
)
def test_days_that_are_named_in_full_need_no_other(question, first, last):
    assert periods(question) == periods(question, as_of=AS_OF) == [Period(day(first), day(last))]


@pytest.mark.parametrize(
    ("question", "first", "last"),
    [
        ("What happened yesterday?", "2026-03-17", "2026-03-17"),
        ("What happens today?", "2026-03-18", "2026-03-18"),
        ("What happened last week?", "2026-03-09", "2026-03-15"),
        ("What happens this week?", "2026-03-16", "2026-03-22"),
        ("What happened last month?", "2026-02-01", "2026-02-28"),
        ("What happened last year?", "2025-01-01", "2025-12-31"),
        ("What happened last November?", "2025-11-01", "2025-11-30"),
        ("What happened in the past two weeks?", "2026-03-04", "2026-03-18"),
        ("What happened over the last 13 months?", "2025-02-18", "2026-03-18"),
        ("What happened in March?", "2026-03-01", "2026-03-31"),
        ("What happened in April?", "2025-04-01", "2025-04-30"),
        ("What happened on 19 March?", "2025-03-19", "2025-03-19"),
    ],
)
def test_relative_days_are_reckoned_from_the_day_as_of_which_is_asked_and_from_no_other(question, first, last):
    assert periods(question, as_of=AS_OF) == [Period(day(first), day(last))]
    assert periods(question) == []


@pytest.mark.parametrize(
    "question",
    [
        "Who may decide?",
        "On 31 February 2025?",
        "Why 12 ships?",
        "Between May 2025 and March 2024?",
        "Who marches?",
        "",
    ],
)
def test_what_is_no_day_says_nothing(question):
    assert periods(question, as_of=AS_OF) == []


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("What do articles published in March 2025 say about steel?", ("2025-03-01", "2025-03-31")),
        ("Which reports on the ferry were published after 3 May 2024?", ("2024-05-04", None)),
        ("List the news stories that appeared between 1 May 2024 and 9 May 2024", ("2024-05-01", "2024-05-09")),
        ("Which articles were published last week?", ("2026-03-09", "2026-03-15")),
        ("When was the report published?", None),
        ("Who published a book in March 2025?", None),
        ("What do articles say about March 2025?", None),
        ("Which law published in May 2024 was repealed?", None),
    ],
)
def test_only_a_period_of_publication_bounds_what_is_searched(question, asked):
    found = publication_period(question, as_of=AS_OF)
    assert found == (Period(day(asked[0]), day(asked[1])) if asked else None)


@pytest.mark.parametrize(
    ("published", "held"), [("2025-03-01", True), ("2025-03-31", True), ("2025-04-01", False), (None, False)]
)
def test_both_ends_are_in_a_period_and_an_unknown_day_is_not(published, held):
    assert Period(date(2025, 3, 1), date(2025, 3, 31)).holds(day(published)) is held


WORDS = (
    "in since before after between and last past the 3 31 2025 0001 9999 1500 March May week 999 months of -".split()
)


@given(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), st.none() | st.dates())
def test_no_question_breaks_it_and_no_period_ends_before_it_begins(question, as_of):
    for period in periods(question, as_of=as_of):
        assert (period.first or date.min) <= (period.last or date.max)
        assert period.first or period.last
