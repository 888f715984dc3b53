"""When articles give different values for what is asked: both are said, and nothing else is taken for it."""

import itertools

import pytest

from ingest.intake import prepare
from ingest.readers.raw import RawArticle

pytestmark = pytest.mark.model

# What is asked, and what two articles say: (day, title, text) each.
DISPUTED = {
    "a count": (
        "How many hikers were injured in the landslide at Brenn?",
        (
            "2026-03-02",
            "Landslide hits trail at Brenn",
            "A landslide buried a mountain trail at Brenn on Sunday. It injured 12 hikers, according to the police. Helicopters brought them to the valley.",
        ),
        (
            "2026-03-04",
            "Brenn counts the cost of the slide",
            "Two days after the landslide at Brenn the trail is still closed. In all 14 hikers were injured, the regional clinic said. Geologists warn of further slides.",
        ),
        ("14", "12"),
    ),
    "a sum": (
        "How much does the new tram line to Ostermoor cost?",
        (
            "2026-01-10",
            "Council wants tram to Ostermoor",
            "The city council wants to build a tram line to the suburb of Ostermoor. The new tram line costs 210 million crowns, according to the council. Work would take four years.",
        ),
        (
            "2026-02-12",
            "Auditors look at the Ostermoor tram",
            "The court of auditors has examined the plans for a tram to Ostermoor. The tram line will cost 265 million crowns, according to its report. It criticises that the price of steel was left out.",
        ),
        ("265 million", "210 million"),
    ),
    "a rate": (
        "What share of the pupils in Felsing speak two languages at home?",
        (
            "2026-04-01",
            "Felsing schools count languages",
            "The schools of Felsing asked all parents. At home 31 percent of the pupils speak two languages, the school office reports. Danish is the most frequent.",
        ),
        (
            "2026-04-09",
            "Study on languages in Felsing",
            "A study of the university contradicts the school office of Felsing. Two languages are spoken at home by 44 percent of the pupils, the researchers write. They asked the children themselves.",
        ),
        ("44 percent", "31 percent"),
    ),
    "a day": (
        "When does the ice rink of Lomma open?",
        (
            "2026-02-01",
            "Lomma gets an ice rink",
            "The town of Lomma gets an ice rink on the old market. The ice rink of Lomma opens in May, the mayor says.",
        ),
        (
            "2026-02-03",
            "Skating soon in Lomma",
            "Skaters in Lomma can look forward to the season. The ice rink of Lomma opens in June, the operator says.",
        ),
        ("June", "May"),
    ),
    "an office": (
        "Who is the harbour master of Skaanes?",
        (
            "2026-02-01",
            "Ships wait off Skaanes",
            "Three ships waited off Skaanes on Monday. The harbour master of Skaanes, Ebba Lind, blamed the fog for the queue of ships.",
        ),
        (
            "2026-02-02",
            "Fog over Skaanes harbour",
            "Fog stopped all traffic in the port of Skaanes. The harbour master of Skaanes, Olof Brandt, blamed the fog for the queue.",
        ),
        ("Olof Brandt", "Ebba Lind"),
    ),
}

ALIKE = {
    "two things": (
        "What is the tariff on steel in Varnia?",
        (
            "2026-03-01",
            "Varnia taxes imports",
            "Varnia taxes imports from Monday. The tariff on steel is 25 percent. The tariff on other goods is 35 percent.",
        ),
        (
            "2026-03-02",
            "Merchants fear Varnia's tariffs",
            "Merchants in Varnia fear the tariffs. Other goods are taxed at 35 percent, they complain.",
        ),
    ),
    "a history": (
        "What is the tariff on timber in Varnia?",
        (
            "2026-03-01",
            "Varnia taxes timber",
            "Varnia taxes timber from Monday. The tariff on timber is 25 percent, the ministry says.",
        ),
        (
            "2026-08-02",
            "Varnia raises its timber tariff",
            "The government of Varnia goes further. It raised the tariff on timber from 25 percent to 35 percent.",
        ),
    ),
    "a rounding": (
        "How many visitors came to the kite festival in Rossby?",
        (
            "2026-03-01",
            "Kites over Rossby",
            "The kite festival in Rossby ended on Sunday. About 1,200 visitors came to the festival, the town says.",
        ),
        (
            "2026-03-04",
            "Rossby's festival in figures",
            "The kite festival in Rossby sold all of its tickets. In all 1,187 visitors came to the festival, the organiser says.",
        ),
    ),
    "two years": (
        "How many wolves live in the Harn forest?",
        (
            "2025-03-01",
            "Wolves in the Harn forest",
            "Rangers count wolves in the Harn forest every winter. In 2024 they counted 12 wolves in the forest.",
        ),
        (
            "2026-03-04",
            "More wolves in Harn",
            "Rangers have counted the wolves of the Harn forest again. In 2025 they counted 17 wolves in the forest.",
        ),
    ),
    "a part and the whole": (
        "How much does the new library of Tolk cost?",
        (
            "2026-03-01",
            "Tolk builds a library",
            "The town of Tolk builds a library of glass. The new library costs 40 million crowns, the mayor said.",
        ),
        (
            "2026-03-04",
            "Region helps Tolk",
            "The region helps Tolk to build its library. It pays 12 million crowns from a fund for small towns.",
        ),
    ),
    "two places": (
        "When was the toll bridge of Nesse closed?",
        ("2026-03-01", "Toll bridge closed", "The toll bridge of Nesse was closed on 3 February after a ship hit it."),
        ("2026-03-04", "Another bridge closed", "The road bridge of Altmark was closed on 9 February after a flood."),
    ),
    "a plan that was changed": (
        "When does the planetarium of Dorn open?",
        (
            "2026-02-01",
            "Stars over Dorn",
            "The town of Dorn gets a planetarium. The planetarium of Dorn opens in May, the director says.",
        ),
        (
            "2026-04-03",
            "Planetarium comes later",
            "The dome is not yet tight. The planetarium of Dorn opens in September and was postponed for the second time, the director says.",
        ),
    ),
    "a successor": (
        "Who is the coach of Lindau Rovers?",
        (
            "2026-02-01",
            "Rovers lose again",
            "Lindau Rovers lost by a goal. The coach of Lindau Rovers, Per Holm, spoke of bad luck.",
        ),
        (
            "2026-04-03",
            "Rovers win at last",
            "Lindau Rovers won for the first time. The new coach of Lindau Rovers, Siw Dahl, was pleased with her team.",
        ),
    ),
    "a price that moves": (
        "How much does a litre of heating oil cost in Harlund?",
        (
            "2026-01-05",
            "Heating oil dearer in Harlund",
            "Households in Harlund pay more for heating oil. A litre of heating oil now costs 14 crowns in Harlund, according to dealers.",
        ),
        (
            "2026-03-20",
            "Heating oil in Harlund",
            "Dealers in Harlund raise their price again. A litre of heating oil now costs 17 crowns in Harlund, according to dealers.",
        ),
    ),
    "an amount of another order": (
        "How much does the cable car of Vennla cost?",
        (
            "2026-02-01",
            "Vennla builds a cable car",
            "The town of Vennla builds a cable car to the plateau. The cable car will cost 94 million crowns, the engineers say.",
        ),
        (
            "2026-04-03",
            "Up to the plateau",
            "Soon the plateau of Vennla is ten minutes away. The cable car will cost 45 crowns for a ride, children ride free.",
        ),
    ),
    "what is measured": (
        "How much does the stadium of Rusk cost?",
        (
            "2026-02-01",
            "Rusk gets a stadium",
            "The town of Rusk gets a stadium at the canal. The stadium will cost 61 million crowns, the town of Rusk said.",
        ),
        (
            "2026-04-03",
            "Work on the stadium of Rusk",
            "Diggers have come to the canal. The footbridges will cost 24 million crowns, the town of Rusk said.",
        ),
    ),
    "two of a kind": (
        "How many guests did the seamen's hostel have?",
        (
            "2026-02-01",
            "Seamen's hostel is full",
            "The Hollin Seamen's Hostel had 8,200 guests last winter, its keeper said. Most of them came from the north.",
        ),
        (
            "2026-04-03",
            "Mountains without snow",
            "The Grey Peak Hostel had 5,900 guests last winter, its keeper said. Most of them had come to ski.",
        ),
    ),
    "whose name is left out": (
        "How many exhibits does the puppet theatre of Mirow lend?",
        (
            "2026-02-01",
            "Mirow lends its puppets",
            "The puppet theatre of Mirow goes on tour. The puppet theatre lends 140 exhibits to the north.",
        ),
        (
            "2026-04-03",
            "Puppets for schools",
            "Schools in Tolmin may play with real puppets. The puppet theatre lends 260 exhibits to schools.",
        ),
    ),
    "other units": (
        "How long is the pier of Graum?",
        (
            "2026-02-01",
            "Pier of Graum repaired",
            "The pier of Graum is repaired this summer. The pier is 600 metres long and made of oak.",
        ),
        (
            "2026-04-03",
            "Walks by the sea",
            "Many walk on the pier of Graum. The pier is 1,969 feet long and made of oak.",
        ),
    ),
}


@pytest.fixture(scope="module")
def assistant(tmp_path_factory, assembled, build_index):
    parts = assembled(tmp_path_factory.mktemp("conflicts"))
    for name, case in (DISPUTED | ALIKE).items():
        for number, (day, title, text) in enumerate(case[1:3]):
            raw = RawArticle(text=text, title=title, published=day, source="Wire", external_id=f"{name} {number}")
            parts.library.put(prepare(raw))
    build_index(parts)
    yield parts.assistant
    parts.close()


@pytest.mark.parametrize("name", DISPUTED)
def test_both_values_are_said_with_their_sources_the_latest_first(assistant, name):
    question, earlier, later, values = DISPUTED[name]
    answer = assistant.ask(question).answer
    (conflict,) = answer.conflicts
    assert [position.published_at.isoformat() for position in conflict.positions] == [later[0], earlier[0]]
    cited = {citation.number: citation for citation in answer.citations}
    for position, value, article in zip(conflict.positions, values, (later, earlier), strict=True):
        assert value in position.value
        assert position.value in cited[position.citation].quote
        assert cited[position.citation].title == article[1]
    assert question.startswith(conflict.about)


@pytest.mark.parametrize("name", ALIKE)
def test_what_is_no_dispute_is_not_shown_as_one(assistant, name):
    answer = assistant.ask(ALIKE[name][0]).answer
    assert answer.status == "answered"
    assert answer.conflicts == ()


def test_the_answer_says_so_in_plain_words_and_every_sentence_is_still_a_quote(assistant):
    answer = assistant.ask(DISPUTED["a count"][0]).answer
    assert answer.text.startswith("The articles give different figures, the latest first: In all 14 hikers")
    for sentence in answer.sentences:
        assert answer.text[sentence.start : sentence.end] == sentence.text
        assert sentence.citations
        assert sentence.support == "verbatim"
    assert all(one.end < other.start for one, other in itertools.pairwise(answer.sentences))


SAYS_ITSELF = (
    "The roof of the market hall in Quellin was torn off by the storm. The new roof of the market hall will cost "
    "3.1 million crowns, the town of Quellin says. Traders dispute the new figure: the roof of the market hall will "
    "cost 4.6 million crowns, they say. The timber for it has to be imported because the sawmill burned down."
)
PARTLY_OF_ONE_DAY = (
    (
        "2026-03-01",
        "Flood empties Ullern camp site",
        "The river flooded the camp site of Ullern. In all 210 campers left the camp site of Ullern, the wardens said.",
    ),
    (
        "2026-03-01",
        "Campers flee from river at Ullern",
        "Ullern has rarely seen such a flood. In all 260 campers left the camp site of Ullern, the fire brigade said.",
    ),
    (
        "2026-03-02",
        "Camp site of Ullern lies in mud",
        "Mud covers the meadow at Ullern. In all 235 campers left the camp site of Ullern, its owner said.",
    ),
)


@pytest.fixture(scope="module")
def of_one_day(tmp_path_factory, assembled, build_index):
    parts = assembled(tmp_path_factory.mktemp("of-one-day"))
    for day, title, text in (("2026-03-01", "Market hall of Quellin", SAYS_ITSELF), *PARTLY_OF_ONE_DAY):
        parts.library.put(prepare(RawArticle(text=text, title=title, published=day, external_id=title)))
    build_index(parts)
    yield parts.assistant
    parts.close()


def test_an_article_that_gives_two_values_is_quoted_in_its_order(of_one_day):
    answer = of_one_day.ask("How much will the roof of the market hall in Quellin cost?").answer
    assert answer.text.startswith("One article gives different figures: The new roof")
    assert [position.value for position in answer.conflicts[0].positions] == [
        "3.1 million crowns",
        "4.6 million crowns",
    ]


def test_where_not_every_day_is_another_nothing_is_said_of_the_order(of_one_day):
    answer = of_one_day.ask("How many campers left the camp site of Ullern?").answer
    assert answer.text.startswith("The articles give different figures: In all")
    values = [position.value.split()[0] for position in answer.conflicts[0].positions]
    assert values[0] == "235"
    assert sorted(values) == ["210", "235", "260"]


@pytest.mark.parametrize(
    "question",
    [
        "Why will the roof of the market hall in Quellin cost so much?",
        "How did the cost of the roof of the market hall in Quellin change?",
        "What do traders say about the cost of the roof of the market hall in Quellin?",
    ],
)
def test_a_question_for_something_else_than_a_value_gets_no_dispute(of_one_day, question):
    answer = of_one_day.ask(question).answer
    assert answer.status == "answered"
    assert answer.conflicts == ()


def test_where_there_is_room_for_one_citation_only_no_dispute_is_shown(assistant):
    answer = assistant.ask(DISPUTED["a count"][0], max_citations=1).answer
    assert answer.conflicts == ()
    assert len(answer.citations) == 1


def test_a_question_that_states_one_of_the_values_is_answered_by_it(assistant):
    assert assistant.ask("Were 12 hikers injured in the landslide at Brenn?").answer.conflicts == ()
