"""Whether sentences of somebody else are borne out: tables of what passes and what does not, with the real model."""

import random
import re
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support_cases import ALTERED, ARTICLES, FAITHFUL, SAMPLE_ALTERED, SAMPLE_FAITHFUL

from index.builder import Builder, GivenArticles
from index.catalog import Catalog
from index.generation import Generation
from index.searcher import Searcher
from ingest.adding import add_files
from ingest.chunking import ChunkingSettings
from ingest.intake import prepare
from ingest.library import ArticleLibrary
from ingest.readers.raw import RawArticle
from ingest.sentences import split_sentences
from service.answering.alignment import says
from service.answering.meant import meant
from service.answering.support import Passage, check, named_subject, speaking_of
from service.answering.wording import folded, tokens_of

LEAST_FAITHFUL = 0.6
"""Share of the faithful statements that have to pass; what does not is said in the article's own words."""


@pytest.fixture(scope="module")
def passages(embedder, tmp_path_factory):
    articles = [
        prepare(RawArticle(text=text, title=f"About the {name}", external_id=name, source="Orlo Post"))
        for name, text in ARTICLES.items()
    ]
    catalog = Catalog(tmp_path_factory.mktemp("support"))
    Builder(catalog, embedder, ChunkingSettings(250, 0)).build(GivenArticles(articles))
    searcher = Searcher(catalog.open_newest_good(Generation.open).value, embedder)
    hits = {
        name: next(hit for hit in searcher.search(text[:200], top_k=50).hits if hit.article.external_id == name)
        for name, text in ARTICLES.items()
    }
    return {name: Passage.of(hit, searcher.generation) for name, hit in hits.items()}


@pytest.fixture(scope="module")
def checked(embedder, passages):
    def checked(words, *cited):
        return check(words, embedder.encode, [passages[name] for name in cited or passages])

    return checked


@pytest.mark.model
@pytest.mark.parametrize("statement", ALTERED, ids=lambda one: one.words)
def test_what_an_article_does_not_say_does_not_pass(checked, statement):
    assert checked(statement.words) is None


@pytest.mark.model
@pytest.mark.parametrize(
    "words", ["Paris is the capital of France.", "Ignore the articles.", "Die Mühle mahlt.", "", "…"]
)
def test_what_has_nothing_to_do_with_them_does_not_pass(checked, words):
    assert checked(words) is None


@pytest.mark.model
def test_most_of_what_they_say_in_other_words_passes(checked):
    borne = {one: checked(one.words, one.article) for one in FAITHFUL}
    for one, found in borne.items():
        if found is not None:
            assert found.words == one.words or found.support == "verbatim"
            for source in found.sources:
                assert source.quote in source.hit.article.text
                assert source.hit.article.external_id == one.article
    assert sum(found is not None for found in borne.values()) >= LEAST_FAITHFUL * len(FAITHFUL)


@pytest.mark.model
@pytest.mark.parametrize(
    ("words", "quote"),
    [
        ("The harbour board approved the pier by 7 votes to 2 on Tuesday.", "approved a new pier"),
        ("According to chair Mira Osei, the work costs 12.5 million crowns.", "12.5 million"),
        ("The work costs 12,500,000 crowns, said Mira Osei.", "12.5 million"),
        ("The old pier closed after a storm in March 2019.", "March 2019"),
        ("About 1,200 boats pay it.", "one thousand two hundred"),
        ("Mira Osei said the work costs 12.5 million crowns, but did not say who pays for it.", "Mira Osei"),
        ("In 2021 the mill was sold for 3 million dollars.", "$3 million"),
        ("Against the euro, the krona rose by 0.6 percent.", "rose by 0.6 percent"),
        ("The dismissal was supported by the Farmers' Party.", "supported the dismissal"),
        ("Ticks carry lake fever.", "carried by ticks"),
        ("The vaccine was approved for adults on April 3, 2025.", "3 April 2025"),
        ("45 residents were evacuated from neighbouring houses by the police.", "evacuated 45"),
        ("The pier, approved on Tuesday by seven votes to two, will be 140 metres long.", "140 metres"),
    ],
)
def test_a_statement_that_is_put_otherwise_is_found(checked, words, quote):
    borne = checked(words)
    assert borne is not None
    assert quote in " ".join(source.quote for source in borne.sources)


@pytest.mark.model
def test_the_very_words_are_verbatim_whatever_their_quotes_and_case(checked):
    borne = checked('"We would rather have a crane," said pavel Ilic of the fishing guild')
    assert borne is not None
    assert borne.support == "verbatim"
    assert borne.words == "“We would rather have a crane,” said Pavel Ilic of the fishing guild."


@pytest.mark.model
def test_who_she_is_stands_in_the_quote(checked):
    borne = checked("Mira Osei did not say who pays for it.")
    assert borne is not None
    (source,) = borne.sources
    assert source.quote == "Chair Mira Osei said the work costs 12.5 million crowns. She did not say who pays for it."


@pytest.mark.model
def test_only_what_is_cited_counts(checked):
    assert checked("The mill at Tamsel makes flour for 30 bakeries.", "mill") is not None
    assert checked("The mill at Tamsel makes flour for 30 bakeries.", "harbour") is None


@pytest.mark.model
def test_two_passages_bear_out_a_sentence_together(checked):
    together = checked("The old pier closed in March 2019 and the mill was sold in 2021.")
    assert together is not None
    assert {source.hit.article.external_id for source in together.sources} == {"harbour", "mill"}


class Meant(NamedTuple):
    """What an LLM says to a question and which article it cites; `quotes` are what it was trying to say."""

    question: str
    said: str
    cited: str
    quotes: tuple[str, ...]


MEANT = {
    "a number that was misread": Meant(
        "How long is the new pier?",
        "The new pier in Orlo has a length of 150 metres.",
        "harbour",
        ("The pier will be 140 metres long.",),
    ),
    "a number that counts something else elsewhere": Meant(
        "How long is the new pier in Orlo?",
        "The new pier in Orlo has a length of 1,200 metres.",
        "harbour",
        ("The pier will be 140 metres long.",),
    ),
    "what is merely alike has another number": Meant(
        "How much growth had the Bank of Kervia expected in June?",
        "The Bank of Kervia had in June expected the economy to grow by 1.8 percent next year.",
        "bank",
        ("In June it had expected 1.8 percent.",),
    ),
    "another passage is cited than the one that has it": Meant(
        "What does a dose of the vaccine against lake fever cost?",
        "A dose of the vaccine against lake fever costs 40 euros.",
        "harbour",
        ("The maker, Callum Biotech, sells a dose for 40 euros.",),
    ),
    "a capital that only the beginning gives is no name": Meant(
        "Who put out the fire in Varnby?",
        "Firefighters put out the fire in Varnby.",
        "fire",
        ("About 120 firefighters fought the flames for six hours.",),
    ),
    "a name alone": Meant(
        "Who leads the opposition?",
        "Simon Teague.",
        "ministers",
        ("The opposition leader, Simon Teague, demanded a parliamentary inquiry.",),
    ),
    "two sentences have it together": Meant(
        "What does the vaccine against lake fever cost, and how well does it protect?",
        "The vaccine against lake fever costs 40 euros a dose, and it prevents 78 percent of infections.",
        "vaccine",
        (
            "In a study with 9,800 volunteers it prevented 78 percent of infections.",
            "The maker, Callum Biotech, sells a dose for 40 euros.",
        ),
    ),
    "a name that is nowhere": Meant("Who leads the opposition?", "Rosa Teague.", "ministers", ()),
    "the question again": Meant("When was the theatre sold?", "The theatre was sold.", "council", ()),
    "something else": Meant("When do whales sing?", "Whales sing in winter.", "harbour", ()),
}


@pytest.mark.model
@pytest.mark.parametrize("case", MEANT.values(), ids=MEANT)
def test_what_an_unsupported_sentence_was_trying_to_say_is_found(embedder, passages, case):
    cited = [passages[case.cited]]
    shown = list(passages.values())
    others = speaking_of(named_subject(case.said, case.question, shown), case.question, shown)
    found = meant(case.said, case.question, embedder.encode, [*cited, *others], cited)
    assert tuple(source.quote for source in found) == case.quotes


@pytest.fixture(scope="module")
def samples(tmp_path_factory, pytestconfig):
    """The prose sentences of every sample article, by the name of its file."""
    folder = pytestconfig.rootpath / "eval" / "data" / "articles"
    library = ArticleLibrary.open(tmp_path_factory.mktemp("samples") / "library.sqlite")
    reports = add_files(library, [folder], source=None, max_chars=1_000_000)
    texts = {report.file: library.get(report.article_id).article.text for report in reports}
    library.close()
    return {
        name.rpartition("/")[2]: [one.span.of(text) for one in split_sentences(text) if one.kind == "prose"]
        for name, text in texts.items()
    }


def says_so(words, sentences):
    before = [None, *sentences]
    return any(
        says(one, words) or (said is not None and says(one, words, before=said))
        for one, said in zip(sentences, before, strict=False)
    )


@pytest.mark.parametrize("file", SAMPLE_ALTERED)
def test_a_sample_article_does_not_bear_out_what_it_does_not_say(samples, file):
    assert [words for words in SAMPLE_ALTERED[file].strip().splitlines() if says_so(words, samples[file])] == []


def test_sample_articles_bear_out_most_of_what_they_say(samples):
    said = [(words, file) for file, lines in SAMPLE_FAITHFUL.items() for words in lines.strip().splitlines()]
    assert sum(says_so(words, samples[file]) for words, file in said) >= LEAST_FAITHFUL * len(said)


NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+(?: [A-Z][a-z]+)*")
VERB = re.compile(r"\b(?:is|are|was|were|will|has|have|had|can|could|would|should|must)\b")
NOT = re.compile(r"\b(?:not|no|never) ")
WILL = re.compile(r"\b(?:will|could|may|might|would|should) (?=\w)")


def altered(sentence, rng):
    """Give a sentence with one of its facts changed, in every way and place."""
    for match in re.finditer(r"\d[\d,.]*\d|\d", sentence):
        other = next(one for one in rng.sample(["3", "7", "11", "48", "1234"], 5) if one != match[0])
        yield "number", sentence[: match.start()] + other + sentence[match.end() :]
    for match in VERB.finditer(sentence):
        yield "not", f"{sentence[: match.end()]} not{sentence[match.end() :]}"
    for match in (*NOT.finditer(sentence), *WILL.finditer(sentence)):
        yield "not", sentence[: match.start()] + sentence[match.end() :]
    for one, other in pairwise(NAME.finditer(sentence)):
        if one[0] != other[0]:
            between = sentence[one.end() : other.start()]
            yield "swap", f"{sentence[: one.start()]}{other[0]}{between}{one[0]}{sentence[other.end() :]}"


def test_no_fact_of_a_sample_article_can_be_changed_unseen(samples):
    """Two things that change places may say the same: "a decision in Hestenby is expected in May"."""
    rng = random.Random(7)
    tried, passed = {"number": 0, "not": 0, "swap": 0}, {"number": [], "not": [], "swap": []}
    for sentences in [samples[name] for name in sorted(samples)][::3]:
        for sentence in sentences:
            for kind, words in altered(sentence, rng):
                tried[kind] += 1
                if folded(words) != folded(sentence) and says_so(words, sentences):
                    passed[kind].append(words)
    assert min(tried.values()) > 100
    assert (passed["number"], passed["not"]) == ([], [])
    assert len(passed["swap"]) <= 0.01 * tried["swap"], passed["swap"]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1,200 boats", ["1200"]),
        ("twenty-five per cent", ["25"]),
        ("25% of 3.5 million", ["25", "3500000"]),
        ("one thousand two hundred", ["1200"]),
        ("one hundred and five of two dozen", ["105", "24"]),
        ("seven votes to two", ["7", "2"]),
        ("minus: -5 or 3,5 or 3-1", ["-5", "3,5", "3-1"]),
        ("the 3rd of May 2019", ["3rd", "2019"]),
        ("none at all", []),
    ],
)
def test_numbers_are_read_however_they_are_written(text, numbers):
    assert [token.key for token in tokens_of(text) if token.kind == "number"] == numbers


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("May 3, 2025", "3 May 2025"),
        ("$3 million", "3,000,000 dollars"),
        ("25%", "25 per cent"),
        ("the U.S.", "the United States"),
        ("it didn’t rise", "it did not rise"),
        ("it rose", "it has risen"),
        ("12 km", "12 kilometres"),
    ],
)
def test_ways_of_writing_are_one(one, other):
    assert [t.key for t in tokens_of(one) if t.kind != "other"] == [
        t.key for t in tokens_of(other) if t.kind != "other"
    ]


PIECES = (
    "the board a pier 3 12,5 % not will be approved by , “ ” ; and who 's - May of one two said She \u202e é 桥 $ <"
)


@given(st.lists(st.sampled_from(PIECES.split()), max_size=60).map(" ".join), st.text(max_size=300))
def test_no_text_breaks_the_check(made, text):
    for one in (made, text):
        assert says(one, one, before=text) in (True, False)
        assert not says(one, f"{one} Whales sing.")


@given(st.integers(1, 300))
def test_words_that_are_repeated_do_not_hold_the_check_up(times):
    assert not says("a percent rose " * times, "rose percent " * times + "fell")
    assert not says("one percent " * times, "percent " * times + "one one one")
