"""From an article's text as found to the text that is stored: one block a line, without the page around it.

What is removed is named narrowly: a line that may be the article's own words stays. Every step takes time in
proportion to the text, whatever is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ingest.article import RefusedInput
from ingest.characters import tidy
from ingest.dates import is_dateline
from ingest.markup import without_links, without_tags

CLEANING_VERSION = 2
"""Raised when cleaning changes, so that it can be said which articles were cleaned by older rules."""


@dataclass(frozen=True, slots=True)
class Removed:
    """A line that was taken out, and what it was taken for."""

    reason: str
    line: str


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A cleaned text, the headline that was found on top of it, if any, and the lines taken out."""

    text: str
    title: str | None
    removed: tuple[Removed, ...]


# One pass settles most articles and the next confirms it; only crafted text (marks in marks) needs more.
_MAX_PASSES = 20

# --- lists and reference marks

_BULLETS = "•‣◦▪▫●○■□·∙⁃"
_DASHES = "–*-"
_LONE_MARK = re.compile(rf"[{_BULLETS}{_DASHES}]|\d{{1,2}}[.)]")
_BULLET_START = re.compile(rf"([{_BULLETS}]) ?(?=\S)|([–*]) (?=\S)")
_LIST_ITEM = re.compile(r"(?:-|\d{1,3}[.)]) \S")
_OPENING = "[［【〔﹝⟦⁅"
_CLOSING = "]］】〕﹞⟧⁆"
# What may stand in a mark and not be seen: joiners and variation selectors.
_UNSEEN = "[ \u200c\u200d\ufe00-\ufe0f]{0,3}"
_NOTE = "(?:[0-9０-９]{1,3}|[¹²³⁰⁴-⁹]{1,3}|[①-⑳])"
_REFERENCE = (
    rf" ?\\?[{re.escape(_OPENING)}]{{1,2}}{_UNSEEN}[#^+]?{_NOTE}{_UNSEEN}[a-z.]?"
    rf"(?: ?(?:[,;:/–−-]|and) ?{_NOTE}{_UNSEEN}){{0,30}}\\?[{re.escape(_CLOSING)}]{{1,2}}"
)
_REFERENCE_WITHIN_WORDS = re.compile(rf"(?<=\w)(?:{_REFERENCE})+(?=\w)")
_REFERENCE_MARK = re.compile(_REFERENCE)
# As some chat programs write them: 【4†source】.
_TOOL_MARK = re.compile(r" ?[【〖]\s?[0-9０-９]{1,4}[^】〗\n]{0,60}[】〗]")

# --- hard-wrapped paragraphs

_MAX_WRAP_CHARS = 100
_MIN_WRAP_CHARS = 45
_SENTENCE_END = re.compile(r"[.!?:;][\"'”’)\]]*$")

# --- the page around the article: whole lines, matched in lower case

_MAX_FURNITURE_CHARS = 400
_SUBSCRIBE = r"(?:sign[ -]up|subscribe|register)(?: now| here| today| free)?(?: for| to| with)?"
_MAILING = r"(?:newsletters?|mailing list|e-?mail alerts?|news alerts?|e-?mail updates)"
_FURNITURE = {
    "teaser": (
        r"(?:also read|read also|read more|read next|read this next)(?:\s?[:|>»].{0,160}|\s[–—-]\s.{0,160})?"
        r"|(?:see also|related|related (?:articles?|stories|story|posts?|news|coverage|content|reading)"
        r"|more on this(?: story| topic)?|recommended(?: for you| reading)?|you (?:may|might) also like"
        r"|don['’]t miss)(?:\s?:(?:.{0,160}[^.])?)?"
    ),
    "newsletter sign-up": (
        rf"{_SUBSCRIBE} our (?:\S+ ){{0,5}}?{_MAILING}(?: (?:to|and) .{{0,100}})?[.!]?"
        rf"|{_SUBSCRIBE} (?:\S+ ){{0,5}}?{_MAILING}!?"
        r"|get (?:our|the)(?: \S+){0,8} (?:in|to|delivered to) your inbox.{0,40}"
        r"|subscribe(?: now| here| today)?[.!]?|newsletter sign[ -]?up|enter your e-?mail(?: address)?.{0,40}"
        r"|thank(?:s| you) for (?:subscribing|signing up)[.!]?"
    ),
    "comment form": (
        r"leave a (?:reply|comment)(?: cancel reply)?|cancel reply|(?:post|add|write)(?: a)? comment"
        r"|(?:your )?e-?mail address will not be published\.?(?: required fields are marked ?\*?\.?)?"
        r"|required fields are marked ?\*?\.?|(?:name|e-?mail|comment|website) ?\*|\d{1,6} comments?"
        r"|save my name, e-?mail,? and website in this browser for the next time i comment\.?"
        r"|no comments yet|be the first to comment[.!]?|log in to (?:leave a )?(?:reply|comment)"
    ),
    "cookie notice": (
        r"(?:we(?: and our partners)?|this (?:web)?site|our (?:web)?site) uses? cookies.{0,300}"
        r"|by (?:continuing|using|browsing) [^.]{0,60}site,? you (?:agree|consent) .{0,60}cookies.{0,100}"
        r"|(?:accept|reject|allow)(?: all)? cookies|accept all|cookie (?:settings|preferences)|manage cookies"
    ),
    "share buttons": (
        r"share(?: this(?: article| story| post| page)?)?:?"
        r"|share (?:on|via|with) (?:facebook|twitter|x|linkedin|whatsapp|reddit|telegram|e-?mail|friends)"
        r"|click to (?:share|e-?mail|print)\b.{0,80}|tweet|print"
        r"|copy link|like this:|loading(?:\.{3}|…)?"
    ),
    "advertisement": (
        r"advertisements?|advert|(?:advertisement )?-? ?(?:story|article) continues below"
        r"(?: this)?(?: advertisement| ad)?"
        r"|sponsored(?: content)?|paid advertisement|remove ads"
    ),
    "picture credit": r"(?:photo|image|picture)s?(?: credits?| by| courtesy of)?\s?: .{0,100}[^.]",
    "page navigation": r"skip to (?:main )?content|back to top|skip navigation",
}
# Matched against lower-case lines: ignoring case would keep the matcher from skipping by first letter.
_FURNITURE_LINE = re.compile("|".join(f"({pattern})" for pattern in _FURNITURE.values()))
_FURNITURE_REASONS = tuple(_FURNITURE)

_TITLE_REPEAT = "repeated title"
_SYMBOLS_ONLY = "no letters or digits"
_HAS_WORDS = re.compile(r"[^\W_]")

# Donation banners stand over an article or under it, and speak to the reader in the publisher's name.
_BANNER = "donation banner"
_BANNER_LINES_ABOVE, _BANNER_LINES_BELOW = 6, 12
_MAX_BANNER_CHARS = 500
_QUOTE = re.compile(r"[\"“”«»„]")
_WE = re.compile(r"\b(?:we|us|our|we're)\b", re.IGNORECASE)
_GIFT = re.compile(r"\b(?:donat(?:e|ing|ions?)|chip in|contributions?|support us|support our)\b", re.IGNORECASE)
_APPEAL = re.compile(
    r"\bhelps? us\b|\bsupport us\b|\bsupport our (?:work|journalism|reporting|newsroom|mission|site|team)\b"
    r"|\byour (?:\w+ )?(?:donation|support|contribution|gift)s?\b"
    r"|\beven an? \S{1,9} (?:donation|contribution)\b"
    r"|\b(?:please|consider) (?:donat|support|contribut)|\bdonate (?:now|today|here|to us)\b|\bchip in\b",
    re.IGNORECASE,
)
_BANNER_SLOGAN = re.compile(r"(?:help )?keep .{1,60} (?:independent|free|alive|going|strong)[.!]?", re.IGNORECASE)

# The text that stands in for the picture under a headline.
_ALTERNATIVE_TEXT = "text of a picture"
_PICTURE = re.compile(
    r"(?:[\w'’-]+ ){0,3}(?:flag|logo|photo|photograph|image|illustration|screenshot|thumbnail)", re.IGNORECASE
)

# --- headlines

_MAX_HEADLINE_CHARS = 200
_NO_HEADLINE_END = re.compile(r"(?:[.!:;,…]|[.!,…][\"'”’)]+)$")
_BYLINE = re.compile(r"by(?: (?:and|[A-Z][\w.'’-]*,?)){1,8}", re.IGNORECASE)
_LOWER_NAME = re.compile(r"\b(?!and\b)[a-z]\w*")


def clean(text: str, *, title: str | None) -> Cleaned:
    """Clean the text of an article.

    Cleaning what was cleaned, with its title, changes nothing more.

    Args:
        text: One block a line, or hard-wrapped paragraphs with empty lines between them.
        title: The title that metadata states; None to look for a headline on top of the text.

    Returns:
        The text, empty if nothing is left; the headline found, which is then not in the text.

    Raises:
        RefusedInput: The text holds half a surrogate pair.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise RefusedInput(f"the text holds half a surrogate pair at character {error.start}") from error
    headline: str | None = None
    wanted = title.strip() if title else None
    removed: list[Removed] = []
    for _ in range(_MAX_PASSES):
        lines = _with_list_marks(_tidy_lines(text))
        lines = [without_links(without_references(line)) for line in lines]
        lines = _without_furniture(lines, wanted, removed)
        lines = _without_banners(_unwrapped(lines), removed)
        if wanted is None:
            wanted = headline = _take_headline(lines)
        if wanted is not None:
            lines = _without_picture(lines, removed)
        settled = "\n".join(_single_blanks(lines))
        if settled == text:
            break
        text = settled
    return Cleaned(text, headline, tuple(removed))


def one_line(text: str) -> str:
    """Give a title, name or other short field as one tidy line, without markup."""
    return " ".join(" ".join(_tidy_lines(text)).split())


def plain_line(text: str) -> str:
    """Give a field that is shown beside quotes as one tidy line: without links, markup and reference marks."""
    for _ in range(_MAX_PASSES):
        plain = one_line(without_links(without_references(one_line(text)), mention=""))
        if plain == text:
            break
        text = plain
    return text


def is_byline(line: str) -> bool:
    """Tell whether a line only names the writer: "By Ada Berg and Tom Lund"."""
    return _BYLINE.fullmatch(line) is not None and _LOWER_NAME.search(line[2:]) is None


def is_list_item(line: str) -> bool:
    """Tell whether a cleaned line is an item of a list: "- item" or "1. item"."""
    return _LIST_ITEM.match(line) is not None


def _tidy_lines(text: str) -> list[str]:
    return [line.strip(" ") for line in tidy(without_tags(text)).split("\n")]


def _with_list_marks(lines: Sequence[str]) -> list[str]:
    """Write list items as "- item" and "1. item"; a mark alone in its line joins the line it marks."""
    joined: list[str] = []
    mark = ""
    for line in lines:
        if len(line) <= 3 and _LONE_MARK.fullmatch(line):
            mark = line
        elif not mark:
            joined.append(line)
        elif line:
            joined.append(line if is_list_item(line) else f"{_list_mark(mark)} {line}")
            mark = ""
    return _with_dashes(joined)


def _list_mark(mark: str) -> str:
    return f"{mark[:-1]}." if mark[0].isdigit() else "-"


def _with_dashes(lines: list[str]) -> list[str]:
    """Turn "• item" into "- item", and "* item" or "– item" too where more than one stand together."""
    marks = [_BULLET_START.match(line) if line and not line[0].isalnum() else None for line in lines]
    if not any(marks):
        return lines
    filled = [index for index, line in enumerate(lines) if line]
    glyphs = ["", *(match[2] if (match := marks[index]) else "" for index in filled), ""]
    for place, index in enumerate(filled, start=1):
        match = marks[index]
        if match and (match[1] or match[2] in (glyphs[place - 1], glyphs[place + 1])):
            lines[index] = f"- {lines[index][match.end() :]}"
    return lines


def without_references(line: str) -> str:
    """Take out marks such as [3], [3, 4] or ［1］, which would pass for citations of our own."""
    if not any(mark in line for mark in _OPENING):
        return line
    for _ in range(3):
        shorter = _TOOL_MARK.sub("", _REFERENCE_MARK.sub("", _REFERENCE_WITHIN_WORDS.sub(" ", line))).strip(" ")
        if shorter == line:
            return line
        line = shorter
    # Marks within marks within marks: nobody's writing.
    return line.translate(dict.fromkeys(map(ord, _OPENING + _CLOSING))).strip(" ")


def _unwrapped(lines: Sequence[str]) -> list[str]:
    """Join the lines of hard-wrapped paragraphs."""
    blocks = list(_blocks(lines))
    # Two lines alone could be a heading and a short paragraph: longer blocks show how wide a text is wrapped.
    width = max((max(map(len, block)) for block in blocks if len(block) > 2 and _is_wrapped(block)), default=0)
    joined: list[str] = []
    for block in blocks:
        is_doubtful = len(block) == 2 and not block[1][0].islower()
        if is_doubtful and not (width and _fills_line(block[0], block[1], width)):
            joined += block
        else:
            joined += [_one_paragraph(block)] if _is_wrapped(block) else block
    return joined


def _blocks(lines: Sequence[str]) -> Iterator[list[str]]:
    """Part the lines at empty ones and list items, and after a heading right over its paragraph."""
    block: list[str] = []
    for line in (*lines, ""):
        if line and (line[0].isalpha() or not is_list_item(line)):
            block.append(line)
            continue
        if len(block) > 2 and not _fills_line(block[0], block[1], max(map(len, block))):
            yield block[:1]
            del block[0]
        if block:
            yield block
        block = [line] if line else []
        if not line:
            yield [""]


def _is_wrapped(block: list[str]) -> bool:
    """Tell whether each line ends where the next word would not have fitted, as an editor breaks them."""
    if len(block) < 2:
        return False
    inner = block[:-1]
    long = sum(len(line) > _MIN_WRAP_CHARS for line in inner)
    width = max(map(len, block))
    if long < 0.8 * len(inner) or width > _MAX_WRAP_CHARS:
        return False
    full = sum(_fills_line(line, after, width) for line, after in pairwise(block))
    finished = sum(_SENTENCE_END.search(line) is not None for line in inner)
    is_table = any(" | " in line for line in block)
    return not is_table and full >= 0.9 * len(inner) and finished <= 0.5 * len(inner)


def _one_paragraph(block: list[str]) -> str:
    return "".join(line if line.endswith("-") else f"{line} " for line in block).rstrip(" ")


def _fills_line(line: str, after: str, width: int) -> bool:
    return len(line) + 1 + len(after.split(" ", 1)[0]) > width


def _without_furniture(lines: list[str], title: str | None, removed: list[Removed]) -> list[str]:
    kept: list[str] = []
    gone: list[Removed] = []
    has_text = False
    wanted = title.casefold() if title else None
    for line in lines:
        reason = _furniture_reason(line) if line else None
        if reason is None and wanted is not None and line.casefold() == wanted:
            reason = _TITLE_REPEAT
        if reason is None:
            kept.append(line)
            has_text = has_text or bool(line)
        else:
            gone.append(Removed(reason, line))
    if not has_text and any(entry.reason == _TITLE_REPEAT for entry in gone):
        # An article that says no more than its title keeps it.
        kept.append(next(entry.line for entry in gone if entry.reason == _TITLE_REPEAT))
        gone = [entry for entry in gone if entry.reason != _TITLE_REPEAT]
    removed += gone
    return kept


def _furniture_reason(line: str) -> str | None:
    if not line[0].isalnum() and not _HAS_WORDS.search(line):
        return _SYMBOLS_ONLY
    if len(line) > _MAX_FURNITURE_CHARS:
        return None
    match = _FURNITURE_LINE.fullmatch(line.lower())
    return _FURNITURE_REASONS[(match.lastindex or 1) - 1] if match else None


def _without_banners(lines: list[str], removed: list[Removed]) -> list[str]:
    gone = set(_banner_lines(lines, range(len(lines)), _BANNER_LINES_ABOVE))
    gone |= set(_banner_lines(lines, range(len(lines) - 1, -1, -1), _BANNER_LINES_BELOW))
    filled = [index for index, line in enumerate(lines) if line] if gone else []
    for above, index in pairwise(filled):
        if index in gone and _BANNER_SLOGAN.fullmatch(lines[above]):
            gone.add(above)
    removed += [Removed(_BANNER, lines[index]) for index in sorted(gone)]
    return [line for index, line in enumerate(lines) if index not in gone]


def _banner_lines(lines: Sequence[str], order: Iterable[int], limit: int) -> Iterable[int]:
    """Give the banners among the first `limit` other lines in this order."""
    others = 0
    for index in order:
        if others == limit:
            return
        if _is_banner(lines[index]):
            yield index
        elif lines[index]:
            others += 1


def _is_banner(line: str) -> bool:
    return (
        0 < len(line) <= _MAX_BANNER_CHARS
        and not _QUOTE.search(line)
        and _WE.search(line) is not None
        and _GIFT.search(line) is not None
        and _APPEAL.search(line) is not None
    )


def _without_picture(lines: list[str], removed: list[Removed]) -> list[str]:
    first = next((index for index, line in enumerate(lines) if line), None)
    if first is None or not _PICTURE.fullmatch(lines[first]) or not any(lines[first + 1 :]):
        return lines
    removed.append(Removed(_ALTERNATIVE_TEXT, lines[first]))
    return lines[first + 1 :]


def _take_headline(lines: list[str]) -> str | None:
    """Remove the headline from the lines and give it; a date line or byline may stand over it."""
    filled = (index for index, line in enumerate(lines) if line and not is_byline(line) and not is_dateline(line))
    first = next(filled, None)
    if first is None or next(filled, None) is None or not _is_headline(lines[first]):
        return None
    return lines.pop(first)


def _is_headline(line: str) -> bool:
    return len(line) <= _MAX_HEADLINE_CHARS and not _NO_HEADLINE_END.search(line) and not is_list_item(line)


def _single_blanks(lines: Sequence[str]) -> list[str]:
    """Collapse empty lines to one, with none at either end."""
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    if kept and not kept[-1]:
        kept.pop()
    return kept
