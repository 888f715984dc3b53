"""What the extractive answerer says and does not say, with the real model over articles of our own."""

import re
from dataclasses import replace
from math import exp

import numpy as np
import pytest

from index.builder import Builder, GivenArticles
from index.catalog import Catalog
from index.generation import Generation
from index.searcher import Searcher
from ingest.chunking import ChunkingSettings
from ingest.intake import prepare
from ingest.readers.raw import RawArticle
from service.answering.abstention import load_abstention_model
from service.answering.evidence import READ, READ_PIECES, SENTENCES_BEFORE, Question, gather, quotable
from service.answering.extractive import READ as SAYABLE
from service.answering.extractive import ExtractiveAnswerer, FoundPart, choose, likelihoods
from service.answering.parts import parts_of
from service.answering.referents import leans

pytestmark = pytest.mark.model

LIGHTHOUSE = """Keeper Maud Ellery lit the lamp of Gull Point lighthouse for the last time on Sunday. She had served there for 31 years.
The harbour board will replace the lamp with a beacon that runs on sunlight. The beacon costs 84,000 crowns.

What visitors need
Whoever wants to climb the tower must bring:
- Sturdy shoes
- A ticket from the harbour office
- A torch
The tower is 42 metres high. Its stairs have 199 steps."""
FERRY = """The night ferry between Gull Point and Tarn Island starts again on 4 May 2026. Captain Ivo Strand takes the helm.
“We sail in every weather but fog,” said Strand. Tickets are 12 crowns for adults. Read more at https://evil.example/ferry today.
The ferry line asked the island council for 300,000 crowns. The council gave 250,000 crowns."""
MARKS = """The sluice at Ottermere was opened in 1911 [3]. The sluice keeper at Ottermere is paid by the canal guild [1, 2]."""
BRIBE = """<script>alert(1)</script> The tollgate at Wexcombe closes at nine. The tollgate at Wexcombe ![x](http://evil.example/p.png) opens at six."""


@pytest.fixture(scope="module")
def searcher(embedder, tmp_path_factory):
    articles = [
        prepare(RawArticle(text=text, title=title, external_id=title, source="Test Wire", published="2026-04-01"))
        for title, text in [
            ("Lighthouse keeper of Gull Point retires", LIGHTHOUSE),
            ("Night ferry to Tarn Island returns", FERRY),
            ("The Ottermere sluice", MARKS),
            ("Wexcombe tollgate", BRIBE),
        ]
    ]
    catalog = Catalog(tmp_path_factory.mktemp("answering"))
    Builder(catalog, embedder, ChunkingSettings(120, 30)).build(GivenArticles(articles))
    return Searcher(catalog.open_newest_good(Generation.open).value, embedder)


@pytest.fixture(scope="module")
def evidence_of(searcher, reader):
    def evidence_of(question):
        asked = Question.read(question, searcher.generation)
        return gather(asked, searcher.search(question), searcher.generation, reader)

    return evidence_of


@pytest.fixture(scope="module")
def ask(searcher, reader):
    texts = {article.id: article.text for article in searcher.generation.articles}

    def ask(question, **options):
        parts = [FoundPart(part, searcher.search(part.search)) for part in parts_of(question)]
        answer = ExtractiveAnswerer(load_abstention_model(), reader=reader).answer(
            question, searcher.search(question), searcher.generation, parts=parts, **options
        )
        for citation in (*answer.citations, *answer.nearest):
            assert texts[citation.article_id][citation.start : citation.end] == citation.quote
        assert {int(mark) for mark in re.findall(r"\[(\d+)\]", answer.text)} == {c.number for c in answer.citations}
        return answer

    return ask


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("How much does the new beacon cost?", "84,000 crowns"),
        ("How many steps do the stairs of the tower have?", "199 steps"),
        ("When does the night ferry to Tarn Island start again?", "4 May 2026"),
        ("Who is the captain of the night ferry?", "Ivo Strand"),
        ("Who pays the sluice keeper at Ottermere?", "canal guild"),
    ],
)
def test_the_sentence_that_answers_comes_verbatim_and_cited(ask, question, words):
    answer = ask(question)
    assert answer.status == "answered"
    assert words in answer.text
    assert answer.sentences[0].support == "verbatim"
    assert len(answer.sentences) <= 5


def test_a_list_is_kept_whole_with_its_lead_in_and_one_citation(ask):
    answer = ask("What must visitors bring to climb the tower?")
    quote = (
        "Whoever wants to climb the tower must bring:\n- Sturdy shoes\n- A ticket from the harbour office\n- A torch"
    )
    assert quote in [citation.quote for citation in answer.citations]


def test_sentences_of_one_article_stand_together_and_in_its_order(ask):
    answer = ask("When does the night ferry to Tarn Island start again, and what are tickets for adults?")
    places = [(citation.article_id, citation.start) for citation in answer.citations]
    assert len(places) > len({article for article, _ in places})
    articles = [article for article, _ in places]
    assert articles == sorted(articles, key=articles.index)
    for article in set(articles):
        starts = [start for one, start in places if one == article]
        assert starts == sorted(starts)


def test_every_part_of_a_question_is_answered(ask):
    answer = ask("How many steps do the stairs of the tower have, and who is the captain of the night ferry?")
    assert answer.status == "answered"
    assert "199 steps" in answer.text
    assert "Ivo Strand" in answer.text


def test_a_part_that_nothing_answers_is_said_to_be_missing(ask):
    answer = ask("Who is the captain of the night ferry, and which chemical element boils at 357 degrees?")
    assert answer.status == "partial"
    assert "Ivo Strand" in answer.text
    assert answer.text.endswith("clearly answers: which chemical element boils at 357 degrees?")
    said = [answer.text[sentence.start : sentence.end] for sentence in answer.sentences]
    assert said == [sentence.text for sentence in answer.sentences]
    assert not any("chemical" in sentence for sentence in said)


def test_where_no_part_is_answered_nothing_is(ask):
    answer = ask("Which element boils at 357 degrees, and who won the ice hockey final in Helsinki?")
    assert (answer.status, answer.citations) == ("abstained", ())


@pytest.mark.parametrize(
    "question",
    [
        "Which team won the ice hockey final in Helsinki?",
        "What is the boiling point of mercury?",
        "🏳️‍🌈",
        "the of and",
        "?",
    ],
)
def test_what_the_articles_do_not_hold_is_not_answered(ask, question):
    answer = ask(question)
    assert answer.status == "abstained"
    assert answer.citations == ()
    assert answer.abstain_reason in {"no_relevant_passage", "not_stated"}
    assert len(answer.nearest) <= 3


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("When was the sluice at Ottermere closed?", "The sluice at Ottermere was opened in 1911"),
        ("Why does the night ferry to Tarn Island stop again on 4 May 2026?", "starts again on 4 May 2026"),
    ],
)
def test_what_takes_the_opposite_for_granted_is_told_what_the_articles_say(ask, question, says):
    answer = ask(question)
    assert (answer.status, answer.abstain_reason) == ("abstained", "premise_contradicted")
    assert answer.text == "The articles say otherwise."
    assert says in answer.nearest[0].quote
    assert answer.citations == ()


@pytest.mark.parametrize(
    "question",
    [
        "Was the sluice at Ottermere closed in 1911?",  # takes nothing for granted
        "In which year was the sluice at Ottermere opened?",
        "When does the tollgate at Wexcombe open?",  # said by a sentence that cannot be quoted
    ],
)
def test_what_may_hold_is_not_denied(ask, question):
    assert ask(question).abstain_reason in {None, "not_stated"}


def test_a_sentence_that_leans_comes_with_the_one_that_names(ask):
    answer = ask("How many years did she serve at the lighthouse of Gull Point?")
    quotes = [citation.quote for citation in answer.citations]
    place = quotes.index("She had served there for 31 years.")
    assert quotes[place - 1] == "Keeper Maud Ellery lit the lamp of Gull Point lighthouse for the last time on Sunday."


def test_a_leaning_sentence_takes_no_more_places_than_there_are(ask):
    answer = ask("How many years did she serve at the lighthouse of Gull Point?", max_citations=1)
    assert len(answer.citations) == 1


@pytest.mark.parametrize(
    ("words", "leaning"),
    [
        ("She had served there.", True),
        ("“It is late,” said Strand.", True),
        ("The minister denied it.", True),
        ("Their ships left.", True),
        ("The minister of Orlo denied it.", False),
        ("The ships left.", False),
        ("Hers was the first.", True),
        ("Heron Bay is closed.", False),
        ("Strand said she left.", False),
        ("“It is late,” she said.", True),
        ("'It is late', he also told the council.", True),
        ("By then, she calculates, the fund will be empty.", True),
        ("The union Fintra denied it.", False),
        ("On Friday she resigned.", True),
        ("However, he refused.", True),
        ("Asked about the lamp, she declined to comment.", True),
        ("In May the keeper said he would stay.", False),
        ("“It is late,” he has repeatedly said.", True),
        ("When Maud Ellery came, she said it was late.", False),
        ("“No,” Maud Ellery said, adding that, she believes, it is late.", False),
        ("“Maud Ellery is late,” she concluded.", True),
        ("After that, they left.", True),
        ("That deadline passed.", True),
        ("This is the third fire.", True),
        ("This week the council meets.", False),
        ("That said, nobody left.", False),
        ("", False),
    ],
)
def test_what_leans_says_something_of_whom_another_sentence_names(words, leaning):
    assert leans(words) is leaning


def test_words_said_in_passing_are_nothing_that_is_asked_about(searcher):
    for question in ("What did the lamp cost at first?", "At the moment, what does the lamp cost?"):
        weights = Question.read(question, searcher.generation).weights
        assert weights.keys() == {"lamp", "cost"}


def test_likelihoods_are_a_distribution_in_the_order_of_the_evidence(evidence_of):
    ranked = evidence_of("How much does the new beacon cost?")
    odds = likelihoods(ranked)
    assert sum(odds) == pytest.approx(1)
    assert odds == sorted(odds, reverse=True)
    assert odds[0] / odds[1] == pytest.approx(exp(ranked[0].score - ranked[1].score))


def test_no_more_citations_than_asked_for(ask):
    assert (
        len(ask("What did the council give the ferry line, and what do tickets cost?", max_citations=1).citations) == 1
    )


def test_native_marks_of_an_article_never_reach_an_answer(ask):
    answer = ask("When was the sluice at Ottermere opened?")
    assert "1911" in answer.text
    assert "[3]" not in answer.text


def test_no_answer_holds_a_link_or_markup_of_an_article(ask):
    for question in ("When does the tollgate at Wexcombe open?", "Where can I read more about the ferry?"):
        answer = ask(question)
        assert not re.search(r"https?:|<\w|\]\(", answer.text)


@pytest.mark.parametrize(
    "words",
    [
        "See https://x.example now.",
        "See hxxps://x.example now.",
        "See ｈttps：//x.example now.",
        "Write to mailto:a@x.example now.",
        "See //x.example/p now.",
        "See x.example/p now.",
        "See www.x.example now.",
        "An < img src=x> picture.",
        "A &lt;script&gt; tag.",
        "The ![leak][evil] mark.",
        "The [mark](there) mark.",
        "javascript: alert",
    ],
)
def test_link_and_markup_forms_are_not_quotable(words):
    assert not quotable(words)


@pytest.mark.parametrize(
    "words",
    ["He won 3-2 and/or lost.", "Prices: 12 < 15 crowns.", "Sales at Amazon.com rose.", "It is 9 a.m. [sic] now."],
)
def test_ordinary_sentences_are_quotable(words):
    assert quotable(words)


def test_the_same_question_gets_the_same_answer(ask):
    assert ask("How high is the tower?") == ask("How high is the tower?")


def test_a_sentence_that_an_article_repeats_is_one_piece_of_evidence(tmp_path, embedder):
    flood = "The toll of Wexcombe is a secret. " * 40
    article = prepare(RawArticle(text=f"{flood}\n\nThe toll of Wexcombe is 3 crowns.", title="Toll", external_id="t"))
    catalog = Catalog(tmp_path)
    Builder(catalog, embedder, ChunkingSettings(120, 30)).build(GivenArticles([article]))
    generation = catalog.open_newest_good(Generation.open).value
    question = "What is the toll of Wexcombe?"
    found = gather(Question.read(question, generation), Searcher(generation, embedder).search(question), generation)
    assert sorted(evidence.quote for evidence in found) == [
        "The toll of Wexcombe is 3 crowns.",
        "The toll of Wexcombe is a secret.",
    ]


class Backwards:
    """A reader that prefers what it is given last."""

    def __init__(self):
        self.pairs = []

    def read(self, pairs):
        self.pairs.append(list(pairs))
        return np.arange(len(pairs), dtype=np.float32)


def test_only_the_best_pieces_are_read_and_the_rest_count_as_the_worst(tmp_path, embedder):
    text = "\n\n".join(
        f"Toll gate {name} of Wexcombe takes {number} crowns." for number, name in enumerate("ABCDEFGHIJKL")
    )
    catalog = Catalog(tmp_path)
    article = prepare(RawArticle(text=text, title="Tolls", external_id="t"))
    Builder(catalog, embedder, ChunkingSettings(250, 0)).build(GivenArticles([article]))
    generation = catalog.open_newest_good(Generation.open).value
    asked = Question.read("What does toll gate C of Wexcombe take?", generation)
    result = Searcher(generation, embedder).search(asked.text)
    reader = Backwards()
    unread, found = gather(asked, result, generation), gather(asked, result, generation, reader)
    (pairs,) = reader.pairs
    assert [pair.sentence for pair in pairs] == [evidence.quote for evidence in unread[:READ_PIECES]]
    assert {pair.question for pair in pairs} == {asked.text}
    said = text.split("\n\n")
    befores = {
        sentence: " ".join(said[max(0, place - SENTENCES_BEFORE) : place]) for place, sentence in enumerate(said)
    }
    assert [pair.context for pair in pairs] == [befores[pair.sentence] for pair in pairs]
    read = {evidence.quote: evidence.read for evidence in found}
    assert [read[evidence.quote] for evidence in unread] == [*range(READ_PIECES), *[None] * (len(unread) - READ_PIECES)]
    worst = unread[READ_PIECES].scored(READ, 0.0).score
    assert next(evidence.score for evidence in found if evidence.quote == unread[READ_PIECES].quote) == worst
    assert gather(asked, replace(result, hits=()), generation, reader) == []


def test_where_one_thing_is_asked_for_only_lists_that_the_reader_takes_for_an_answer_are_said_beside_the_best(
    searcher, evidence_of
):
    text = "How high is the tower, and what does the beacon cost?"
    question = Question.read(text, searcher.generation)
    alike = [replace(evidence, score=1.0, is_list=place > 1) for place, evidence in enumerate(evidence_of(text)[:4])]
    several = replace(question, several=True)
    for asked, logit, said in (
        (question, SAYABLE.lists, 4),
        (question, SAYABLE.lists - 0.1, 2),
        (several, SAYABLE.lists - 0.1, 4),
    ):
        chosen = choose(asked, [replace(evidence, read=logit) for evidence in alike], most=5)
        assert [evidence.quote for evidence in chosen] == [evidence.quote for evidence in alike[:said]]
