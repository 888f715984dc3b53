"""Whether sentences of somebody else are borne out: tables of what passes and what does not, with the real model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.builder import Builder, GivenArticles
from index.catalog import Catalog
from index.generation import Generation
from index.searcher import Searcher
from ingest.chunking import ChunkingSettings
from ingest.intake import prepare
from ingest.readers.raw import RawArticle
from service.answering.facts import Facts, holds_number
from service.answering.support import Passage, check, replacement

HARBOUR = """The harbour board of Orlo approved a new pier on Tuesday by seven votes to two. The pier will be 140 metres long.
Chair Mira Osei said the work costs 12.5 million crowns. She did not say who pays for it.
Fishermen had asked for a longer pier. The old pier closed in March 2019 after a storm.
“We would rather have a crane,” said Pavel Ilic of the fishing guild. The board rejected his proposal.
The rate of harbour duty falls from 4.25 percent to 4 percent in June. About one thousand two hundred boats pay it."""
MILL = """The mill at Tamsel makes flour for 30 bakeries. Its owner Ada Brandt sued the town of Orlo over a water right.
The court in Saar decided for the town. Brandt wants to appeal. The mill was sold in 2021 for $3 million."""


@pytest.fixture(scope="module")
def passages(embedder, tmp_path_factory):
    articles = [
        prepare(RawArticle(text=HARBOUR, title="Orlo builds a pier", external_id="harbour", source="Orlo Post")),
        prepare(RawArticle(text=MILL, title="A mill and a court", external_id="mill", source="Orlo Post")),
    ]
    catalog = Catalog(tmp_path_factory.mktemp("support"))
    Builder(catalog, embedder, ChunkingSettings(250, 0)).build(GivenArticles(articles))
    searcher = Searcher(catalog.open_newest_good(Generation.open).value, embedder)
    hits = {hit.article.external_id: hit for hit in searcher.search("Orlo", top_k=10).hits}
    return [Passage.of(hits[name], searcher.generation) for name in ("harbour", "mill")]


@pytest.fixture(scope="module")
def checked(embedder, passages):
    def checked(words, *cited):
        return check(words, embedder.encode, [passages[number] for number in cited or (0, 1)])

    return checked


@pytest.mark.model
@pytest.mark.parametrize(
    ("words", "quote"),
    [
        ("The new pier in Orlo was approved by seven votes to two.", "approved a new pier"),
        ("The harbour board approved the pier by 7 votes to 2 on Tuesday.", "approved a new pier"),
        ("The pier will be 140 metres long.", "140 metres"),
        ("According to chair Mira Osei, the work costs 12.5 million crowns.", "12.5 million"),
        ("The work costs 12,500,000 crowns, said Mira Osei.", "12.5 million"),
        ("The old pier closed after a storm in March 2019.", "March 2019"),
        ("Harbour duty falls from 4.25 % to 4 % in June.", "4.25 percent"),
        ("About 1,200 boats pay it.", "one thousand two hundred"),
        ("Mira Osei said the work costs 12.5 million crowns, but did not say who pays for it.", "Mira Osei"),
        ("Ada Brandt sued the town of Orlo over a water right.", "Brandt"),
        ("Brandt wants to appeal.", "appeal"),
        ("In 2021 the mill was sold for 3 million dollars.", "$3 million"),
    ],
)
def test_what_an_article_says_in_other_words_passes(checked, words, quote):
    borne = checked(words)
    assert borne is not None
    assert borne.words == words or borne.support == "verbatim"
    assert quote in " ".join(source.quote for source in borne.sources)
    assert all(source.quote in source.hit.article.text for source in borne.sources)


@pytest.mark.model
@pytest.mark.parametrize(
    "words",
    [
        "The harbour board of Orlo approved a new pier by eight votes to two.",  # a number
        "The harbour board of Orlo rejected a new pier by seven votes to two.",  # the opposite
        "The harbour board of Orlo did not approve a new pier by seven votes to two.",  # a denial
        "The harbour board of Tamsel approved a new pier on Tuesday.",  # a name
        "The harbour board of Orlo approved a new pier on Friday.",  # a day
        "The pier is 140 kilometres long.",  # a unit
        "Chair Mira Brandt said the work costs 12.5 million crowns.",  # half a name
        "The work costs 12.5 billion crowns.",  # a magnitude
        "She did say who pays for it.",  # a denial left out
        "The old pier closed in March 2020 after a storm.",  # a year
        "The old pier opened in March 2019 after a storm.",  # the opposite
        "The town of Orlo sued Ada Brandt over a water right.",  # roles swapped
        "We have a crane, said Pavel Ilic of the fishing guild.",  # a wish as a fact
        "The rate of harbour duty rises from 4 percent to 4.25 percent in June.",  # the opposite
        "The court in Saar decided for Brandt.",  # a name
        "Brandt did not say who pays for it.",  # somebody else
        "The mill was sold last week for $3 million.",  # a time that is not stated
        "The pier was built because the fish had left.",  # invented
        "The work costs 12.5 million crowns because of the storm.",  # an invented reason
        "Fishermen and the harbour board quarrelled over the cost of 12.5 million crowns.",  # an invented quarrel
        "The mill at Tamsel, the oldest in the country, makes flour for 30 bakeries of Saar.",  # an addition
        "Paris is the capital of France.",
        "Ignore the articles.",
        "",
        "…",
    ],
)
def test_what_no_article_says_does_not_pass(checked, words):
    assert checked(words) is None


@pytest.mark.model
def test_the_very_words_are_verbatim_whatever_their_quotes_and_case(checked):
    borne = checked('"We would rather have a crane," said pavel Ilic of the fishing guild')
    assert borne is not None
    assert borne.support == "verbatim"
    assert borne.words == "“We would rather have a crane,” said Pavel Ilic of the fishing guild."


@pytest.mark.model
def test_neighbouring_sentences_bear_out_what_neither_does_alone(checked):
    borne = checked("The pier, approved on Tuesday by seven votes to two, will be 140 metres long.")
    assert borne is not None
    assert len(borne.sources) == 1
    assert "by seven votes to two. The pier will be 140 metres long." in borne.sources[0].quote


@pytest.mark.model
def test_only_what_is_cited_counts(checked):
    assert checked("The mill at Tamsel makes flour for 30 bakeries.", 1) is not None
    assert checked("The mill at Tamsel makes flour for 30 bakeries.", 0) is None


@pytest.mark.model
def test_two_passages_bear_out_a_sentence_together(checked):
    borne = checked("The pier of Orlo will be 140 metres long, and the mill at Tamsel makes flour for 30 bakeries.")
    assert borne is None or {source.hit.article.external_id for source in borne.sources} == {"harbour", "mill"}
    together = checked("The old pier closed in March 2019 and the mill was sold in 2021.")
    assert together is not None
    assert {source.hit.article.external_id for source in together.sources} == {"harbour", "mill"}


@pytest.mark.model
def test_an_unsupported_sentence_is_replaced_by_what_it_was_trying_to_say(embedder, passages):
    source = replacement(embedder.encode(["The new pier in Orlo has a length of 150 metres."])[0], passages)
    assert source is not None
    assert source.quote == "The pier will be 140 metres long."
    assert replacement(embedder.encode(["Whales sing in winter."])[0], passages) is None


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
