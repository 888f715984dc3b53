"""Questions find the right chunk among near misses, within the filters, and in the same order every time."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import pairwise

import numpy as np
import pytest

from index.builder import Builder, GivenArticles
from index.catalog import Catalog
from index.errors import GenerationIncompatible
from index.fusion import words
from index.generation import Generation
from index.searcher import PER_ARTICLE, Filters, Searcher
from ingest.article import Article, article_id
from ingest.chunking import ChunkingSettings
from ingest.intake import prepare
from ingest.readers import RawArticle

pytestmark = pytest.mark.model

MODES = ("hybrid", "dense", "lexical")


def article(name, title, text, *, source="Tamsel Post", published=None):
    raw = RawArticle(text=text, title=title, external_id=name, source=source, published=published)
    return prepare(raw)


# Every subject comes several times, with other places, numbers and people.
ARTICLES = [
    article(
        "bridge-norwick",
        "Alder Bridge opens",
        "The Alder Bridge in Norwick opened to traffic on Monday. It cost 40 million euros.",
        source="Norwick Herald",
        published="2025-03-04",
    ),
    article(
        "bridge-halden",
        "Bridge in Halden closed",
        "The old bridge in Halden is closed to lorries. Its repair will cost 12 million euros.",
        source="Halden Daily",
        published="2025-03-05",
    ),
    article(
        "bridge-tunnel",
        "Norwick plans a tunnel",
        "Norwick wants a tunnel below the river instead of a second bridge. Engineers are still counting the cost.",
        source="Norwick Herald",
        published="2025-03-06",
    ),
    article(
        "library-tamsel",
        "Library of Tamsel closes for repairs",
        "Water came through the roof of the public library in Tamsel. Readers borrow books from a bus until September.",
        published="2025-04-01",
    ),
    article(
        "library-orlo",
        "Library of Orlo stays open on Sundays",
        "The public library of Orlo opens on Sundays. Students asked for longer hours.",
        published="2025-04-02",
    ),
    article(
        "school-tamsel",
        "School roof in Tamsel",
        "The school in Tamsel gets a new roof with solar panels in autumn.",
        published="2025-04-03",
    ),
    article(
        "telescope",
        "New telescope on Mount Kerro",
        "The observatory on Mount Kerro received a telescope of two metres. Lena Osei expects first pictures in May.",
        source="Science Weekly",
        published="2025-01-20",
    ),
    article(
        "satellite",
        "Satellite photographs glaciers",
        "A satellite takes pictures of glaciers every day. Pavel Ilic leads the project.",
        source="Science Weekly",
        published="2025-01-21",
    ),
    article(
        "volcano",
        "Mount Kerro is quiet",
        "The volcano Mount Kerro has not erupted since 1893. Tourists may climb it again.",
        source="Science Weekly",
    ),
    article(
        "strike-train",
        "Train drivers stop work",
        "Train drivers stop work on Friday. Their union wants seven percent more pay.",
        published="2024-11-08",
    ),
    article(
        "strike-nurses",
        "Nurses vote for a walkout",
        "Nurses of the clinic in Orlo vote on a walkout. They ask for more colleagues on night shifts, not for money.",
        published="2024-11-09",
    ),
    article(
        "trains-new",
        "New trains on the coast line",
        "Eleven new trains run on the coast line from June. They have room for bicycles.",
        published="2024-11-10",
    ),
    article(
        "wheat",
        "Wheat harvest falls",
        "Drought halved the wheat harvest in the plain of Saar. Bread may become dearer.",
    ),
    article(
        "wine",
        "A good year for wine",
        "Growers of Ammerland report the best grapes for ten years. The dry summer helped.",
    ),
    article(
        "virus",
        "Bird flu on a farm",
        "Bird flu was found on a farm near Halden. All 900 geese were killed.",
        source="Halden Daily",
    ),
    article(
        "vaccine",
        "Flu vaccine arrives early",
        "Doctors offer the flu vaccine from September. People above sixty get it without charge.",
    ),
    article(
        "chess",
        "Girl of nine wins at chess",
        "Mira Quastelholm, nine years old, won the chess championship of the north.",
    ),
    article(
        "marathon",
        "Record at the marathon",
        "Abel Tadese won the city marathon in two hours and five minutes, a record.",
    ),
    *(
        article(
            f"ruling-{number}",
            "Court decides on building permits",
            f"The court in Saar annulled permit {number} because {why}.",
        )
        for number, why in [
            (4417, "neighbours had not been heard"),
            (4471, "the plan was drawn wrong"),
            (4174, "the fee was never paid"),
            (4741, "it had expired"),
        ]
    ),
    # Much of one subject in one article, and a little of it in others.
    article(
        "lighthouse",
        "The lighthouse of Skarn",
        " ".join(
            f"The lighthouse of Skarn was {what} in {year} by order of the crown."
            for year, what in enumerate(("built", "burnt", "painted", "raised", "sold", "automated", "listed"), 1801)
        ),
    ),
    article("keeper", "The last keeper", "The last keeper left the lighthouse of Skarn and sells honey now."),
    article("hotel", "A hotel by the sea", "Guests can sleep in the lighthouse of Skarn, which becomes a hotel."),
    article("twin-1", "Fog", "Thick fog stopped the ferries of Pellworm.", source="Agency One"),
    article("twin-2", "Fog", "Thick fog stopped the ferries of Pellworm.", source="Agency Two"),
]


@pytest.fixture(scope="module")
def searcher(tmp_path_factory, embedder):
    catalog = Catalog(tmp_path_factory.mktemp("index"))
    Builder(catalog, embedder, ChunkingSettings(24, 0)).build(GivenArticles(ARTICLES))
    return Searcher(Generation.open(catalog.folder("000001")), embedder)


def names(result):
    """The short names of the articles that were hit, best first."""
    return [hit.article.external_id for hit in result.hits]


def rows(result):
    return [hit.row for hit in result.hits]


QUESTIONS = [
    ("How much did the Alder Bridge in Norwick cost?", "bridge-norwick", "40 million"),
    ("What will repairing the bridge in Halden cost?", "bridge-halden", "12 million"),
    ("Where do readers in Tamsel get books while the library is closed?", "library-tamsel", "from a bus"),
    ("Which library can be visited on Sundays?", "library-orlo", "opens on Sundays"),
    ("How large is the telescope on Mount Kerro?", "telescope", "two metres"),
    ("When did the volcano last erupt?", "volcano", "since 1893"),
    ("How much more pay do the train drivers want?", "strike-train", "seven percent"),
    ("What do the nurses demand?", "strike-nurses", "night shifts"),
    ("Why is less wheat harvested?", "wheat", "Drought"),
    ("How many geese died of bird flu?", "virus", "900 geese"),
]


class TestFinding:
    @pytest.mark.parametrize(("question", "name", "words"), QUESTIONS)
    def test_the_right_chunk_is_first_among_near_misses(self, searcher, question, name, words):
        result = searcher.search(question, top_k=3)
        assert len(result.hits) == 3
        assert searcher.generation.chunk_count >= 30
        assert names(result)[0] == name
        assert any(words in hit.text for hit in result.hits if hit.article.external_id == name)

    @pytest.mark.parametrize(
        ("question", "name", "wrong_side"),
        [
            # Four rulings differ in the permit's number, which is all alike to the model.
            ("Why was permit 4417 annulled?", "ruling-4417", "dense"),
            # These share no telling word with what answers them.
            ("Which prodigy won a board game title?", "chess", "lexical"),
            ("When did rail staff go on strike and why?", "strike-train", "lexical"),
            ("Where can tourists spend the night at Skarn?", "hotel", "lexical"),
            ("Why may loaves cost more?", "wheat", "lexical"),
        ],
    )
    def test_hybrid_search_is_right_where_a_side_alone_is_wrong(self, searcher, question, name, wrong_side):
        assert names(searcher.search(question, top_k=1)) == [name]
        assert names(searcher.search(question, top_k=1, mode=wrong_side)) != [name]

    def test_dense_search_finds_meaning_without_a_shared_word(self, searcher):
        result = searcher.search("immunisation for pensioners", mode="dense", top_k=2)
        assert names(result)[0] == "vaccine"
        assert searcher.search("immunisation for pensioners", mode="lexical").hits == ()

    @pytest.mark.parametrize("spelling", ["Quastelholm", "QUASTELHOLM's", "quastelholm?"])
    def test_lexical_search_finds_a_rare_name_and_nothing_else(self, searcher, spelling):
        assert names(searcher.search(spelling, mode="lexical")) == ["chess"]

    def test_a_rare_name_counts_in_hybrid_search(self, searcher):
        assert names(searcher.search("What is known of Pavel Ilic?", top_k=3))[0] == "satellite"

    def test_a_hit_points_at_the_words_of_its_article(self, searcher):
        for hit in searcher.search("lighthouse", top_k=5).hits:
            assert hit.article == searcher.generation.articles[hit.article_row]
            assert hit.chunk == searcher.generation.chunk(hit.row)
            assert hit.text == hit.article.text[hit.chunk.span.start : hit.chunk.span.end]

    def test_scores_of_a_mode_are_those_of_its_side(self, searcher):
        question = "lighthouse of Skarn"
        for hit in searcher.search(question, mode="dense").hits:
            assert hit.score == hit.scores.dense
            assert hit.scores.lexical == 0
        for hit in searcher.search(question, mode="lexical").hits:
            assert hit.score == hit.scores.lexical
            assert hit.scores.dense == 0
        best = searcher.search(question).hits[0]
        assert 0 < best.score <= 1
        assert 0 < best.scores.dense <= 1

    def test_the_vector_of_the_question_comes_back(self, searcher, embedder):
        vector = searcher.search("Where is fog?").query_vector
        assert np.allclose(vector, embedder.encode(["Where is fog?"])[0], atol=1e-5)


def meanings(generation, query):
    """The mean of three cosines for every chunk: its own, that of its best sentence, and its article's mean."""
    everything = np.arange(generation.chunk_count)
    own = generation.dense.vectors(everything) @ query
    found = []
    for row, cosine in enumerate(own):
        article_row = int(generation.article_rows[row])
        inside = generation.sentences_in(article_row, generation.chunk(row).span)
        said = [row for row in inside if generation.sentence(row).kind != "heading"]
        best = max(generation.sentence_vectors(said or inside) @ query)
        found.append((cosine + best + np.mean(own[generation.chunks_of(article_row)])) / 3)
    return np.array(found)


class TestOrder:
    @pytest.mark.parametrize("mode", MODES)
    def test_scores_descend_and_ties_go_to_the_smaller_row(self, searcher, mode):
        for question in ("ferries in the fog", "the lighthouse of Skarn", "cost of the bridge"):
            hits = searcher.search(question, mode=mode).hits
            assert all((-a.score, a.row) < (-b.score, b.row) for a, b in pairwise(hits))

    @pytest.mark.parametrize("mode", MODES)
    def test_equal_chunks_are_equally_good(self, searcher, mode):
        hits = searcher.search("ferries in the fog", mode=mode, top_k=searcher.generation.chunk_count).hits
        score_of = {hit.article.external_id: hit.score for hit in hits}
        assert score_of["twin-1"] == pytest.approx(score_of["twin-2"], abs=1e-6)

    @pytest.mark.parametrize("mode", ["hybrid", "dense"])
    def test_one_of_two_copies_is_found_while_others_have_some(self, searcher, mode):
        found = names(searcher.search("ferries in the fog", mode=mode, top_k=5))
        assert len(found) == 5
        assert len({"twin-1", "twin-2"} & set(found)) == 1
        filters = Filters(sources=("Agency One", "Agency Two"))
        assert set(names(searcher.search("ferries in the fog", mode=mode, filters=filters))) == {"twin-1", "twin-2"}

    @pytest.mark.parametrize("mode", MODES)
    def test_one_article_gives_at_most_three_hits_while_others_have_some(self, searcher, mode):
        found = names(searcher.search("When was the lighthouse of Skarn built or burnt?", mode=mode, top_k=5))
        assert found.count("lighthouse") == PER_ARTICLE
        assert {"keeper", "hotel"} < set(found)

    def test_what_an_article_held_back_fills_up_where_no_other_has_any(self, searcher):
        only = Filters(article_ids=(article_id("id:Tamsel Post:lighthouse"),))
        found = searcher.search("the lighthouse of Skarn", filters=only, top_k=6)
        assert names(found) == ["lighthouse"] * 6

    @pytest.mark.parametrize("mode", MODES)
    def test_the_first_hits_do_not_depend_on_how_many_are_asked_for(self, searcher, mode):
        """As far as no article holds chunks back."""
        question = "What does the bridge in Norwick cost?"
        assert rows(searcher.search(question, mode=mode, top_k=4)) == rows(searcher.search(question, mode=mode))[:4]

    def test_asking_for_more_than_there_is_gives_all_that_are_near_once(self, searcher):
        for question in ("What does the bridge in Norwick cost?", "honey"):
            result = searcher.search(question, mode="dense", top_k=10_000)
            near = meanings(searcher.generation, result.query_vector)
            assert len(set(rows(result))) == len(result.hits)
            assert set(np.flatnonzero(near > 1e-3)) <= set(rows(result)) <= set(np.flatnonzero(near > -1e-3))
            assert [hit.score for hit in result.hits] == pytest.approx(near[rows(result)].tolist(), abs=1e-3)
        assert len(searcher.search("What does the bridge in Norwick cost?", top_k=10_000).hits) > 15

    def test_the_same_question_has_the_same_answer_again(self, searcher, embedder):
        again = Searcher(searcher.generation, embedder)
        for question, _, _ in QUESTIONS[:5]:
            assert again.search(question).hits == searcher.search(question).hits

    def test_eight_threads_get_what_one_gets(self, searcher):
        work = [(question, mode) for question, _, _ in QUESTIONS for mode in MODES]
        random.Random(3).shuffle(work)
        expected = [searcher.search(question, mode=mode) for question, mode in work]
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda item: searcher.search(item[0], mode=item[1]), work))
        assert [rows(result) for result in found] == [rows(result) for result in expected]
        for one, other in zip(found, expected, strict=True):
            assert [hit.score for hit in one.hits] == pytest.approx([hit.score for hit in other.hits], abs=1e-6)


def id_of(name, source="Tamsel Post"):
    return article_id(f"id:{source}:{name}")


class TestFilters:
    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            (
                Filters(published_from=date(2025, 3, 4), published_to=date(2025, 3, 5)),
                {"bridge-norwick", "bridge-halden"},
            ),
            (Filters(published_to=date(2024, 11, 8)), {"strike-train"}),
            (Filters(published_from=date(2025, 4, 3)), {"school-tamsel"}),
            (Filters(published_from=date(2025, 4, 2), published_to=date(2025, 4, 2)), {"library-orlo"}),
            (Filters(sources=("Halden Daily",)), {"bridge-halden", "virus"}),
            (Filters(sources=("Agency Two", "Agency One", "Nobody")), {"twin-1", "twin-2"}),
            (Filters(article_ids=(id_of("wine"), id_of("chess"), id_of("unknown"))), {"wine", "chess"}),
            (
                Filters(sources=("Science Weekly",), published_from=date(2025, 1, 21)),
                {"satellite"},
            ),
            (
                Filters(sources=("Tamsel Post",), article_ids=(id_of("wheat"), id_of("virus", "Halden Daily"))),
                {"wheat"},
            ),
        ],
    )
    def test_exactly_the_articles_that_pass_can_be_found(self, searcher, filters, expected, mode):
        """The question holds a word of every article, so that each one would be found."""
        question = "Bridge Tamsel Orlo Kerro glaciers trains drivers nurses wheat wine flu chess fog Halden tunnel"
        found = set(names(searcher.search(question, filters=filters, top_k=100, mode=mode)))
        assert found == expected

    def test_an_article_without_a_date_is_left_out_as_soon_as_a_date_is_asked_for(self, searcher):
        question = "When did the volcano Mount Kerro last erupt?"
        assert "volcano" in names(searcher.search(question))
        ages = Filters(published_from=date(1, 1, 1)), Filters(published_to=date(9999, 12, 31))
        assert all("volcano" not in names(searcher.search(question, filters=age)) for age in ages)

    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize(
        "filters",
        [
            Filters(sources=("Nobody",)),
            Filters(article_ids=(article_id("id:no:one"),)),
            Filters(published_from=date(2025, 3, 5), published_to=date(2025, 3, 4)),
            Filters(sources=("Agency One",), article_ids=(id_of("wine"),)),
        ],
    )
    def test_a_filter_that_lets_nothing_pass_gives_no_hits(self, searcher, filters, mode):
        assert searcher.search("bridge", filters=filters, mode=mode).hits == ()

    def test_an_empty_filter_changes_nothing(self, searcher):
        for question, _, _ in QUESTIONS[:4]:
            assert searcher.search(question, filters=Filters()).hits == searcher.search(question).hits

    def test_a_filter_finds_what_would_be_far_down_without_it(self, searcher):
        question = "How much did the Alder Bridge in Norwick cost?"
        assert "wine" not in names(searcher.search(question, mode="dense", top_k=3))
        only = Filters(article_ids=(id_of("bridge-tunnel", "Norwick Herald"),))
        assert set(names(searcher.search(question, filters=only, top_k=3))) == {"bridge-tunnel"}


class TestWork:
    """What a search costs beyond its question's embedding and the nearest vectors follows from what it finds."""

    QUESTION = "When was the lighthouse of Skarn built, and what does the bridge in Norwick cost?"

    @pytest.fixture
    def fresh(self, searcher, embedder):
        return Searcher(Generation.open(searcher.generation.folder), embedder)

    def test_the_article_of_a_hit_is_read_once(self, fresh, monkeypatch):
        read = []
        from_json = Article.from_json

        def reading(values):
            read.append(values["external_id"])
            return from_json(values)

        monkeypatch.setattr(Article, "from_json", reading)
        found = names(fresh.search(self.QUESTION, top_k=6))
        assert len(found) == 6 > len(set(found))
        assert sorted(read) == sorted(set(found))
        fresh.search(self.QUESTION, top_k=6, filters=Filters(sources=("Norwick Herald", "Tamsel Post")))
        assert sorted(read) == sorted(set(read))

    def test_only_the_sentences_of_candidates_are_compared(self, fresh, monkeypatch):
        monkeypatch.setattr("index.searcher.candidates_for", lambda _: 4)
        passages, read = fresh.generation.passages, []

        class Vectors(np.ndarray):
            def take(self, rows, *args, **options):
                read.extend(rows)
                return self.view(np.ndarray).take(rows, *args, **options)

            def __getitem__(self, rows):
                read.extend(rows)
                return self.view(np.ndarray)[rows]

        passages.sentence_vectors = passages.sentence_vectors.view(Vectors)
        hits = fresh.search(self.QUESTION, top_k=100).hits
        assert len(hits) <= 8
        expected = [row for hit in hits for row in fresh.generation.sentences_in(hit.article_row, hit.chunk.span)]
        assert sorted(read) == sorted(expected)


class TestBestByWords:
    """The best chunks are found in the best articles, without scoring all of them: the same as if all were."""

    @pytest.mark.parametrize("most", [1, 3, 8])
    @pytest.mark.parametrize("sources", [(), ("Norwick Herald", "Science Weekly", "Agency Two")])
    def test_they_are_those_that_scoring_all_of_them_finds(self, searcher, monkeypatch, most, sources):
        monkeypatch.setattr("index.searcher.candidates_for", lambda _: most)
        generation = searcher.generation
        for question, _, _ in [*QUESTIONS, ("lighthouse Skarn fog bridge", "", "")]:
            chunks, articles = generation.lexical.scores(question), generation.article_lexical.scores(question)
            scores = np.where(chunks > 0, words(chunks, articles, generation.article_rows), 0)
            passes = [not sources or generation.articles[row].source in sources for row in generation.article_rows]
            scores[~np.array(passes)] = 0
            best = [row for row in np.argsort(-scores, kind="stable")[:most] if scores[row] > 0]
            hits = searcher.search(question, mode="lexical", top_k=100, filters=Filters(sources=sources)).hits
            assert [hit.row for hit in hits] == best
            assert [hit.score for hit in hits] == pytest.approx(scores[best].tolist(), rel=1e-6)

    def test_an_article_whose_only_word_is_cut_between_its_chunks_keeps_no_other_back(
        self, tmp_path, embedder, monkeypatch
    ):
        monkeypatch.setattr("index.searcher.candidates_for", lambda _: 1)
        word, fog = "xq" * 45, "Thick fog stopped all ferries of Pellworm and the buses of Norwick on Monday morning."
        catalog = Catalog(tmp_path)
        articles = [article("cut", "Archive", f"Kept as {word}."), article("fog", "Ferries", fog)]
        Builder(catalog, embedder, ChunkingSettings(24, 0)).build(GivenArticles(articles))
        searcher = Searcher(Generation.open(catalog.folder("000001")), embedder)
        best = int(np.argmax(searcher.generation.article_lexical.scores(f"{word} fog")))
        assert searcher.generation.articles[best].external_id == "cut"
        assert names(searcher.search(f"{word} fog", mode="lexical")) == ["fog"]


class TestOddQuestions:
    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize(
        "question",
        [
            "",
            " ",
            "\n",
            "😀🏳️‍🌈👩‍👩‍👧",
            "the of and what is it",
            "?!…",
            "\x00\u202e\ufeff",
            "漢字",
            "a" * 4000,
            "'’.,_1,0.5 U.S.",
        ],
    )
    def test_no_question_fails(self, searcher, question, mode):
        hits = searcher.search(question, mode=mode).hits
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        assert all(np.isfinite(hit.score) and hit.score > 0 for hit in hits)
        assert len(hits) <= 10

    @pytest.mark.parametrize("question", ["", "😀🏳️‍🌈", "the of and what is it", "xyzzyx plugh"])
    def test_without_a_known_word_lexical_search_has_no_hits(self, searcher, question):
        assert searcher.search(question, mode="lexical").hits == ()

    def test_the_words_at_the_end_of_a_long_question_are_searched(self, searcher):
        """The model reads its beginning only."""
        filler = "Please tell me, if you can, whatever it is that you know about all of this. "
        question = (filler * 60)[:3980] + " Quastelholm geese?"
        assert 3990 < len(question) < 4010
        assert set(names(searcher.search(question, mode="lexical"))) == {"chess", "virus"}
        assert {"chess", "virus"} <= set(names(searcher.search(question)))


class OtherModel:
    """Another model of the same shape."""

    name = "other-model"
    model_sha256 = "0" * 64
    dimension = 384
    max_tokens = 254


def test_a_generation_of_another_model_is_refused_with_the_remedy(searcher):
    with pytest.raises(GenerationIncompatible, match=r"'all-MiniLM-L6-v2'.*'other-model'.*byline build"):
        Searcher(searcher.generation, OtherModel())
