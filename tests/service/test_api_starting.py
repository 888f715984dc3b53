"""A server that is still opening its parts says so, and what needs them waits, within limits."""

import asyncio
import threading

import httpx
import pytest
from fastapi.testclient import TestClient

from service.api.app import build_app
from service.api.opening import Opening
from service.settings import Settings

SEARCH = {"query": "Alder Bridge"}


class HeldUp:
    """Opens parts, or fails to, once it is let."""

    def __init__(self, parts, error=None):
        self.parts = parts
        self.error = error
        self.let = threading.Event()

    def __call__(self):
        assert self.let.wait(30)
        if self.error:
            raise self.error
        return self.parts


@pytest.fixture
def held_up(parts):
    held_up = HeldUp(parts)
    yield held_up
    held_up.let.set()


def starting(held_up, **settings):
    """An application whose parts are being opened."""
    values = held_up.parts.settings.model_dump() | settings
    opening = Opening(Settings(**values), held_up)
    opening.start()
    return build_app(opening)


def during(app, work):
    """Run `work(client)` over an application, in one event loop."""

    async def run():
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://localhost", timeout=30
        ) as client:
            return await work(client)

    return asyncio.run(run())


def problem_of(response):
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert int(response.headers["retry-after"]) > 0
    return response.json()


def test_it_lives_and_says_that_it_starts_until_it_is_ready(held_up):
    async def work(client):
        for path in ("/livez", "/version", "/openapi.json"):
            assert (await client.get(path)).status_code == 200
        response = await client.get("/readyz")
        problem = problem_of(response)
        assert problem["type"] == "urn:byline:problem:not-ready"
        assert problem["detail"].startswith("starting:")
        assert (problem["generation"], problem["problems"]) == (None, [])
        assert response.headers["cache-control"] == "no-store"
        held_up.let.set()
        assert (await client.post("/v1/search", json=SEARCH)).status_code == 200
        assert (await client.get("/readyz")).json()["status"] == "ready"

    during(starting(held_up), work)


def test_a_question_that_comes_early_is_answered_once_that_can_be(held_up):
    async def work(client):
        early = [
            asyncio.create_task(client.post("/v1/search", json=SEARCH)),
            asyncio.create_task(client.post("/v1/chat", json={"message": "What did the Alder Bridge cost?"})),
            asyncio.create_task(client.get("/v1/articles")),
        ]
        assert (await client.get("/livez")).status_code == 200
        assert not any(task.done() for task in early)
        held_up.let.set()
        assert [response.status_code for response in await asyncio.gather(*early)] == [200, 200, 200]

    during(starting(held_up), work)


def test_it_waits_no_longer_than_any_request(held_up):
    async def work(client):
        response = await client.post("/v1/search", json=SEARCH)
        assert problem_of(response)["type"] == "urn:byline:problem:too-slow"

    during(starting(held_up, request_timeout_seconds=0.2), work)


def test_no_more_requests_wait_than_may(held_up):
    async def work(client):
        calls = [asyncio.create_task(client.post("/v1/search", json=SEARCH)) for _ in range(6)]
        done, waiting = await asyncio.wait(calls, timeout=30, return_when=asyncio.FIRST_COMPLETED)
        while len(done) < 4:
            more, waiting = await asyncio.wait(waiting, timeout=30, return_when=asyncio.FIRST_COMPLETED)
            assert more
            done |= more
        assert {problem_of(task.result())["type"] for task in done} == {"urn:byline:problem:overloaded"}
        held_up.let.set()
        assert [(await task).status_code for task in waiting] == [200, 200]
        # Those that waited are gone: there is room again.
        assert (await client.post("/v1/search", json=SEARCH)).status_code == 200

    during(starting(held_up, max_waiting_requests=2), work)


def test_who_waits_is_told_when_the_server_stops(held_up):
    app = starting(held_up)

    async def work(client):
        call = asyncio.create_task(client.post("/v1/search", json=SEARCH))
        assert (await client.get("/livez")).status_code == 200
        app.state.byline.stopping = True  # what a signal does
        assert problem_of(await call)["type"] == "urn:byline:problem:shutting-down"
        assert problem_of(await client.get("/readyz"))["detail"].startswith("shutdown:")

    during(app, work)


def test_who_waits_is_told_when_the_parts_cannot_be_opened(parts):
    held_up = HeldUp(parts, RuntimeError("inner secret"))

    async def work(client):
        call = asyncio.create_task(client.post("/v1/search", json=SEARCH))
        assert (await client.get("/livez")).status_code == 200
        held_up.let.set()
        response = await call
        assert problem_of(response)["type"] == "urn:byline:problem:shutting-down"
        assert "secret" not in response.text
        assert problem_of(await client.get("/readyz"))

    during(starting(held_up), work)


def test_parts_that_open_after_the_end_are_closed_all_the_same(empty_parts):
    held_up = HeldUp(empty_parts)
    with TestClient(starting(held_up), base_url="http://localhost") as client:
        assert client.get("/livez").status_code == 200
    closed = threading.Event()
    close, empty_parts.live.close = empty_parts.live.close, lambda: (close(), closed.set())
    held_up.let.set()
    assert closed.wait(30)
