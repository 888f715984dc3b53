"""What a request may cost beside its search or answer, counted in work. Not seconds."""

import anyio.to_thread
import pytest
from fastapi.testclient import TestClient

from service.api.app import build_app
from service.api.search_schemas import search_json, search_reply
from service.api.workers import Workers

pytestmark = pytest.mark.model

QUESTION = "How much did the Alder Bridge cost?"
REQUESTS = [
    ("/v1/search", {"query": QUESTION}),
    ("/v1/chat", {"message": QUESTION, "history": []}),
    ("/v1/chat", {"message": QUESTION, "history": [], "stream": True}),
]


@pytest.mark.parametrize(("path", "body"), REQUESTS)
def test_a_request_goes_to_one_thread_and_once(parts, monkeypatch, path, body):
    """A thread more waits for the others to let go of the interpreter, for nothing."""
    client = TestClient(build_app(parts), base_url="http://localhost")
    handed_over = []
    run = Workers.run

    async def counted(self, func, *args, **kwargs):
        handed_over.append(func.__name__)
        return await run(self, func, *args, **kwargs)

    async def by_the_framework(func, *args, **kwargs):
        raise AssertionError(f"{func} is run in a thread of the framework's")

    monkeypatch.setattr(Workers, "run", counted)
    monkeypatch.setattr(anyio.to_thread, "run_sync", by_the_framework)
    assert client.post(path, json=body).status_code == 200
    assert handed_over == ["search" if path == "/v1/search" else "ask"]


@pytest.mark.parametrize("query", [QUESTION, "“Kerro” <telescope>", "zzz"])
def test_found_passages_are_the_same_json_with_and_without_models(parts, query):
    found = parts.assistant.search(query, mode="lexical")
    assert search_json(found) == search_reply(found).model_dump_json().encode()
