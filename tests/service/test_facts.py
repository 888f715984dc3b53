"""What of a text can be checked word by word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.answering.facts import Facts, holds_number


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1,200 boats", {"1200"}),
        ("twenty-five per cent", {"25 %"}),
        ("25% of 3.5 million", {"25 %", "3500000"}),
        ("one thousand two hundred", {"1200"}),
        ("two dozen eggs", {"24"}),
        ("12 tonnes and 12 metres", {"12 tonn", "12 metr"}),
        ("the 3rd of May 2019", {"3", "2019"}),
        ("none at all", set()),
    ],
)
def test_numbers_are_read_with_their_units(text, numbers):
    assert Facts.of(text).numbers == numbers


@pytest.mark.parametrize(
    ("number", "within", "holds"),
    [("12 tonn", "12 tonnes", True), ("12", "12 tonnes", True), ("12 tonn", "12", True), ("12 tonn", "12 km", False)],
)
def test_a_unit_that_both_state_has_to_be_the_same(number, within, holds):
    assert holds_number(number, Facts.of(within).numbers) is holds


@given(st.text(max_size=300))
def test_any_text_has_facts_that_bear_it_out(text):
    facts = Facts.of(text)
    assert all(holds_number(number, facts.numbers) for number in facts.numbers)
    assert not facts.contradicts(facts)
