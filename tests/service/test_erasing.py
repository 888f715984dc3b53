"""Deleting is deleting: after the next build and a prune, no byte of a removed article is left in the data folder."""

import sys
from contextlib import suppress

import pytest
from fastapi.testclient import TestClient

from ingest.failpoints import EXIT_CODE
from service.api.app import build_app
from service.cli import main

pytestmark = pytest.mark.model

TEXT = "The zeppelinark of Brandholm landed on Monday. Captain Ysolde Quint told the harbour that nobody was hurt."
OTHER = "The council of Orlo met on Friday. It voted for a new roof."


def holding(data, words):
    """The files that hold any of the words, in whatever case."""
    found = set()
    for path in data.rglob("*"):
        with suppress(FileNotFoundError):  # a build that has just ended still removes what it worked with
            if path.is_file() and any(word in path.read_bytes().lower() for word in words):
                found.add(str(path.relative_to(data)))
    return found


@pytest.fixture
def command(monkeypatch, empty_parts):
    def run(*words):
        monkeypatch.setattr(sys, "argv", ["byline", "--data", str(empty_parts.settings.data), *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code

    return run


def test_the_words_of_a_removed_article_are_nowhere(empty_parts, build_index, command):
    client, data = TestClient(build_app(empty_parts), base_url="http://localhost"), empty_parts.settings.data
    client.post("/v1/articles", json={"text": OTHER, "external_id": "other"})
    client.post("/v1/articles", json={"text": TEXT, "title": "Landing", "external_id": "gone"})
    build_index(empty_parts)
    reply = client.post("/v1/chat", json={"message": "Who told the harbour that nobody was hurt?"}).json()
    assert "Ysolde" in reply["answer"]
    gone = reply["citations"][0]["article_id"]
    words = [b"zeppelinark", b"ysolde", b"brandholm", b"quint"]
    assert len(holding(data, words)) >= 4
    assert client.delete(f"/v1/articles/{gone}").status_code == 204
    build_index(empty_parts)
    assert command("index", "prune", "--keep", "1") == 0
    assert holding(data, words) == set()
    kept = client.get(f"/v1/conversations/{reply['conversation_id']}").json()["messages"][-1]
    (citation,) = kept["citations"]
    assert (citation["article_id"], citation["title"], citation["quote"]) == (gone, "Landing", "")
    assert citation["removed"] is True
    assert "[removed]" in kept["content"]
    assert empty_parts.live.searcher().search("harbour", mode="lexical").hits == ()


def test_the_words_of_an_older_version_are_nowhere(empty_parts, build_index, command):
    client, data = TestClient(build_app(empty_parts), base_url="http://localhost"), empty_parts.settings.data
    client.post("/v1/articles", json={"text": TEXT, "external_id": "edited"})
    build_index(empty_parts)
    client.post("/v1/articles", json={"text": OTHER, "external_id": "edited"})
    build_index(empty_parts)
    assert command("index", "prune", "--keep", "1") == 0
    assert holding(data, [b"zeppelinark", b"ysolde"]) == set()


def test_what_an_interrupted_build_left_of_a_removed_article_is_pruned(empty_parts, build_index, command, monkeypatch):
    client, data = TestClient(build_app(empty_parts), base_url="http://localhost"), empty_parts.settings.data
    client.post("/v1/articles", json={"text": OTHER, "external_id": "other"})
    build_index(empty_parts)
    article = client.post("/v1/articles", json={"text": TEXT, "external_id": "gone"}).json()["article_id"]

    def die(_code):
        raise InterruptedError(f"exit code {EXIT_CODE}")

    monkeypatch.setattr("os._exit", die)
    monkeypatch.setenv("BYLINE_FAILPOINT", "build.part_kept")
    job = empty_parts.builds.start(False)
    while not job.finished:
        job = empty_parts.builds.get(job.id)
    assert job.state == "failed"
    monkeypatch.delenv("BYLINE_FAILPOINT")
    assert any("unfinished" in name for name in holding(data, [b"zeppelinark"]))
    client.delete(f"/v1/articles/{article}")
    assert command("index", "prune") == 0
    assert holding(data, [b"zeppelinark", b"ysolde"]) == set()
