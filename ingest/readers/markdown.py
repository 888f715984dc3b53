"""Markdown files, with or without YAML front matter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from ingest.article import RefusedInput
from ingest.readers.encoding import decode
from ingest.readers.raw import RawArticle, ReadResult

_MAX_FRONT_MATTER_CHARS = 65_536
_NULLS = frozenset({"", "~", "null"})
_LISTS = frozenset({"bullet_list", "ordered_list"})


def read(data: bytes, path: str) -> ReadResult:
    """Render the body to one block a line and take what the front matter states.

    Raises:
        RefusedInput: The bytes are not text, the front matter is malformed, or nothing but it is there.
    """
    front, body = _split_front_matter(decode(data).replace("\r\n", "\n"))
    # The preset nests at most 20 deep, so the recursion below is bounded.
    blocks = list(SyntaxTreeNode(MarkdownIt("commonmark").enable("table").parse(body)).children)
    title = _stated(front, "title")
    if title is None:
        title = _take_first_heading(blocks)
    text = "\n\n".join("\n".join(_lines(block)) for block in blocks)
    if not text.strip():
        raise RefusedInput("no text found beside the front matter and headings")
    return ReadResult(
        (
            RawArticle(
                text=text,
                title=title,
                url=_stated(front, "url", "canonical", "canonical_url", "link"),
                source=_stated(front, "source", "publisher"),
                authors=_authors(front),
                published=_stated(front, "date", "published", "published_at"),
                external_id=_stated(front, "id"),
                path=path,
            ),
        )
    )


def _split_front_matter(text: str) -> tuple[Mapping[str, Any], str]:
    first, _, rest = text.partition("\n")
    if first.rstrip() != "---":
        return {}, text
    lines = rest.split("\n")
    end = next((i for i, line in enumerate(lines) if line.rstrip() in ("---", "...")), None)
    if end is None:  # a horizontal rule on the first line
        return {}, text
    return _parse_front_matter("\n".join(lines[:end])), "\n".join(lines[end + 1 :])


def _parse_front_matter(source: str) -> Mapping[str, Any]:
    if len(source) > _MAX_FRONT_MATTER_CHARS:
        raise RefusedInput(f"front matter too large: {len(source)} characters; the limit is {_MAX_FRONT_MATTER_CHARS}")
    try:
        # BaseLoader builds only strings, lists and mappings, safer still than safe_load, and keeps the file's
        # own words: the id 007 does not become 7, nor the title "Yes" true.
        front = yaml.load(source, Loader=yaml.BaseLoader)  # noqa: S506
    except (yaml.YAMLError, RecursionError) as error:
        problem = getattr(error, "problem", None) or "nested too deeply"
        raise RefusedInput(f"malformed front matter: {problem}") from error
    if front is None or front == "":
        return {}
    if not isinstance(front, dict):
        raise RefusedInput("malformed front matter: expected 'key: value' lines between the '---' lines")
    return front


def _stated(front: Mapping[str, Any], *keys: str) -> str | None:
    """Give the first of the keys that has a value."""
    for key in keys:
        value = front.get(key, "")
        if not isinstance(value, str):
            raise RefusedInput(f"malformed front matter: {key!r} is not one text")
        if value.strip() not in _NULLS:
            return value.strip()
    return None


def _authors(front: Mapping[str, Any]) -> tuple[str, ...]:
    stated: object = next((front[key] for key in ("author", "authors") if front.get(key)), [])
    names = stated.split(";") if isinstance(stated, str) else stated
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RefusedInput("malformed front matter: authors are neither a text nor a list of texts")
    return tuple(name.strip() for name in names if name.strip() not in _NULLS)


def _take_first_heading(blocks: list[SyntaxTreeNode]) -> str | None:
    """Remove the first level-1 heading from the blocks and give its text."""
    for index, block in enumerate(blocks):
        if block.type == "heading" and block.tag == "h1" and (title := _inline_text(block)):
            del blocks[index]
            return title
    return None


def _lines(block: SyntaxTreeNode) -> Iterator[str]:
    """Render one block, line by line; raw HTML and rules give none."""
    if block.type in ("paragraph", "heading"):
        yield _inline_text(block)
    elif block.type in ("fence", "code_block"):
        yield from (line for line in block.content.split("\n") if line.strip())
    elif block.type in _LISTS:
        for item in block.children:
            yield from _item_lines(item)
    elif block.type == "tr":
        yield " | ".join(_inline_text(cell) for cell in block.children)
    else:
        for child in block.children:
            yield from _lines(child)


def _item_lines(item: SyntaxTreeNode) -> Iterator[str]:
    mark = f"{item.info}." if item.info else "-"
    for index, block in enumerate(item.children):
        for number, line in enumerate(_lines(block)):
            is_start = index == number == 0 and block.type not in _LISTS
            yield f"{mark} {line}" if is_start else line


def _inline_text(node: SyntaxTreeNode) -> str:
    """Give the words of a paragraph, heading or cell as one line; links give their text, images nothing."""
    if node.type in ("text", "code_inline"):
        return node.content
    if node.type in ("softbreak", "hardbreak"):
        return " "
    if node.type == "image":
        return ""
    text = "".join(_inline_text(child) for child in node.children)
    return text if node.type in ("link", "em", "strong") else text.strip()
