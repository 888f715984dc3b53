"""The command line through real processes: what it prints, where, and with which exit code."""

import json

import pytest
from processes import byline

pytestmark = pytest.mark.model


def test_nothing_there_yet_is_said_with_what_to_do(tmp_path):
    for arguments in (["build"], ["ask", "What now?"], ["search", "x"], ["index", "show"], ["index", "verify"]):
        failed = byline(*arguments, data=tmp_path, check=False)
        assert failed.returncode == 1
        assert failed.stdout == ""
        assert failed.stderr.startswith("byline: there ")
        assert "byline " in failed.stderr.split("byline:", 1)[1]
        assert "Traceback" not in failed.stderr


def test_a_refused_file_is_named_and_the_others_are_taken_in(tmp_path):
    folder = tmp_path / "articles"
    folder.mkdir()
    (folder / "good.txt").write_text("A headline\n\nA sentence that says something.", encoding="utf-8")
    (folder / "empty.txt").write_bytes(b"")
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    added = byline("add", folder, "--json", data=tmp_path / "data", check=False)
    assert added.returncode == 1
    outcomes = {one["file"].rsplit("/", 1)[1]: one for one in json.loads(added.stdout)["results"]}
    assert outcomes["good.txt"]["outcome"] == "added"
    assert outcomes["empty.txt"]["outcome"] == outcomes["picture.png"]["outcome"] == "refused"
    assert "empty" in outcomes["empty.txt"]["reason"]
    again = byline("add", folder / "good.txt", data=tmp_path / "data")
    assert "0 added, 0 updated, 1 unchanged, 0 refused" in again.stdout


def test_wrong_use_exits_with_2(tmp_path):
    assert byline("ask", data=tmp_path, check=False).returncode == 2
    assert byline("ask", " ", data=tmp_path, check=False).returncode == 2
    assert byline("nonsense", data=tmp_path, check=False).returncode == 2
    failed = byline("build", data=tmp_path, check=False, BYLINE_CHUNK_TOKENS="3")
    assert failed.returncode == 2
    assert "chunk_tokens" in failed.stderr
    unknown = byline("build", data=tmp_path, check=False, BYLINE_CHUNK_TOKEN="100")
    assert unknown.returncode == 2
    assert "BYLINE_CHUNK_TOKEN;" in unknown.stderr


def test_a_settings_file_that_cannot_be_read_is_named(tmp_path):
    for text, said in (("llm_fallback = False", "true and false are small"), ("x = 1\nport = @", "line 2")):
        (tmp_path / "byline.toml").write_text(text)
        failed = byline("doctor", data=tmp_path / "data", check=False, cwd=tmp_path)
        assert failed.returncode == 2
        assert failed.stderr.startswith("byline: byline.toml cannot be read as TOML: ")
        assert said in failed.stderr
        assert failed.stderr.count("\n") == 1


def test_doctor_makes_no_folder(tmp_path):
    looked = byline("doctor", data=tmp_path / "typo", check=False, BYLINE_PREPARED_MODELS="")
    assert looked.returncode == 1
    assert "add articles with" in looked.stdout
    assert not (tmp_path / "typo").exists()


def test_a_public_host_is_refused(tmp_path):
    failed = byline("serve", "--host", "0.0.0.0", data=tmp_path, check=False)
    assert failed.returncode == 2
    assert "byline keys create" in failed.stderr


def test_json_is_one_document_and_nothing_else(sample_data):
    question = "What does the Merrin Coast order prohibit?"
    reply = json.loads(byline("ask", question, "--json", data=sample_data).stdout)
    assert reply["status"] == "answered"
    assert reply["citations"]
    found = json.loads(byline("search", "night train", "--top-k", "2", "--json", data=sample_data).stdout)
    assert len(found["hits"]) == 2
    listed = json.loads(byline("articles", "list", "--json", data=sample_data).stdout)["data"]
    assert len(listed) == 44
    article = json.loads(byline("articles", "show", listed[0]["article_id"], "--json", data=sample_data).stdout)
    assert article["text"]
    shown = json.loads(byline("index", "show", "--json", data=sample_data).stdout)
    assert shown["generation"] == "000001"
    assert shown["articles"] == 44
    verified = json.loads(byline("index", "verify", "--json", data=sample_data).stdout)
    assert [one["ok"] for one in verified["generations"]] == [True]
    checks = json.loads(byline("doctor", "--json", data=sample_data).stdout)["checks"]
    assert all(check["ok"] for check in checks)


def test_questions_and_searches_keep_to_sources_and_days(sample_data):
    kept = ["--source", "Sample Business Daily", "--from", "2026-01-01", "--to", "2026-12-31", "--json"]
    question = "What did the Bank of Kaldria do with its key rate?"
    hits = json.loads(byline("search", question, *kept, data=sample_data).stdout)["hits"]
    assert hits
    assert {hit["source"] for hit in hits} == {"Sample Business Daily"}
    assert {hit["published_at"][:4] for hit in hits} == {"2026"}
    reply = json.loads(byline("ask", question, *kept, data=sample_data).stdout)
    assert {one["source"] for one in reply["citations"]} == {"Sample Business Daily"}
    early = json.loads(byline("ask", question, "--as-of", "2025-06-01", "--json", data=sample_data).stdout)
    assert early["citations"]
    assert max(one["published_at"] for one in early["citations"]) <= "2025-06-01"
    assert (
        json.loads(byline("ask", question, "--to", "1999-01-01", "--json", data=sample_data).stdout)["citations"] == []
    )


def test_days_that_cannot_be_are_refused(sample_data):
    for wrong in (["--from", "tomorrow"], ["--from", "2026-01-01", "--to", "2025-01-01"]):
        failed = byline("search", "rate", *wrong, data=sample_data, check=False)
        assert failed.returncode == 2
        assert "--from" in failed.stderr


def test_the_doctor_says_what_a_changed_setting_needs(sample_data):
    found = byline("doctor", data=sample_data, check=False, BYLINE_CHUNK_TOKENS="100")
    assert found.returncode == 1
    assert "embeds all 44 articles anew, about" in found.stdout


def test_an_article_is_removed_from_library_and_index(tmp_path):
    file = tmp_path / "goat.txt"
    file.write_text(
        "The goat of Tinfield\n\nBarnaby the goat ate the card catalogue of Tinfield library.", encoding="utf-8"
    )
    other = tmp_path / "ferry.txt"
    other.write_text("The ferry\n\nThe ferry leaves Tinfield pier at noon every day.", encoding="utf-8")
    data = tmp_path / "data"
    added = json.loads(byline("add", file, other, "--json", data=data).stdout)["results"]
    byline("build", data=data)
    byline("articles", "remove", added[0]["article_id"], data=data)
    report = json.loads(byline("build", "--json", data=data).stdout)
    assert report["articles_removed"] == 1
    assert report["chunks_embedded"] == 0
    assert report["chunks_reused"] == 1
    byline("index", "prune", "--keep", "1", data=data)
    left = [path for path in (data / "index").rglob("*") if path.is_file() and b"Barnaby" in path.read_bytes()]
    assert left == []
    missing = byline("articles", "show", added[0]["article_id"], data=data, check=False)
    assert missing.returncode == 1


def test_the_name_of_a_file_steers_no_terminal_and_forges_no_line(tmp_path):
    folder = tmp_path / "articles"
    folder.mkdir()
    (folder / "evil\x1b[31m\nrefused  fake.txt\x1b]0;x\x07.pdf").write_bytes(b"x")
    (folder / "ok\x1b[2J.txt").write_text("A headline\n\nA sentence that says something.", encoding="utf-8")
    added = byline("add", folder, data=tmp_path / "data", check=False)
    listed = byline("articles", "list", data=tmp_path / "data")
    article = listed.stdout.split()[0]
    shown = byline("articles", "show", article, data=tmp_path / "data")
    for printed in (added.stdout, added.stderr, listed.stdout, shown.stdout):
        assert "\x1b" not in printed
        assert "\x07" not in printed
    assert [line for line in added.stderr.splitlines() if line.startswith("refused  fake")] == []
