"""When a question is about, and what that says of articles by the day they were published."""

from datetime import date

import pytest

from service.answering.times import Days, Times


@pytest.mark.parametrize(
    ("question", "months", "order"),
    [
        ("What was decided in May 2025?", {(5, 2025)}, None),
        ("What was decided on 3 February 2025?", {(2, 2025)}, None),
        ("What was decided on February 3rd, 2025?", {(2, 2025)}, None),
        ("what was decided in february", {(2, None)}, None),
        ("What changed between March and October 2025?", {(3, None), (10, 2025)}, None),
        ("What happened in 1911?", {(None, 1911)}, None),
        ("What happened in 2024 and in 2026?", {(None, 2024), (None, 2026)}, None),
        ("Who may decide?", set(), None),
        ("Who is the governor now?", set(), "newest"),
        ("What is the latest figure?", set(), "newest"),
        ("How many seats were planned originally?", set(), "oldest"),
        ("Who knows?", set(), None),
    ],
)
def test_the_times_of_a_question(question, months, order):
    asked = Times.read(question)
    assert (set(asked.months), asked.order) == (months, order)


@pytest.mark.parametrize(
    ("question", "day", "named"),
    [
        ("In May 2025?", date(2025, 5, 31), True),
        ("In May 2025?", date(2024, 5, 31), False),
        ("In May?", date(2024, 5, 1), True),
        ("In 2024?", date(2024, 12, 31), True),
        ("In 2024?", None, False),
        ("Ever?", date(2024, 12, 31), False),
    ],
)
def test_whether_a_day_is_in_them(question, day, named):
    assert Times.read(question).names(day) is named


def test_the_newest_day_stands_first_and_an_unknown_one_nowhere():
    days = Days.of([date(2025, 1, 1), None, date(2025, 1, 11), date(2025, 1, 6)])
    assert [days.standing(day, "newest") for day in (days.first, date(2025, 1, 6), days.last)] == [0, 0.5, 1]
    assert [days.standing(day, "oldest") for day in (days.first, date(2025, 1, 6), days.last)] == [0, -0.5, -1]
    assert days.standing(None, "newest") == days.standing(days.last, None) == 0
    assert Days.of([None]).standing(date(2025, 1, 1), "newest") == 0
    assert Days.of([date(2025, 1, 1)]).standing(date(2025, 1, 1), "newest") == 0


@pytest.mark.model
def test_of_articles_that_tell_the_same_thing_the_one_of_that_time_is_said_first(embedder, tmp_path):
    from index.builder import Builder, GivenArticles
    from index.catalog import Catalog
    from index.generation import Generation
    from index.searcher import Searcher
    from ingest.chunking import ChunkingSettings
    from ingest.intake import prepare
    from ingest.readers.raw import RawArticle
    from service.answering.evidence import Question, gather

    articles = [
        prepare(
            RawArticle(
                text=f"Harbour duty in Orlo stands at {duty} percent. The harbour board said so on Friday.",
                title="Harbour duty in Orlo",
                external_id=day,
                source="Orlo Post",
                published=day,
            )
        )
        for day, duty in (("2024-11-08", 4.5), ("2025-05-02", 4.25), ("2026-02-06", 4.0))
    ]
    catalog = Catalog(tmp_path)
    Builder(catalog, embedder, ChunkingSettings(120, 30)).build(GivenArticles(articles))
    searcher = Searcher(catalog.open_newest_good(Generation.open).value, embedder)

    def best(question):
        found = searcher.search(question)
        return gather(Question.read(question, searcher.generation), found, searcher.generation)[0].quote

    assert "4.25 percent" in best("What was the harbour duty in Orlo in May 2025?")
    assert "4.0 percent" in best("What is the harbour duty in Orlo now?")
    assert "4.5 percent" in best("What was the harbour duty in Orlo originally?")
    assert "4.5 percent" in best("What was the harbour duty in Orlo in 2024?")
