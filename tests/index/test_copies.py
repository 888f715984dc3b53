"""Copies and corrections among the articles of real generations: the same however they were built."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.builder import Builder, GivenArticles
from index.catalog import Catalog
from index.copies import Copies
from index.generation import Generation
from ingest.chunking import ChunkingSettings
from ingest.intake import prepare
from ingest.readers.raw import RawArticle

pytestmark = pytest.mark.model

STORY = """The cable ferry across the Lenne stops for good at the end of May. Ferryman Jost Harke, who took it over from
his father in 1988, told the parish council on Monday that he finds nobody to follow him. The ferry carried 61,000
people last year, most of them cyclists. A new footbridge two kilometres upstream has taken half of its passengers. The
parish wants to keep the boat as a museum and asks the district for 90,000 crowns."""
ELSEWHERE = """The district library lends out seeds from April. Whoever takes a bag of beans in spring brings back a
handful in autumn. Librarian Tove Falk began with eleven kinds that gardeners had given her."""


def article(name, text, published=None, title="The last ferry across the Lenne"):
    return prepare(RawArticle(text=text, title=title, external_id=name, source=name, published=published))


ARTICLES = [
    article("late-copy", STORY, "2026-05-04"),
    article("original", STORY, "2026-05-02"),
    article("cut", STORY.rsplit(" The\nparish", 1)[0], "2026-05-03"),
    article("other-figure", STORY.replace("61,000", "71,000"), "2026-05-03"),
    article(
        "correction",
        f"Correction: an earlier version of this article gave another sum.\n\n{STORY.replace('90,000', '19,000')}",
        "2026-05-06",
    ),
    article("elsewhere", ELSEWHERE, "2026-05-02", title="Seeds on loan"),
]


def built(folder, embedder, *states):
    catalog = Catalog(folder)
    for articles in states:
        Builder(catalog, embedder, ChunkingSettings(120, 30)).build(GivenArticles(articles))
    return catalog.open_newest_good(Generation.open).value


@pytest.fixture(scope="module")
def generation(embedder, tmp_path_factory):
    return built(tmp_path_factory.mktemp("copies"), embedder, ARTICLES)


@pytest.fixture(scope="module")
def row_of(generation):
    return {one.external_id: row for row, one in enumerate(generation.articles)}


def test_copies_and_corrections_make_a_group_and_others_none(generation, row_of):
    group = generation.copies.group(row_of["original"])
    assert set(group) == {row_of[name] for name in ("original", "late-copy", "cut", "correction", "other-figure")}
    assert generation.copies.group(row_of["elsewhere"]) == (row_of["elsewhere"],)


def test_a_correction_is_quoted_first_then_the_earliest(generation, row_of):
    copies = generation.copies
    assert copies.best([row_of[name] for name in ("original", "correction", "cut")]) == row_of["correction"]
    assert copies.best([row_of[name] for name in ("late-copy", "original", "cut")]) == row_of["original"]
    assert copies.best([row_of["late-copy"]]) == row_of["late-copy"]


def test_a_copy_of_what_is_corrected_is_corrected_too_as_long_as_the_correction_may_be_used(generation, row_of):
    everything = set(row_of.values())
    assert generation.copies.corrected(row_of["late-copy"], everything)
    assert not generation.copies.corrected(row_of["late-copy"], everything - {row_of["correction"]})
    assert not generation.copies.corrected(row_of["correction"], everything)


def test_step_by_step_gives_the_files_of_one_build(tmp_path, embedder, generation):
    changed = [article("original", ELSEWHERE), *ARTICLES[2:]]
    stepwise = built(tmp_path, embedder, ARTICLES[:1], changed, ARTICLES)
    for name in ("signatures.npy", "copies.json"):
        assert stepwise.manifest.files[name] == generation.manifest.files[name]


def test_pairs_of_a_removed_article_are_gone(tmp_path, embedder):
    after = built(tmp_path, embedder, ARTICLES[:2], ARTICLES[1:2])
    assert len(after.copies) == 0
    assert (after.folder / "copies.json").read_text() == "[]\n"


def test_what_was_compared_before_is_not_compared_again(tmp_path, embedder, monkeypatch):
    import index.copies

    built(tmp_path, embedder, ARTICLES[:5])
    compared = []
    monkeypatch.setattr(index.copies, "compare", lambda *pair: compared.append(pair) or "different")
    built(tmp_path, embedder, ARTICLES)
    assert compared == []


class _Days:
    published = np.array(["2026-05-02", "NaT", "2026-05-01"], dtype="datetime64[D]")


@given(st.permutations([("a", "b"), ("b", "c"), ("a", "c")]), st.permutations(["copy", "copy", "different"]))
def test_groups_do_not_depend_on_the_order_of_pairs(pairs, found):
    copies = Copies(dict(zip(pairs, found, strict=True)), ["a", "b", "c"], _Days)
    assert copies.group(0) == copies.group(1) == copies.group(2) == (0, 1, 2)
    assert copies.best([0, 1, 2]) == 2
    assert copies.best([0, 1]) == 0


def test_dates_are_read_as_they_were_given(generation, row_of):
    assert generation.articles[row_of["original"]].published_at == date(2026, 5, 2)
