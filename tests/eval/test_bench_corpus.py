"""The synthetic articles: the same everywhere, all different, and every question answered in its article."""

import hashlib
import json
from datetime import date
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.bench import words
from eval.bench.corpus import (
    ARTICLES_PER_FILE,
    MAX_ARTICLES,
    questions,
    synthetic_article,
    synthetic_articles,
    towns,
    write_articles,
)
from eval.bench.topics import TOPICS
from ingest.adding import add_files
from ingest.intake import prepare
from ingest.library import ArticleLibrary
from ingest.readers import RawArticle
from ingest.sentences import split_sentences

seeds = st.integers(0, 10_000)
numbers = st.integers(0, MAX_ARTICLES - 1)


def stored(article):
    row = article.row()
    return prepare(
        RawArticle(
            text=row["text"],
            title=row["title"],
            url=row["url"],
            source=row["source"],
            published=row["published_at"],
        )
    )


def test_the_articles_of_a_seed_never_change():
    """Figures of two versions compare only over the same texts: whoever changes them sees it here."""
    lines = "".join(json.dumps(article.row(), ensure_ascii=False) + "\n" for article in synthetic_articles(7, 50))
    asked = "".join(f"{question.text}\n" for question in islice(questions(7, 50), 200))
    assert (
        hashlib.sha256(lines.encode()).hexdigest() == "1de4eb4002f4f52442ff42d0ff11c2ed0f95434b2ccf47d160a8c4dbef142279"
    )
    assert (
        hashlib.sha256(asked.encode()).hexdigest() == "e5d1b9062de5886ce579f83160cc0e9c1a062a346cfe43e5472cfecebc255181"
    )


@settings(max_examples=60, deadline=None)
@given(seed=seeds, number=numbers)
def test_every_question_is_answered_by_words_of_its_article_as_it_is_stored(seed, number):
    made = synthetic_article(seed, number)
    article = stored(made)
    assert len(made.facts) == 5
    for fact in made.facts:
        assert fact.key in fact.sentence
        assert fact.sentence in article.text
    sentences = {sentence.span.of(article.text) for sentence in split_sentences(article.text)}
    assert {fact.sentence for fact in made.facts} <= sentences
    assert article.title == made.title
    assert article.published_at == made.published
    assert date(2023, 1, 1) <= made.published <= date(2025, 12, 31)


@settings(max_examples=60, deadline=None)
@given(seed=seeds, number=numbers)
def test_an_article_follows_from_seed_and_number_alone(seed, number):
    assert synthetic_article(seed, number) == synthetic_article(seed, number)
    assert synthetic_article(seed, number) != synthetic_article(seed + 1, number)
    text = synthetic_article(seed, number).text
    assert "{" not in text
    assert "}" not in text
    assert 90 <= len(text.split()) <= 400


@settings(max_examples=20, deadline=None)
@given(seed=seeds, first=st.integers(0, MAX_ARTICLES - 300))
def test_articles_differ_in_text_address_and_what_they_are_about(seed, first):
    made = list(synthetic_articles(seed, 300, first=first))
    assert len({article.text for article in made}) == 300
    assert len({article.url for article in made}) == 300
    asked = [text for article in made for fact in article.facts for text in fact.questions]
    assert len(set(asked)) == len(asked)


def test_town_and_topic_repeat_only_after_all_that_can_be_made():
    assert len(set(towns())) == len(towns())
    assert len(towns()) * len(TOPICS) >= MAX_ARTICLES
    # A town comes again after as many articles as there are towns, and then with another topic.
    first, again = synthetic_article(3, 5), synthetic_article(3, 5 + len(towns()))
    assert not {text for fact in first.facts for text in fact.questions} & {
        text for fact in again.facts for text in fact.questions
    }


@pytest.mark.parametrize("number", [-1, MAX_ARTICLES])
def test_other_numbers_are_refused(number):
    with pytest.raises(ValueError, match=f"there is no synthetic article {number}"):
        synthetic_article(1, number)


def test_some_articles_have_headings_and_some_have_lists():
    texts = [stored(article).text for article in synthetic_articles(7, 200)]
    kinds = [{sentence.kind for sentence in split_sentences(text)} for text in texts]
    with_list = sum("item" in found for found in kinds)
    with_heading = sum("heading" in found for found in kinds)
    assert 40 <= with_list <= 100
    assert 40 <= with_heading <= 120
    assert all("prose" in found for found in kinds)


@settings(max_examples=10, deadline=None)
@given(seed=seeds, articles=st.integers(1, 40))
def test_questions_are_distinct_and_stand_in_the_articles_that_they_name(seed, articles):
    by_url = {article.url: article for article in synthetic_articles(seed, articles)}
    asked = list(questions(seed, articles))
    assert len(asked) == articles * 5 * 2 * 8
    assert len({question.text for question in asked}) == len(asked)
    for question in asked:
        assert question.key in by_url[question.url].text
    # Articles take turns: the first round has each once.
    assert {question.url for question in asked[:articles]} == set(by_url)


def test_word_lists_hold_no_word_twice():
    for name in ("TOWN_HEADS", "TOWN_TAILS", "FIRST_NAMES", "LAST_NAMES", "STREETS", "RIVERS", "FIRMS", "BODIES"):
        found = getattr(words, name)
        assert len(set(found)) == len(found), name


def test_files_hold_the_articles_in_shards_and_are_taken_in_whole(tmp_path):
    count = ARTICLES_PER_FILE + 3
    size = write_articles(tmp_path / "articles", 7, count, first=10)
    files = sorted((tmp_path / "articles").iterdir())
    assert [file.name for file in files] == ["articles-000010.jsonl", "articles-001010.jsonl"]
    assert size == sum(file.stat().st_size for file in files)
    lines = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    assert lines == [article.row() for article in synthetic_articles(7, count, first=10)]
    library = ArticleLibrary.open(tmp_path / "library.sqlite")
    outcomes = [report.outcome for report in add_files(library, [files[1]])]
    library.close()
    assert outcomes == ["added"] * 3
