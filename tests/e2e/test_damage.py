"""From damage to a working service, by the commands that the messages name."""

import json
import shutil
import sqlite3

import pytest
from processes import byline, serving

pytestmark = [pytest.mark.model, pytest.mark.server]


@pytest.fixture
def data(sample_data, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(sample_data, data)
    return data


def articles(data):
    listed = json.loads(byline("articles", "list", "--json", data=data).stdout)["data"]
    return {one["article_id"]: one["title"] for one in listed}


def test_a_lost_library_never_empties_the_index_and_comes_back_from_it(data):
    before = articles(data)
    removed = sorted(before)[0]
    byline("articles", "remove", removed, data=data)
    (data / "library.sqlite").write_bytes((data / "library.sqlite").read_bytes()[:-4096])
    for command in (["build"], ["add", data / "nothing.txt"], ["articles", "list"], ["serve"]):
        refused = byline(*command, data=data, check=False)
        assert refused.returncode == 1
        assert "byline restore --from-index" in refused.stderr
        assert "Traceback" not in refused.stderr
    assert json.loads(byline("index", "show", "--json", data=data).stdout)["articles"] == 44
    doctor = byline("doctor", data=data, check=False)
    assert doctor.returncode == 1
    assert "PROBLEM  library: the article library" in doctor.stdout
    report = json.loads(byline("restore", "--from-index", "--json", data=data).stdout)
    assert report["articles"] == 43
    # What had been removed does not come back from an index of before.
    assert articles(data) == {one: title for one, title in before.items() if one != removed}
    again = byline("restore", "--from-index", data=data, check=False)
    assert again.returncode == 1
    assert "--replace" in again.stderr
    byline("restore", "--from-index", "--replace", data=data)
    assert json.loads(byline("build", "--json", data=data).stdout)["articles_removed"] == 1


def test_the_doctor_names_a_damaged_article(data):
    with sqlite3.connect(data / "library.sqlite") as connection:
        connection.execute("UPDATE articles SET text = 'Fake' WHERE number = 3")
        (article,) = connection.execute("SELECT id FROM articles WHERE number = 3").fetchone()
    connection.close()
    found = byline("doctor", data=data, check=False)
    assert found.returncode == 1
    assert f"PROBLEM  library: article {article}" in found.stdout


def test_a_server_goes_on_through_backup_damage_and_restore(data, tmp_path):
    before = articles(data)
    file = tmp_path / "backup.zip"
    with serving(data) as client:
        client.post("/v1/articles", json={"text": "The extra article says this.", "external_id": "x"})
        byline("backup", file, data=data)
        client.post("/v1/articles", json={"text": "Another one says that.", "external_id": "y"})
        refused = byline("restore", file, data=data, check=False)
        assert refused.returncode == 1
        assert "1 articles" in refused.stderr
        byline("restore", file, "--replace", data=data)
        assert len(client.get("/v1/articles", params={"limit": 200}).json()["data"]) == 45
        # The library is set aside under the server: it says so, takes nothing in, and goes on with the restored one.
        (data / "library.sqlite").rename(data / "library.sqlite.corrupt-20250101T000000000000Z")
        lost = client.post("/v1/articles", json={"text": "Where would this go?", "external_id": "z"})
        assert lost.status_code == 503
        assert client.get("/readyz").status_code == 503
        byline("restore", file, data=data)
        assert client.get("/readyz").status_code == 200
        stored = client.post("/v1/articles", json={"text": "This goes into the new one.", "external_id": "z"})
        assert stored.status_code == 201
    assert len(articles(data)) == len(before) + 2
    assert "PROBLEM  library" not in byline("doctor", data=data, check=False).stdout
