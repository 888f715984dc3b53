"""The index over HTTP: builds are followed, cancelled and undone, and every stream has one end."""

import asyncio
import json
import threading
from dataclasses import replace

import httpx
import pytest
from fastapi.testclient import TestClient

from index.errors import BuildCancelled, StorageFull
from index.reports import BuildReport, Progress
from service.api import index as index_routes
from service.api.app import build_app
from service.builds import BuildJobs, InThread, JobsClosed
from service.jobs import JobRecords


@pytest.fixture
def client(empty_parts):
    return TestClient(build_app(empty_parts), base_url="http://localhost")


def events_of(text):
    blocks = [block.split("\n") for block in text.strip().split("\n\n") if not block.startswith(":")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


def test_a_build_is_followed_from_its_start_to_its_report(client):
    client.post("/v1/articles", json={"text": "The ferry stops in winter.", "external_id": "1"})
    started = client.post("/v1/index/builds", json={"full": False})
    assert started.status_code == 202
    place = started.headers["location"]
    assert place == f"/v1/index/builds/{started.json()['id']}"
    events = events_of(client.get(f"{place}/events").text)
    assert {name for name, _ in events[:-1]} <= {"progress"}
    name, build = events[-1]
    assert (name, build["state"], build["error"]) == ("done", "succeeded", None)
    assert build["result"] == build["result"] | {
        "generation": "000001",
        "articles_added": 1,
        "articles_updated": 0,
        "articles_removed": 0,
        "chunks_embedded": 1,
        "chunks_reused": 0,
        "skipped": [],
    }
    assert client.get(place).json() == build
    assert client.delete(place).status_code == 409
    # A stream that is asked for later has the same end.
    assert events_of(client.get(f"{place}/events").text) == [("done", build)]


def test_a_build_may_be_asked_for_without_a_body(client):
    for headers in ({}, {"Content-Type": "application/json"}):
        started = client.post("/v1/index/builds", headers=headers)
        assert (started.status_code, started.json()["full"]) == (202, False)
    assert client.post("/v1/index/builds", json={"full": 1}).status_code == 422


def test_the_index_says_what_it_holds_and_what_is_pending(client, empty_parts, build_index):
    for number in range(3):
        client.post("/v1/articles", json={"text": f"Text {number} of the day.", "external_id": str(number)})
    before = client.get("/v1/index").json()
    assert (before["generation"], before["articles"], before["generations"]) == (None, 0, [])
    assert before["pending"] == {"added": 3, "updated": 0, "removed": 0}
    assert before["embedding_model"] == "all-MiniLM-L6-v2"
    build_index(empty_parts)
    client.post("/v1/articles", json={"text": "Another text.", "external_id": "0"})
    client.post("/v1/articles", json={"text": "A new text.", "external_id": "9"})
    gone = client.get("/v1/articles", params={"query": "Text 2"}).json()["data"][0]["article_id"]
    client.delete(f"/v1/articles/{gone}")
    after = client.get("/v1/index").json()
    assert after["pending"] == {"added": 1, "updated": 1, "removed": 1}
    assert (after["generation"], after["articles"], after["chunks"], after["dimension"]) == (
        "000001",
        3,
        3,
        384,
    )
    assert after["built_at"].endswith("Z")


def test_rolling_back_serves_the_earlier_generation(client, empty_parts, build_index):
    client.post("/v1/articles", json={"text": "The ferry stops in winter.", "external_id": "1"})
    build_index(empty_parts)
    client.post("/v1/articles", json={"text": "The train stops in summer.", "external_id": "2"})
    build_index(empty_parts)
    assert client.get("/v1/index").json()["generation"] == "000002"
    back = client.post("/v1/index/rollback", json={"generation": "000001"})
    assert (back.status_code, back.json()["generation"], back.json()["articles"]) == (200, "000001", 1)
    assert back.json()["generations"] == [
        {"generation": "000001", "served": True},
        {"generation": "000002", "served": False},
    ]
    reply = client.post("/v1/chat", json={"message": "When does the ferry stop?"}).json()
    assert reply["generation"] == "000001"
    damaged = empty_parts.catalog.folder("000002") / "articles.jsonl"
    damaged.write_bytes(damaged.read_bytes()[:-5] + b"xxxx\n")
    refused = client.post("/v1/index/rollback", json={"generation": "000002"})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:byline:problem:generation-damaged")
    assert client.get("/v1/index").json()["generation"] == "000001"


class Held:
    """A build that goes on until it is let go, cancelled or broken."""

    def __init__(self):
        self.go_on = threading.Event()
        self.error = None

    def __call__(self, _full, *, on_progress, cancelled, **_):
        on_progress(Progress("embed", 1, 2))
        while not self.go_on.wait(0.01):
            if cancelled():
                raise BuildCancelled("stopped")
        if self.error:
            raise self.error
        return BuildReport("000001", True, 1, 1, 0, 0, 1, 0, ())


@pytest.fixture
def held():
    return Held()


@pytest.fixture
def app(parts, held, tmp_path):
    builds = BuildJobs(JobRecords(tmp_path / "builds"), InThread(held))
    yield build_app(replace(parts, builds=builds))
    builds.close()


async def follow(app, *, after_first):
    """Start a build, follow it, and do something after its first progress."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=10) as client:
        place = (await client.post("/v1/index/builds", json={})).headers["location"]
        assert (await client.post("/v1/index/builds", json={"full": True})).headers["location"] == place

        async def act():
            while (await client.get(place)).json()["progress"] is None:
                pass
            await after_first(client, place)

        _, followed = await asyncio.gather(act(), client.get(f"{place}/events"))
    return events_of(followed.text)


def test_a_cancelled_build_is_done_as_cancelled(app):
    async def cancel(client, place):
        assert (await client.delete(place)).status_code == 204

    events = asyncio.run(follow(app, after_first=cancel))
    assert events[0][0] == "progress"
    assert [(name, build["state"]) for name, build in events if name != "progress"] == [("done", "cancelled")]


def test_a_failed_build_ends_its_stream_with_the_reason(app, held):
    held.error = StorageFull("no space left in /data; the old index is kept")

    async def go_on(_client, _place):
        held.go_on.set()

    events = asyncio.run(follow(app, after_first=go_on))
    ends = [event for event in events if event[0] != "progress"]
    assert [name for name, _ in ends] == ["error"]
    assert "no space left" in ends[0][1]["detail"]


def test_a_shutdown_ends_every_stream_with_one_error(app):
    async def stop(_client, _place):
        app.state.byline.stopping = True

    events = asyncio.run(follow(app, after_first=stop))
    ends = [event for event in events if event[0] != "progress"]
    assert [(name, problem["type"]) for name, problem in ends] == [("error", "urn:byline:problem:shutting-down")]
    client = TestClient(app, base_url="http://localhost")
    assert client.post("/v1/index/builds", json={}).status_code == 503
    assert client.get("/readyz").json()["detail"].startswith("shutdown:")


def test_a_stream_ends_at_its_time_limit_and_shows_that_it_lives(app, held, monkeypatch):
    monkeypatch.setattr(index_routes, "STREAM_SECONDS", 0.5)
    monkeypatch.setattr(index_routes, "_KEEPALIVE_SECONDS", 0.0)
    client = TestClient(app, base_url="http://localhost")
    place = client.post("/v1/index/builds", json={}).headers["location"]

    async def let_go():
        await asyncio.sleep(1.2)
        held.go_on.set()

    async def read():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as streaming:
            _, answer = await asyncio.gather(let_go(), streaming.get(f"{place}/events"))
        return answer.text

    text = asyncio.run(read())
    assert ": ping" in text
    assert events_of(text)[-1][0] == "error"


def test_a_build_while_another_process_writes_fails_with_its_number(empty_parts):
    client = TestClient(build_app(empty_parts), base_url="http://localhost")
    with empty_parts.catalog.writer():
        place = client.post("/v1/index/builds", json={}).headers["location"]
        name, problem = events_of(client.get(f"{place}/events").text)[-1]
        assert (name, problem["status"]) == ("error", 409)
        assert "already running" in problem["detail"]
        assert client.get(place).json()["state"] == "failed"


def test_the_application_watches_and_closes_its_parts(empty_parts):
    with TestClient(build_app(empty_parts), base_url="http://localhost") as client:
        assert client.get("/livez").status_code == 200
        assert empty_parts.live._watcher.is_alive()
    assert not empty_parts.live._watcher.is_alive()
    with pytest.raises(JobsClosed):
        empty_parts.builds.start(False)


def test_a_deleted_article_is_found_no_more_at_once(client, empty_parts, build_index):
    for number, text in enumerate(("The ferry stops in winter.", "The train stops in summer.")):
        client.post("/v1/articles", json={"text": text, "external_id": str(number)})
    build_index(empty_parts)

    def found():
        return [hit["text"] for hit in client.post("/v1/search", json={"query": "ferry in winter"}).json()["hits"]]

    ferry = client.post("/v1/search", json={"query": "ferry"}).json()["hits"][0]["article_id"]
    assert found()[0] == "The ferry stops in winter."
    assert client.delete(f"/v1/articles/{ferry}").status_code == 204
    assert found() == ["The train stops in summer."]
    assert client.get(f"/v1/articles/{ferry}?generation=000001").status_code == 404
    reply = client.post("/v1/chat", json={"message": "When does the ferry stop?"}).json()
    assert ferry not in json.dumps(reply)
    # Going back to a generation that holds it does not bring it back.
    client.post("/v1/articles", json={"text": "A third text.", "external_id": "3"})
    build_index(empty_parts)
    assert client.post("/v1/index/rollback", json={"generation": "000001"}).status_code == 200
    assert found() == ["The train stops in summer."]
    client.post("/v1/articles", json={"text": "The ferry stops in winter.", "external_id": "0"})
    empty_parts.live.refresh()
    assert found()[0] == "The ferry stops in winter."
