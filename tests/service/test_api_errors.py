"""No input gives a 5xx; every refusal is a short problem document that does not echo what was sent."""

import asyncio
import json
import time
from dataclasses import replace

import httpx
import pytest
from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from index.errors import NoGeneration
from index.runtimes import Engine
from service.api.app import build_app
from service.api.errors import MAX_PROBLEM_BYTES, Overloaded, problem_of, problem_response
from service.api.openai_errors import speaks_openai
from service.api.state import QUESTION_THREADS
from service.api.workers import Workers
from service.assembly import Embedding
from service.settings import Settings

MARK = "xyzzyplugh"  # stands in every bad input, and must not come back

GOOD = {
    "/v1/chat": {"message": MARK},
    "/v1/search": {"query": MARK},
    "/v1/articles": {"text": f"{MARK} says a sentence."},
    "/v1/index/builds": {"full": False},
    "/v1/index/rollback": {"generation": "000001"},
}
TEXT_FIELD = {
    "/v1/chat": "message",
    "/v1/search": "query",
    "/v1/articles": "text",
    "/v1/index/builds": "full",
    "/v1/index/rollback": "generation",
}


@pytest.fixture(scope="module")
def client(parts):
    return TestClient(build_app(parts), base_url="http://localhost")


def assert_problem(response, *statuses):
    assert response.status_code in statuses or (not statuses and 400 <= response.status_code < 500)
    assert response.headers["content-type"] == "application/problem+json"
    assert len(response.content) <= MAX_PROBLEM_BYTES
    assert MARK not in response.text
    assert response.headers["x-request-id"]
    assert response.headers["x-content-type-options"] == "nosniff"
    problem = response.json()
    assert set(problem) >= {"type", "title", "status", "detail", "instance", "errors"}
    assert problem["status"] == response.status_code
    return problem


def bad_bodies(path):
    """Name, body and (where it is certain) status of what every route must refuse."""
    field, good = TEXT_FIELD[path], GOOD[path]
    rest = json.dumps(good)[:-1]

    def instead(raw):
        return f'{{"{field}": {raw}}}'.encode()

    yield "lone surrogate", instead(f'"{MARK} \\ud800"'), 400
    yield "lone surrogate in a key", f'{rest}, "{MARK}\\udfff": 1}}'.encode(), 400
    for constant in ("NaN", "Infinity", "-Infinity", "1e999", "-1e999"):
        yield constant, f'{rest}, "{MARK}": {constant}}}'.encode(), 400
        yield f"{constant} as value", instead(constant), 400
    yield "5,000 digits", instead("9" * 5000), 400
    yield (
        "long text",
        instead(json.dumps(MARK * 10_000)) if path not in ("/v1/articles",) else instead("3"),
        422,
    )
    yield "deep arrays", instead("[" * 100_000 + "]" * 100_000), 400
    yield "deep objects", (b'{"a":' * 100_000) + b"1" + b"}" * 100_000, 400
    yield "33 levels", instead("[" * 33 + "]" * 33), 400
    yield "number", instead("17"), 422
    yield "list", instead(f'["{MARK}"]'), 422
    yield "object", instead(f'{{"{MARK}": 1}}'), 422
    yield "unknown field", f'{rest}, "{MARK}": 1}}'.encode(), 422
    yield "doubled key", f'{rest}, "{field}": {json.dumps(good[field])}}}'.encode(), 400
    yield "NUL", instead(f'"{MARK}\\u0000"'), 422
    yield "invalid UTF-8", instead('"') + MARK.encode() + b'\xff\xfe"}', 400
    yield "surrogate in bytes", b'{"' + field.encode() + b'": "\xed\xa0\x80"}', 400
    yield "UTF-16", json.dumps(good).encode("utf-16"), 400
    yield "UTF-16 without mark", json.dumps(good).encode("utf-16-le"), 400
    yield "byte order mark", b"\xef\xbb\xbf" + json.dumps(good).encode(), 400
    if path != "/v1/index/builds":
        yield "empty", b"", 422
        yield "blank", b" \n ", 422
    yield "null", b"null", 422
    yield "array", json.dumps([good]).encode(), 422
    yield "string", json.dumps(MARK).encode(), 422
    yield "not JSON", MARK.encode(), 400
    yield "half JSON", json.dumps(good)[:-2].encode(), 400
    yield "two documents", json.dumps(good).encode() * 2, 400


CASES = [
    pytest.param(path, body, status, id=f"{path} {name}") for path in GOOD for name, body, status in bad_bodies(path)
]


@pytest.mark.parametrize(("path", "body", "status"), CASES)
def test_a_bad_body_is_refused(client, path, body, status):
    began = time.perf_counter()
    response = client.post(path, content=body, headers={"content-type": "application/json"})
    assert_problem(response, status)
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("/v1/chat", {"message": ""}, "message: must have at least 1 character"),
        ("/v1/chat", {}, "message: is missing"),
        ("/v1/chat", [], "the body: must be an object"),
        ("/v1/chat", {"message": "x", "max_citations": 99}, "max_citations: must be at most 20"),
        ("/v1/chat", {"message": "x", "as_of": 3}, "as_of: expected a day of the calendar as YYYY-MM-DD"),
        ("/v1/search", {"query": "x", "mode": "all"}, "mode: must be one of 'hybrid', 'dense' or 'lexical'"),
        ("/v1/search", {"query": 1, "top_k": "1"}, "query: must be a text; and 1 more"),
        ("/v1/search", {"query": "x", "filters": {"sources": []}}, "filters.sources: must have at least 1 item"),
    ],
)
def test_a_wrong_value_is_told_in_words(client, path, body, detail):
    assert client.post(path, json=body).json()["detail"] == detail


@pytest.mark.parametrize("path", GOOD)
@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("text/plain", {}),
        ("application/x-www-form-urlencoded", {}),
        ("application/json; charset=utf-16", {}),
        ("application/jsonx", {}),
        ("application/json", {"content-encoding": "gzip"}),
        (None, {}),
    ],
)
def test_only_json_in_utf8_is_taken(client, path, kind, more):
    headers = ({"content-type": kind} if kind else {}) | more
    assert_problem(client.post(path, content=json.dumps(GOOD[path]).encode(), headers=headers), 415)


WRONG = [
    ("/v1/chat", {"message": ""}, "#/message"),
    ("/v1/chat", {"message": " \n\t"}, "#/message"),
    ("/v1/chat", {"message": "x" * 4001}, "#/message"),
    ("/v1/chat", {}, "#/message"),
    ("/v1/chat", {"message": "x", "stream": "true"}, "#/stream"),
    ("/v1/chat", {"message": "x", "stream": 1}, "#/stream"),
    ("/v1/chat", {"message": "x", "max_citations": 0}, "#/max_citations"),
    ("/v1/chat", {"message": "x", "answerer": MARK}, "#/answerer"),
    ("/v1/chat", {"message": "x", "answerer": "llm"}, "#/answerer"),
    ("/v1/chat", {"message": "x", "as_of": "2025-02-30"}, "#/as_of"),
    ("/v1/chat", {"message": "x", "as_of": "20250228"}, "#/as_of"),
    ("/v1/chat", {"message": "x", "as_of": 20250228}, "#/as_of"),
    ("/v1/chat", {"message": "x", "history": [{"role": "system", "content": "x"}]}, "#/history/0/role"),
    ("/v1/chat", {"message": "x", "history": [{"role": "user", "content": "x"}] * 51}, "#/history"),
    ("/v1/chat", {"message": "x", "history": [], "conversation_id": "conv_1"}, "#"),
    ("/v1/chat", {"message": "x", "filters": {MARK: 1}}, "#/filters"),
    ("/v1/chat", {"message": "x", "filters": {"sources": []}}, "#/filters/sources"),
    ("/v1/chat", {"message": "x", "filters": {"sources": [1]}}, "#/filters/sources/0"),
    (
        "/v1/chat",
        {"message": "x", "filters": {"published_from": "2025-02-01", "published_to": "2025-01-01"}},
        "#/filters",
    ),
    ("/v1/search", {"query": "x", "top_k": 0}, "#/top_k"),
    ("/v1/search", {"query": "x", "top_k": -1}, "#/top_k"),
    ("/v1/search", {"query": "x", "top_k": 1e30}, "#/top_k"),
    ("/v1/search", {"query": "x", "top_k": 10**18}, "#/top_k"),
    ("/v1/search", {"query": "x", "top_k": True}, "#/top_k"),
    ("/v1/search", {"query": "x", "top_k": "5"}, "#/top_k"),
    ("/v1/search", {"query": "x", "top_k": 5.5}, "#/top_k"),
    ("/v1/search", {"query": "x", "mode": MARK}, "#/mode"),
    ("/v1/articles", {}, "#"),
    ("/v1/articles", {"text": "x", "html": "<p>x"}, "#"),
    ("/v1/articles", {"text": "  "}, "#/text"),
    ("/v1/articles", {"html": "<p> </p>"}, "#/html"),
    ("/v1/articles", {"markdown": f"---\n{MARK}\n---\nx"}, "#/markdown"),
    ("/v1/articles", {"text": "x" * 2_000_001}, "#/text"),
    ("/v1/articles", {"text": "A text.", "url": "javascript:alert(1)"}, "#/url"),
    ("/v1/articles", {"text": "A text.", "url": "http://"}, "#/url"),
    ("/v1/articles", {"text": "A text.", "published_at": "yesterday"}, "#/published_at"),
    ("/v1/articles", {"text": "A text.", "published_at": "2025-13-01"}, "#/published_at"),
    ("/v1/articles", {"text": "A text.", "authors": MARK}, "#/authors"),
    ("/v1/index/builds", {"full": "yes"}, "#/full"),
    ("/v1/index/builds", {"full": 1}, "#/full"),
    ("/v1/index/rollback", {"generation": "../../x"}, "#/generation"),
    ("/v1/index/rollback", {"generation": 1}, "#/generation"),
]


@pytest.mark.parametrize(("path", "body", "pointer"), WRONG)
def test_a_wrong_value_is_pointed_at(client, path, body, pointer):
    problem = assert_problem(client.post(path, json=body), 422)
    assert pointer in [error["pointer"] for error in problem["errors"]]
    assert all(error["detail"] for error in problem["errors"])


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "limit=1_0", f"limit={'9' * 5000}", f"{MARK}=1", f"cursor={MARK}"],
)
@pytest.mark.parametrize("path", ["/v1/articles", "/v1/conversations"])
def test_a_wrong_query_is_refused(client, path, query):
    problem = assert_problem(client.get(f"{path}?{query}"), 422)
    assert problem["errors"][0]["pointer"].startswith("?")


def test_many_faults_are_cut_to_ten(client):
    problem = assert_problem(client.post("/v1/chat", json={"message": "x", "history": [MARK] * 50}), 422)
    assert len(problem["errors"]) == 10
    assert problem["detail"] == "history.0: must be an object; and 49 more"


def test_a_problem_never_exceeds_its_limit():
    problem = problem_of(Overloaded("é" * 10_000), "req_1")
    response = problem_response(problem, {}, extra={"problems": ["ü" * 3000] * 4})
    assert len(response.body) <= MAX_PROBLEM_BYTES


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"/{MARK}", 404),
        ("GET", f"/v1/articles/{MARK}", 404),
        ("GET", "/v1/articles/a%00b", 404),
        ("GET", "/v1/articles/%ff%fe", 404),
        ("GET", f"/v1/articles/{MARK * 500}", 404),
        ("DELETE", f"/v1/articles/{MARK}", 404),
        ("GET", f"/v1/conversations/{MARK}", 404),
        ("DELETE", f"/v1/conversations/{MARK}", 404),
        ("GET", f"/v1/index/builds/{MARK}", 404),
        ("GET", f"/v1/index/builds/{MARK}/events", 404),
        ("DELETE", f"/v1/index/builds/{MARK}", 404),
        ("GET", "/v1/articles/", 404),
        ("GET", "/v1/chat", 405),
        ("PATCH", "/v1/articles/x", 405),
        ("BREW", "/livez", 405),
    ],
)
def test_what_is_not_there_is_said_so(client, method, path, status):
    assert_problem(client.request(method, path), status)


def test_allow_names_every_method_of_the_address(client):
    assert client.put("/v1/articles/x").headers["allow"] == "DELETE, GET"
    assert client.delete("/v1/articles").headers["allow"] == "GET, POST"


def test_unknown_ids_are_404(client):
    response = client.post("/v1/chat", json={"message": "x", "conversation_id": f"conv_{MARK}"})
    assert assert_problem(response, 404)["errors"][0]["pointer"] == "#/conversation_id"
    response = client.put(f"/v1/messages/msg_{MARK}/feedback", json={"rating": "up"})
    assert_problem(response, 404)
    assert_problem(client.post("/v1/index/rollback", json={"generation": "999999"}), 404)


def limited(parts, **settings):
    values = parts.settings.model_dump() | settings
    return replace(parts, settings=Settings(**values))


def test_a_body_over_the_limit_is_refused_before_it_is_read(parts):
    app = build_app(limited(parts, max_body_bytes=1000))
    taken = []

    async def pieces():
        for _ in range(1000):
            taken.append(1)
            yield b" " * 100

    async def ask():
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://localhost", timeout=10
        ) as client:
            declared = await client.post("/v1/chat", content=b"{" * 1001)
            # Chunked: no length is declared, so it must be counted.
            counted = await client.post("/v1/articles", content=pieces())
            false = await client.post("/v1/chat", content=pieces(), headers={"content-length": "5"})
            unnumbered = await client.post("/v1/chat", content=b"{}", headers={"content-length": "+2"})
        return declared, counted, false, unnumbered

    declared, counted, false, unnumbered = asyncio.run(ask())
    for response in (declared, counted, false):
        assert response.headers["connection"] == "close"
        assert "1000 bytes" in assert_problem(response, 413)["detail"]
    assert_problem(unnumbered, 400)
    assert len(taken) < 30


def test_a_slow_body_is_the_clients_fault(parts):
    app = build_app(limited(parts, request_timeout_seconds=0.2))

    async def drip():
        yield b"{"
        await asyncio.sleep(5)
        yield b"}"

    async def ask():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.post("/v1/chat", content=drip())

    assert_problem(asyncio.run(ask()), 408)


def test_a_very_long_head_is_refused(client):
    assert_problem(client.get("/livez", headers={"x-long": "a" * 100_000}), 431)
    assert_problem(client.get("/livez?" + "a" * 40_000), 431)


class Stuck:
    """An assistant that thinks for a while, or breaks."""

    def __init__(self, seconds=0.0, error=None):
        self.seconds = seconds
        self.error = error

    def answerer(self, wanted):
        return wanted or "extractive"

    def ask(self, *_args, **_kwargs):
        time.sleep(self.seconds)
        if self.error:
            raise self.error
        raise AssertionError("nobody waits any more")

    search = ask


def test_a_request_ends_within_its_limit(parts):
    slow = replace(limited(parts, request_timeout_seconds=0.2), assistant=Stuck(1))
    began = time.perf_counter()
    response = TestClient(build_app(slow), base_url="http://localhost").post("/v1/chat", json={"message": MARK})
    assert time.perf_counter() - began < 0.9
    assert assert_problem(response, 503)["type"] == "urn:byline:problem:too-slow"
    assert response.headers["retry-after"]


def test_a_fault_of_ours_is_logged_and_says_nothing(parts):
    error = KeyError("inner secret")
    broken = replace(parts, assistant=Stuck(error=error))
    with capture_logs() as logged:
        response = TestClient(build_app(broken), base_url="http://localhost").post("/v1/chat", json={"message": MARK})
    assert_problem(response, 500)
    assert "secret" not in response.text
    failures = [line for line in logged if line["log_level"] == "error"]
    assert [line["exc_info"] for line in failures] == [error]
    assert failures[0]["request"] == response.headers["x-request-id"]


def test_what_overflows_the_line_is_refused_at_once(parts):
    busy = replace(limited(parts, max_waiting_requests=1), assistant=Stuck(0.3, NoGeneration("none")))
    app = build_app(busy)

    async def ask():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            calls = [client.post("/v1/search", json={"query": "x"}) for _ in range(QUESTION_THREADS + 6)]
            return await asyncio.gather(*calls)

    responses = asyncio.run(ask())
    refused = [response for response in responses if "overloaded" in response.text]
    # All threads and 1 place in line are taken.
    assert len(refused) == 5
    assert assert_problem(refused[0], 503)["type"] == "urn:byline:problem:overloaded"
    assert all(int(response.headers["retry-after"]) > 0 for response in refused)


def test_a_cancelled_call_gives_its_place_back():
    async def use():
        workers = Workers("test", threads=1, waiting=1)
        for _ in range(5):
            calls = [asyncio.create_task(workers.run(time.sleep, 0.05)) for _ in range(2)]
            await asyncio.sleep(0.01)
            calls[1].cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        assert await workers.run(lambda: 7) == 7
        workers.close()
        with pytest.raises(Overloaded, match="shutting down"):
            await workers.run(lambda: 7)

    asyncio.run(use())


@pytest.mark.parametrize("path", ["/livez", "/v1/articles", "/nothing"])
def test_a_request_id_is_echoed_or_made(client, path):
    assert client.get(path, headers={"x-request-id": "abc-1"}).headers["x-request-id"] == "abc-1"
    for bad in ("x" * 129, "é", "a\tb", ""):
        made = client.get(path, headers={"x-request-id": bad.encode("latin-1")}).headers["x-request-id"]
        assert made.startswith("req_")


def test_the_log_line_of_a_request_holds_no_text_of_the_client(client):
    with capture_logs() as logged:
        client.post("/v1/search", json={"query": MARK}, headers={"x-request-id": "abc"})
        client.get(f"/{MARK}?{MARK}={MARK}")
    assert MARK not in repr(logged)
    first, second = logged
    assert first.pop("ms") > 0
    assert first == {
        "event": "request",
        "log_level": "info",
        "id": "abc",
        "method": "POST",
        "route": "/v1/search",
        "status": 200,
        "generation": "000001",
    }
    assert (second["route"], second["status"]) == (None, 404)


def test_health_answers(client, parts):
    live, ready = client.get("/livez"), client.get("/readyz")
    assert live.json() == {"status": "alive"}
    engine = parts.embedding.engine
    embedding = {"runtime": engine.runtime, "precision": engine.precision, "why": parts.embedding.why}
    assert ready.json() == {"status": "ready", "generation": "000001", "embedding": embedding, "problems": []}
    assert client.get("/version").json()["name"] == "byline"
    assert live.headers["cache-control"] == ready.headers["cache-control"] == "no-store"


def test_readiness_tells_where_questions_are_embedded_otherwise_than_the_index(parts):
    elsewhere = replace(parts, embedding=Embedding(Engine("onnxruntime", "fp32"), "it is the fastest here"))
    made_with = parts.live.searcher().generation.manifest.embedding.engine
    ready = TestClient(build_app(elsewhere), base_url="http://localhost").get("/readyz")
    assert ready.status_code == 200  # all engines agree
    assert ready.json()["embedding"]["runtime"] == "onnxruntime"
    assert f"was embedded by {made_with}, questions are by onnxruntime fp32" in ready.json()["problems"][0]


def test_without_an_index_questions_wait(empty_parts):
    client = TestClient(build_app(empty_parts), base_url="http://localhost")
    for path in ("/v1/chat", "/v1/search"):
        response = client.post(path, json=GOOD[path])
        assert assert_problem(response, 503)["type"] == "urn:byline:problem:no-index"
        assert int(response.headers["retry-after"]) > 0
    ready = client.get("/readyz")
    problem = assert_problem(ready, 503)
    assert problem["detail"].startswith("index:")
    assert problem["generation"] is None
    assert ready.headers["cache-control"] == "no-store"


def test_the_openapi_document_describes_what_is_sent(client):
    document = client.get("/openapi.json").json()
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    of_openai = {"application/json": {"schema": {"$ref": "#/components/schemas/OpenAiError"}}}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            errors = {
                status: response.get("content")
                for status, response in operation["responses"].items()
                if status != "200"
            }
            if speaks_openai(path):
                assert errors == {"default": of_openai}, (path, method)
                continue
            for status, content in errors.items():
                assert int(status) < 400 or content == problem, (path, method)
            if method in ("post", "put"):
                assert "requestBody" in operation
                assert {"400", "413", "415", "422"} <= set(operation["responses"])
    names = set(document["components"]["schemas"])
    assert {"Problem", "ProblemError", "ReplyOut", "OpenAiError", "OpenAiErrorBody", "CompletionOut"} <= names
    assert "HTTPValidationError" not in names
