"""The values that sentences state, and when two of them are the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.answering.values import holders_of, values_of

READ = [
    ("The bank cut its rate to 4.25 percent.", [("share", 4.25, "4.25 percent")]),
    ("The rate is 4.25%.", [("share", 4.25, "4.25%")]),
    ("It fell by half a point to 3.5 per cent on Thursday.", [("share", 3.5, "3.5 per cent")]),
    ("It rose by 2 percentage points.", [("share", 2, "2 percentage points")]),
    ("The hall costs 18 million crowns.", [("money", 18e6, "18 million crowns")]),
    ("The hall costs $4.5 billion.", [("money", 4.5e9, "$4.5 billion")]),
    (
        "Twelve people died and 30 houses burned.",
        [("count", 12, "Twelve people died"), ("count", 30, "30 houses burned")],
    ),
    ("It sold 61,400 tickets.", [("count", 61400, "61,400 tickets")]),
    ("The true figure is closer to 7 million, because most stayed.", [("count", 7e6, "7 million")]),
    ("A gust of 148 kilometres per hour was measured.", [("measure", 148, "148 kilometres per hour")]),
    ("A 48-hour strike begins.", [("measure", 48, "48-hour")]),
    ("It opens on 4 May 2026.", [("day", 20260504, "4 May 2026")]),
    ("It opened in June.", [("day", 600, "June")]),
    ("It may rain.", []),
    ("At 4:20 a.m. the siren went off.", []),
    ("The bridge was built in 1931.", []),
    ("They won 4-2 in the third round.", []),
    ("Between 20 and 30 people came.", []),
    ("A 22-year-old student found it.", []),
    ("The damage was three times as large.", []),
    ("Police found it in locker No. 117.", []),
    ("Of the boats, 26,000 of them came back.", []),
]


@pytest.mark.parametrize(("sentence", "expected"), READ)
def test_values_are_read_with_their_units(sentence, expected):
    assert [(value.kind, value.amount, value.words) for value in values_of(sentence)] == expected


PAIRS = [
    ("a rate of 4.25 percent", "a rate of 4.00 percent", "other"),
    ("a rate of 4.25 percent", "a rate of 4.25 %", "same"),
    ("about 1,200 people", "1,187 people", "same"),
    ("1,200 people", "1,187 people", "same"),
    ("1,210 people", "1,187 people", "other"),
    ("12 people", "14 people", "other"),
    ("12 people", "twelve people", "same"),
    ("48 million crowns", "61 million crowns", "other"),
    ("48 million crowns", "48.2 million crowns", "same"),
    ("48 million crowns", "48 million euros", "incomparable"),
    ("20 kilometres", "12 miles", "incomparable"),
    ("12 people", "14 percent", "incomparable"),
    ("It opens on 4 May 2026", "It opens on 6 May 2026", "other"),
    ("It opens in May", "It opens in June", "other"),
    ("It opens in May", "It opens on 4 May", "incomparable"),
    ("It was 46,500", "41,000 households", "other"),
]


@pytest.mark.parametrize(("one", "other", "expected"), PAIRS)
def test_which_values_are_the_same(one, other, expected):
    (first,), (second,) = values_of(one), values_of(other)
    if expected == "incomparable":
        assert not first.comparable(second)
        assert not second.comparable(first)
    else:
        assert first.comparable(second)
        assert first.same(second) is second.same(first) is (expected == "same")


@pytest.mark.parametrize(
    ("sentence", "names"),
    [
        ("Coach Ada Lund praised the team.", ["Ada Lund"]),
        ("Ada Lund, the coach, praised the team.", ["Ada Lund"]),
        ("Ada Lund is head coach.", ["Ada Lund"]),
        ("The coach of Orvalt Athletic, Ada Lund, praised it.", ["Ada Lund"]),
        ("The coach praised Ada Lund.", []),
    ],
)
def test_holders_of_an_office_are_read(sentence, names):
    assert [value.words for value in holders_of(sentence, "coach")] == names


@given(
    st.text(max_size=200) | st.from_regex(r"([$€]?[0-9,.]{1,8} ?(million|percent|%|people|km|May|to|-|of them) ?){1,5}")
)
def test_a_value_stands_where_it_says(text):
    for value in values_of(text):
        assert text[value.start : value.start + len(value.words)] == value.words
        assert value.same(value)
