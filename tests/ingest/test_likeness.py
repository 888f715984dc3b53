"""What two articles are to each other: copies, a correction and its original, or two that only look alike."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.intake import prepare
from ingest.likeness import Statement, likeness
from ingest.readers.raw import RawArticle

PARAGRAPHS = [
    "The harbour town of Senmark will rebuild its fish market after the fire of last winter.",
    "Mayor Oda Brekke said on Tuesday that the new hall will hold 42 stalls and cost 18 million crowns.",
    "The fire broke out in a storeroom shortly after midnight and destroyed the roof within an hour.",
    "Nobody was hurt, but 130 traders lost their goods and have been selling from tents since January.",
    "Architect Pelle Grann proposes a hall of larch and glass that lets the sea wind pass above the stalls.",
    "The town council votes on the plan in its session at the end of the month.",
    "Traders asked for larger cold rooms and for a loading ramp on the side of the old quay.",
]
STORY = "\n\n".join(PARAGRAPHS)


def article(text, name="a", title="Senmark rebuilds its fish market", source="Coast Wire", published="2026-03-03"):
    return prepare(RawArticle(text=text, title=title, external_id=name, source=source, published=published))


ORIGINAL = article(STORY)


def edited(*changes):
    text = STORY
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return article(text, "b", title="Fish market to rise again", source="Inland Post", published="2026-03-04")


COPIES = {
    "syndicated": edited(),
    "some other words": edited(
        ("shortly after midnight", "just past midnight"), ("lets the sea wind", "allows the wind")
    ),
    "last paragraphs cut": article("\n\n".join(PARAGRAPHS[:5]), "b"),
    "a dateline": edited(("The harbour town", "SENMARK (Inland Post) – The harbour town")),
    "a paragraph more": article(f"{STORY}\n\nThe Inland Post has reported on the market for years.", "b"),
    "a number in words": edited(("42 stalls", "42 stalls"), ("18 million", "eighteen million")),
    "other quotation marks and blanks": edited(("on Tuesday that", "on  Tuesday that")),
}
OTHERS = {
    "another number": edited(("42 stalls", "36 stalls")),
    "another sum": edited(("18 million", "21 million")),
    "another name": edited(("Oda Brekke", "Ivar Holm")),
    "another day": edited(("on Tuesday", "on Friday")),
    "a denial": edited(("council votes on", "council never votes on")),
    "numbers exchanged": article(
        STORY.replace("42 stalls", "§").replace("18 million", "42 million").replace("§", "18 stalls"), "b"
    ),
    "the event in other words": article(
        "After a blaze tore through it last winter, Senmark's fish market is to be built anew. The hall, designed by "
        "Pelle Grann in larch and glass, offers room for 42 stands and comes at a price of 18 million crowns, according "
        "to the mayor. Sellers who lost everything have put up tents; they wish for more space to keep fish cold.",
        "b",
    ),
}


@pytest.mark.parametrize("name", COPIES)
def test_what_states_the_same_in_mostly_the_same_words_is_a_copy(name):
    assert likeness(ORIGINAL, COPIES[name]) == likeness(COPIES[name], ORIGINAL) == "copy"


@pytest.mark.parametrize("name", OTHERS)
def test_what_states_something_else_is_no_copy(name):
    assert likeness(ORIGINAL, OTHERS[name]) == likeness(OTHERS[name], ORIGINAL) == "different"


@pytest.mark.parametrize(
    "corrected",
    [
        edited(("42 stalls", "36 stalls"), ("The harbour town", "CORRECTED: The harbour town")),
        article(
            f"{STORY.replace('42', '36')}\n\nAn earlier version of this article gave a wrong number of stalls.", "b"
        ),
        article(STORY.replace("42", "36"), "b", title="Correction: Senmark rebuilds its fish market"),
        article(f"Correction: the hall has 36 stalls, not 42.\n\n{STORY.replace('42', '36')}", "b"),
        article(f"{STORY}\n\nThis story has been corrected to remove a name.", "b"),
    ],
)
def test_an_article_with_a_note_corrects_the_one_without(corrected):
    assert likeness(corrected, ORIGINAL) == "corrects"
    assert likeness(ORIGINAL, corrected) == "corrected"


def test_of_two_corrections_the_later_one_counts():
    first = article(STORY.replace("42", "36"), "b", title="Correction: Senmark rebuilds", published="2026-03-05")
    second = article(STORY.replace("42", "34"), "c", title="Correction: Senmark rebuilds", published="2026-03-09")
    assert (likeness(second, first), likeness(first, second)) == ("corrects", "corrected")
    assert likeness(replace(second, published_at=None), first) == "different"


def test_a_story_about_a_correction_is_no_correction():
    about = edited(("Traders asked", "The mayor corrected herself later. Traders asked"))
    assert likeness(ORIGINAL, about) == "copy"


SENTENCES = [
    ("The bank cut its rate to 4.25 percent.", "The bank cut its rate to 4.25 %.", False),
    ("The bank cut its rate to 4.25 percent.", "The bank cut its rate to 4.00 percent.", True),
    ("At least 12 people died.", "At least twelve people died.", False),
    ("The toll is 1,200 crowns.", "The toll is 1200 crowns.", False),
    ("The toll is 12 crowns.", "The toll is 12 crowns and 2 for children.", False),
    ("The council has approved it.", "The council has not approved it.", True),
    ("She will meet Ada Lund.", "She will meet Ada Holt.", True),
    ("She will meet Lund.", "She will meet Ada Lund.", False),
    ("4.50 metres were measured.", "4.5 metres were measured.", False),
]


@pytest.mark.parametrize(("one", "other", "differs"), SENTENCES)
def test_when_two_sentences_cannot_be_the_same_statement(one, other, differs):
    assert Statement.of(one).differs(Statement.of(other)) is differs
    assert Statement.of(other).differs(Statement.of(one)) is differs


@given(st.text(max_size=200))
def test_a_sentence_never_differs_from_itself(text):
    said = Statement.of(text)
    assert not said.differs(said)
    assert said.overlap(said) == (1 if said.words else 0)
