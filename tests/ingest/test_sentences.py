from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.sentences import split_sentences


def words(text):
    return [sentence.span.of(text) for sentence in split_sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He left. She stayed.", ["He left.", "She stayed."]),
        ("Dr. Lee met Mr. Fox at St. Anne. They spoke.", ["Dr. Lee met Mr. Fox at St. Anne.", "They spoke."]),
        ("The U.S. Treasury acted. It paid.", ["The U.S. Treasury acted.", "It paid."]),
        ("They live in the U.S. The rest moved.", ["They live in the U.S.", "The rest moved."]),
        ("It cost 3.5 million. Then 4.", ["It cost 3.5 million.", "Then 4."]),
        ("It began at 5 p.m. on Monday.", ["It began at 5 p.m. on Monday."]),
        ("Bus No. 5 runs. He said no. Then he left.", ["Bus No. 5 runs.", "He said no.", "Then he left."]),
        ("J. R. Smith of Acme Inc. won.", ["J. R. Smith of Acme Inc. won."]),
        ("Really? Yes! Go.", ["Really?", "Yes!", "Go."]),
        ("Wait … then go. Now.", ["Wait … then go.", "Now."]),
        ("彼は来た。彼女も。", ["彼は来た。", "彼女も。"]),
    ],
)
def test_abbreviations_numbers_and_initials_do_not_end_a_sentence(text, expected):
    assert words(text) == expected


def test_a_quotation_stays_with_its_speaker():
    text = "“We know. It is hard. We go on,” she said. He left."
    assert words(text) == ["“We know. It is hard. We go on,” she said.", "He left."]


def test_a_sentence_may_end_inside_closing_quotes():
    assert words("She said, “It is over.” Nobody moved.") == ["She said, “It is over.”", "Nobody moved."]


def test_a_very_long_quotation_is_split_inside():
    text = '"' + " ".join(f"This is spoken sentence number {n}." for n in range(20)) + '" he said.'
    assert len(words(text)) == 20


def test_an_unclosed_quotation_hides_no_sentence_end():
    assert words('He said "go. They went. All of them.') == ['He said "go.', "They went.", "All of them."]


def test_lines_are_headings_items_or_prose():
    text = "A heading\nProse here. More prose.\nThese came:\n- first thing\n- second. Still second.\n1. The start\n2. The end"
    kinds = [(sentence.kind, sentence.span.of(text)) for sentence in split_sentences(text)]
    assert kinds == [
        ("heading", "A heading"),
        ("prose", "Prose here."),
        ("prose", "More prose."),
        ("prose", "These came:"),
        ("item", "first thing"),
        ("item", "second. Still second."),
        ("item", "The start"),
        ("item", "The end"),
    ]


def test_a_numbered_line_over_a_paragraph_is_a_heading():
    text = (
        "1. The plan\n"
        + "The plan has many parts and every one of them needs money, people, time and a place to be. It is long."
    )
    assert split_sentences(text)[0].kind == "heading"


blocks = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), max_size=200)


@given(blocks)
def test_spans_are_ordered_apart_trimmed_and_cover_all_words(text):
    sentences = split_sentences(text)
    for one, other in pairwise(sentences):
        assert one.span.end <= other.span.start
        assert one.block <= other.block
    uncovered = list(text)
    for sentence in sentences:
        quote = sentence.span.of(text)
        assert quote == quote.strip() != ""
        assert "\n" not in quote
        for position in range(sentence.span.start, sentence.span.end):
            uncovered[position] = " "
    # What is left is white space and list marks.
    assert all(len(line.split()) <= 1 for line in "".join(uncovered).split("\n"))


@given(
    st.lists(
        st.sampled_from(["Mr. Lee ran. ", "“Go. Now,” he said. ", "U.S. ", "\n- item ", "No. 7 ", "\n", "x"]),
        max_size=40,
    )
)
def test_it_is_deterministic_and_independent_of_what_follows_a_line(parts):
    text = "".join(parts)
    assert split_sentences(text) == split_sentences(text)
    first = text.split("\n")[0]
    if first.strip() and first.rstrip().endswith("."):
        alone = [s.span.of(first) for s in split_sentences(first)]
        assert words(text)[: len(alone)] == alone


def test_a_megabyte_on_one_line_is_split_in_linear_time():
    text = "A short sentence is here. " * 40_000
    assert len(split_sentences(text)) == 40_000
    assert len(split_sentences("x" * 1_000_000)) == 1
    assert len(split_sentences('"' * 200_000)) == 1
