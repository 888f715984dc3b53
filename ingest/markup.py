"""Links and markup taken out of text that is to be plain: what a reader reads stays, what a browser follows goes.

An article is shown to people and to language models by programs that we do not know. So its stored text holds nothing
that they could follow, fetch or run: no HTML, no Markdown link, no address. Every step takes time in proportion to the
text.
"""

from __future__ import annotations

import html
import re

LINK = "(link)"
"""Stands in a sentence where an address was."""

# --- HTML

_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,30});")
_DEEPEST_ENTITIES = 4
_ELEMENTS = frozenset(
    "a abbr acronym address applet area article aside audio b base bdi bdo big blink blockquote body br button "
    "canvas caption center cite code col colgroup data datalist dd del details dfn dialog dir div dl dt em embed "
    "fieldset figcaption figure font footer form frame frameset h1 h2 h3 h4 h5 h6 head header hr html i iframe "
    "img input ins kbd label legend li link main map mark marquee math menu meta meter nav noframes noscript "
    "object ol optgroup option output p param picture portal pre progress q rp rt ruby s samp script search "
    "section select slot small source span strike strong style sub summary sup svg table tbody td template "
    "textarea tfoot th thead time title tr track tt u ul var video wbr path g circle rect use foreignobject "
    "animate set image text desc".split()
)
_LINES_OF_THEIR_OWN = frozenset(
    "address article aside blockquote br center dd div dl dt figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr "
    "li main nav ol p pre section table td th tr ul".split()
)
_OFTEN_LEFT_OPEN = frozenset("br hr p li tr td th dd dt wbr img input meta link".split())
_UNREAD = frozenset("script style template iframe object noscript textarea svg math select title".split())
"""Elements whose content is not the article's words."""

_TAG = re.compile(r"<(?P<end>/?)(?P<name>[A-Za-z][A-Za-z0-9-]{0,30})(?P<rest>[\s/][^<>]{0,2000})?>")
_CLOSES = re.compile(r"</([A-Za-z][A-Za-z0-9-]{0,30})")
_DECLARATION = re.compile(r"<(?:!\[CDATA\[|!(?:DOCTYPE|ELEMENT|ENTITY)\b|\?)[^<>]{0,500}>?", re.IGNORECASE)
_AUTOLINK = re.compile(r"<((?:[a-z][a-z0-9+.-]{1,20}:|[\w.+-]{1,64}@)[^<>\s]{1,2000})>", re.IGNORECASE)
_LOOSE_PAIR = re.compile(r"[<＜﹤](?=[/!?A-Za-z|])([^<>＜＞﹤﹥\n]{0,80})[>＞﹥]")
_LOOSE = re.compile(r"[<＜﹤](?=[/!?A-Za-z])")

# --- Markdown

_DEEPEST_LINKS = 5
_TARGET = r"\([^()\n]{0,2000}(?:\([^()\n]{0,500}\)[^()\n]{0,500}){0,3}\)"
_IMAGE = re.compile(rf"!\[[^\[\]\n]{{0,500}}\](?:{_TARGET}|\[[^\[\]\n]{{0,200}}\])")
_MARKDOWN_LINK = re.compile(rf"\[([^\[\]\n]{{0,500}})\](?:{_TARGET}|\[[^\[\]\n]{{0,200}}\])")
_DEFINITION = re.compile(
    r"^ {0,3}\[[^\[\]\n]{1,200}\]:[ ]?(?=<?[a-z][a-z0-9+.-]*:|/|www\.|[\w-]+\.[a-z]).*$", re.I | re.M
)

# --- addresses

# Names of the Internet's top level: the older and most used ones, and those of countries.
_TOP = (
    "com|org|net|edu|gov|mil|int|arpa|info|biz|name|pro|aero|asia|coop|jobs|mobi|museum|post|tel|travel|xxx|app|dev|io|"
    "page|cloud|link|click|news|blog|tech|space|website|site|online|store|shop|fun|icu|vip|top|xyz|club|live|life|world|"
    "today|agency|media|press|email|help|support|center|network|systems|digital|company|group|bank|finance|money|loan|"
    "pay|win|bid|zip|mov|example|invalid|localhost|onion|test|eth|xn--[a-z0-9-]{2,59}|рф|укр|москва|中国|公司|网络|"
    "a[cdefgilmoqrstuwxz]|b[abdefghijmnorstvwyz]|c[acdfghiklmnoruvwxyz]|d[ejkmoz]|e[ceghrstu]|f[ijkmor]|"
    "g[abdefghilmnpqrstuwy]|h[kmnrtu]|i[delmnoqrst]|j[emop]|k[eghimnprwyz]|l[abcikrstuvy]|m[acdeghklmnopqrstuvwxyz]|"
    "n[acefgilopruz]|om|p[aefghklmnrstwy]|qa|r[eosuw]|s[abcdeghijklmnorstuvxyz]|t[cdfghjklmnortvwz]|u[agksyz]|"
    "v[aceginu]|w[fs]|y[et]|z[amw]"
)
_DOT = r"(?:[.。．｡․]|\[\.\]|\(\.\)|\[dot\]|\(dot\))"
_LABEL = r"[^\W_](?:[\w-]{0,62})"
_HOST = rf"(?:{_LABEL}{_DOT}){{1,8}}(?:{_TOP})"
_REST = r"[^\s<>\"“”«»‹›]*"
_ADDRESS = re.compile(
    rf"<?(?:"
    rf"[a-z][a-z0-9+-]{{0,20}}(?:[:：]|\[:\])(?:\\?[/／∕⁄]){{2}}{_REST}"
    rf"|(?:mailto|javascript|vbscript|\b(?:tel|sms|magnet|view-source))[:：](?=\S){_REST}"
    rf"|\bdata[:：][\w/+.-]{{1,80}}[;,]{_REST}"
    rf"|\bwww\d?{_DOT}[\w-]{_REST}"
    rf"|(?<![\w:/])//{_LABEL}{_DOT}[\w-]{_REST}"
    rf"|(?<!\w)(?:[\w.+-]{{1,64}}@)?{_HOST}(?::\d{{1,5}})?[/／∕⁄]{_REST}"
    rf"|(?<![\w.])\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?::\d{{1,5}}(?!\d)|(?=/))(?:/{_REST})?"
    rf")>?",
    re.IGNORECASE,
)
_MAY_BE_ADDRESS = re.compile(r"[/／∕⁄]|[:：]\S|www", re.IGNORECASE)
_DOMAIN = re.compile(rf"(?<!\w)(?:{_LABEL}{_DOT}){{1,8}}(?:{_TOP})(?!\w)", re.IGNORECASE)
_DOTS = re.compile(_DOT, re.IGNORECASE)
_AFTER_ADDRESS = ".,;:!?…'’*_|"
# "It was shut.In May" lacks a space; it holds no address in Italy or India.
_BEGINS_SENTENCE = frozenset("In It Is As At Be By Do He Me My No So To Us Am We An".split())
_ONE_LETTER_HOSTS = frozenset({"t.co", "t.me", "x.com", "g.co"})
_ONLY_LINK = re.compile(rf"[\W\d]*{re.escape(LINK)}(?:[\W\d]|{re.escape(LINK)})*")


def without_tags(text: str) -> str:
    """Take HTML out of a text of one or more lines, with what no browser would show of it.

    Entities are written out. A tag that is merely spoken of ("a <script> element") stays readable, as "‹script›".
    """
    text = _written_out(text)
    if "<" in text:
        text = _AUTOLINK.sub(r"\1", _DECLARATION.sub("", _without_elements(_without_comments(text))))
    text = _LOOSE_PAIR.sub(r"‹\1›", text)
    return _LOOSE.sub("‹", text)


def without_links(line: str, *, mention: str = LINK) -> str:
    """Take links out of one line: the words of a link stay, `mention` stands where a bare address was.

    A name like "shop.example" stays readable, as "shop .example", which no program takes for a link. A line that was
    nothing but an address is empty then.
    """
    if "]" in line:
        line = _without_markdown(line)
    if _MAY_BE_ADDRESS.search(line):
        line = _ADDRESS.sub(lambda found: _mentioned(found, mention), line)
    if _DOTS.search(line):
        line = _DOMAIN.sub(_spaced, line)
    return "" if LINK in line and _ONLY_LINK.fullmatch(line) else line


def _written_out(text: str) -> str:
    for _ in range(_DEEPEST_ENTITIES):
        plain = _ENTITY.sub(lambda entity: html.unescape(entity[0]), text) if "&" in text else text
        if plain == text:
            return text
        text = plain
    # Entities of entities of entities: nobody's writing.
    return _ENTITY.sub("", text)


def _without_comments(text: str) -> str:
    parts: list[str] = []
    place = 0
    while (start := text.find("<!--", place)) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        parts.append(text[place:start])
        place = end + 3
    return "".join(parts) + text[place:]


def _without_elements(text: str) -> str:
    closed = {name.lower() for name in _CLOSES.findall(text)}
    lowered = text.lower()
    if len(lowered) != len(text):  # "İ" is two letters in lower case
        lowered = text
    parts: list[str] = []
    place = 0
    for tag in _TAG.finditer(text):
        if tag.start() < place:  # within an element that is left out
            continue
        parts += [text[place : tag.start()], _instead(tag, closed)]
        place = tag.end()
        name = tag["name"].lower()
        if not tag["end"] and name in _UNREAD and name in closed:
            end = lowered.find(f"</{name}", place)
            place = place if end < 0 else end
            if end < 0:
                closed.discard(name)
    return "".join(parts) + text[place:]


def _instead(tag: re.Match[str], closed: set[str]) -> str:
    name, rest = tag["name"].lower(), (tag["rest"] or "").strip(" /\n")
    known = name in _ELEMENTS
    if not known and "=" not in rest and not tag["end"]:
        return tag[0]
    if known and not tag["end"] and not rest and name not in closed and name not in _OFTEN_LEFT_OPEN:
        return f"‹{tag['name']}›"
    return "\n" if name in _LINES_OF_THEIR_OWN else ""


def _without_markdown(line: str) -> str:
    line = _DEFINITION.sub("", line)
    for _ in range(_DEEPEST_LINKS):
        plain = _MARKDOWN_LINK.sub(r"\1", _IMAGE.sub("", line))
        if plain == line:
            break
        line = plain
    # What is left is too deep or too long to be anybody's writing.
    return re.sub(r"\](?=[(\[])", "] ", line)


def _mentioned(found: re.Match[str], mention: str) -> str:
    address = found[0].strip("<>")
    tail = address[_end_of_address(address) :]
    before = found.string[found.start() - 1 : found.start()]
    if not mention:
        return f" {tail}"
    if before == "(" and (tail + found.string[found.end() : found.end() + 1])[:1] == ")":
        return mention.strip("()") + tail
    lead = "" if not before or before.isspace() or before in "([“‘«‹\"'" else " "
    trail = " " if (tail + found.string[found.end() : found.end() + 1])[:1].isalnum() else ""
    return f"{lead}{mention}{trail}{tail}"


def _end_of_address(address: str) -> int:
    """Say where an address ends that was read up to a space: before marks that close the sentence around it."""
    end = len(address)
    unopened = {")": address.count(")") - address.count("("), "]": address.count("]") - address.count("[")}
    while end and (address[end - 1] in _AFTER_ADDRESS or unopened.get(address[end - 1], 0) > 0):
        end -= 1
        if address[end] in unopened:
            unopened[address[end]] -= 1
    return end


def _spaced(found: re.Match[str]) -> str:
    labels = _DOTS.split(found[0])
    last, host = labels[-1], labels[-2]
    if not any(char.isalpha() for char in host) or last in _BEGINS_SENTENCE:
        return found[0]
    if len(host) == 1 and len(last) == 2 and found[0].lower() not in _ONE_LETTER_HOSTS:
        return found[0]  # "a.m.to", "i.e.in"
    return " .".join(labels)
