"""A generation folder holds all that a search needs, exactly, and is opened only if it is as it was written."""

import gc
import shutil
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise

import faiss
import numpy as np
import pytest

from index.builder import Builder, GivenArticles
from index.catalog import Catalog
from index.dense import DenseIndex, write_dense
from index.errors import GenerationDamaged
from index.generation import Generation
from index.manifest import Counts, EmbeddingRecord
from index.searcher import Searcher
from ingest.article import Article, Span, article_id
from ingest.chunking import CHUNKING_VERSION, ChunkingSettings
from ingest.intake import prepare
from ingest.readers import RawArticle
from ingest.sentences import SENTENCES_VERSION

pytestmark = pytest.mark.model

CHUNKING = ChunkingSettings(40, 10)


def article(name, text, title):
    return prepare(RawArticle(text=text, title=title, external_id=name, source="Test", published="2025-03-04"))


ARTICLES = [
    article(
        "list",
        "Before the vote\nThe council of Tamsel decides on Thursday:\n- a new roof for the school\n- a cycle path to Orlo\n"
        "Mayor Roth expects a long night. She said: “We start at six. Nobody leaves early.” The hall holds 90 people.",
        "Council meets",
    ),
    article(
        "odd",
        "Café Ünïon 漢字かな。次の文です。 Emoji 🏳️‍🌈 and 👩‍👩‍👧 stay. e\u0301 is composed\u2028here. שלום means hello. 𝕏 “rose” by 5\u00a0%.",
        "Ödd 🧵 title",
    ),
    article("one", "Rain fell.", "Weather"),
    article("long", " ".join(f"{n} houses of street {n % 7}," for n in range(60)) + " were counted.", "A census"),
    article("headings", "First\nSecond\nThe text begins late here.\nLast words without an end", "Headings only"),
]

ODD_LINES = Article(
    id=article_id("path:odd-lines"),
    identity="path:odd-lines",
    text="One\u2028two.\u0085Three\x1cfour.\rFive\x0bsix.",
    title='A "title" \\ with\ttabs',
    title_source="lead",
    source="",
    url=None,
    authors=("Łukasz", "O'Neil"),
    published_at=None,
    date_source="unknown",
    external_id=None,
)

BY_ID = tuple(sorted([*ARTICLES, ODD_LINES], key=lambda one: one.id))


def row_of(generation, one):
    return generation.article_row(one.id)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, embedder):
    """A published generation of ARTICLES; tests that damage it take a `copy`."""
    catalog = Catalog(tmp_path_factory.mktemp("index"))
    Builder(catalog, embedder, CHUNKING).build(GivenArticles([*ARTICLES, ODD_LINES]))
    return catalog.folder("000001")


@pytest.fixture(scope="module")
def generation(folder):
    return Generation.open(folder)


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "elsewhere" / folder.name)


class TestContents:
    def test_articles_come_back_equal_in_their_order(self, generation):
        assert tuple(generation.articles) == BY_ID
        assert [generation.article_row(a.id) for a in generation.articles] == list(range(6))
        assert generation.article_row(article_id("id:Test:unknown")) is None

    def test_sentences_cover_every_word_of_every_article(self, generation):
        """All but white space and list marks is in exactly one sentence."""
        for row, one in enumerate(generation.articles):
            spans = [generation.sentence(number).span for number in generation.sentences_of(row)]
            assert all(a.end <= b.start for a, b in pairwise(spans))
            covered = {place for span in spans for place in range(span.start, span.end)}
            left = "".join(char for place, char in enumerate(one.text) if place not in covered)
            assert left.replace("- ", "").strip() == ""
            assert all(span.of(one.text) == span.of(one.text).strip() for span in spans)

    def test_sentences_keep_their_kind_and_block(self, generation):
        found = [generation.sentence(number) for number in generation.sentences_of(row_of(generation, ARTICLES[0]))]
        assert [(s.kind, s.block, s.span.of(ARTICLES[0].text)) for s in found[:4]] == [
            ("heading", 0, "Before the vote"),
            ("prose", 1, "The council of Tamsel decides on Thursday:"),
            ("item", 2, "a new roof for the school"),
            ("item", 3, "a cycle path to Orlo"),
        ]

    def test_chunks_are_runs_of_whole_sentences_and_hold_them_all(self, generation):
        for row in range(len(generation.articles)):
            held = set()
            for number in generation.chunks_of(row):
                span = generation.chunk(number).span
                inside = generation.sentences_in(row, span)
                assert generation.sentence(inside[0]).span.start == span.start
                assert generation.sentence(inside[-1]).span.end == span.end
                held |= set(inside)
            assert held == set(generation.sentences_of(row))

    def test_a_chunk_knows_its_article_place_and_id(self, generation):
        rows = [(row, number) for row in range(6) for number in generation.chunks_of(row)]
        assert [number for _, number in rows] == list(range(generation.chunk_count))
        assert [row for row, _ in rows] == generation.article_rows.tolist()
        for row, number in rows:
            chunk = generation.chunk(number)
            assert chunk.article_id == generation.articles[row].id
            assert chunk.ordinal == number - generation.chunks_of(row)[0]
            assert chunk.id == f"{chunk.article_id}:{chunk.span.start}-{chunk.span.end}"

    def test_only_sentences_that_lie_wholly_in_a_span_are_in_it(self, generation):
        row = row_of(generation, ARTICLES[0])
        sentences = generation.sentences_of(row)
        first, second, third = (generation.sentence(number).span for number in sentences[:3])
        assert generation.sentences_in(row, Span(first.start, third.end)) == sentences[:3]
        assert generation.sentences_in(row, Span(first.start, third.end - 1)) == sentences[:2]
        assert generation.sentences_in(row, Span(first.start + 1, second.end)) == sentences[1:2]
        assert len(generation.sentences_in(row, Span(first.start + 1, first.end - 1))) == 0

    def test_vectors_are_those_of_the_very_words(self, generation, embedder):
        for row, one in enumerate(generation.articles):
            chunks = [generation.chunk(number).span.of(one.text) for number in generation.chunks_of(row)]
            expected = embedder.encode([f"{one.title}\n{words}" for words in chunks])
            stored = generation.dense.vectors(np.array(generation.chunks_of(row), dtype=np.int64))
            assert np.allclose(stored, expected, atol=1e-3)
            rows = generation.sentences_of(row)
            words = [generation.sentence(number).span.of(one.text) for number in rows]
            assert np.allclose(generation.sentence_vectors(rows), embedder.encode(words), atol=1e-3)

    def test_an_article_has_the_mean_vector_of_its_chunks(self, generation):
        for row in range(len(generation.articles)):
            chunks = generation.dense.vectors(np.array(generation.chunks_of(row), dtype=np.int64))
            assert np.allclose(generation.passages.article_vectors[row], chunks.mean(axis=0), atol=1e-3)

    def test_the_nearest_sentence_of_a_chunk_is_told_and_headings_stand_back(self, generation, embedder):
        everything = np.arange(generation.chunk_count)
        # One of them is the very words of a heading.
        for query in embedder.encode(["Before the vote", "First", "Who pays for the roof of the school?"]):
            found = generation.passages.best_sentences(everything, query)
            for row, cosine in zip(everything, found, strict=True):
                inside = generation.sentences_in(int(generation.article_rows[row]), generation.chunk(row).span)
                said = [number for number in inside if generation.sentence(number).kind != "heading"]
                cosines = generation.sentence_vectors(said or inside) @ query
                assert cosine == pytest.approx(cosines.max(), abs=1e-4)
        assert generation.passages.best_sentences(everything[:0], query).shape == (0,)

    def test_the_manifest_says_what_the_generation_was_made_from(self, generation, embedder):
        manifest = generation.manifest
        assert manifest.embedding == EmbeddingRecord(
            "all-MiniLM-L6-v2", embedder.model_sha256, 384, 254, embedder.engine.runtime, embedder.engine.precision
        )
        assert manifest.chunking == {
            "max_tokens": 40,
            "overlap_tokens": 10,
            "with_title": 1,
            "chunking_version": CHUNKING_VERSION,
            "sentences_version": SENTENCES_VERSION,
        }
        sentences = generation.sentences_of(5)[-1] + 1
        assert manifest.counts == Counts(articles=6, chunks=generation.chunk_count, sentences=sentences)
        assert manifest.articles == {one.id: one.content_hash for one in generation.articles}
        assert (generation.name, manifest.generation) == ("000001", "000001")


class TestOpening:
    def test_a_generation_copied_elsewhere_answers_the_same(self, copy, generation, embedder):
        copied = Generation.open(copy)
        assert list(copied.articles) == list(generation.articles)
        for question in ("Who expects a long night?", "漢字", "street 5", "weather"):
            assert (
                Searcher(copied, embedder).search(question).hits == Searcher(generation, embedder).search(question).hits
            )

    @pytest.mark.parametrize("damage", ["truncated", "emptied", "flipped", "missing", "longer", "linked"])
    def test_a_damaged_file_is_named_before_faiss_reads(self, copy, monkeypatch, damage):
        """FAISS accepts flipped bits and may crash on worse; nothing is read that was not verified."""
        monkeypatch.setattr(faiss, "read_index", lambda *_: pytest.fail("FAISS read an unverified file"))
        files = sorted(path for path in copy.rglob("*") if path.is_file())
        assert {"articles.jsonl", "texts.bin", "vectors.faiss", "manifest.json"} < {path.name for path in files}
        for path in files:
            content = path.read_bytes()
            middle = len(content) // 2
            flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
            path.unlink()
            match damage:
                case "linked":
                    (copy.parent / "aside").write_bytes(content)
                    path.symlink_to(copy.parent / "aside")
                case "missing":
                    pass
                case _:
                    broken = {"truncated": content[:-1], "emptied": b"", "flipped": flipped, "longer": content + b"\0"}
                    path.write_bytes(broken[damage])
            with pytest.raises(GenerationDamaged) as caught:
                Generation.open(copy)
            assert (caught.value.generation, caught.value.file) == ("000001", path.relative_to(copy).as_posix())
            path.unlink(missing_ok=True)
            path.write_bytes(content)

    @pytest.mark.parametrize("extra", ["notes.txt", "bm25/corpus.jsonl", "vectors.faiss.tmp"])
    def test_a_file_too_many_is_damage(self, copy, extra):
        (copy / extra).write_text("x")
        with pytest.raises(GenerationDamaged) as caught:
            Generation.open(copy)
        assert caught.value.file == extra

    def test_a_generation_under_another_name_is_refused(self, copy):
        with pytest.raises(GenerationDamaged, match="it belongs to generation '000001'"):
            Generation.open(copy.rename(copy.with_name("000002")))

    def test_a_folder_that_is_not_there_is_damage(self, tmp_path):
        with pytest.raises(GenerationDamaged):
            Generation.open(tmp_path / "000009")

    def test_a_mended_file_opens_again(self, copy, generation):
        content = (copy / "vectors.faiss").read_bytes()
        (copy / "vectors.faiss").write_bytes(content[:-1])
        with pytest.raises(GenerationDamaged):
            Generation.open(copy)
        (copy / "vectors.faiss").write_bytes(content)
        assert Generation.open(copy).chunk_count == generation.chunk_count

    def test_a_small_and_a_large_index_open_at_the_same_time(self, tmp_path, monkeypatch):
        """FAISS's limit of what may be read is one for the process; each opening needs its own."""
        rows = {"small": 1, "large": 4000}
        records = {
            name: write_dense(
                iter([np.eye(1, 384, dtype=np.float16).repeat(count, axis=0)]),
                tmp_path / name,
                rows=count,
                dimension=384,
                queries=np.eye(1, 384, dtype=np.float32),
            )
            for name, count in rows.items()
        }
        read = faiss.read_index

        def slowly(path, flags):
            opened.append(path)
            if path.endswith("large") and len(opened) == 1:
                late.append(pool.submit(DenseIndex.open, tmp_path / "small", records["small"]))
                # Long enough for the other thread to set its limit, if nothing holds it back.
                with suppress(TimeoutError):
                    late[0].result(timeout=0.2)
            return read(path)

        opened, late = [], []
        with ThreadPoolExecutor(2) as pool:
            monkeypatch.setattr(faiss, "read_index", slowly)
            assert len(DenseIndex.open(tmp_path / "large", records["large"])) == rows["large"]
            assert len(late[0].result()) == rows["small"]


def test_one_that_nobody_uses_any_more_gives_its_files_back_at_once(tmp_path, embedder):
    # A server replaces generations for months: none may wait for the garbage collector with its files mapped.
    catalog = Catalog(tmp_path / "index")
    name = Builder(catalog, embedder, CHUNKING).build(GivenArticles(ARTICLES)).generation
    gc.collect()
    gc.disable()
    try:
        searcher = Searcher(Generation.open(catalog.folder(name)), embedder)
        generation = searcher.generation
        assert searcher.search("council").hits
        assert generation.sentence_terms(0)
        assert generation.sentence(0)
        assert generation.article_rows.size
        gone = [weakref.ref(generation), weakref.ref(generation.passages)]
        del searcher, generation
        assert [reference() for reference in gone] == [None, None]
    finally:
        gc.enable()
