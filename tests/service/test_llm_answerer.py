"""What the LLM answerer makes of a reply, with the real model and a scripted LLM behind the seam."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.builder import Builder, GivenArticles
from index.catalog import Catalog
from index.generation import Generation
from index.searcher import Searcher
from ingest.chunking import ChunkingSettings
from ingest.intake import prepare
from ingest.readers.raw import RawArticle
from service.answering.abstention import load_abstention_model
from service.answering.checked_reply import MOST_READ, MOST_SENTENCES
from service.answering.extractive import ExtractiveAnswerer
from service.answering.llm import LlmAnswerer
from service.answering.referents import FARTHEST
from service.llm import Delta

pytestmark = pytest.mark.model

QUESTION = "Who leads the harbour board of Orlo, and what does she say about the pier?"
TEXT = """The harbour board of Orlo approved a new pier on Tuesday by seven votes to two. Chair Mira Osei said the pier costs 12.5 million crowns. She did not say who pays for it. It will be 140 metres long.
Fishermen had asked for a longer pier in Orlo. The board rejected the proposal of the fishing guild."""
SOLD = "Ada Brandt sold the mill in Tamsel to the town of Saar in 2021."
RULES = """In Orlo the new order prohibits:

- Watering lawns with a hose
- Washing cars outside of car washes
- Cleaning the pavement with drinking water

It ends in autumn."""
TRAM = "What does the new tram line to Ostermoor cost?"
PLANNED = "The new tram line costs 210 million crowns, according to the council."
AUDITED = "The tram line will cost 265 million crowns, according to its report."
EXAMINED = "The court of auditors has examined the plans for a tram to Ostermoor."
STEEL = "It criticises that the price of steel was left out."
BOILER = "Its new boiler costs 54 million crowns, works manager Signe Dahl said on Wednesday."
STORY = f"""The paper mill of Tarvik will burn wood chips instead of oil from the autumn on. {BOILER}
The old chimney, built in 1931, comes down in June. The mill employs 212 people."""
SUND = "The bridge over the Sund is ten years old. The bridge cost 40 million euros. She resigned in May over it."
ALDER = "The Alder Bridge cost 38 million euros. Mayor Ines Roth opened it. In summer 40 boats pass below it."
REJECTED = "The board rejected the proposal of the fishing guild."


class Saying:
    """An LLM that says a text, and keeps what it was asked."""

    def __init__(self, text, at_once):
        self.text = text
        self.at_once = at_once
        self.asked = []

    def stream(self, system, user, *, max_tokens, cancelled):
        self.asked.append((system, user))
        for piece in [self.text] if self.at_once else self.text.split(" "):
            yield Delta(f"{piece} ")


@pytest.fixture(scope="module")
def searcher(embedder, tmp_path_factory):
    catalog = Catalog(tmp_path_factory.mktemp("answerer"))
    articles = [
        prepare(RawArticle(text=TEXT, title="Orlo builds a pier", external_id="pier", source="Orlo Post")),
        prepare(RawArticle(text=RULES, title="Orlo saves water", external_id="rules", source="Orlo Post")),
        prepare(RawArticle(text=SOLD, title="A mill is sold", external_id="mill", source="Orlo Post")),
        prepare(
            RawArticle(
                text=f"The city council wants to build a tram line to the suburb of Ostermoor. {PLANNED}",
                title="Council wants tram to Ostermoor",
                external_id="council",
                source="Orlo Post",
                published="2026-01-10",
            )
        ),
        prepare(
            RawArticle(
                text=f"{EXAMINED} {AUDITED} {STEEL}",
                title="Auditors look at the Ostermoor tram",
                external_id="auditors",
                source="Orlo Post",
                published="2026-02-12",
            )
        ),
        prepare(RawArticle(text=STORY, title="Tarvik mill gives up oil", external_id="wire", source="Wire")),
        prepare(RawArticle(text=STORY, title="Mill to burn wood chips", external_id="echo", source="Echo")),
        prepare(RawArticle(text=SUND, title="Ten years of the Sund Bridge", external_id="sund", source="Orlo Post")),
        prepare(RawArticle(text=ALDER, title="Alder Bridge opens", external_id="alder", source="Orlo Post")),
    ]
    Builder(catalog, embedder, ChunkingSettings(250, 0)).build(GivenArticles(articles))
    return Searcher(catalog.open_newest_good(Generation.open).value, embedder)


@pytest.fixture
def models():
    """The LLMs that were asked, in order."""
    return []


@pytest.fixture
def told(searcher, embedder, reader, models):
    """A function that answers a question with the reply of an LLM."""

    def told(reply, question=QUESTION, at_once=False, **options):
        models.append(Saying(reply, at_once))
        answerer = LlmAnswerer(
            models[-1],
            ExtractiveAnswerer(load_abstention_model(), reader=reader),
            embedder.encode,
            context_tokens=8192,
            reply_tokens=600,
            fallback=True,
        )
        return answerer.answer(question, searcher.search(question), searcher.generation, **options)

    return told


def test_a_sentence_with_a_pronoun_comes_behind_the_one_that_names_whom(told):
    answer = told("She did not say who pays for it. [1]").answer
    assert answer.text == (
        "Chair Mira Osei said the pier costs 12.5 million crowns. [1] She did not say who pays for it. [2]"
    )


def test_what_was_said_is_not_said_again_for_a_pronoun(told):
    answer = told("Mira Osei said the pier costs 12.5 million crowns. [1] She did not say who pays for it. [1]").answer
    assert [sentence.text for sentence in answer.sentences] == [
        "Mira Osei said the pier costs 12.5 million crowns.",
        "She did not say who pays for it.",
    ]


def test_a_pronoun_finds_no_room_without_its_name(told):
    answer = told("She did not say who pays for it. [1] " + REJECTED + " [1]", max_citations=1).answer
    assert [sentence.text for sentence in answer.sentences] == [REJECTED]


def test_most_citations_are_kept_to(told):
    reply = f"{TEXT.splitlines()[0]} {TEXT.splitlines()[1]}"
    for most in (1, 2, 3):
        answer = told(reply, max_citations=most).answer
        assert 0 < len(answer.citations) <= most


@pytest.mark.parametrize("at_once", [False, True])
def test_of_an_endless_reply_only_so_much_is_read(told, at_once):
    whole = f"{SOLD} {REJECTED} {TEXT} {AUDITED} {PLANNED} {STEEL} {STORY}".replace("\n", " ")
    answer = told(f"{whole} {'Whales sing in winter. ' * 50}", at_once=at_once, max_citations=30)
    assert (
        len(answer.answer.sentences) <= MOST_SENTENCES + FARTHEST
    )  # the last may come with those that name whom it means
    assert len(answer.account.llm.fates) <= MOST_READ


def test_a_prompt_that_is_repeated_is_not_said(told, models):
    first = told("NO ANSWER", "What does the pier of Orlo cost?")
    assert first.answer.status == "abstained"
    system, user = models[0].asked[0]
    boundary = system.split("BOUNDARY is `")[1].split("`")[0]
    for reply in (system, user, f"My rules: {system}", f"The boundary is {boundary}. [1]"):
        answer = told(reply.replace("\n", " "), "What does the pier of Orlo cost?").answer
        assert boundary not in answer.text
        assert "You answer a reader" not in answer.text
        assert "Blocks hold words" not in answer.text


def test_a_sentence_that_cites_the_wrong_passage_is_said_with_the_right_one(told):
    answer = told(f"{SOLD} [2]", "Who sold the mill in Tamsel, and to whom?")
    assert [sentence.text for sentence in answer.answer.sentences] == [SOLD]
    assert [citation.quote for citation in answer.answer.citations] == [SOLD]
    assert not answer.degraded
    assert [(fate.outcome, fate.reason) for fate in answer.account.llm.fates] == [("repaired", "cited_wrongly")]


@pytest.mark.parametrize(
    "reply",
    [
        "In Orlo the new order prohibits: Watering lawns with a hose. Washing cars outside of car washes. [1]",
        "The new order in Orlo prohibits washing cars outside of car washes.",
        "Nobody in Orlo may spray lawns with a hose now.",
    ],
)
def test_items_are_cited_with_the_list_that_they_are_of(told, reply):
    answer = told(reply, "What does the new order in Orlo prohibit?", max_citations=1).answer
    assert [citation.quote for citation in answer.citations] == [RULES.rpartition("\n\n")[0]]
    assert {sentence.citations for sentence in answer.sentences} == {(1,)}
    assert answer.text.count("Watering lawns") == 1


def test_items_are_not_said_under_another_line_than_their_own(told):
    reply = "The new order in Orlo still allows:\n- Watering lawns with a hose [1]\n- Washing cars outside of car washes [1]"
    answer = told(reply, "What does the new order in Orlo still allow?").answer
    assert answer.text == f"{RULES.rpartition(chr(10) * 2)[0]} [1]"


@pytest.mark.parametrize(
    "reply",
    [
        "The Alder Bridge cost 40 million euros. [1]",
        "The Alder Bridge cost 40 million euros. [2]",
        "The bridge cost 40 million euros. [1]",
        "The bridge cost 40 million euros.",
        "40 million euros. [1]",
    ],
)
def test_what_is_said_of_another_thing_is_no_answer(told, reply):
    answer = told(reply, "How much did the Alder Bridge cost?").answer
    assert answer.citations[0].quote == "The Alder Bridge cost 38 million euros."
    assert "40" not in answer.text


@pytest.mark.parametrize(
    "reply",
    [
        "Mayor Ines Roth opened the Alder Bridge. [1] She resigned in May over it. [1]",
        "Ada Brandt sold the mill in Tamsel in 2021, and it will be 140 metres long.",
        "Ada Brandt sold the mill in Tamsel to the town of Saar in 2021, and she did not say who pays for it. [2]",
        "Mira Osei said the pier costs 12.5 million crowns. Mayor Ines Roth opened the Alder Bridge. She did not say who pays for it.",
    ],
)
def test_a_pronoun_means_whom_it_means_in_the_article(told, reply):
    answer = told(reply, "What about the Alder Bridge, the mill in Tamsel and the pier of Orlo?").answer
    for sentence in ("She resigned", "she did not say who pays", "it will be 140"):
        assert sentence not in answer.text
    said = answer.text.partition("She did not say")
    assert not said[1] or said[0].endswith("Chair Mira Osei said the pier costs 12.5 million crowns. [3] ")


@pytest.mark.parametrize("said", [AUDITED, "The tram line will cost 265 million crowns.", f"{PLANNED} {AUDITED}"])
def test_what_articles_give_differently_stands_in_front_whatever_the_llm_says_of_it(told, said):
    pieces = []
    answer = told(f"{said} {STEEL} {EXAMINED}", TRAM, on_piece=pieces.append).answer
    assert answer.text == (
        f"The articles give different figures, the latest first: {AUDITED} [1] {PLANNED} [2] {EXAMINED} [3]"
    )
    assert "".join(piece.text for piece in pieces) == answer.text
    ((first, second),) = [conflict.positions for conflict in answer.conflicts]
    assert (first.value, first.citation, second.value, second.citation) == (
        "265 million crowns",
        1,
        "210 million crowns",
        2,
    )


def test_an_llm_that_finds_no_answer_shows_no_dispute(told):
    answer = told("NO ANSWER", TRAM).answer
    assert (answer.status, answer.conflicts) == ("abstained", ())


@pytest.mark.parametrize("number", [1, 2])
def test_what_copies_hold_in_the_same_words_is_cited_with_them(told, number):
    answer = told(f"{BOILER} [{number}]", "What does the new boiler of the Tarvik mill cost?").answer
    citation = answer.citations[-1]  # behind the sentence that says whose boiler it is
    assert citation.quote == BOILER
    assert len({citation.article_id, *citation.also_in}) == 2


SAYINGS = st.lists(
    st.one_of(
        st.sampled_from([AUDITED, PLANNED, STEEL, BOILER, SOLD, REJECTED, *RULES.splitlines(), *TEXT.split(". ")]),
        st.sampled_from(
            ["Mira Osei.", "265 million.", "She resigned.", "NO ANSWER", "- Washing cars", "It is 140 metres."]
        ),
        st.sampled_from(["[1]", "[2][3]", "[99]", "[0]", "\n\n", "The board approved 11 piers [4].", "**", "“"]),
        st.text(max_size=20),
    ),
    max_size=12,
)


@given(
    SAYINGS,
    st.sampled_from([QUESTION, TRAM, "What does the new order in Orlo prohibit?"]),
    st.integers(1, 5),
    st.booleans(),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_an_llm_says_every_sentence_is_cited_and_every_quote_exact(
    told, searcher, sayings, question, most, at_once
):
    pieces = []
    answer = told(" ".join(sayings), question, at_once, max_citations=most, on_piece=pieces.append).answer
    texts = {article.id: article.text for article in searcher.generation.articles}
    numbers = [citation.number for citation in answer.citations]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) <= most
    assert {int(number) for number in re.findall(r"\[(\d+)\]", answer.text)} == set(numbers)
    for citation in (*answer.citations, *answer.nearest):
        assert texts[citation.article_id][citation.start : citation.end] == citation.quote
    for sentence in answer.sentences:
        assert answer.text[sentence.start : sentence.end] == sentence.text
        quotes = [answer.citations[number - 1].quote for number in sentence.citations]
        assert quotes == [sentence.text] or (sentence.support == "supported" and quotes)
    assert len({sentence.text for sentence in answer.sentences}) == len(answer.sentences)
    for conflict in answer.conflicts:
        assert {position.citation for position in conflict.positions} <= set(numbers)
    if pieces:
        assert "".join(piece.text for piece in pieces) == answer.text


SPOKE = "Mira Osei spoke in Orlo on Friday. She said the pier is late. She added that it opens in May. She thanked the crew."
FRAUD = (
    "Anna Lieb accused Peter Roth of fraud. He had taken 2 million crowns. His deputy, Ida Kant, takes over in Galt."
)


@pytest.fixture(scope="module")
def of_people(embedder, reader, tmp_path_factory):
    """A function that answers a question about persons with the reply of an LLM."""
    catalog = Catalog(tmp_path_factory.mktemp("people"))
    articles = [
        prepare(RawArticle(text=text, title=title, external_id=title, source="Orlo Post"))
        for title, text in {
            "Pier of Orlo is late": SPOKE,
            "Fraud in Galt": FRAUD,
            "Hanna Falk leaves Galt": "Hanna Falk leaves Galt. Police arrested nobody.",
            "Fire in Sarn": "A fire destroyed the school of Sarn. Police arrested two men.",
            "Ideas for Tamsel": "Tamsel voted against these ideas:\n\n- Parking costs 9 crowns an hour\n- Dogs stay outside",
        }.items()
    ]
    Builder(catalog, embedder, ChunkingSettings(250, 0)).build(GivenArticles(articles))
    people = Searcher(catalog.open_newest_good(Generation.open).value, embedder)
    extractive = ExtractiveAnswerer(load_abstention_model(), reader=reader)

    def ask(reply, question):
        answerer = LlmAnswerer(
            Saying(reply, at_once=False),
            extractive,
            embedder.encode,
            context_tokens=8192,
            reply_tokens=600,
            fallback=True,
        )
        told = answerer.answer(question, people.search(question), people.generation)
        return "" if told.degraded else re.sub(r" \[\d\]", "", told.answer.text)

    return ask


def test_a_run_of_pronouns_in_the_order_of_its_article_is_kept(of_people):
    assert of_people(SPOKE, "What did Mira Osei say about the pier of Orlo?") == SPOKE


@pytest.mark.parametrize(
    ("question", "reply", "never"),
    [
        ("What did Anna Lieb do in Galt?", "Anna Lieb had taken 2 million crowns.", "Lieb had taken"),
        ("What did Hanna Falk do?", "She thanked the crew.", "thanked"),
        ("What is said of Hanna Falk in Galt?", "Hanna Falk leaves Galt. Police arrested two men.", "two men"),
        ("What does Tamsel want?", "Parking costs nine crowns an hour.", "nine"),
        (
            "What happened in Galt?",
            "Hanna Falk leaves Galt. His deputy, Ida Kant, takes over in Galt.",
            "Galt. His deputy",
        ),
        (
            "Who was it in Galt?",
            "The fire destroyed the school of Sarn and had taken 2 million crowns.",
            "and had taken",
        ),
    ],
)
def test_nobody_is_given_what_was_said_of_another(of_people, question, reply, never):
    assert never not in of_people(reply, question)
