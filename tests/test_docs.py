"""What the documents name is there: files, headings, settings, tests."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from service.settings import Settings

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


def without_code(text):
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


@cache
def anchors(page):
    """The names by which the headings of a page are linked to, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", without_code(page.read_text()), re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", re.sub(r"\]\([^)]*\)", "", heading).lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in kept}


@cache
def functions_in(file):
    tree = ast.parse((ROOT / file).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert linked.is_relative_to(ROOT), target
        assert not anchor or anchor in anchors(linked), target


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_files_that_are_named_are_there(page):
    """Whole paths in backquotes, below the folders of the repository; `index/` is a folder of data folders, too."""
    for path in re.findall(r"`((?:docs|eval|ingest|service|tests)/[\w./-]+|index/\w+\.py)`", page.read_text()):
        assert (ROOT / path).exists(), path


def test_guarantees_name_tests_that_there_are():
    text = (ROOT / "docs" / "guarantees.md").read_text()
    parts = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert [part.split()[0] for part in parts] == [f"G{number}" for number in range(1, 10)]
    for part in parts:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", part)
        assert len(named) >= 2, part
        assert part.count("::") == len(named)  # none of them is written otherwise
        for file, test in named:
            assert test in functions_in(file), f"{file}::{test}"


def test_the_table_of_settings_is_that_of_the_program():
    text = (ROOT / "docs" / "settings.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", text, re.MULTILINE))
    assert rows.keys() == Settings.model_fields.keys()
    for name, field in Settings.model_fields.items():
        stated = rows[name].strip("`")
        shown = "none" if field.default in (None, []) else str(field.default)
        assert stated.lower() == shown.lower(), name
