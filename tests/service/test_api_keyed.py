"""Idempotency-Key: what is sent again is not done again, and gets the reply that it got."""

import threading
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from ingest.intake import prepare
from ingest.readers import RawArticle
from service.api.app import build_app
from service.api.errors import Overloaded
from service.api.workers import Workers
from service.kept_replies import KeptReplies

LOCAL = "http://127.0.0.1"
KEY = "Idempotency-Key"
TEXT = "The ferry to Lund island stops in winter.\n\nThe captain said so on Tuesday."
QUESTION = "When does the ferry to Lund island stop?"


@pytest.fixture
def client(empty_parts):
    return TestClient(build_app(empty_parts), base_url=LOCAL)


def post(client, path, key="k", **more):
    return client.post(path, headers={KEY: key} | more.pop("headers", {}), **more)


def assert_again(first, second):
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second.headers["content-type"] == first.headers["content-type"]
    assert second.headers.get("location") == first.headers.get("location")
    assert second.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers


def assert_problem(response, status, name):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"] == f"urn:byline:problem:{name}"
    return response.json()


def test_an_article_that_is_sent_again_is_not_stored_again(client):
    first = post(client, "/v1/articles", json={"text": TEXT})
    assert first.status_code == 201
    assert_again(first, post(client, "/v1/articles", json={"text": TEXT}))
    assert client.post("/v1/articles", json={"text": TEXT}).status_code == 200  # without the key it is done again


def test_a_key_is_for_one_request_only(client):
    post(client, "/v1/articles", json={"text": TEXT})
    problem = post(client, "/v1/articles", json={"text": TEXT + " Really."})
    assert_problem(problem, 422, "idempotency-key-reused")
    assert_problem(post(client, "/v1/chat", json={"message": TEXT}), 422, "idempotency-key-reused")
    assert len(client.get("/v1/articles").json()["data"]) == 1


@pytest.mark.parametrize("key", ["", " ", "a b", "a" * 256, "é".encode("latin-1"), b"\x01", "a,b\tc"])
def test_a_key_that_is_none_is_refused(client, key):
    assert_problem(post(client, "/v1/articles", key, json={"text": TEXT}), 422, "invalid-value")
    two = client.post("/v1/articles", json={"text": TEXT}, headers=[(KEY, "a"), (KEY, "b")])
    assert_problem(two, 422, "invalid-value")
    assert post(client, "/v1/articles", "~" * 255, json={"text": TEXT}).status_code == 201


def test_what_was_refused_may_be_sent_again_with_the_fault_removed(client):
    assert post(client, "/v1/articles", json={"text": " "}).status_code == 422
    assert post(client, "/v1/articles", content=b"{").status_code == 415
    assert post(client, "/v1/articles", json={"text": TEXT}).status_code == 201


def test_uploads_are_the_same_whatever_parts_their_files(client):
    files = [("files", ("a.txt", TEXT)), ("files", ("b.exe", b"MZ"))]
    first = post(client, "/v1/articles/files", files=files, data={"source": "Post"})
    second = post(client, "/v1/articles/files", files=files, data={"source": "Post"})
    assert first.request.headers["content-type"] != second.request.headers["content-type"]
    assert_again(first, second)
    for other in ([("files", ("a.txt", TEXT + "."))], [("files", ("c.txt", TEXT))], files[:1]):
        response = post(client, "/v1/articles/files", files=other, data={"source": "Post"})
        assert_problem(response, 422, "idempotency-key-reused")
    response = post(client, "/v1/articles/files", files=files, data={"source": "Times"})
    assert_problem(response, 422, "idempotency-key-reused")
    assert post(client, "/v1/articles/files", "new", data={"source": "Post"}, files=files[1:]).status_code == 200


def test_a_chat_message_is_one_exchange_in_every_form(client, empty_parts, build_index):
    empty_parts.library.put(prepare(RawArticle(TEXT, external_id="ferry")))
    build_index(empty_parts)
    for number, more in enumerate(
        ({}, {"headers": {"accept": "text/plain"}}, {"headers": {"accept": "text/event-stream"}})
    ):
        first = post(client, "/v1/chat", f"k{number}", json={"message": QUESTION}, **more)
        assert "winter" in first.text
        assert_again(first, post(client, "/v1/chat", f"k{number}", json={"message": QUESTION}, **more))
    assert first.text.count("event: done") == 1
    assert len(client.get("/v1/conversations").json()["data"]) == 3


def test_a_build_is_given_again_also_once_it_is_over(client, empty_parts, build_index):
    empty_parts.library.put(prepare(RawArticle(TEXT, external_id="ferry")))
    first = post(client, "/v1/index/builds", json={})
    assert first.status_code == 202
    build_index(empty_parts)
    assert_again(first, post(client, "/v1/index/builds", json={}))
    rolled = post(client, "/v1/index/rollback", "r", json={"generation": "000001"})
    assert_again(rolled, post(client, "/v1/index/rollback", "r", json={"generation": "000001"}))


def test_the_key_means_nothing_where_nothing_is_made(client, empty_parts, build_index):
    empty_parts.library.put(prepare(RawArticle(TEXT, external_id="ferry")))
    build_index(empty_parts)
    for _ in range(2):
        response = post(client, "/v1/search", json={"query": "ferry"})
        assert response.status_code == 200
        assert "idempotency-replayed" not in response.headers


def test_while_it_runs_it_is_not_begun_again(empty_parts, monkeypatch):
    app = build_app(empty_parts)
    entered, go_on = threading.Event(), threading.Event()
    put = empty_parts.library.put

    def slow(article):
        entered.set()
        assert go_on.wait(20)
        return put(article)

    monkeypatch.setattr(empty_parts.library, "put", slow)
    first = []
    thread = threading.Thread(
        target=lambda: first.append(post(TestClient(app, base_url=LOCAL), "/v1/articles", json={"text": TEXT}))
    )
    thread.start()
    assert entered.wait(20)
    meanwhile = post(TestClient(app, base_url=LOCAL), "/v1/articles", json={"text": TEXT})
    assert_problem(meanwhile, 409, "idempotency-key-in-use")
    assert int(meanwhile.headers["retry-after"]) >= 1
    go_on.set()
    thread.join()
    assert_again(first[0], post(TestClient(app, base_url=LOCAL), "/v1/articles", json={"text": TEXT}))


def test_what_failed_for_our_fault_may_be_sent_again(empty_parts, monkeypatch):
    app = build_app(empty_parts)
    with monkeypatch.context() as patch, capture_logs():
        patch.setattr(empty_parts.library, "put", lambda _: 1 / 0)
        assert post(TestClient(app, base_url=LOCAL), "/v1/articles", json={"text": TEXT}).status_code == 500
    assert post(TestClient(app, base_url=LOCAL), "/v1/articles", json={"text": TEXT}).status_code == 201


def test_another_server_and_one_after_a_restart_give_the_same_reply(client, empty_parts):
    first = post(client, "/v1/articles", json={"text": TEXT})
    other = replace(empty_parts, replies=KeptReplies.open(empty_parts.settings.data))
    assert_again(first, post(TestClient(build_app(other), base_url=LOCAL), "/v1/articles", json={"text": TEXT}))
    other.replies.close()


def test_a_reply_that_cannot_be_kept_is_still_a_reply(empty_parts):
    app = build_app(empty_parts)

    class Full(Workers):
        def __init__(self, inner):
            self.inner = inner

        async def run(self, func, *args, **kwargs):
            if func.__name__ == "keep":
                raise Overloaded("full")
            return await self.inner.run(func, *args, **kwargs)

    app.state.byline.storage = Full(app.state.byline.storage)
    assert post(TestClient(app, base_url=LOCAL), "/v1/articles", json={"text": TEXT}).status_code == 201
    assert post(TestClient(app, base_url=LOCAL), "/v1/articles", json={"text": TEXT}).status_code == 200  # done again


def test_a_reply_goes_with_the_article_or_the_conversation_that_it_names(client, empty_parts, build_index):
    added = post(client, "/v1/articles", "a", json={"text": TEXT}).json()
    other = post(client, "/v1/articles", "b", json={"text": "Something else happened."})
    build_index(empty_parts)
    asked = post(client, "/v1/chat", "c", json={"message": QUESTION}).json()
    assert asked["citations"][0]["article_id"] == added["article_id"]
    post(client, "/v1/chat", "d", json={"message": "What is tungsten?", "filters": {"article_ids": ["art_0"]}})
    assert client.delete(f"/v1/articles/{added['article_id']}").status_code == 204
    for key, path, body in (("a", "/v1/articles", {"text": TEXT}), ("c", "/v1/chat", {"message": QUESTION})):
        assert_problem(post(client, path, key, json=body), 409, "reply-forgotten")
    assert client.get("/v1/articles").json()["data"][0]["article_id"] == other.json()["article_id"]
    assert_again(other, post(client, "/v1/articles", "b", json={"text": "Something else happened."}))
    kept = client.get("/v1/conversations").json()["data"]
    for conversation in kept:
        client.delete(f"/v1/conversations/{conversation['id']}")
    body = {"message": "What is tungsten?", "filters": {"article_ids": ["art_0"]}}
    assert_problem(post(client, "/v1/chat", "d", json=body), 409, "reply-forgotten")


def test_the_document_names_the_header_where_it_is_honoured(client):
    paths = client.get("/openapi.json").json()["paths"]
    named = {
        path
        for path, operations in paths.items()
        if any(one["name"] == KEY for one in operations.get("post", {}).get("parameters", ()))
    }
    assert named == {"/v1/articles", "/v1/articles/files", "/v1/chat", "/v1/index/builds", "/v1/index/rollback"}
