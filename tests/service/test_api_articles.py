"""Articles: what is acknowledged is there, and is shown as it is stored."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from service.api.app import build_app

TEXT = "The ferry to Lund island stops in winter.\n\nThe captain said so on Tuesday."


@pytest.fixture
def client(empty_parts):
    return TestClient(build_app(empty_parts), base_url="http://localhost")


def add(client, **fields):
    response = client.post("/v1/articles", json=fields)
    assert response.status_code in (200, 201), response.text
    return response


def test_an_article_is_stored_with_what_is_known_about_it(client):
    response = add(
        client,
        text=TEXT,
        title="Ferry stops",
        url="https://h.example/ferry",
        source="Herald",
        authors=["Ann Lee", "Bo Ek"],
        published_at="2025-10-06T23:30:00Z",
        external_id="h-1",
    )
    stored = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == f"/v1/articles/{stored['article_id']}"
    assert stored == stored | {
        "outcome": "added",
        "indexed": False,
        "title": "Ferry stops",
        "url": "https://h.example/ferry",
        "source": "Herald",
        "authors": ["Ann Lee", "Bo Ek"],
        "published_at": "2025-10-06",
        "date_source": "meta",
        "external_id": "h-1",
    }
    assert "text" not in stored
    shown = client.get(response.headers["location"]).json()
    assert shown["text"] == TEXT
    assert {name: value for name, value in shown.items() if name != "text"} == {
        name: value for name, value in stored.items() if name != "outcome"
    }


def test_the_same_article_again_changes_nothing_and_a_corrected_one_replaces_it(client):
    first = add(client, text=TEXT, external_id="h-1")
    again = add(client, text=TEXT, external_id="h-1")
    corrected = add(client, text=TEXT.replace("Tuesday", "Monday"), external_id="h-1")
    assert [(r.status_code, r.json()["outcome"]) for r in (first, again, corrected)] == [
        (201, "added"),
        (200, "unchanged"),
        (200, "updated"),
    ]
    assert len({r.json()["article_id"] for r in (first, again, corrected)}) == 1
    assert "Monday" in client.get(corrected.headers["location"]).json()["text"]


def test_articles_without_identity_are_told_apart_by_their_text(client):
    one, same, other = (
        add(client, text=TEXT),
        add(client, text=TEXT),
        add(client, text=TEXT + " He was sure."),
    )
    assert one.json()["article_id"] == same.json()["article_id"] != other.json()["article_id"]


def test_html_and_markdown_are_read_by_their_readers(client):
    page = (
        "<html><head><meta charset='iso-8859-1'><title>Zoë’s ferry</title></head><body><article>"
        "<h1>Zoë’s ferry</h1><p>The ferry to Lund island stops in winter, said Zoë Åkerlund on Tuesday.</p>"
        "<p>It will sail again in spring, when the ice on the lake has gone.</p></article>"
        "<script>alert(1)</script></body></html>"
    )
    html = add(client, html=page, published_at="2025-01-02").json()
    text = client.get(f"/v1/articles/{html['article_id']}").json()["text"]
    assert "said Zoë Åkerlund" in text
    assert "alert" not in text
    markdown = add(
        client,
        markdown="---\ntitle: Old title\nsource: Post\n---\n# Head\n\nThe *ferry* stops.",
        title="New title",
    ).json()
    # What the request states goes before the front matter.
    assert (markdown["title"], markdown["source"]) == ("New title", "Post")
    assert html["article_id"] != markdown["article_id"]


def test_two_pages_of_the_same_form_are_two_articles(client):
    one = add(client, markdown="First text of the day.").json()
    two = add(client, markdown="Second text of the day.").json()
    assert one["article_id"] != two["article_id"]


def test_many_clients_with_the_same_article_all_succeed(client):
    with ThreadPoolExecutor(8) as pool:
        numbers = [n // 8 for n in range(48)]
        outcomes = list(pool.map(lambda n: add(client, text=TEXT, external_id=f"x{n}").status_code, numbers))
    assert set(outcomes) == {200, 201}
    assert len(client.get("/v1/articles").json()["data"]) == 6


def test_lists_are_filtered_and_paged(client):
    for number in range(5):
        add(
            client,
            text=f"Text number {number} of this day.",
            external_id=str(number),
            source="Herald" if number % 2 else "Post",
            published_at=f"2025-01-0{number + 1}",
        )
    seen, cursor = [], None
    while True:
        page = client.get("/v1/articles", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        assert all("text" not in article for article in page["data"])
        seen.extend(article["external_id"] for article in page["data"])
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ["0", "1", "2", "3", "4"]

    def listed(**params):
        found = client.get("/v1/articles", params=params).json()["data"]
        return [article["external_id"] for article in found]

    assert listed(source="Herald") == ["1", "3"]
    assert listed(published_from="2025-01-02", published_to="2025-01-03") == ["1", "2"]
    assert listed(query="number 4") == ["4"]
    assert listed(source="nobody") == []


def test_an_etag_saves_the_text_until_something_changes(client, empty_parts, build_index):
    place = add(client, text=TEXT, external_id="h-1").headers["location"]
    tag = client.get(place).headers["etag"]
    unchanged = client.get(place, headers={"if-none-match": tag})
    assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", tag)
    for given in (f'W/{tag}, "x"', "*"):
        assert client.get(place, headers={"if-none-match": given}).status_code == 304
    assert client.get(place, headers={"if-none-match": '"other"'}).status_code == 200
    build_index(empty_parts)
    indexed = client.get(place, headers={"if-none-match": tag})
    assert indexed.json()["indexed"] is True
    add(client, text=TEXT + " Really.", external_id="h-1")
    changed = client.get(place, headers={"if-none-match": indexed.headers["etag"]})
    assert (changed.status_code, changed.json()["indexed"]) == (200, False)


def test_an_edited_article_is_still_to_be_had_as_answers_quote_it(client, empty_parts, build_index):
    place = add(client, text=TEXT, external_id="h-1").headers["location"]
    build_index(empty_parts)
    reply = client.post("/v1/chat", json={"message": TEXT, "history": []}).json()
    add(client, text="An earlier sentence. " + TEXT, external_id="h-1")
    held = client.get(place, params={"generation": reply["generation"]})
    assert held.json()["indexed"] is True
    assert reply["citations"]
    for citation in reply["citations"]:
        assert held.json()["text"][citation["start"] : citation["end"]] == citation["quote"]
    assert client.get(place).json()["text"].startswith("An earlier sentence.")
    for generation in ("000009", "x", "../000001"):
        assert client.get(place, params={"generation": generation}).status_code == 404
    assert client.get(place, params={"generation": "0" * 999}).status_code == 422


def test_a_removed_article_is_gone(client):
    place = add(client, text=TEXT).headers["location"]
    assert client.delete(place).status_code == 204
    assert client.delete(place).status_code == 404
    assert client.get(place).status_code == 404
