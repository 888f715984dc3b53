"""MinHash: estimates near the true similarity, candidates that do not depend on the order of articles."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.duplicates import SIGNATURE_SIZE, candidates, estimates, shingles, signature

WORDS = [f"{first}{second}" for first in "bdfgklmnprst" for second in ("a", "ar", "en", "il", "o", "um")]


def text_of(seed, length=300):
    return " ".join(random.Random(seed).choices(WORDS, k=length))


def with_changes(text, changes, seed):
    draw, words = random.Random(seed), text.split()
    for place in draw.sample(range(len(words)), changes):
        words[place] = f"new{draw.randrange(10**6)}"
    return " ".join(words)


def jaccard(one, other):
    mine, theirs = shingles(one), shingles(other)
    return len(mine & theirs) / len(mine | theirs)


@given(st.integers(0, 10**6), st.integers(0, 120))
def test_the_estimate_is_within_five_standard_errors_of_the_similarity(seed, changes):
    one = text_of(seed)
    other = with_changes(one, changes, seed + 1)
    truth = jaccard(one, other)
    estimate = estimates(np.stack([signature(one), signature(other)]), np.array([[0, 1]]))[0]
    assert abs(estimate - truth) <= 5 * np.sqrt(max(truth * (1 - truth), 1 / SIGNATURE_SIZE) / SIGNATURE_SIZE)


def test_a_signature_is_the_same_in_every_version_and_on_every_machine():
    assert signature("The Alder Bridge opened on Monday.")[:4].tolist() == PINNED


PINNED = [2281340034, 1071908538, 1444967649, 4420582]


def test_case_and_punctuation_make_no_difference():
    assert shingles("Rain, again: in Norwick!") == shingles("rain again in norwick")


@pytest.mark.parametrize("text", ["", "…", " \n "])
def test_a_text_without_words_is_like_no_other(text):
    assert not shingles(text)
    assert candidates(np.stack([signature(text), signature(text)])).tolist() == []


@given(st.permutations(range(12)))
def test_the_same_pairs_are_found_in_every_order_of_articles(order):
    texts = [with_changes(text_of(number // 3), 8 * (number % 3), number) for number in range(12)]
    found = candidates(np.stack([signature(texts[number]) for number in order]))
    assert {frozenset((order[one], order[other])) for one, other in found.tolist()} == {
        frozenset((first + one, first + other)) for first in range(0, 12, 3) for one, other in ((0, 1), (0, 2), (1, 2))
    }


def test_pages_of_one_template_make_a_few_pairs_each_not_one_for_every_two():
    same = np.stack([signature(text_of(1))] * 200)
    found = candidates(same)
    assert len(found) < 200 * 5
    assert set(found[:, 0].tolist()) | set(found[:, 1].tolist()) == set(range(200))
