"""Answers and hits where several articles have the same words, asked through the service."""

from datetime import date

import pytest

from index.searcher import Filters
from ingest.intake import prepare
from ingest.readers.raw import RawArticle
from service.answering.copies import standing

pytestmark = pytest.mark.model

STORY = """TARVIK – The paper mill of Tarvik will burn wood chips instead of oil from the autumn on. Its new boiler costs
54 million crowns, works manager Signe Dahl said on Wednesday. The old chimney, built in 1931, comes down in June.
Neighbours had complained about soot on their laundry for years. The mill employs 212 people.""".replace("\n", " ")


def raw(name, text, published, title="Tarvik mill gives up oil", source=None):
    return RawArticle(text=text, title=title, external_id=name, source=source or name, published=published)


ARTICLES = [
    raw("wire", STORY, "2026-02-10"),
    raw("herald", STORY.replace("TARVIK – ", ""), "2026-02-11", title="Mill to burn wood chips"),
    raw("echo", STORY.replace("complained about", "grumbled about"), "2026-02-12", title="No more oil at the mill"),
    raw(
        "bakery",
        "The bakery of Tarvik opens at five. Baker Nils Berg sells 400 rolls a day.",
        "2026-02-01",
        title="Rolls",
    ),
    raw("weir", "The weir of Tarvik was painted green. The paint cost 900 crowns.", "2026-02-01", title="Green weir"),
    raw("choir", "The choir of Tarvik sings on Sunday. Its mill song is 90 years old.", "2026-02-01", title="Choir"),
]
CORRECTION = raw(
    "wire-correction",
    STORY.replace("54 million", "45 million")
    + "\n\nCorrection: an earlier version of this article misstated the cost of the boiler.",
    "2026-02-14",
)


@pytest.fixture(scope="module")
def served(tmp_path_factory, assembled, build_index):
    def serve(*articles):
        parts = assembled(tmp_path_factory.mktemp("copies"))
        for article in articles:
            parts.library.put(prepare(article))
        build_index(parts)
        return parts

    return serve


@pytest.fixture(scope="module")
def copied(served):
    return served(*ARTICLES)


@pytest.fixture(scope="module")
def corrected(served):
    return served(*ARTICLES, CORRECTION)


def names(parts, articles):
    return {parts.library.get(article).article.external_id for article in articles}


def cited(reply, words):
    (citation,) = [one for one in reply.answer.citations if words in one.quote]
    return citation


def test_a_sentence_of_three_copies_is_said_once_from_the_earliest(copied):
    reply = copied.assistant.ask("How much does the new boiler of the Tarvik paper mill cost?")
    citation = cited(reply, "54 million")
    assert names(copied, [citation.article_id]) == {"wire"}
    assert names(copied, citation.also_in) == {"herald", "echo"}
    assert reply.answer.text.count("54 million") == 1
    assert reply.answer.conflicts == ()


def test_a_lightly_edited_sentence_is_quoted_from_the_original_and_is_in_no_other(copied):
    reply = copied.assistant.ask("What did neighbours of the Tarvik mill complain about for years?")
    citation = cited(reply, "soot")
    assert "complained" in citation.quote
    assert names(copied, citation.also_in) <= {"herald"}
    assert reply.answer.text.count("soot") == 1


def test_only_articles_that_the_filters_let_pass_are_named(copied):
    filters = Filters(sources=("herald", "echo"))
    reply = copied.assistant.ask("How much does the new boiler of the Tarvik paper mill cost?", filters=filters)
    citation = cited(reply, "54 million")
    assert names(copied, [citation.article_id]) == {"herald"}
    assert names(copied, citation.also_in) == {"echo"}


def test_a_correction_replaces_what_it_corrects(corrected):
    reply = corrected.assistant.ask("How much does the new boiler of the Tarvik paper mill cost?")
    citation = cited(reply, "45 million")
    assert names(corrected, [citation.article_id]) == {"wire-correction"}
    assert "54 million" not in reply.answer.text
    assert reply.answer.conflicts == ()


def test_what_a_correction_left_as_it_was_is_quoted_from_it(corrected):
    reply = corrected.assistant.ask("How many people does the Tarvik paper mill employ?")
    citation = cited(reply, "212")
    assert names(corrected, [citation.article_id]) == {"wire-correction"}
    assert names(corrected, citation.also_in) == {"wire", "herald", "echo"}


def test_before_the_day_of_a_correction_the_original_stands(corrected):
    reply = corrected.assistant.ask(
        "How much does the new boiler of the Tarvik paper mill cost?", filters=Filters(published_to=CORRECTION_EVE)
    )
    assert "54 million" in reply.answer.text


CORRECTION_EVE = date(2026, 2, 13)


def test_copies_do_not_fill_the_hits(corrected):
    hits = corrected.assistant.search("new boiler of the Tarvik paper mill", top_k=4).result.hits
    found = [hit.article.external_id for hit in hits]
    assert len({"wire", "herald", "echo", "wire-correction"} & set(found)) == 1
    assert "wire-correction" in found
    everything = corrected.assistant.search("new boiler of the Tarvik paper mill", top_k=50).result.hits
    assert {"wire", "herald", "echo", "wire-correction"} <= {hit.article.external_id for hit in everything}


def test_a_reader_of_passages_gets_none_of_what_was_corrected_while_the_correction_may_be_used(corrected):
    question = "How much does the new boiler of the Tarvik paper mill cost?"
    found = corrected.assistant.find(question)
    assert {"wire", "herald", "echo"} & {hit.article.external_id for hit in found.result.hits}
    standing_hits = standing(found.result.hits, found.result, found.generation)
    assert "wire-correction" in {hit.article.external_id for hit in standing_hits}
    assert not any("54 million" in hit.text for hit in standing_hits)
    earlier = corrected.assistant.find(question, as_of=CORRECTION_EVE)
    assert any("54 million" in hit.text for hit in standing(earlier.result.hits, earlier.result, earlier.generation))


def test_a_quote_is_the_words_of_the_article_that_it_names(corrected):
    for question in ("How many people does the Tarvik mill employ?", "When was the chimney of the mill built?"):
        for citation in corrected.assistant.ask(question).answer.citations:
            text = corrected.library.get(citation.article_id).article.text
            assert text[citation.start : citation.end] == citation.quote
