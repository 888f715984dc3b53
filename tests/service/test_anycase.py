"""Patterns in lower case find what the same patterns find that ignore case, in any text."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.answering.anycase import AnyCase
from service.answering.evidence import _UNQUOTABLE, quotable

PATTERNS = (
    r"\b(?:kilos?|since|six|in order to)\b",
    r"\b(?:may|sept?)\b\.?(?: \d{1,2}\b)?|[ap]\.?m\b",
    r"^.{3,9}?\b(?:is|means?)\b (?:an?|the)|[$€£¥]\s?\d",
)
WORDS = st.sampled_from(
    "Since SIX six ſix sıx SİX In ORDER to kilos Kilo is IS means A the May MAY sept. 12 3pm 4 P.M. €5 ß ΣΑΣ “the” ’".split()
)
TEXTS = st.lists(WORDS, max_size=8).map(" ".join) | st.text(max_size=30)


@pytest.mark.parametrize("pattern", PATTERNS)
@given(text=TEXTS)
def test_it_finds_what_ignoring_case_finds_at_the_same_places(pattern, text):
    ignoring = re.compile(pattern, re.IGNORECASE)
    plain = AnyCase(pattern)
    assert [found.span() for found in plain.finditer(text)] == [found.span() for found in ignoring.finditer(text)]
    first = plain.search(text)
    assert (first and first.span()) == next((found.span() for found in ignoring.finditer(text)), None)


@given(
    st.lists(
        st.sampled_from(
            [
                "www",
                "WWW",
                ".",
                ":",
                "/",
                "//",
                "<",
                "b",
                ">",
                "]",
                "(",
                "[",
                "!",
                "&",
                "lt",
                ";",
                "data",
                "a.io",
                " ",
                "http",
            ]
        ),
        max_size=7,
    ).map("".join)
)
def test_what_is_told_to_be_quotable_at_a_glance_holds_no_link(words):
    assert quotable(words) is not bool(_UNQUOTABLE.search(words))
