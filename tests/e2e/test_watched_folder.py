"""A served folder: what is written there is found, without a word to the server."""

import time

import pytest
from processes import byline, serving

pytestmark = [pytest.mark.model, pytest.mark.server]


def until_found(client, query, words):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = client.post("/v1/search", json={"query": query})
        # 503 until there is a first index.
        if found.status_code == 200 and any(words in hit["text"] for hit in found.json()["hits"]):
            return
        time.sleep(0.1)
    pytest.fail(f"{words!r} was not found within 30 s")


def test_files_of_a_watched_folder_are_found_and_found_changed(tmp_path):
    folder = tmp_path / "news"
    folder.mkdir()
    with serving(tmp_path / "data", "--watch", folder) as client:
        (folder / "goat.md").write_text("# A goat in the library\n\nA goat named Barnaby ate the card catalogue.\n")
        until_found(client, "Which animal ate the catalogue?", "Barnaby")
        (folder / "goat.md").write_text("# A goat in the library\n\nA goat named Clementine ate the card catalogue.\n")
        until_found(client, "Which animal ate the catalogue?", "Clementine")


def test_a_folder_within_the_data_folder_is_refused(tmp_path):
    refused = byline("serve", "--watch", tmp_path, data=tmp_path, check=False)
    assert refused.returncode == 2
    assert "is in the data folder" in refused.stderr
    assert "Traceback" not in refused.stderr
