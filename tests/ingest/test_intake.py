"""A raw article becomes the one that is stored: titled, dated, and with an identity that stays."""

from datetime import date

import pytest

from ingest.article import RefusedInput, article_id
from ingest.intake import normalise_url, prepare
from ingest.readers.raw import RawArticle

TEXT = "The harbour office closed the old canal bridge on Monday. Ferries run instead of it."


def test_stated_metadata_is_kept_and_tidied():
    article = prepare(
        RawArticle(
            f"Canal bridge shut\n\n{TEXT}",
            title=" Canal\u200b bridge\nshut ",
            url="HTTPS://Example.org:443/a#top",
            source=" Harbour  Post ",
            authors=("Ada\nBerg", " ", "Ada Berg", "Tom Lund"),
            published="2025-03-17T23:30:00-05:00",
            external_id=" 7 ",
            path="/in/a.html",
        ),
        default_source="Other",
    )
    assert article.text == TEXT
    assert (article.title, article.title_source) == ("Canal bridge shut", "meta")
    assert (article.source, article.authors) == ("Harbour Post", ("Ada Berg", "Tom Lund"))
    assert (article.published_at, article.date_source) == (date(2025, 3, 18), "meta")
    assert (article.url, article.external_id) == ("https://example.org/a", "7")
    assert article.identity == "url:https://example.org/a"
    assert article.id == article_id(article.identity)


class TestTitle:
    def test_the_headline_of_the_text_comes_next(self):
        article = prepare(RawArticle(f"Canal bridge shut\n\n{TEXT}"))
        assert (article.title, article.title_source, article.text) == ("Canal bridge shut", "text", TEXT)

    @pytest.mark.parametrize(
        ("text", "title"),
        [
            (TEXT, "The harbour office closed the old canal bridge on Monday."),
            ("The U.S. harbour office of Dr. Berg shut it.", "The U.S. harbour office of Dr. Berg shut it."),
            ("word " * 40 + ".", "word " * 17 + "word…"),
            ("x" * 200 + ".", "x" * 89 + "…"),
            ("- Closed.\n- Opened.", "Closed."),
            ("By Ada Berg\nSample Wire, 12 May 2025\nIt closed.", "It closed."),
            ("By Ada Berg", "By Ada Berg"),
        ],
    )
    def test_else_the_first_sentence_leads(self, text, title):
        article = prepare(RawArticle(text))
        assert (article.title, article.title_source) == (title, "lead")
        assert len(article.title) <= 90
        assert article.text == text

    def test_a_long_title_is_cut_at_a_word(self):
        title = prepare(RawArticle(TEXT, title="word " * 100)).title
        assert title == "word " * 59 + "word…"
        assert len(title) == 300

    def test_a_blank_title_is_none(self):
        assert prepare(RawArticle(TEXT, title=" \u200b\n")).title_source == "lead"


class TestDate:
    DATED = f"Sample Wire, 12 May 2025\n{TEXT}"

    @pytest.mark.parametrize(
        ("raw", "known"),
        [
            (RawArticle(DATED, published="2025-01-02", path="2025-03-17.txt"), (date(2025, 1, 2), "meta")),
            (RawArticle(DATED, published="last week", path="2025-03-17.txt"), (date(2025, 5, 12), "text")),
            (
                RawArticle(TEXT, published="05-06-2025", path="/2020-01-01/2025-03-17.txt"),
                (date(2025, 3, 17), "file"),
            ),
            (RawArticle(TEXT, path="/2020-01-01/2025-03-17.jsonl#3"), (None, "unknown")),
            (RawArticle(TEXT), (None, "unknown")),
        ],
    )
    def test_metadata_then_text_then_file_name(self, raw, known):
        article = prepare(raw)
        assert (article.published_at, article.date_source) == known


class TestIdentity:
    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("http://Example.ORG", "http://example.org/"),
            (" https://example.org:443/A?b=C#d ", "https://example.org/A?b=C"),
            ("http://example.org:8080/", "http://example.org:8080/"),
            ("https://user:secret@example.org/", "https://example.org/"),
            ("http://[::1]:80/a", "http://[::1]/a"),
            ("javascript:alert(1)", None),
            ("ftp://example.org/", None),
            ("https:///a", None),
            ("http://[::1/", None),
            ("http://example.org:99999/", None),
            ("http://exa mple.org/", None),
            ("example.org/a", None),
            ("", None),
            (None, None),
        ],
    )
    def test_web_addresses_are_written_in_one_way(self, url, expected):
        assert normalise_url(url) == expected

    @pytest.mark.parametrize(
        ("raw", "identity"),
        [
            (RawArticle(TEXT, url="mailto:a@b.c", external_id="7", source="A: B", path="p"), "id:A%3A B:7"),
            (RawArticle(TEXT, external_id="7", path="p"), "id::7"),
            (RawArticle(TEXT, path="in/a.txt", source="A: B"), "upload:A%3A B:in/a.txt"),
            (
                RawArticle(TEXT, url="mailto:a@b.c", external_id=" ", path="/in/a.jsonl#2"),
                "path:/in/a.jsonl#2",
            ),
        ],
    )
    def test_the_id_then_the_path(self, raw, identity):
        assert prepare(raw).identity == identity

    def test_without_any_the_cleaned_text_itself(self):
        first, same, other = (prepare(RawArticle(text)) for text in (TEXT, f" {TEXT}\r\n", f"{TEXT} And?"))
        assert first.identity.startswith("text:")
        assert first.id == same.id != other.id

    def test_a_corrected_text_keeps_its_identity(self):
        first, second = (prepare(RawArticle(text, path="/in/a.txt")) for text in (TEXT, f"{TEXT} Corrected."))
        assert first.id == second.id
        assert first.content_hash != second.content_hash


class TestSource:
    @pytest.mark.parametrize(
        ("raw", "default", "source"),
        [
            (RawArticle(TEXT, source="Given", url="https://www.example.org/"), "Default", "Given"),
            (RawArticle(TEXT, url="https://www.example.org/"), "Default", "Default"),
            (RawArticle(TEXT, url="https://www.Example.org/"), None, "example.org"),
            (RawArticle(TEXT, source=" ", path="/folder/a.txt"), " ", "unknown"),
        ],
    )
    def test_given_then_default_then_host(self, raw, default, source):
        assert prepare(raw, default_source=default).source == source


class TestRefusals:
    @pytest.mark.parametrize("text", ["", " \n", "×\nAdvertisement\n***", "\u200b"])
    def test_nothing_left(self, text):
        with pytest.raises(RefusedInput, match="no text is left"):
            prepare(RawArticle(text))

    def test_too_long(self):
        assert prepare(RawArticle("x" * 100), max_chars=100).text == "x" * 100
        with pytest.raises(RefusedInput, match="too large: 101 characters; the limit is 100"):
            prepare(RawArticle("x" * 101), max_chars=100)

    @pytest.mark.parametrize("bad", ["a\0b", "a\ud800b"])
    @pytest.mark.parametrize("field", ["text", "title", "url", "source", "authors", "published", "external_id", "path"])
    def test_nul_and_half_surrogate_pairs_in_any_field(self, field, bad):
        values = {"text": TEXT} | {field: (bad,) if field == "authors" else bad}
        with pytest.raises(RefusedInput, match=f"^{field} holds NUL or half a surrogate pair$"):
            prepare(RawArticle(**values))

    def test_a_bad_default_source(self):
        with pytest.raises(RefusedInput, match="source holds NUL"):
            prepare(RawArticle(TEXT), default_source="a\0")
