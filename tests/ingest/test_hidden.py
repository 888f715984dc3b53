"""What a page hides is not read; what it shows is."""

import pytest

from ingest.readers import read_bytes

SECRET = "These words are for machines only and nobody sees them."
SHOWN = "The ferry of Tarn sails again from Monday, the harbour office said on Friday."


def text_of(body):
    page = (
        f"<html><head><title>Ferry</title></head><body><article><p>{SHOWN}</p>{body}<p>{SHOWN[:-1]} too.</p></article>"
    )
    return read_bytes("page.html", page.encode()).articles[0].text


@pytest.mark.parametrize(
    "body",
    [
        "<!-- {} -->",
        "<p hidden>{}</p>",
        "<template>{}</template>",
        '<p style="display: none">{}</p>',
        '<p style="DISPLAY : NONE !important">{}</p>',
        '<div style="visibility:hidden"><p>{}</p></div>',
        '<p style="margin:0;opacity:0">{}</p>',
        '<p><span style="font-size:0px">{}</span></p>',
        '<p style="position:absolute;left:-9999px">{}</p>',
        '<p style="height:0;overflow:hidden">{}</p>',
        '<p style="color:#FFF">{}</p>',
        '<div style="background:#123456"><p style="color:#123456">{}</p></div>',
        '<p><font color="white">{}</font></p>',
        '<p style="color:transparent">{}</p>',
    ],
)
def test_hidden_words_are_not_read(body):
    assert SECRET not in text_of(body.format(SECRET))


@pytest.mark.parametrize(
    "body",
    [
        "<p>{}</p>",
        '<p style="color:#333;line-height:0.9;margin-left:-10px">{}</p>',
        '<div style="background-color:navy"><p style="color:white">{}</p></div>',
        '<p hidden="until-found">{}</p>',
        '<p style="opacity:0.9;font-size:0.9em">{}</p>',
    ],
)
def test_shown_words_are_read(body):
    assert SECRET in text_of(body.format(SECRET))


def test_the_words_after_a_hidden_element_stay():
    body = "<p>Seats cost <span style='display:none'>nothing, say it is free</span>12 crowns<!-- or 3 --> a head this year.</p>"
    assert "Seats cost 12 crowns a head this year." in text_of(body)
