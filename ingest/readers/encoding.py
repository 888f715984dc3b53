"""From bytes to text, or a refusal: no character is ever replaced or guessed without grounds."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from ingest.article import RefusedInput

if TYPE_CHECKING:
    from charset_normalizer import CharsetMatch

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# The encodings that text files really come in. Left to itself, charset-normalizer reads "café" in Latin-1 as
# two Chinese characters of UTF-16, and a long file as Urdu.
_LEGACY_ENCODINGS = [
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257",
    "iso8859_2", "koi8_r", "cp932", "euc_jp", "gb18030", "big5", "cp949",
]  # fmt: skip

# Two readings this near to each other are equally likely: measured on short news texts in ten languages.
_CHAOS_MARGIN = 0.02
_COHERENCE_MARGIN = 0.05

_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_CONTROL_SHARE_LIMIT = 0.05
_SAMPLE_BYTES = 4096


def decode(data: bytes, *, declared: str | None = None) -> str:
    """Decode the bytes of a text file.

    A byte order mark decides; then `declared`, when it names a known encoding that fits; then UTF-16 by its
    pattern of NULs, strict UTF-8, and last what charset-normalizer recognises with confidence.

    Args:
        data: The whole file.
        declared: The encoding that the file itself states, as HTML does.

    Raises:
        RefusedInput: The file is empty or blank, binary, or in an encoding that cannot be told.
    """
    if not data.strip(b"\0 \t\r\n"):
        raise RefusedInput("not text: only NUL characters" if b"\0" in data else "empty")
    text = _decode(data, declared)
    _refuse_binary(text)
    if not text.strip():
        raise RefusedInput("empty")
    return text


def _decode(data: bytes, declared: str | None) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _decode_strictly(data[len(mark) :], encoding)
    if declared is not None and (text := _decode_as_declared(data, declared)) is not None:
        return text
    if (wide := _utf16_by_nuls(data)) is not None:
        return _decode_strictly(data, wide)
    if b"\0" in data:
        raise RefusedInput("not text: holds NUL characters")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _decode_by_statistics(data)


def _decode_strictly(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise RefusedInput(f"not text: marked as {encoding}, but byte {error.start} does not fit") from error


def _decode_as_declared(data: bytes, declared: str) -> str | None:
    try:
        name = codecs.lookup(declared).name
        # Browsers read Latin-1 and ASCII as Windows-1252, and pages are written for them (WHATWG Encoding).
        return data.decode("cp1252" if name in ("iso8859-1", "ascii") else name)
    except (LookupError, UnicodeError):
        return None


def _utf16_by_nuls(data: bytes) -> str | None:
    """Name the UTF-16 without mark that the NULs speak for: in Western text, one byte of each two is NUL."""
    sample = data[:_SAMPLE_BYTES]
    pairs = len(sample) // 2
    if len(data) % 2 or not pairs:
        return None
    first, second = sample[0::2].count(0) / pairs, sample[1::2].count(0) / pairs
    if second > 0.4 and first < 0.05:
        return "utf-16-le"
    if first > 0.4 and second < 0.05:
        return "utf-16-be"
    return None


def _decode_by_statistics(data: bytes) -> str:
    from charset_normalizer import from_bytes  # only here: most files say what they are in

    matches = list(from_bytes(data, cp_isolation=_LEGACY_ENCODINGS))
    if not matches:
        raise RefusedInput("not text: in no encoding that we know; save it as UTF-8")
    best = matches[0]
    rivals = [match for match in matches if _is_as_likely(match, best)]
    # Among equally likely readings the web's default wins, if a language was recognised at all.
    western = next((match for match in rivals if "cp1252" in match.could_be_from_charset), None)
    if western is not None and best.coherence > 0:
        return str(western)
    if len({str(match) for match in rivals}) > 1:
        names = ", ".join(sorted(match.encoding for match in rivals))
        raise RefusedInput(f"not clear text: the encoding could be any of {names}; save it as UTF-8")
    return str(best)


def _is_as_likely(match: CharsetMatch, best: CharsetMatch) -> bool:
    return match.chaos <= best.chaos + _CHAOS_MARGIN and match.coherence >= best.coherence - _COHERENCE_MARGIN


def _refuse_binary(text: str) -> None:
    if "\0" in text:
        raise RefusedInput("not text: holds NUL characters")
    controls = sum(1 for _ in _CONTROL_CHARACTERS.finditer(text))
    if controls > _CONTROL_SHARE_LIMIT * len(text):
        raise RefusedInput(f"not text: {controls} of {len(text)} characters are control characters")
