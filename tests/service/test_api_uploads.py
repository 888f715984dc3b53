"""Uploaded files: read as the command line reads them, one report line an article, whatever the form looks like."""

import asyncio
import json
import tempfile
from dataclasses import replace

import httpx
import pytest
from fastapi.testclient import TestClient

from ingest.adding import add_files
from ingest.article import article_id
from ingest.library import ArticleLibrary, LibraryUnavailable
from service.api import uploads
from service.api.app import build_app
from service.api.articles import MAX_UPLOADS
from service.api.multipart import MAX_FILES
from service.api.uploads import tidy_name
from service.settings import Settings

FILES = "/v1/articles/files"
MARK = "xyzzyplugh"
TEXT = "The ferry to Lund island stops in winter.\n\nThe captain said so on Tuesday.\n"
PAGE = (
    "<html><head><title>Night ferry</title><link rel='canonical' href='https://h.example/night'></head><body><article>"
    "<p>The night ferry runs again from May, the operator said on Monday in Lund, after two years of repairs.</p>"
    "<p>Tickets cost the same as by day, and cabins can be booked on board by all passengers.</p></article></body></html>"
)
ROWS = "\n".join(
    json.dumps(row)
    for row in (
        {"text": "The harbour of Pellworm was dredged.", "id": "a"},
        {"title": "No text"},
        {"text": "Ships of nine metres can enter now.", "id": "b"},
    )
)


@pytest.fixture
def client(empty_parts):
    return TestClient(build_app(empty_parts), base_url="http://localhost")


def send(client, *files, field="files", **fields):
    """Upload (name, content) pairs; gives the report lines."""
    parts = [(field, (name, content, "application/octet-stream")) for name, content in files]
    response = client.post(FILES, files=parts, data=fields)
    assert response.status_code == 200, response.text
    return response.json()["results"]


def assert_refused(response, status, words=""):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert len(response.content) <= 4096
    assert MARK not in response.text
    assert words in response.json()["detail"]


def raw(client, body, boundary="XX", kind=None):
    kind = kind or f"multipart/form-data; boundary={boundary}"
    return client.post(FILES, content=body, headers={"content-type": kind})


def part(name, content, filename=None, *more):
    disposition = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename is not None else "")
    return "\r\n".join(["--XX", f"Content-Disposition: {disposition}", *more, "", content, ""]).encode()


def test_files_of_every_format_are_taken_in_and_bad_ones_refused_alone(client):
    results = send(
        client,
        ("2025-03-17-ferry.txt", TEXT),
        ("note.md", "---\ntitle: Sea wall\nid: 7\n---\nThe wall holds.\n"),
        ("page.html", PAGE),
        ("rows.jsonl", ROWS),
        ("setup.exe", b"MZ\x00"),
        ("blank.txt", " \n"),
        ("binary.txt", bytes(range(256)) * 20),
        source="Lund Post",
    )
    assert [(line["file"], line["outcome"]) for line in results] == [
        ("2025-03-17-ferry.txt", "added"),
        ("note.md", "added"),
        ("page.html", "added"),
        ("rows.jsonl line 2", "refused"),
        ("rows.jsonl", "added"),
        ("rows.jsonl", "added"),
        ("setup.exe", "refused"),
        ("blank.txt", "refused"),
        ("binary.txt", "refused"),
    ]
    assert all((line["article_id"] is None) == (line["outcome"] == "refused") for line in results)
    assert all((line["reason"] is None) != (line["outcome"] == "refused") for line in results)
    ferry = client.get(f"/v1/articles/{results[0]['article_id']}").json()
    assert (ferry["published_at"], ferry["date_source"], ferry["source"]) == ("2025-03-17", "file", "Lund Post")
    assert ferry["text"] == TEXT.strip()
    page = client.get(f"/v1/articles/{results[2]['article_id']}").json()
    assert page["url"] == "https://h.example/night"
    assert len(client.get("/v1/articles").json()["data"]) == 5


def test_an_article_is_stored_as_the_command_line_stores_it(client, tmp_path):
    named = {"wall.md": "---\nid: 7\nauthor: Bo\n---\nThe wall holds.\n", "rows.jsonl": ROWS, "page.html": PAGE}
    (tmp_path / "in").mkdir()
    for name, content in named.items():
        (tmp_path / "in" / name).write_text(content)
    library = ArticleLibrary.open(tmp_path / "other.sqlite")
    expected = [(r.outcome, r.article_id) for r in add_files(library, [tmp_path / "in"], source="Post")]
    articles = list(library.read(sorted(library.digests())))
    library.close()
    sent = sorted(named.items())
    assert [(line["outcome"], line["article_id"]) for line in send(client, *sent, source="Post")] == expected
    for article in articles:
        shown = client.get(f"/v1/articles/{article.id}").json()
        assert (shown["text"], shown["title"], shown["source"]) == (article.text, article.title, article.source)


def test_the_same_file_again_is_unchanged_and_a_corrected_one_replaces_it(client):
    first, again, corrected = (
        send(client, ("ferry.txt", text))[0] for text in (TEXT, TEXT, TEXT.replace("Tuesday", "Monday"))
    )
    assert [line["outcome"] for line in (first, again, corrected)] == ["added", "unchanged", "updated"]
    assert len({line["article_id"] for line in (first, again, corrected)}) == 1
    other_source = send(client, ("ferry.txt", TEXT), source="Another paper")[0]
    assert other_source["outcome"] == "added"
    assert other_source["article_id"] != first["article_id"]


def test_a_file_that_would_replace_another_of_the_same_upload_is_refused(client):
    lines = send(
        client, ("a.txt", TEXT), ("a.txt", "Something else happened."), ("a.txt", TEXT), ("b/a.txt", "A third.")
    )
    assert [line["outcome"] for line in lines] == ["added", "refused", "unchanged", "added"]


def test_no_name_is_a_place_on_this_machine(client, tmp_path):
    victim = tmp_path / "victim.txt"
    victim.write_text("Nobody may read me.")
    lines = send(
        client,
        (str(victim), TEXT),
        ("../../../etc/passwd.txt", TEXT + "Two."),
        ("C:\\articles\\ferry.txt", TEXT + "Three."),
        ("a\u202eb\x07\tc.txt", TEXT + "Four."),
        ("\u00e9.txt", TEXT + "Five."),
        ("x" * 300 + ".txt", TEXT),
        ("/", TEXT),
    )
    assert [line["outcome"] for line in lines] == ["added"] * 5 + ["refused"] * 2
    assert lines[1]["file"] == "etc/passwd.txt"
    assert lines[3]["file"] == "a b%07%09c.txt"  # as browsers and httpx send it
    assert not any(line["file"].startswith("/") or len(line["file"]) > 255 for line in lines)
    assert victim.read_text() == "Nobody may read me."
    assert lines[0]["article_id"] != article_id(f"path:{victim}")


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ("a.txt", "a.txt"),
        ("/a//b/./c.txt", "a/b/c.txt"),
        ("..\\..\\c.txt", "c.txt"),
        (" a \u00a0 b .txt ", "a b .txt"),
        ("e\u0301.txt", "\u00e9.txt"),
        ("\x00\x1f", ""),
        ("..", ""),
    ],
)
def test_a_name_is_one_relative_line(given, known):
    assert tidy_name(given) == known


def test_any_field_may_hold_files_and_unchosen_ones_are_skipped(client):
    assert [line["outcome"] for line in send(client, ("a.txt", TEXT), field="attachment")] == ["added"]
    body = part("files", "", "") + part("files", TEXT, "b.txt") + b"--XX--\r\n"
    assert [line["file"] for line in raw(client, body).json()["results"]] == ["b.txt"]


GOOD = part("files", TEXT, f"{MARK}.txt")
END = b"--XX--\r\n"


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("no end", GOOD, 400),
        ("half a part", GOOD[:-20], 400),
        ("half a header", GOOD[:30], 400),
        ("wrong boundary", (GOOD + END).replace(b"XX", b"YY"), 400),
        ("text in front", b"preamble\r\n" + GOOD + END, 400),
        ("empty", b"", 400),
        ("not a form", MARK.encode(), 400),
        ("JSON", b'{"text": "x"}', 400),
        ("nothing in it", b"--XX--\r\n", 422),
        ("only the source", part("source", "Post") + END, 422),
        ("no name", b"--XX\r\nContent-Disposition: form-data\r\n\r\nx\r\n" + END, 422),
        ("no headers", b"--XX\r\n\r\nx\r\n" + END, 422),
        ("unknown field", GOOD + part(MARK, "x") + END, 422),
        ("a file without a name", part("files", "x") + END, 422),
        ("source twice", GOOD + part("source", "a") + part("source", "b") + END, 422),
        ("long source", GOOD + part("source", "a" * 256) + END, 422),
        ("very long source", GOOD + part("source", "a" * 5000) + END, 422),
        ("NUL in the source", GOOD + part("source", "a\0") + END, 422),
        ("many fields", GOOD + b"".join(part(f"f{n}", "x") for n in range(11)) + END, 422),
        ("many files", b"".join(part("files", "x", f"{n}.txt") for n in range(MAX_FILES + 1)) + END, 422),
        ("name that is no text", GOOD.replace(MARK.encode(), b"\xff\xfe") + END, 400),
        ("surrogate in a name", GOOD.replace(MARK.encode(), b"\xed\xa0\x80") + END, 400),
        ("source that is no text", GOOD + part("source", "Z").replace(b"Z", b"\xff") + END, 400),
        ("many headers", part("files", "x", "a.txt", *[f"X-{n}: 1" for n in range(20)]) + END, 400),
        ("long header", part("files", "x", "a.txt", "X: " + "y" * 5000) + END, 400),
        ("broken header", part("files", "x", "a.txt", "X y: 1") + END, 400),
        ("base64", part("files", "eA==", "a.txt", "Content-Transfer-Encoding: base64") + END, 422),
    ],
)  # fmt: skip
def test_a_form_that_is_not_sound_is_refused_and_nothing_is_stored(client, name, body, status):
    assert_refused(raw(client, body), status)
    assert client.get("/v1/articles").json()["data"] == []


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 415),
        ("multipart/mixed; boundary=XX", 415),
        ("application/x-www-form-urlencoded", 415),
        ("", 415),
        ("multipart/form-data; boundary=XX; charset=undefined", 415),
        ("multipart/form-data; boundary=XX; charset=utf-16", 415),
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=", 400),
        ('multipart/form-data; boundary=""', 400),
        (f"multipart/form-data; boundary={'X' * 300}", 400),
    ],
)
def test_only_a_form_with_files_is_taken(client, kind, status):
    assert_refused(client.post(FILES, content=GOOD + END, headers={"content-type": kind}), status)
    compressed = {"content-type": "multipart/form-data; boundary=XX", "content-encoding": "gzip"}
    assert_refused(client.post(FILES, content=GOOD + END, headers=compressed), 415)


def test_a_part_within_a_part_is_a_file_like_any_other(client):
    inner = '--YY\r\nContent-Disposition: form-data; name="files"; filename="in.txt"\r\n\r\nx\r\n--YY--'
    nested = part("files", inner, "nested.txt", "Content-Type: multipart/mixed; boundary=YY")
    assert [line["file"] for line in raw(client, nested + END).json()["results"]] == ["nested.txt"]


def test_a_form_may_come_in_any_pieces(empty_parts):
    body = part("files", TEXT * 5, "a.txt") + part("source", "Post") + part("files", "--X\r\n--\r\nB.", "b.txt") + END

    async def ask(size):
        async def pieces():
            for start in range(0, len(body), size):
                yield body[start : start + size]

        transport = httpx.ASGITransport(build_app(empty_parts))
        headers = {"content-type": "multipart/form-data; boundary=XX"}
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=60) as client:
            return (await client.post(FILES, content=pieces(), headers=headers)).json()["results"]

    reports = [asyncio.run(ask(size)) for size in (len(body), 1000, 7, 1)]
    assert [line["outcome"] for line in reports[0]] == ["added", "added"]
    for others in reports[1:]:
        assert [(line["outcome"], line["article_id"]) for line in others] == [
            ("unchanged", line["article_id"]) for line in reports[0]
        ]


def limited(parts, **settings):
    return replace(parts, settings=Settings(**parts.settings.model_dump() | settings))


def test_an_upload_has_limits_of_its_own(empty_parts):
    client = TestClient(
        build_app(limited(empty_parts, max_body_bytes=1000, max_upload_bytes=5000)), base_url="http://localhost"
    )
    assert [line["outcome"] for line in send(client, ("a.txt", "A word. " * 300))] == ["added"]
    response = client.post(FILES, files=[("files", ("a.txt", "A word. " * 900))])
    assert_refused(response, 413, "5000 bytes")
    assert_refused(client.post("/v1/articles", json={"text": "A word. " * 300}), 413, "1000 bytes")


def test_a_file_has_limits_of_its_own(client, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_FILE_BYTES", 1000)
    monkeypatch.setattr(uploads, "MAX_LINES", 20)
    rows = "\n".join('{"text": "A."}' for _ in range(22))
    lines = send(client, ("big.txt", "x" * 1001), ("rows.jsonl", rows), ("a.txt", TEXT))
    assert [line["outcome"] for line in lines] == ["refused", "refused", "added"]
    assert ("1000 bytes" in lines[0]["reason"], "20 lines" in lines[1]["reason"]) == (True, True)


def test_a_reason_is_short(client):
    rows = "\n".join(json.dumps({"text": "A word.", "id": "a" * 5000}) for _ in range(2))
    assert max(len(line["reason"] or "") for line in send(client, ("rows.jsonl", rows))) <= 301


def test_a_full_disk_is_said_so(client, empty_parts, monkeypatch):
    def full(*_args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(tempfile.SpooledTemporaryFile, "write", full)
        assert_refused(raw(client, GOOD + END), 503)

    def refuse(*_args):
        raise LibraryUnavailable("no space")

    monkeypatch.setattr(ArticleLibrary, "put_all", refuse)
    assert_refused(raw(client, GOOD + END), 503)


def test_no_more_uploads_than_the_disk_can_hold_are_under_way(empty_parts):
    app = build_app(empty_parts)
    app.state.byline.uploading = MAX_UPLOADS
    response = raw(TestClient(app, base_url="http://localhost"), GOOD + END)
    assert_refused(response, 503)
    assert response.headers["retry-after"]
    app.state.byline.uploading = 0
    assert raw(TestClient(app, base_url="http://localhost"), GOOD).status_code == 400
    assert app.state.byline.uploading == 0


def test_a_server_that_stops_says_so(empty_parts):
    app = build_app(empty_parts)
    app.state.byline.stopping = True
    response = raw(TestClient(app, base_url="http://localhost"), GOOD + END)
    assert_refused(response, 503, "send the files again")
    assert response.headers["retry-after"]
