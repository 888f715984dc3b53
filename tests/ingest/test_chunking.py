from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.article import Article, article_id
from ingest.chunking import (
    TITLE_TOKENS,
    ChunkingSettings,
    chunk_article,
    embedded_text,
    embedded_title,
    fit_sentences,
)
from ingest.sentences import split_sentences


def article(text, title="A title"):
    return Article(
        id=article_id("path:t"),
        identity="path:t",
        text=text,
        title=title,
        title_source="meta",
        source="Test",
        url=None,
        authors=(),
        published_at=date(2025, 1, 2),
        date_source="meta",
        external_id=None,
    )


def count_words(texts):
    return [len(text.split()) for text in texts]


def chunks_of(text, *, most, overlap=0, count=count_words):
    one = article(text)
    sentences = fit_sentences(text, split_sentences(text), max_tokens=most, count_tokens=count)
    chunks = chunk_article(one, sentences, settings=ChunkingSettings(most, overlap), count_tokens=count)
    return [chunk.span.of(text) for chunk in chunks]


def test_sentences_are_packed_whole():
    assert chunks_of("One two three. Four five. Six seven eight nine.", most=5) == [
        "One two three. Four five.",
        "Six seven eight nine.",
    ]


def test_the_next_chunk_repeats_whole_sentences_that_fit_the_overlap():
    assert chunks_of("A b c. D e. F g. H i j.", most=7, overlap=2) == ["A b c. D e. F g.", "F g. H i j."]


def test_a_heading_stays_with_what_follows_it():
    text = "One two three four.\nA heading\nFive six seven eight."
    assert chunks_of(text, most=6) == ["One two three four.", "A heading\nFive six seven eight."]


def test_a_list_stays_with_its_lead_in():
    text = "Before it comes this sentence.\nThese are asked:\n- one thing\n- another thing\nAfter it."
    assert chunks_of(text, most=12)[1].startswith("These are asked:\n- one thing\n- another thing")


def test_a_sentence_longer_than_a_chunk_is_cut_between_words():
    text = " ".join(f"w{n}" for n in range(23)) + "."
    assert [len(chunk.split()) for chunk in chunks_of(text, most=10)] == [10, 10, 3]


def test_overlap_must_fit():
    with pytest.raises(ValueError, match="does not fit"):
        ChunkingSettings(10, 10)


odd = st.text(
    alphabet=st.one_of(
        st.characters(codec="utf-8", exclude_characters="\x00"),
        st.sampled_from('ab .,!?\n-“”"🏳️‍🌈é漢。0123'),
    ),
    max_size=600,
)


@pytest.mark.model
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=odd, title=st.text(alphabet=st.characters(codec="utf-8"), max_size=300), most=st.integers(8, 60))
def test_no_chunk_is_longer_than_the_model_reads_and_no_word_is_lost(embedder, text, title, most):
    """The embedding model's own tokenizer decides, over odd Unicode."""
    count = embedder.count_tokens
    one = article(text, title)
    sentences = fit_sentences(text, split_sentences(text), max_tokens=most, count_tokens=count)
    chunks = chunk_article(one, sentences, settings=ChunkingSettings(most, most // 3), count_tokens=count)
    kept_title = embedded_title(title, count)
    covered = [False] * len(text)
    for chunk in chunks:
        words = chunk.span.of(text)
        assert count([words])[0] <= most
        assert count([embedded_text(kept_title, words)])[0] <= most + TITLE_TOKENS
        covered[chunk.span.start : chunk.span.end] = [True] * len(words)
    for sentence in sentences:
        assert all(covered[sentence.span.start : sentence.span.end])
    starts = [chunk.span.start for chunk in chunks]
    assert starts == sorted(set(starts))


@pytest.mark.model
def test_an_eighty_thousand_character_word_is_cut_to_what_the_model_reads(embedder):
    text = "Short start. " + "x" * 80_000 + " end."
    one = article(text)
    sentences = fit_sentences(text, split_sentences(text), max_tokens=200, count_tokens=embedder.count_tokens)
    chunks = chunk_article(one, sentences, settings=ChunkingSettings(200, 40), count_tokens=embedder.count_tokens)
    assert max(embedder.count_tokens([chunk.span.of(text) for chunk in chunks])) <= 200
    assert sum(chunk.span.end - chunk.span.start for chunk in chunks) >= 80_000
