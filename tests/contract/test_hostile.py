"""What the document cannot describe: broken bytes, headers, cursors and addresses. Never a 5xx, always a short problem."""

import base64
import json

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.server

MARK = "xyzzyplugh"  # stands in much of what is sent, and must not come back in an error
BODIES = {
    "/v1/chat": {"message": "When did the bridge open?", "filters": {"sources": [MARK]}},
    "/v1/search": {"query": MARK, "top_k": 3},
    "/v1/articles": {"text": f"{MARK} met on Friday.", "external_id": MARK},
    "/v1/index/rollback": {"generation": "000001"},
    "/v1/chat/completions": {"model": "byline", "messages": [{"role": "user", "content": "When did it open?"}]},
}
LISTS = ("/v1/articles", "/v1/conversations")

few = settings(max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
many = settings(few, max_examples=2000)


@pytest.fixture(scope="module")
def client(api_server):
    address, token = api_server
    with httpx.Client(base_url=f"http://{address}", headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
        yield client


def judge(response, sent=MARK):
    """Require an answer that any client can read, whatever was sent."""
    assert response.status_code < 500, response.text
    if response.status_code < 400:
        return
    assert len(response.content) <= 4096
    assert sent not in response.text
    kind = response.headers["content-type"]
    if response.request.url.path.startswith(("/v1/chat/completions", "/v1/models")):
        assert kind == "application/json"
        assert set(response.json()["error"]) == {"message", "type", "param", "code"}
    else:
        assert kind == "application/problem+json"
        assert response.json()["status"] == response.status_code


def run(test, thorough):
    (many if thorough else few)(test)()


def damaged(content):
    """A strategy of bytes that were JSON before something happened to them."""
    place, piece = st.integers(0, len(content)), st.binary(max_size=6)
    replaced = st.builds(lambda at, new: content[:at] + new + content[at + len(new) :], place, piece)
    inserted = st.builds(lambda at, new: content[:at] + new + content[at:], place, piece)
    cut = place.map(lambda at: content[:at])
    doubled = st.builds(lambda first, last: content[:first] + content[last:], place, place)
    return st.one_of(replaced, inserted, cut, doubled)


def odd_values():
    """A strategy of JSON texts of values that programs understand differently, or not at all."""
    numbers = st.one_of(
        st.integers(10**18, 10**400).map(str),
        st.sampled_from(["1e400", "-1e400", "NaN", "Infinity", "-0", "1.0", "1e2", "0x10", "01", "1_000"]),
    )
    texts = st.sampled_from(
        [r'"\ud800"', r'"\udc00\ud800"', r'"\u0000"', '"\t"', r'"\x41"', "'a'", '"' + "a" * 9000 + '"']
    )
    nested = st.integers(1, 3000).map(lambda depth: "[" * depth + "]" * depth)
    return st.one_of(
        numbers, texts, nested, st.sampled_from(["null", "true", "[]", "{}", '{"a": 1, "a": 2}', "", "[,]"])
    )


@pytest.mark.parametrize("path", BODIES)
def test_damaged_bodies(client, thorough, path):
    @given(damaged(json.dumps(BODIES[path]).encode()))
    def test(content):
        judge(client.post(path, content=content, headers={"content-type": "application/json"}))

    run(test, thorough)


@pytest.mark.parametrize("path", BODIES)
def test_odd_values_in_every_field(client, thorough, path):
    body = BODIES[path]

    @given(st.sampled_from(sorted(body)), odd_values(), st.booleans())
    def test(field, value, twice):
        rest = "".join(f", {json.dumps(name)}: {json.dumps(body[name])}" for name in body if twice or name != field)
        content = f'{{"{field}": {value}{rest}}}'.encode()
        judge(client.post(path, content=content, headers={"content-type": "application/json"}))

    run(test, thorough)


HEADERS = ("accept", "content-type", "idempotency-key", "if-none-match", "x-request-id", "content-encoding", "origin")
HEADERS += ("accept-encoding", "range", "expect", "cookie", "last-event-id", "forwarded", "x-forwarded-for", "te")
values = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=300).map(lambda text: text.strip()),
    st.sampled_from(
        ['"', 'W/"', "*", ",,,", "text/event-stream;q=1e400", "text/plain;q=nan", "a/b;" * 50, "bytes=-1-"]
    ),
)


def test_odd_headers(client, thorough):
    @given(st.dictionaries(st.sampled_from(HEADERS), values, min_size=1, max_size=4), st.sampled_from(sorted(BODIES)))
    def test(headers, path):
        encoded = {name: value.encode("latin-1") for name, value in headers.items()}
        judge(client.post(path, content=json.dumps(BODIES[path]).encode(), headers=encoded))
        judge(client.get("/v1/articles", headers=encoded))

    run(test, thorough)


def test_odd_tags_of_an_article(client, thorough):
    article = client.get("/v1/articles").json()["data"][0]["article_id"]
    tag = client.get(f"/v1/articles/{article}").headers["etag"]
    for same in (tag, f"W/{tag}", f'"other", {tag}', "*", f"{tag} ,"):
        assert client.get(f"/v1/articles/{article}", headers={"if-none-match": same}).status_code == 304
    for other in (tag[:-2] + '"', "", '""', tag.strip('"'), "null"):
        assert client.get(f"/v1/articles/{article}", headers={"if-none-match": other}).status_code == 200

    @given(values)
    def test(value):
        headers = {"if-none-match": value.encode("latin-1")}
        assert client.get(f"/v1/articles/{article}", headers=headers).status_code in (200, 304)

    run(test, thorough)


odd_parts = st.one_of(
    st.sampled_from(["%00", "%ff", "%ed%a0%80", "%2e%2e", "%2F", "+", "&&", "=", "%", "%zz", "a" * 5000, "%C3%28"]),
    st.text(max_size=8).map(lambda text: httpx.QueryParams({"x": text}).__str__()[2:]),
)
NAMES = ("limit", "cursor", "source", "query", "published_from", "published_to", "generation", "LIMIT", "limit[]", MARK)


def test_odd_addresses(client, thorough):
    @given(st.lists(st.tuples(st.sampled_from(NAMES), odd_parts), max_size=4), odd_parts, st.sampled_from(LISTS))
    def test(query, part, path):
        words = "&".join(f"{name}={value}" for name, value in query)
        judge(client.get(f"{path}?{words}"))
        judge(client.get(f"{path}/{part}"))
        judge(client.delete(f"{path}/{part}"))
        judge(client.get(f"/v1/index/builds/{part}/events"))

    run(test, thorough)


@pytest.mark.parametrize("path", LISTS)
def test_a_cursor_is_one_that_the_list_gave(client, path):
    for number in range(3):
        client.post("/v1/articles", json={"text": f"The council met {number} times.", "external_id": f"c{number}"})
        client.post("/v1/chat", json={"message": f"How often did it meet, {number}?"})
    page = client.get(path, params={"limit": 1}).json()
    good = page["next_cursor"]
    assert client.get(path, params={"limit": 1, "cursor": good}).json()["data"][0] != page["data"][0]
    (other_list,) = set(LISTS) - {path}
    foreign = client.get(other_list, params={"limit": 1}).json()["next_cursor"]
    made_up = [base64.urlsafe_b64encode(text.encode()).decode() for text in ("after:-1", "after:1e3", "after:²", "x:1")]
    for bad in [foreign, good[:-3], good[1:], good + "AAAA", good.lower(), "", "0", "\ud7ff", "=" * 8, *made_up]:
        response = client.get(path, params={"limit": 1, "cursor": bad})
        judge(response)
        assert response.status_code == 422, bad
        assert response.json()["errors"][0]["pointer"] == "?cursor"


@pytest.mark.parametrize("path", LISTS)
def test_limits_are_what_they_say(client, path):
    for limit, status in (
        (1, 200),
        (200, 200),
        (0, 422),
        (201, 422),
        (-1, 422),
        ("1.0", 422),
        (10**30, 422),
        ("", 422),
    ):
        response = client.get(path, params={"limit": limit})
        judge(response)
        assert response.status_code == status, limit


def test_a_body_where_none_belongs_and_none_where_one_does(client):
    assert client.request("GET", "/v1/articles", content=b"{").status_code == 200
    assert client.request("DELETE", "/v1/articles/art_0", content=b"\xff" * 1000).status_code == 404
    for path in BODIES:
        judge(client.post(path))
        judge(client.post(path, content=b"", headers={"content-type": "application/json"}))
        for method in ("TRACE", "OPTIONS", "CONNECT", "PROPFIND", "get"):
            judge(client.request(method, path))
