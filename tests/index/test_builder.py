"""A build brings the index up to date with the library, embeds only what changed, and is published whole or not."""

import resource
import shutil
from dataclasses import replace

import numpy as np
import pytest

from index.builder import Builder, GivenArticles
from index.catalog import Catalog
from index.dense import write_dense
from index.durable import naming_full_storage
from index.embedding import LazyEmbedder
from index.errors import BuildCancelled, NoGeneration, StorageFull
from index.generation import Generation
from index.lexical import write_lexical
from index.model_files import shipped_folder
from index.reports import Skipped
from index.runtimes import REFERENCE
from index.searcher import Searcher
from ingest.article import IngestError
from ingest.chunking import ChunkingSettings
from ingest.intake import prepare
from ingest.readers import RawArticle

pytestmark = pytest.mark.model

CHUNKING = ChunkingSettings(60, 12)
PHASES = ["read", "chunk", "embed", "write", "verify", "publish"]


def article(name, text, *, title=None, source="Tamsel Post"):
    return prepare(RawArticle(text=text, title=title or f"About {name}", external_id=name, source=source))


ARTICLES = [
    article(
        "harbour",
        "The harbour of Pellworm was dredged in April. Ships of nine metres can enter now.\n\n"
        "Captain Jo Brandt said: “We waited for ten years. Nobody believed it.” The work cost six million.",
    ),
    article(
        "vote",
        "The council decides on Thursday:\n- a new roof for the school\n- a cycle path to Orlo\n- the zeppelinark fee\n"
        "Mayor Roth expects a long night.",
    ),
    article(
        "report",
        "Findings\nThe inspectors found 12 cracks in the dam of Varnholt.\nWhat happens now\n"
        "1. The gates stay open until June.\n2. Divers look at the foundation.\nThe dam was built in 1931.",
    ),
    article(
        "odd", "Café Ünïon 漢字。次の文です。 Emoji 🏳️‍🌈 and 👩‍👩‍👧 stay. e\u0301 is composed. שלום means hello. 𝕏 rose."
    ),
    article("one", "Rain fell."),
    article("long", " ".join(f"{n} houses of street {n % 7}," for n in range(100)) + " were counted."),
    article("titled", "The museum opens again. Entry is free on Sundays.", title="Museum of clocks " * 18),
    article("many", " ".join(f"In year {1900 + n} the mill of Oderau ground {n * 3} tons of rye." for n in range(12))),
]
ONE = next(a for a in ARTICLES if a.text == "Rain fell.")


class Watched:
    """An embedder that notes what it is asked to embed; it may claim other properties than its model has."""

    def __init__(self, embedder, **claims):
        self._embedder = embedder
        self._claims = claims
        self.texts = []

    def __getattr__(self, name):
        return self._claims[name] if name in self._claims else getattr(self._embedder, name)

    def encode(self, texts, *, on_batch=None):
        self.texts += texts
        return self._embedder.encode(texts, on_batch=on_batch)


BY_ID = sorted(ARTICLES, key=lambda one: one.id)


def library(*articles):
    return GivenArticles(articles)


def current(catalog):
    return catalog.open_newest_good(Generation.open)


def vectors(generation, one):
    """The bytes of all vectors of an article."""
    row = generation.article_row(one.id)
    chunks, sentences = generation.chunks_of(row), generation.sentences_of(row)
    return (
        generation.dense.halves(chunks.start, chunks.stop).tobytes() + generation.sentence_vectors(sentences).tobytes()
    )


class PartlyDamaged(GivenArticles):
    """A library with one article that cannot be read."""

    def __init__(self, articles, damage):
        super().__init__(articles)
        self._damage = damage

    def read(self, articles):
        return (self._damage if one is ONE else one for one in super().read(articles))


def write_ones(rows, path, **options):
    halves = iter([np.ones((rows, 384), dtype=np.float16)])
    return write_dense(halves, path, rows=rows, dimension=384, queries=np.ones((1, 384), dtype=np.float32), **options)


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.fixture(scope="module")
def first(tmp_path_factory, embedder):
    """The index after a first build of ARTICLES, with its report, its embedder and the progress it made."""
    catalog = Catalog(tmp_path_factory.mktemp("first") / "index")
    watched, steps = Watched(embedder), []
    report = Builder(catalog, watched, CHUNKING).build(library(*ARTICLES), on_progress=steps.append)
    return catalog, report, watched, steps


@pytest.fixture
def catalog(first, tmp_path):
    """A copy of the index of the first build."""
    shutil.copytree(first[0].root, tmp_path / "index")
    return Catalog(tmp_path / "index")


@pytest.fixture
def watched(embedder):
    return Watched(embedder)


@pytest.fixture
def builder(catalog, watched):
    return Builder(catalog, watched, CHUNKING)


class TestFirstBuild:
    def test_it_publishes_the_first_generation_with_all_articles(self, first):
        catalog, report, _, _ = first
        generation = current(catalog).value
        assert (report.generation, report.built, report.articles, report.articles_added) == ("000001", True, 8, 8)
        assert (report.chunks_embedded, report.chunks_reused) == (generation.chunk_count, 0)
        assert (report.articles_updated, report.articles_removed, report.skipped) == (0, 0, ())
        assert list(generation.articles) == BY_ID

    def test_nothing_is_embedded_that_the_model_would_cut_off(self, first):
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(shipped_folder() / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        lengths = [len(tokenizer.encode(text).ids) for text in first[2].texts]
        assert max(lengths) <= 256
        assert len(lengths) > 45

    def test_progress_goes_through_all_phases_and_never_back(self, first):
        _, _, _, steps = first
        assert list(dict.fromkeys(step.phase for step in steps)) == PHASES
        embedded = [step for step in steps if step.phase == "embed"]
        assert [step.done for step in embedded] == sorted(step.done for step in embedded)
        assert embedded[-1].done == embedded[-1].total == len(ARTICLES)

    def test_a_chunk_is_embedded_under_its_title_and_a_sentence_alone(self, first):
        texts = first[2].texts
        assert texts.count("About one\nRain fell.") == texts.count("Rain fell.") == 1

    def test_a_title_that_is_left_out_is_neither_embedded_nor_searched(self, tmp_path, embedder):
        watched, catalog = Watched(embedder), Catalog(tmp_path)
        untitled = ChunkingSettings(60, 12, with_title=False)
        Builder(catalog, watched, untitled).build(library(article("one", "Rain fell.", title="About Zanzibar")))
        assert watched.texts == ["Rain fell.", "Rain fell."]
        generation = current(catalog).value
        for lexical in (generation.lexical, generation.article_lexical):
            assert lexical.scores("rain").max() > 0
            assert lexical.scores("Zanzibar").max() == 0

    def test_chunks_never_exceed_what_a_model_of_short_input_reads(self, tmp_path, embedder):
        """The settings ask for more than is left of 64 tokens beside the title."""
        short = Watched(embedder, max_tokens=64)
        Builder(Catalog(tmp_path), short, ChunkingSettings(200, 40)).build(library(*ARTICLES[5:7]))
        assert max(embedder.count_tokens(short.texts)) <= 64


class TestNextBuild:
    def test_nothing_is_built_where_nothing_changed(self, builder, catalog, watched):
        report = builder.build(library(*ARTICLES))
        assert (report.built, report.generation, report.articles) == (False, "000001", 8)
        assert (report.chunks_embedded, report.chunks_reused, watched.texts) == (0, 0, [])
        assert catalog.names() == ["000001"]

    def test_the_model_is_not_even_loaded_where_nothing_changed(self, catalog, monkeypatch, wanted_embedder):
        monkeypatch.setattr("index.embedding._load", lambda *_: pytest.fail("the model was loaded"))
        report = Builder(catalog, LazyEmbedder(wanted_embedder), CHUNKING).build(library(*ARTICLES))
        assert (report.built, report.generation) == (False, "000001")

    def test_only_a_changed_article_is_embedded_again(self, builder, catalog, watched):
        before = current(catalog).value
        changed = ONE.with_text("Snow fell in Ammerland.")
        articles = [changed if a is ONE else a for a in ARTICLES]
        report = builder.build(library(*articles))
        after = current(catalog).value
        assert watched.texts == ["About one\nSnow fell in Ammerland.", "Snow fell in Ammerland."]
        assert (report.articles_added, report.articles_updated, report.articles_removed) == (0, 1, 0)
        assert (report.chunks_embedded, report.chunks_reused) == (1, before.chunk_count - 1)
        assert set(after.articles) == set(articles)
        assert all(vectors(before, a) == vectors(after, a) for a in ARTICLES if a is not ONE)
        assert vectors(before, ONE) != vectors(after, ONE)

    def test_a_changed_title_counts_as_a_change(self, builder, watched):
        renamed = replace(ONE, title="Weather")
        builder.build(library(*(renamed if a is ONE else a for a in ARTICLES)))
        assert watched.texts == ["Weather\nRain fell.", "Rain fell."]

    def test_only_an_added_article_is_embedded(self, builder, catalog, watched):
        report = builder.build(library(article("new", "Hail fell."), *ARTICLES))
        assert (report.articles_added, report.articles_updated, report.articles_removed) == (1, 0, 0)
        assert watched.texts == ["About new\nHail fell.", "Hail fell."]
        assert {one for one in current(catalog).value.articles if one.external_id != "new"} == set(ARTICLES)

    def test_a_removed_article_is_in_no_file_of_the_new_generation(self, builder, catalog):
        gone = ARTICLES[1]
        report = builder.build(library(*(a for a in ARTICLES if a is not gone)))
        assert (report.articles_removed, report.chunks_embedded) == (1, 0)

        def holding(word, name):
            files = [path for path in catalog.folder(name).rglob("*") if path.is_file()]
            return {path.name for path in files if word in path.read_bytes().lower()}

        for word in (b"zeppelinark", gone.id.encode()):
            assert holding(word, "000001")
            assert holding(word, "000002") == set()
        assert {"texts.bin", "terms.txt"} <= holding(b"zeppelinark", "000001")

    def test_a_full_build_embeds_all(self, builder, first, watched):
        report = builder.build(library(*ARTICLES), full=True)
        assert (report.built, report.generation) == (True, "000002")
        assert (report.chunks_embedded, report.chunks_reused) == (first[1].chunks_embedded, 0)
        assert sorted(watched.texts) == sorted(first[2].texts)

    @pytest.mark.parametrize(
        ("chunking", "claims"),
        [
            (ChunkingSettings(50, 12), {}),
            (ChunkingSettings(60, 0), {}),
            (ChunkingSettings(60, 12, with_title=False), {}),
            (CHUNKING, {"model_sha256": "0" * 64}),
            (CHUNKING, {"engine": REFERENCE}),
        ],
    )
    def test_other_settings_or_another_model_embed_all(self, catalog, embedder, chunking, claims):
        watched = Watched(embedder, **claims)
        report = Builder(catalog, watched, chunking).build(library(*ARTICLES))
        assert (report.built, report.chunks_reused) == (True, 0)
        manifest = current(catalog).value.manifest
        assert report.chunks_embedded == manifest.counts.chunks
        assert len(watched.texts) == manifest.counts.chunks + manifest.counts.sentences
        assert manifest.embedding.model_sha256 == watched.model_sha256
        assert manifest.embedding.max_tokens == watched.max_tokens
        assert manifest.embedding.engine == watched.engine
        assert manifest.chunking["max_tokens"] == chunking.max_tokens
        assert manifest.chunking["overlap_tokens"] == chunking.overlap_tokens

    def test_another_name_of_the_same_weights_embeds_nothing(self, catalog, embedder):
        watched = Watched(embedder, name="/models/mini")
        assert not Builder(catalog, watched, CHUNKING).build(library(*ARTICLES)).built
        assert watched.texts == []

    def test_step_by_step_gives_what_one_full_build_gives(self, tmp_path, embedder):
        stepwise, whole = Catalog(tmp_path / "stepwise"), Catalog(tmp_path / "whole")
        states = [ARTICLES[:3], [ARTICLES[1].with_text("An old text."), *ARTICLES[4:]], ARTICLES]
        for articles in states:
            Builder(stepwise, embedder, CHUNKING).build(library(*articles))
        Builder(whole, embedder, CHUNKING).build(library(*ARTICLES))
        one, other = current(stepwise).value, current(whole).value
        assert (one.name, other.name) == ("000003", "000001")
        # All but the vectors is the same to the byte; those may differ by the rounding of half floats.
        for name in one.manifest.files.keys() - {"vectors.faiss", "sentence_vectors.npy", "article_vectors.npy"}:
            assert one.manifest.files[name] == other.manifest.files[name]
        assert one.manifest.articles == other.manifest.articles
        for question in ("Who spoke of the harbour?", "cracks in the dam", "漢字", "rye in 1905", "free entry"):
            hits, expected = (Searcher(g, embedder).search(question).hits for g in (one, other))
            assert [hit.chunk.id for hit in hits] == [hit.chunk.id for hit in expected]
            assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in expected], abs=1e-3)

    def test_as_many_generations_stay_as_were_asked_for(self, builder, catalog):
        for count in (7, 6, 5):
            builder.build(library(*ARTICLES[:count]), keep=2)
        assert catalog.names() == ["000003", "000004"]


class TestInterruption:
    def test_a_build_cancelled_at_any_step_changes_nothing(self, builder, catalog):
        before = {path: path.read_bytes() for path in catalog.folder("000001").rglob("*") if path.is_file()}
        articles = library(ONE.with_text("Snow fell."), *(a for a in ARTICLES if a is not ONE))
        reached = []
        for step in range(1, 100):
            asked = iter(range(1, 100))
            try:
                builder.build(
                    articles,
                    cancelled=lambda asked=asked, step=step: next(asked) == step,
                    on_progress=lambda progress: reached.append(progress.phase),
                )
            except BuildCancelled:
                pass
            else:
                break
            assert (catalog.current(), catalog.names()) == ("000001", ["000001"])
            assert list(catalog.root.glob("*.tmp")) == []
            assert all(path.read_bytes() == content for path, content in before.items())
        assert list(dict.fromkeys(reached)) == PHASES
        # What was embedded is kept: the last build reads, writes, verifies, publishes and is done.
        assert step == 4 + 1
        assert (catalog.current(), current(catalog).problems) == ("000002", ())

    def test_a_cancelled_first_build_leaves_no_index(self, tmp_path, embedder):
        catalog = Catalog(tmp_path / "index")
        with pytest.raises(BuildCancelled, match="the current index is kept"):
            Builder(catalog, embedder, CHUNKING).build(library(ONE), cancelled=lambda: True)
        with pytest.raises(NoGeneration):
            current(catalog)

    def test_a_full_disk_is_named_and_the_old_generation_stays(self, builder, catalog):
        sizes = sorted({path.stat().st_size for path in catalog.folder("000001").rglob("*") if path.is_file()})
        assert len(sizes) > 6
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        for size in sizes:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size - 1, hard))
            try:
                with pytest.raises(StorageFull):
                    builder.build(library(replace(ONE, source="Another"), *(a for a in ARTICLES if a is not ONE)))
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            assert (catalog.current(), catalog.names()) == ("000001", ["000001"])
            assert list(catalog.root.glob("*.tmp")) == []
        assert builder.build(library(*ARTICLES[:-1])).generation == "000002"

    @pytest.mark.parametrize(
        "write",
        [
            lambda path: write_ones(40, path),
            # FAISS's own writer loses the end of a file of this size without a word.
            lambda path: write_ones(4, path),
            lambda path: write_ones(40, path, exact_rows=4),
            lambda path: write_lexical([f"word{n} other{n * 7}" for n in range(4000)], path),
        ],
    )
    def test_every_part_says_that_the_disk_is_full(self, tmp_path, write):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))
        try:
            with pytest.raises(StorageFull), naming_full_storage():
                write(tmp_path / "part")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class TestRepair:
    def test_a_damaged_generation_is_replaced(self, builder, catalog):
        flip(catalog.folder("000001") / "vectors.faiss")
        report = builder.build(library(*ARTICLES))
        assert (report.built, report.generation, report.chunks_reused) == (True, "000002", 0)
        assert (current(catalog).name, current(catalog).problems) == ("000002", ())
        assert list(current(catalog).value.articles) == BY_ID

    def test_an_older_good_generation_saves_the_embedding(self, builder, catalog, watched):
        builder.build(library(*ARTICLES, article("new", "Hail fell.")))
        flip(catalog.folder("000002") / "articles.jsonl")
        watched.texts.clear()
        report = builder.build(library(*ARTICLES))
        assert (report.built, report.generation, report.chunks_embedded) == (True, "000003", 0)
        assert watched.texts == []
        assert current(catalog).problems == ()

    def test_a_lost_current_file_is_written_anew(self, builder, catalog):
        (catalog.root / "CURRENT").unlink()
        assert builder.build(library(*ARTICLES)).built
        assert (catalog.current(), current(catalog).problems) == ("000002", ())


class TestDamagedLibrary:
    def test_an_article_that_cannot_be_read_is_reported_and_the_rest_is_indexed(self, tmp_path, embedder):
        catalog = Catalog(tmp_path / "index")
        builder = Builder(catalog, embedder, CHUNKING)
        damage = IngestError(f"article {ONE.id}: what is stored does not match its hash; add it again")
        others = [a for a in ARTICLES if a is not ONE]
        for built in (True, False):
            report = builder.build(PartlyDamaged([*others, ONE], damage))
            assert report.skipped == (Skipped(ONE.id, str(damage)),)
            assert (report.built, report.articles) == (built, 7)
        assert set(current(catalog).value.articles) == set(others)


class TestEmptyLibrary:
    @pytest.mark.parametrize("chunking", [CHUNKING, ChunkingSettings(80, 0)])
    def test_an_emptied_library_gives_an_index_without_hits(self, catalog, embedder, chunking):
        report = Builder(catalog, embedder, chunking).build(library())
        assert (report.built, report.generation, report.articles, report.articles_removed) == (True, "000002", 0, 8)
        generation = current(catalog).value
        assert (list(generation.articles), generation.chunk_count) == ([], 0)
        for mode in ("hybrid", "dense", "lexical"):
            assert Searcher(generation, embedder).search("harbour", mode=mode).hits == ()

    def test_a_library_may_start_empty_and_grow(self, tmp_path, embedder):
        catalog = Catalog(tmp_path / "grows")
        grown = Builder(catalog, embedder, CHUNKING)
        assert [grown.build(library()).built for _ in range(2)] == [True, False]
        assert grown.build(library(ONE)).articles_added == 1
        assert Searcher(current(catalog).value, embedder).search("rain").hits[0].text == "Rain fell."
