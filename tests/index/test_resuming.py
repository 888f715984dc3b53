"""A build that is interrupted loses nothing that it has embedded, and keeps nothing once it has ended well."""

import errno
import gc
import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index import durable
from index.builder import Builder, GivenArticles
from index.catalog import Catalog
from index.errors import BuildCancelled, NoGeneration, StorageFull
from index.generation import Generation
from index.runtimes import REFERENCE, Engine
from index.unfinished import UNFINISHED_FOLDER
from ingest.chunking import ChunkingSettings
from ingest.intake import prepare
from ingest.readers import RawArticle

CHUNKING = ChunkingSettings(60, 12)
ARTICLES = [
    prepare(RawArticle(text=f"The mill of Oderau ground {n} tons of rye. Nobody sold word{n}x.", external_id=str(n)))
    for n in range(10)
]


class Numbers:
    """An embedder that needs no model: what survives a crash does not depend on what vectors mean."""

    name, model_sha256, dimension, max_tokens = "numbers", "0f" * 32, 16, 254
    engine = REFERENCE

    def __init__(self):
        self.texts = []

    def encode(self, texts, *, on_batch=lambda _: None):
        self.texts += texts
        seeds = [int.from_bytes(text.encode()[-6:], "big") for text in texts]
        vectors = np.array([np.random.default_rng(seed).normal(size=16) for seed in seeds], dtype=np.float32)
        on_batch(sum(map(len, texts)))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def count_tokens(self, texts):
        return [len(text.split()) for text in texts]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr("index.builder.PART_ARTICLES", 3)


@pytest.fixture
def catalog(tmp_path):
    return Catalog(tmp_path / "index")


@pytest.fixture
def embedder():
    return Numbers()


def build(catalog, embedder, articles=ARTICLES, *, chunking=CHUNKING, **options):
    return Builder(catalog, embedder, chunking).build(GivenArticles(articles), **options)


def interrupt(catalog, embedder, articles=ARTICLES, after=2, **options):
    """Build until so many parts are kept and a third one is embedded."""
    parts = []

    def stop(progress):
        parts.append(progress) if progress.phase == "embed" else None

    with pytest.raises(BuildCancelled):
        build(catalog, embedder, articles, on_progress=stop, cancelled=lambda: len(parts) >= after, **options)


def articles_of(texts):
    return {text.split("\n")[-1] for text in texts if "\n" in text}


def test_what_was_embedded_is_not_embedded_again(catalog, embedder):
    interrupt(catalog, embedder)
    again, plans = Numbers(), []
    report = build(catalog, again, on_plan=plans.append)
    assert not articles_of(embedder.texts[:18]) & articles_of(again.texts)
    assert (plans[0].articles, plans[0].embedded, plans[0].resumed) == (10, 4, 6)
    assert (report.chunks_resumed, report.chunks_embedded, report.chunks_reused) == (6, 4, 6)
    assert len(Generation.open(catalog.folder("000001")).articles) == 10


def test_the_result_is_that_of_a_build_in_one_go(catalog, embedder, tmp_path):
    interrupt(catalog, embedder)
    build(catalog, embedder)
    build(Catalog(tmp_path / "whole"), embedder)
    one, other = (Generation.open(root / "000001") for root in (catalog.root, tmp_path / "whole"))
    assert one.manifest.files == other.manifest.files


def test_nothing_is_left_when_a_build_has_ended_well(catalog, embedder):
    interrupt(catalog, embedder)
    assert (catalog.root / UNFINISHED_FOLDER).is_dir()
    build(catalog, embedder)
    assert sorted(path.name for path in catalog.root.iterdir()) == ["000001", "CURRENT", "writer.lock"]


def test_nothing_is_left_where_nothing_was_to_do(catalog, embedder):
    build(catalog, embedder)
    interrupt(catalog, embedder, full=True)
    assert not build(catalog, embedder).built
    assert not (catalog.root / UNFINISHED_FOLDER).exists()


@pytest.mark.parametrize("change", ["chunking", "model", "engine"])
def test_parts_of_another_recipe_are_not_taken(catalog, embedder, change):
    interrupt(catalog, embedder)
    again = Numbers()
    if change == "model":
        again.model_sha256 = "aa" * 32
    if change == "engine":
        again.engine = Engine("openvino", "bf16")
    report = build(catalog, again, chunking=ChunkingSettings(50, 12) if change == "chunking" else CHUNKING)
    assert (report.chunks_resumed, report.chunks_embedded) == (0, 10)


def test_a_full_build_takes_only_what_a_full_build_left(catalog, embedder):
    build(catalog, embedder, ARTICLES[:5])
    interrupt(catalog, embedder, full=True)
    assert build(catalog, embedder, full=True).chunks_resumed == 6
    interrupt(catalog, embedder, [*ARTICLES[1:], replace(ARTICLES[0], title="Other")], full=True)
    assert build(catalog, embedder, [*ARTICLES[1:], replace(ARTICLES[0], title="Another")]).chunks_resumed == 0


@pytest.mark.parametrize("damage", ["truncated", "flipped", "unsealed", "not a part"])
def test_a_part_that_is_not_whole_is_embedded_again(catalog, embedder, damage):
    interrupt(catalog, embedder)
    (folder,) = (catalog.root / UNFINISHED_FOLDER).iterdir()
    first = folder / "000001"
    vectors = first / "vectors.faiss"
    match damage:
        case "truncated":
            vectors.write_bytes(vectors.read_bytes()[:-1])
        case "flipped":
            content = bytearray(vectors.read_bytes())
            content[-1] ^= 1
            vectors.write_bytes(content)
        case "unsealed":
            (first / "manifest.json").unlink()
        case _:
            first.rename(folder / "notes")
    report = build(catalog, embedder)
    assert (report.articles, report.chunks_resumed) == (10, 3)
    assert not (catalog.root / UNFINISHED_FOLDER).exists()


def test_an_article_that_changed_or_went_meanwhile_is_not_taken_from_a_part(catalog, embedder):
    interrupt(catalog, embedder)
    first, second, *others = sorted(ARTICLES, key=lambda one: one.id)
    changed = second.with_text("Nothing of that is true.")
    report = build(catalog, embedder, [changed, *others])
    generation = Generation.open(catalog.folder(report.generation))
    assert (report.articles, report.chunks_resumed) == (9, 4)
    assert changed in generation.articles
    for path in catalog.root.rglob("*"):
        assert not path.is_file() or first.text.split()[-1].strip(".").encode() not in path.read_bytes()


def test_removing_articles_loads_no_model(catalog, embedder):
    build(catalog, embedder)

    class Unloaded:
        name, model_sha256, engine = Numbers.name, Numbers.model_sha256, Numbers.engine

    report = build(catalog, Unloaded(), ARTICLES[2:])
    assert (report.built, report.articles, report.chunks_reused) == (True, 8, 8)


def test_the_plan_says_what_is_redone_why_and_how_long_it_takes(catalog, embedder):
    plans = []
    build(catalog, embedder, on_plan=plans.append)
    build(catalog, embedder, chunking=ChunkingSettings(50, 12), on_plan=plans.append)
    first, second = plans
    assert (first.embedded, first.reason, first.seconds) == (10, None, None)
    assert (second.articles, second.embedded) == (10, 10)
    assert "max_tokens is now 50, was 60" in second.reason
    pace = Generation.open(catalog.folder("000001")).manifest.embedding_pace
    assert second.seconds == pytest.approx(sum(len(one.text) for one in ARTICLES) / pace)


def test_a_large_index_is_taken_over_and_finds_what_an_exact_one_finds(catalog, tmp_path):
    """Large is a matter of the setting; with lists, too, vectors are copied and not computed."""
    flat = Catalog(tmp_path / "flat")
    for articles in (ARTICLES[:7], ARTICLES, ARTICLES[1:]):
        for where, exact_rows in ((catalog, 3), (flat, 100)):
            Builder(where, Numbers(), CHUNKING, exact_rows=exact_rows).build(GivenArticles(articles))
    lists, exact = (Generation.open(where.folder("000003")) for where in (catalog, flat))
    assert (lists.manifest.dense.kind, exact.manifest.dense.kind) == ("ivf", "flat")
    assert lists.manifest.dense.recall == 1.0
    assert np.array_equal(lists.dense.halves(0, 9), exact.dense.halves(0, 9))
    for row in range(9):
        query = exact.dense.vectors(np.array([row]))[0]
        assert lists.dense.search(query, 5)[0].tolist() == exact.dense.search(query, 5)[0].tolist()


class TestFullDisk:
    """Every write of a build fails once, by itself: the build ends with a clear message, and a retry works."""

    def count_writes(self, monkeypatch, action, fails_at=None):
        count = 0
        write = durable.write

        def counting(file, data):
            nonlocal count
            count += 1
            if count == fails_at:
                file.write(bytes(data)[: len(data) // 2])  # the disk takes a part of it
                raise OSError(errno.ENOSPC, "No space left on device")
            write(file, data)

        with monkeypatch.context() as patch:
            for module in ("durable", "dense", "lexical", "passages"):
                patch.setattr(f"index.{module}.write", counting)
            action()
        return count

    @pytest.mark.parametrize("first", [True, False], ids=["first build", "later build"])
    def test_every_write_may_fail(self, tmp_path, monkeypatch, first, thorough):
        catalog, embedder = Catalog(tmp_path / "all" / "index"), Numbers()

        def prepared(root):
            catalog = Catalog(root / "index")
            if not first:
                build(catalog, Numbers(), ARTICLES[:4])
            return catalog

        catalog = prepared(tmp_path / "all")
        writes = self.count_writes(monkeypatch, lambda: build(catalog, embedder))
        assert writes > 50
        for number in range(1, writes + 1, 1 if thorough else 9):
            catalog = prepared(tmp_path / str(number))
            before = catalog.current()

            def fails(catalog=catalog):
                with pytest.raises(StorageFull, match="the current index is kept"):
                    build(catalog, Numbers())

            self.count_writes(monkeypatch, fails, number)
            assert catalog.current() == before
            assert list(catalog.root.glob("*.tmp")) == []
            if before is None:
                with pytest.raises(NoGeneration):
                    catalog.open_newest_good(Generation.open)
            assert build(catalog, Numbers()).articles == 10
            assert len(catalog.open_newest_good(Generation.open).value.articles) == 10
            assert not (catalog.root / UNFINISHED_FOLDER).exists()

    def test_the_limit_of_a_file_is_met_by_the_real_system(self, catalog):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        for limit in (200, 700, 1500, 4000):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            try:
                with pytest.raises(StorageFull):
                    build(catalog, Numbers(), [*ARTICLES, ARTICLES[0].with_text("x y. " * 1000)])
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert build(catalog, Numbers()).articles == 10


def test_a_build_of_many_parts_holds_few_files_open(catalog, embedder, tmp_path, monkeypatch):
    # A first build of 13,000 articles has 200 parts, and most systems let a process open 1024 files.
    monkeypatch.setattr("index.builder.PART_ARTICLES", 1)
    articles = [ARTICLES[0].with_text(f"Lock {n} of the canal was opened.") for n in range(40)]
    articles = [replace(one, id=f"art_{n:04}") for n, one in enumerate(articles)]
    build(catalog, embedder, articles[::5])
    interrupt(catalog, embedder, articles, after=20)

    def open_files():
        return len(list(Path("/proc/self/fd").iterdir()))

    before, seen = open_files(), []
    gc.disable()
    try:
        report = build(catalog, embedder, articles, on_progress=lambda _: seen.append(open_files()))
    finally:
        gc.enable()
    assert report.articles == 40
    assert max(seen) - before < 10
    generation = Generation.open(catalog.folder(report.generation))
    assert [one.text for one in generation.articles] == [one.text for one in articles]
