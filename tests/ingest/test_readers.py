"""Every format gives the article's words, one block a line, and what is stated about it."""

import json
import os
import socket

import pytest

from ingest.article import RefusedInput
from ingest.readers import SUPPORTED_SUFFIXES, RawArticle, Refusal, read_bytes, read_file

BODY = (
    "<p>The harbour office closed the old canal bridge on Monday morning after inspectors found\n"
    "   two cracks in the main\nbeam, and ferries run instead.</p>"
    "<p>Ada Berg, the mayor, said that the beam would be replaced before the autumn fair opens.</p>"
)
BODY_TEXT = (
    "The harbour office closed the old canal bridge on Monday morning after inspectors found "
    "two cracks in the main beam, and ferries run instead.\n"
    "Ada Berg, the mayor, said that the beam would be replaced before the autumn fair opens."
)


def page(body, head=""):
    return f"<html><head><title>Bridge shut</title>{head}</head><body>{body}</body></html>".encode()


def one(name, data):
    result = read_bytes(name, data if isinstance(data, bytes) else data.encode())
    assert result.refusals == ()
    (article,) = result.articles
    return article


class TestFiles:
    def test_the_path_is_the_resolved_one(self, tmp_path):
        (tmp_path / "real.txt").write_text("Words.")
        (tmp_path / "link.txt").symlink_to("real.txt")
        (article,) = read_file(tmp_path / "link.txt").articles
        assert article == RawArticle("Words.", path=str((tmp_path / "real.txt").resolve()))

    def test_the_suffix_is_that_of_the_given_name_in_any_case(self, tmp_path):
        (tmp_path / "blob").write_text("# Title\n\nWords.")
        (tmp_path / "a.MD").symlink_to("blob")
        (article,) = read_file(tmp_path / "a.MD").articles
        assert (article.title, article.text) == ("Title", "Words.")

    def test_an_upload_keeps_its_name_as_path(self):
        assert one("notes.txt", "Words.").path == "notes.txt"

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("none.txt", "missing"),
            ("folder.txt", "not a regular file"),
            ("fifo.txt", "not a regular file"),
            ("socket.txt", "not a regular file"),
            ("device.txt", "not a regular file"),
            ("circle.txt", "unreadable"),
            ("memory.txt", "unreadable"),
            ("nul\0.txt", "unreadable|missing"),
            ("long.txt", "too large: more than 10 bytes"),
            ("blank.txt", "empty"),
            ("x" * 300 + ".txt", "unreadable"),
        ],
    )
    def test_what_cannot_be_read_is_refused_at_once(self, tmp_path, monkeypatch, name, reason):
        monkeypatch.chdir(tmp_path)  # the name of a socket must be short
        (tmp_path / "folder.txt").mkdir()
        os.mkfifo(tmp_path / "fifo.txt")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("socket.txt")
        (tmp_path / "device.txt").symlink_to("/dev/zero")
        (tmp_path / "circle.txt").symlink_to("circle.txt")
        (tmp_path / "memory.txt").symlink_to("/proc/self/mem")
        (tmp_path / "long.txt").write_text("12345678901")
        (tmp_path / "blank.txt").write_text(" \n")
        with pytest.raises(RefusedInput, match=reason):
            read_file(tmp_path / name, max_bytes=10)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_a_file_without_permission_is_refused(self, tmp_path):
        (tmp_path / "a.txt").write_text("Words.")
        (tmp_path / "a.txt").chmod(0)
        with pytest.raises(RefusedInput, match="permission denied"):
            read_file(tmp_path / "a.txt")

    @pytest.mark.parametrize("name", ["report.pdf", "README", ".txt", "a.txt.gz"])
    def test_an_unsupported_suffix_is_refused_with_the_supported_ones(self, name):
        with pytest.raises(RefusedInput) as refusal:
            read_bytes(name, b"Words.")
        assert all(suffix in str(refusal.value) for suffix in SUPPORTED_SUFFIXES)


class TestMarkdown:
    def test_front_matter_is_the_metadata(self):
        article = one(
            "a.md",
            "---\ntitle: 'Bridge: shut'\ndate: 2025-03-17\nauthors: [Ada Berg, Tom Lund]\nid: 007\n"
            "publisher: Harbour Post\ncanonical_url: https://example.org/a\nlayout: {a: [b]}\n---\nWords.\n",
        )
        assert article == RawArticle(
            "Words.",
            title="Bridge: shut",
            published="2025-03-17",
            authors=("Ada Berg", "Tom Lund"),
            external_id="007",
            source="Harbour Post",
            url="https://example.org/a",
            path="a.md",
        )

    def test_absent_values_are_absent(self):
        article = one("a.md", "---\r\ntitle:\r\nauthor: Ada Berg; Tom Lund\r\nsource: ~\r\n---\r\nWords.")
        assert (article.title, article.source) == (None, None)
        assert article.authors == ("Ada Berg", "Tom Lund")

    @pytest.mark.parametrize(
        "front",
        [
            "just words",
            "- a\n- b",
            "a: [",
            "a: b: c",
            "title: [a]",
            "author: {name: Ada}",
            "id: &a [*a]",
            "? [a]\n: b",
            "k: " + "[" * 5000,
            "k: " + "x" * 70_000,
        ],
    )
    def test_malformed_front_matter_is_refused(self, front):
        with pytest.raises(RefusedInput, match="front matter"):
            read_bytes("a.md", f"---\n{front}\n---\nWords.\n".encode())

    def test_a_rule_on_the_first_line_is_no_front_matter(self):
        assert one("a.md", "---\n\nWords.").text.strip() == "Words."

    def test_the_first_main_heading_is_the_title_only_without_another(self):
        source = "Lead.\n\n# The *main* heading\n\nWords.\n\n# Second\n\nMore."
        article = one("a.md", source)
        assert article.title == "The main heading"
        assert article.text == "Lead.\n\nWords.\n\nSecond\n\nMore."
        titled = one("a.md", f"---\ntitle: Other\n---\n{source}")
        assert titled.title == "Other"
        assert "The main heading" in titled.text

    def test_blocks_become_lines_and_markup_goes(self):
        article = one(
            "a.md",
            "A **bold** [link](http://x.org)\nwrapped &amp; `code`  \nhard ![alt](i.png)<b>tag</b>.\n\n"
            "Set heading\n-----------\n\n"
            "- one\n- two\n\n  second paragraph\n  - inner\n\n"
            "4. four\n5. five\n\n> quoted\n> words\n\n"
            "Year | Cost\n--- | ---\n2019 | *40*\n\n"
            "```py\nx = 1\n\ny = 2\n```\n\n<div>raw</div>\n\n***\n\nEnd.",
        )
        assert [line for line in article.text.split("\n") if line] == [
            "A bold link wrapped & code hard tag.",
            "Set heading",
            "- one",
            "- two",
            "second paragraph",
            "- inner",
            "4. four",
            "5. five",
            "quoted words",
            "Year | Cost",
            "2019 | 40",
            "x = 1",
            "y = 2",
            "End.",
        ]

    @pytest.mark.parametrize("source", ["---\ntitle: x\n---\n", "<div>raw</div>", "![alt](i.png)", "# Only a title"])
    def test_a_body_without_words_is_refused(self, source):
        with pytest.raises(RefusedInput, match="no text"):
            read_bytes("a.md", source.encode())

    def test_deep_nesting_is_harmless(self):
        assert one("a.md", "> " * 5000 + "x\n\nWords.").text.strip() == "Words."


class TestHtml:
    def test_the_page_gives_text_and_metadata(self):
        head = (
            '<meta property="og:title" content="Canal bridge shut">'
            '<meta property="og:site_name" content="Harbour Post">'
            '<meta name="author" content="Ada Berg"><link rel="canonical" href="https://example.org/a">'
            '<meta property="article:published_time" content="2024-03-02T10:00:00Z">'
        )
        article = one("a.html", page(f"<nav>Menu</nav><article>{BODY}</article><footer>© 2021</footer>", head))
        assert article == RawArticle(
            BODY_TEXT,
            title="Canal bridge shut",
            url="https://example.org/a",
            source="Harbour Post",
            authors=("Ada Berg",),
            published="2024-03-02",
            path="a.html",
        )

    @pytest.mark.parametrize(
        "body",
        [
            f"{BODY}<footer>© 2021 Harbour Post</footer>",
            f"{BODY}<div id='footer'><p>Copyright 2019-2021, checked 2021-04-03</p></div>",
            f"{BODY}<p>The mayor resigned on 12 May 2019 after the storm.</p>",
            f"{BODY}<p>The mayor resigned on 2019-05-12 after the storm.</p>",
            f"<article>{BODY}<ul><li>2019-05-12</li></ul></article>",
            f"<h1>The vote of 2019-05-12</h1>{BODY}",
            f"{BODY}<img src='/2020/03/04/a.jpg'>",
        ],
    )
    def test_no_date_is_taken_from_the_words_of_the_page(self, body):
        assert one("a.html", page(body)).published is None

    @pytest.mark.parametrize(
        ("body", "head", "published"),
        [
            ("<time datetime='2019-05-12T10:00:00Z'>a while ago</time>", "", "2019-05-12"),
            ("<span class='post-date'>12 May 2019</span>", "", "2019-05-12"),
            ("", '<meta property="article:published_time" content="1987-03-02">', "1987-03-02"),
            ("", '<link rel="canonical" href="https://example.org/2018/04/05/x">', "2018-04-05"),
        ],
    )
    def test_a_date_is_taken_from_the_places_made_for_it(self, body, head, published):
        assert one("a.html", page(body + BODY, head)).published == published

    def test_lists_and_tables_are_lines(self):
        article = one(
            "a.html",
            page(
                f"<article>{BODY}<table><tr><th>Year</th><th>Cost</th></tr><tr><td>2019</td><td>40</td></tr>"
                "</table><ul><li>one</li><li>two</li></ul></article>"
            ),
        )
        assert article.text.removeprefix(BODY_TEXT).split("\n") == [
            "",
            "Year | Cost",
            "2019 | 40",
            "- one",
            "- two",
        ]

    @pytest.mark.parametrize(
        ("declaration", "head", "encoding"),
        [
            ("", "<meta charset=iso-8859-1>", "latin-1"),
            ("", "<meta http-equiv='Content-Type' content='text/html; charset=koi8-r'>", "koi8-r"),
            ('<?xml version="1.0" encoding="iso-8859-2"?>', "", "iso8859_2"),
            ("", "", "utf-8"),
            ("", "<meta charset=utf-8>", "utf-16"),
        ],
    )
    def test_the_declared_encoding_is_used(self, declaration, head, encoding):
        word = "мост" if encoding == "koi8-r" else "größer"
        text = f"{declaration}<html><head>{head}</head><body>{BODY}<p>The word is {word} here.</p></body></html>"
        assert one("a.html", text.encode(encoding)).text.endswith(f"The word is {word} here.")

    @pytest.mark.parametrize("link", ["javascript:alert(1)", "ftp://example.org/a", "data:text/html,x"])
    def test_only_web_addresses_are_urls(self, link):
        assert one("a.htm", page(BODY, f'<link rel="canonical" href="{link}">')).url is None

    def test_a_fragment_is_read(self):
        assert one("a.html", "<p>The bridge is shut today.</p>").text == "The bridge is shut today."

    @pytest.mark.parametrize(
        "data",
        [
            b"<html><body></body></html>",
            b"<html><body>" + b"<div>" * 50_000 + b"x</body></html>",
            b"<!-- -->",
        ],
    )
    def test_a_page_without_words_is_refused(self, data):
        with pytest.raises(RefusedInput, match=r"no article text|not an HTML page"):
            read_bytes("a.html", data)

    def test_a_page_that_the_library_trips_over_is_refused(self, monkeypatch):
        def trip(*_args, **_options):
            raise AssertionError

        monkeypatch.setattr("ingest.readers.html.bare_extraction", trip)
        with pytest.raises(RefusedInput, match="broken HTML page: AssertionError"):
            read_bytes("a.html", page(BODY))

    def test_a_page_inside_a_picture_has_no_words(self):
        """A root other than <html> made htmldate fail on an assertion."""
        with pytest.raises(RefusedInput, match="no article text"):
            read_bytes("a.html", f"<svg><html>{BODY}</html></svg>".encode())

    def test_loose_blocks_are_read(self):
        assert one("a.html", "<div><p>One.</p></div><p>Two goes on.</p>").text == "One.\nTwo goes on."


class TestJsonLines:
    def test_a_row_is_an_article(self):
        row = {
            "_id": 7,
            "text": "Words\u2028more.",
            "title": "Bridge shut",
            "url": "https://example.org/a",
            "source": "Harbour Post",
            "date": "2025-03-17",
            "authors": ["Ada Berg", " "],
            "other": {"kept": False},
        }
        data = "\n" + json.dumps(row, ensure_ascii=False) + "\r\n\n" + json.dumps({"text": "Two.", "author": "A; B"})
        result = read_bytes("feed/rows.ndjson", data.encode())
        assert result.refusals == ()
        assert result.articles == (
            RawArticle(
                "Words\u2028more.",
                title="Bridge shut",
                url="https://example.org/a",
                source="Harbour Post",
                authors=("Ada Berg",),
                published="2025-03-17",
                external_id="7",
                path="feed/rows.ndjson#2",
            ),
            RawArticle("Two.", authors=("A", "B"), path="feed/rows.ndjson#4"),
        )

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ('{"text": "a"', "invalid JSON"),
            ("[1]", "not a JSON object"),
            ("7", "not a JSON object"),
            ('{"text": NaN}', "NaN"),
            ('{"text": "a", "score": -Infinity}', "-Infinity"),
            ('{"text": "a", "n": ' + "1" * 5000 + "}", "invalid JSON"),
            ("[" * 100_000, "invalid JSON"),
            ('{"title": "a"}', "'text' is missing"),
            ('{"text": " \\n"}', "'text' is blank"),
            ('{"text": null}', "'text' is blank"),
            ('{"text": ["a"]}', "'text' is not a text"),
            ('{"text": "a", "title": 3}', "'title' is not a text"),
            ('{"text": "a", "date": 1742169600}', "'date' is not a text"),
            ('{"text": "a", "id": true}', "'id' is not a text"),
            ('{"text": "a", "authors": [1]}', "'authors' is neither"),
            ('{"text": "a\\ud800"}', "surrogate"),
            ('{"text": "a", "authors": ["\\udfff"]}', "surrogate"),
            ('{"text": "b", "id": "x"}', "the id 'x' is already on line 1"),
            ('{"text": "b", "url": "http://x.org/"}', "the url 'http://x.org/' is already on line 1"),
        ],
    )
    def test_a_bad_line_is_refused_and_the_good_ones_stay(self, line, reason):
        good = '{"text": "First.", "id": "x", "url": "http://x.org/"}'
        result = read_bytes("in/rows.jsonl", f'{good}\n{line}\n{{"text": "Last."}}'.encode())
        assert [article.text for article in result.articles] == ["First.", "Last."]
        (refusal,) = result.refusals
        assert refusal.name == "rows.jsonl line 2"
        assert reason in refusal.reason

    def test_one_id_from_two_sources_is_two_articles(self):
        rows = [{"text": "a", "id": "1", "source": source} for source in ("A", "B")]
        assert len(read_bytes("r.jsonl", "\n".join(map(json.dumps, rows)).encode()).articles) == 2

    def test_a_file_of_bad_lines_only_gives_refusals(self):
        result = read_bytes("r.jsonl", b"words\n")
        assert result.articles == ()
        assert result.refusals == (Refusal("r.jsonl line 1", "invalid JSON: Expecting value at column 1"),)
