"""Bytes become the text that was written, or a refusal."""

import random

import pytest

from ingest.article import RefusedInput
from ingest.readers.encoding import decode

ENGLISH = "The café on the quay closed in May. “We had no choice,” said the owner — it’s over."


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b""),
        ("utf-8-sig", b""),
        ("utf-16-le", b"\xff\xfe"),
        ("utf-16-be", b"\xfe\xff"),
        ("utf-32-le", b"\xff\xfe\0\0"),
        ("utf-16-le", b""),
        ("utf-16-be", b""),
    ],
)
def test_unicode_is_read_with_and_without_its_mark(encoding, mark):
    assert decode(mark + ENGLISH.encode(encoding)) == ENGLISH


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (ENGLISH, "cp1252"),
        ("Le maire a déclaré que la fermeture n’était pas prévue, à l’hôtel de ville.", "cp1252"),
        ("Borgmästaren sade att bron stängs på måndag för översyn.", "cp1252"),
        ("O prefeito não explicou a decisão; a ponte será fechada, segundo informações.", "cp1252"),
        ("Burmistrz oświadczył, że most zostanie zamknięty do jesieni. Żółć, gęś.", "cp1250"),
        ("Мэр города сообщил, что мост закрыт на ремонт до осени и движение пойдёт иначе.", "cp1251"),
        ("市長は橋が秋まで閉鎖されると発表した。修理には三か月かかる見込みである。", "shift_jis"),
    ],
)
def test_older_encodings_are_recognised(text, encoding):
    assert decode(text.encode(encoding)) == text


def test_a_declared_encoding_is_believed_when_it_fits():
    assert decode("мост".encode("koi8-r"), declared="koi8-r") == "мост"
    assert decode("“so”".encode("cp1252"), declared="iso-8859-1") == "“so”"
    assert decode("größer".encode(), declared="ascii-of-mars") == "größer"
    assert decode("größer".encode(), declared="shift_jis") != ""


def test_a_mark_beats_what_is_declared():
    assert decode("größer".encode("utf-8-sig"), declared="cp1252") == "größer"


@pytest.mark.parametrize("data", [b"caf\xe9", "мост".encode("cp1251")])
def test_too_little_to_tell_the_encoding_is_refused(data):
    with pytest.raises(RefusedInput, match="save it as UTF-8"):
        decode(data)


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\0",
        b"words\0words and more",
        b"\x01\x02\x03\x04words",
        b"\0\0\0\0",
        b"\xff\xfeodd",
        random.Random(1).randbytes(4000).replace(b"\0", b"x"),
    ],
)
def test_binary_is_refused(data):
    with pytest.raises(RefusedInput, match=r"^not (clear )?text"):
        decode(data)


@pytest.mark.parametrize("data", [b"", b" \r\n\t", b"\xef\xbb\xbf", "\u00a0\n".encode()])
def test_empty_and_blank_are_refused(data):
    with pytest.raises(RefusedInput, match=r"^empty$"):
        decode(data)


def test_a_few_control_characters_are_no_reason():
    assert decode(b"\x0c" + b"word " * 30 + b"\x07") == "\x0c" + "word " * 30 + "\x07"
