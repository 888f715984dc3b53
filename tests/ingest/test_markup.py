"""Links and markup are taken out, what people read stays, and nothing that a program could follow is left."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest.article import RefusedInput
from ingest.cleaning import clean, plain_line
from ingest.intake import prepare
from ingest.readers import RawArticle

FOLLOWED = re.compile(
    r"[a-z]\w*://|\bwww\.\w|\]\(|<[a-z/!?]|&(?:lt|#\d+|#x[0-9a-f]+);|\b[a-z][a-z0-9-]+\.(?:com|org|ru|example)\b"
    r"|(?:javascript|mailto|vbscript):\S",
    re.IGNORECASE,
)
"""Written apart from the rules, and cruder: what the programs of others follow."""


def cleaned(text):
    return clean(text, title="A title").text


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ("Seats are free at https://hall.example/a?b=c. Come early.", "Seats are free at (link). Come early."),
        ("The list (https://hall.example/a_(1)) is long.", "The list (link) is long."),
        ("Read [the report](https://hall.example/r_(1)), she said.", "Read the report, she said."),
        ("Read [the report][r] first.\n[r]: https://hall.example/r", "Read the report first."),
        ("[![A map](https://x.example/i.png)](https://x.example) The road is shut.", "The road is shut."),
        ("Read <https://hall.example/a> first.", "Read (link) first."),
        ("Go to www.hall.example/seats now.", "Go to (link) now."),
        ("Go to hall.example/seats now.", "Go to (link) now."),
        ("Go to //hall.example/seats now.", "Go to (link) now."),
        ("Go to hxxps://hall[.]example/x now.", "Go to (link) now."),
        ("Go to hall[.]example or pay(.)com now.", "Go to hall .example or pay .com now."),
        ("Go to ｈｔｔｐｓ：／／hall。example/x now.", "Go to (link) now."),
        ("Go to hall。example or xn--hll-xyz.com now.", "Go to hall .example or xn--hll-xyz .com now."),
        ("Go to пример.рф now.", "Go to пример .рф now."),
        (
            "Write to seats@hall.example or mailto:a@hall.example?x=y now.",
            "Write to seats@hall .example or (link) now.",
        ),
        ("Run javascript:alert(1) or data:text/html;base64,PGI+ now.", "Run (link) or (link) now."),
        ("Run java&#115;cript:alert(1) now.", "Run (link) now."),
        ("Open 10.0.0.1:8080/x or 10.0.0.1/x now.", "Open (link) or (link) now."),
        ("Sales at Amazon.com rose.", "Sales at Amazon .com rose."),
        ("https://hall.example/a", ""),
    ],
)
def test_links_leave_their_words(found, expected):
    assert cleaned(found) == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ("<p>One &amp; two.</p><p>Three <b>bold</b> words.</p>", "One & two.\n\nThree bold words."),
        ("Before <script>alert('x')</script>after.", "Before after."),
        ("Before <!-- tell them\nnothing --> after.", "Before after."),
        ("An <img src=x onerror=alert(1)> image.", "An image."),
        ("An &lt;img src=x onerror=alert(1)&gt; image.", "An image."),
        ("An &amp;amp;lt;img src=x&amp;amp;gt; image.", "An image."),
        ("He put a <script> element on the page.", "He put a ‹script› element on the page."),
        ("The marker <|im_start|> begins a turn.", "The marker ‹|im_start|› begins a turn."),
        ("The marker <start_of_turn> begins a turn.", "The marker ‹start_of_turn› begins a turn."),
        ("A ＜script＞ of another width.", "A ‹script› of another width."),
    ],
)
def test_html_leaves_what_a_browser_shows(found, expected):
    assert cleaned(found) == expected


@pytest.mark.parametrize(
    "text",
    [
        "It opens at 10:30, not at 9 a.m. as planned; the U.S. side agreed, i.e. both did.",
        "The bridge was shut.In May it opened again.",
        "Prices: 12 < 15 crowns, p<0.05, and 3-2 and/or 4:1.",
        "JavaScript: a language. Data: five rows. Version 3.11.2 and No.5 of 4.2/5.",
        "He said [sic] so (see above), and “no comment” * twice *.",
        "AT&T and R&D pay Q&A staff.",
        "https is a scheme, and www stands for a web.",
        "Москва и Пекин: 北京。下一句。",
    ],
)
def test_other_words_stay(text):
    assert cleaned(text) == text


def test_fields_hold_no_link_either():
    article = prepare(
        RawArticle(
            text="The hall opens on Monday.",
            title='Hall <img src=x> opens [1] https://hall.example/x "now"',
            source="Hall Post [click](https://x.example)",
            authors=("Ada <b>Berg</b>", "https://x.example/a"),
        )
    )
    assert (article.title, article.source, article.authors) == ('Hall opens "now"', "Hall Post click", ("Ada Berg",))


def test_a_source_may_be_a_domain():
    assert prepare(RawArticle(text="The hall opens.", source="hall.example")).source == "hall.example"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ("The Quіllоn Bridge", "The Quillon Bridge"),  # і and о are Cyrillic
        ("рaypal", "paypal"),
        ("Москва, Ѕкопје, Αθήνα", "Москва, Ѕкопје, Αθήνα"),
        ("ΔT and µm and ρg and ТВ-канал", "ΔT and µm and ρg and ТВ-канал"),
        ("𝗕𝗼𝗹𝗱 Ｗｉｄｅ ⓒⓘⓡⓒⓛⓔ", "Bold Wide circle"),
        ("Qu\u200dil\u200clon\U000e0101 a\ufe0f\ufe0e", "Quillon a"),
        ("می\u200cخواهم 👩\u200d🚀 ❤\ufe0f", "می\u200cخواهم 👩\u200d🚀 ❤\ufe0f"),
    ],
)
def test_letters_in_disguise_are_written_plainly_and_other_scripts_stay(found, expected):
    assert cleaned(found) == expected


PIECES = st.sampled_from(
    [
        "https://", "x.example", "/p", "www.", "mailto:", "javascript:", "[", "]", "(", ")", "](", "![", "<", ">", "</",
        "<script>", "</script>", "<a href='", "'>", "<!--", "-->", "&", "lt;", "amp;", "#60;", "word", " ", "\n", ".",
        "com", ":", "//", "1", "а", "a", "\u200d", "：", "／", "。", "<p>", "(link)", "@", "-", "‹", "ｈ", "]: ", "\\",
    ]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=25).map("".join))
@example("[a](https://x.example)(https://x.example)")
@example("&amp;#60;a href='https://x.example'>")
def test_no_composition_leaves_a_link_and_cleaning_twice_changes_nothing(text):
    try:
        once = clean(text, title="A title")
    except RefusedInput:
        return
    assert not FOLLOWED.search(once.text)
    assert clean(once.text, title="A title").text == once.text
    field = plain_line(text)
    assert not FOLLOWED.search(field)
    assert plain_line(field) == field
