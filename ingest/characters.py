"""Characters made uniform: line ends, spaces, hyphens; without what is not seen, and without letters in disguise."""

from __future__ import annotations

import re
import unicodedata

_NEWLINES = "\r\v\f\x85\u2028\u2029"
_SPACES = "\t\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000\u2800"
# Look like the hyphen of the keyboard, but "carve‑outs" with one is not found by "carve-outs".
_HYPHENS = "\u2010\u2011"
# Zero-width space, word joiner, BOM, soft hyphen; marks of direction, annotations, fillers and the "tag" letters, which
# can hide words from a reader. Joiners (U+200C, U+200D) stay where Persian, Hindi and emoji are spelled with them.
_INVISIBLE = (
    "\u200b\u034f\u2060\u2061\u2062\u2063\u2064\u2065\ufeff\xad\u061c\u180e\u3164\uffa0\ufff9\ufffa\ufffb"
    "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u206a\u206b\u206c\u206d\u206e\u206f"
)
_CONTROLS = [code for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t" + _NEWLINES]
_TAGS = range(0xE0000, 0xE0080)


def _in_plain_letters(*runs: tuple[int, int]) -> dict[int, str]:
    """Map styled letters and digits (fullwidth, bold, circled) to the plain ones that they stand for."""
    plain = {code: unicodedata.normalize("NFKC", chr(code)) for first, last in runs for code in range(first, last + 1)}
    return {code: letter for code, letter in plain.items() if letter.isascii() and letter.isalnum()}


_CHARACTERS: dict[int, str | None] = (
    dict.fromkeys(_CONTROLS)
    | dict.fromkeys(_TAGS)
    | dict.fromkeys(map(ord, _INVISIBLE))
    | dict.fromkeys(map(ord, _NEWLINES), "\n")
    | dict.fromkeys(map(ord, _SPACES), " ")
    | dict.fromkeys(map(ord, _HYPHENS), "-")
    | _in_plain_letters((0xFF21, 0xFF3A), (0xFF41, 0xFF5A), (0x1D400, 0x1D7FF), (0x24B6, 0x24E9))
)

# Nothing before U+0590 is joined by joiners; one is enough; and more selectors than one only hide something.
_IDLE_JOINERS = re.compile("(?<![\u0590-\U0010ffff])[\u200c\u200d]+|(?<=[\u200c\u200d])[\u200c\u200d]+")
_SELECTOR = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_IDLE_SELECTORS = re.compile(rf"(?<=[A-Za-z\s.,])[{_SELECTOR}]+|(?<=[{_SELECTOR}])[{_SELECTOR}]+")

# Cyrillic and Greek letters with the shape of a Latin one.
_LOOK_ALIKE = str.maketrans(
    "аеорсухіјѕԁһԛԝѵАВЕКМНОРСТУХІЈЅҮԌԚԜοΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aeopcyxijsdhqwvABEKMHOPCTYXIJSYGQWoABEZHIKMNOPTYX",
)
_DISGUISED = "".join(map(chr, _LOOK_ALIKE))
_BESIDE_LATIN = re.compile(f"[A-Za-z][{_DISGUISED}]|[{_DISGUISED}][A-Za-z]")
_WORD = re.compile(r"[^\W\d_]{3,}")
_MIXED = re.compile(f"[A-Za-zÀ-ɏ{_DISGUISED}]+")

# Sorting a run of n combining marks takes Python n² steps; no script stacks more than a few (UAX 15).
_MAX_COMBINING = 30
_LONG_MARKS = re.compile(rf"[^\w\x00-\x7f]{{{_MAX_COMBINING + 1},}}")


def tidy(text: str) -> str:
    """Make the characters of a text uniform; see the module.

    A word that mixes Latin letters with others of the same shape is written in Latin ones: "Quіllon" with a Cyrillic
    letter would not be found. Words of one script stay as they are.
    """
    text = text.replace("\r\n", "\n").translate(_CHARACTERS)
    if not text.isascii():
        text = _IDLE_SELECTORS.sub("", _IDLE_JOINERS.sub("", text))
        text = unicodedata.normalize("NFC", _LONG_MARKS.sub(_shorten_marks, text))
        if _BESIDE_LATIN.search(text):
            text = _WORD.sub(_undisguised, text)
    return re.sub(r" {2,}", " ", text)


def _undisguised(word: re.Match[str]) -> str:
    mixed = _BESIDE_LATIN.search(word[0]) is not None and _MIXED.fullmatch(word[0]) is not None
    return word[0].translate(_LOOK_ALIKE) if mixed else word[0]


def _shorten_marks(run: re.Match[str]) -> str:
    kept: list[str] = []
    stacked = 0
    for character in run[0]:
        stacked = stacked + 1 if unicodedata.combining(character) else 0
        if stacked <= _MAX_COMBINING:
            kept.append(character)
    return "".join(kept)
