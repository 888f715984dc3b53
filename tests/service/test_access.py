"""Who may do what over HTTP: keys, scopes, owners, shares, and what a browser was tricked into."""

import threading

import pytest
from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from ingest.intake import prepare
from ingest.readers import RawArticle
from service import keys
from service.api.app import build_app
from service.api.openai_errors import speaks_openai
from service.api.server import PublicHostRefused, require_access_control
from service.keys import KeyStore
from service.settings import Settings

QUESTION = {"message": "How much did the Alder Bridge cost?"}
PUBLIC = ("203.0.113.5", 40000)


@pytest.fixture
def service(tmp_path, assembled, parts, monkeypatch):
    """A function that serves, with settings of its own, a data folder with keys; `.client(scopes)` has a key."""
    monkeypatch.setattr(keys, "_LOOK_SECONDS", 0.0)
    opened = []

    class Service:
        def __init__(self, **settings):
            self.parts = assembled(tmp_path, **settings)
            opened.append(self.parts)
            self.app = build_app(self.parts)
            self.store = KeyStore(tmp_path / "keys.sqlite")

        def anybody(self, address=PUBLIC, **headers):
            return TestClient(self.app, base_url="http://localhost", client=address, headers=headers)

        def client(self, *scopes, address=PUBLIC):
            return self.anybody(address, Authorization=f"Bearer {self.store.create('test', scopes).token}")

    yield Service
    for service in opened:
        service.close()


# Every route that needs a scope: method, address, body, scope.
ROUTES = [
    ("POST", "/v1/chat", QUESTION, "read"),
    ("POST", "/v1/chat/completions", {"model": "byline", "messages": [{"role": "user", "content": "?"}]}, "read"),
    ("GET", "/v1/models", None, "read"),
    ("GET", "/v1/models/byline", None, "read"),
    ("POST", "/v1/search", {"query": "bridge"}, "read"),
    ("GET", "/v1/conversations", None, "read"),
    ("GET", "/v1/conversations/conv_1", None, "read"),
    ("PATCH", "/v1/conversations/conv_1", {"title": "x"}, "read"),
    ("DELETE", "/v1/conversations/conv_1", None, "read"),
    ("PUT", "/v1/messages/msg_1/feedback", {"rating": "up"}, "read"),
    ("GET", "/v1/messages/msg_1/explain", None, "read"),
    ("GET", "/v1/articles", None, "read"),
    ("GET", "/v1/articles/a", None, "read"),
    ("POST", "/v1/articles", {"text": "A sentence of an article."}, "write"),
    ("POST", "/v1/articles/files", None, "write"),
    ("DELETE", "/v1/articles/a", None, "write"),
    ("GET", "/v1/index", None, "read"),
    ("GET", "/v1/index/builds/b", None, "read"),
    ("GET", "/v1/index/builds/b/events", None, "read"),
    ("POST", "/v1/index/builds", {}, "write"),
    ("DELETE", "/v1/index/builds/b", None, "write"),
    ("POST", "/v1/index/rollback", {"generation": "000001"}, "admin"),
]


def test_no_route_below_v1_is_left_out_of_the_table_of_scopes(service):
    paths = service().app.openapi()["paths"]
    declared = {(method.upper(), path) for path, item in paths.items() if path.startswith("/v1/") for method in item}
    tried = {(method, path) for method, path, _, _ in ROUTES}
    for method, path in declared:
        parts = path.split("/")
        assert any(
            method == other
            and len(parts) == len(one.split("/"))
            and all(a.startswith("{") or a == b for a, b in zip(parts, one.split("/"), strict=True))
            for other, one in tried
        ), f"{method} {path}: add it to ROUTES with the scope that it needs"


def test_where_there_are_keys_nobody_gets_in_without_one(service):
    served = service()
    client = served.anybody()
    assert client.get("/v1/index").status_code == 200
    token = served.store.create("app", ["read"]).token
    for headers in (
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": f"Basic {token}"},
        {"Authorization": f"Bearer {token}x"},
        {"X-API-Key": token},
    ):
        for method, path, body, _ in ROUTES:
            refused = client.request(method, path, json=body, headers=headers)
            assert refused.status_code == 401, (method, path, headers)
            assert refused.headers["WWW-Authenticate"] == "Bearer"
            kind = "application/json" if speaks_openai(path) else "application/problem+json"
            assert refused.headers["Content-Type"] == kind
            assert token not in refused.text
    assert client.get("/v1/index", headers={"Authorization": f"bearer  {token}"}).status_code == 200
    for path in ("/livez", "/version", "/openapi.json"):
        assert client.get(path).status_code == 200, path


@pytest.mark.parametrize("has", ["read", "write", "admin"])
def test_a_key_does_what_its_scope_says_and_nothing_else(service, has):
    client = service().client(has)
    for method, path, body, needed in ROUTES:
        status = client.request(method, path, json=body).status_code
        assert (status == 403) == (needed != has), (method, path, status)


def test_a_revoked_key_is_refused_at_once_and_the_server_stays_closed(service):
    served = service()
    client = served.client("read")
    assert client.get("/v1/index").status_code == 200
    served.store.revoke(served.store.all()[0].id)
    assert client.get("/v1/index").status_code == 401
    assert served.anybody().get("/v1/index").status_code == 401


def test_a_conversation_is_its_keys_and_for_others_as_if_it_were_not(service, build_index):
    served = service()
    owner, other = served.client("read", "write"), served.client("read", "write", "admin")
    owner.post("/v1/articles", json={"text": "The Alder Bridge cost 40 million euros.", "title": "Bridge"})
    build_index(served.parts)
    reply = owner.post("/v1/chat", json=QUESTION).json()
    conversation, message = reply["conversation_id"], reply["id"]
    assert reply["status"] == "answered"
    streamed = owner.post("/v1/chat", json=QUESTION | {"conversation_id": conversation, "stream": True})
    assert conversation in streamed.text
    unknown = other.get("/v1/conversations/conv_none")
    for request in (
        lambda: other.get(f"/v1/conversations/{conversation}"),
        lambda: other.patch(f"/v1/conversations/{conversation}", json={"title": "x"}),
        lambda: other.delete(f"/v1/conversations/{conversation}"),
    ):
        foreign = request()
        assert (foreign.status_code, foreign.json()["detail"]) == (404, unknown.json()["detail"])
    assert other.put(f"/v1/messages/{message}/feedback", json={"rating": "up"}).status_code == 404
    for stream in (False, True):
        continued = other.post("/v1/chat", json=QUESTION | {"conversation_id": conversation, "stream": stream})
        assert continued.status_code == 404
    assert other.get("/v1/conversations").json()["data"] == []
    assert [head["id"] for head in owner.get("/v1/conversations").json()["data"]] == [conversation]
    assert len(owner.get(f"/v1/conversations/{conversation}").json()["messages"]) == 4
    assert owner.delete(f"/v1/conversations/{conversation}").status_code == 204


def test_a_key_has_its_share_of_requests_whatever_its_address(service):
    served = service(requests_per_minute=3)
    client, other = served.client("read"), served.client("read", address=("203.0.113.5", 1))
    left = [client.get("/v1/index") for _ in range(3)]
    assert [reply.headers["RateLimit-Remaining"] for reply in left] == ["2", "1", "0"]
    assert all(reply.headers["RateLimit-Limit"] == "3" for reply in left)
    elsewhere = TestClient(
        served.app, base_url="http://localhost", client=("198.51.100.7", 1), headers=dict(client.headers)
    )
    for one in (client, elsewhere):
        refused = one.get("/v1/index")
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        assert refused.headers["RateLimit-Reset"] == refused.headers["Retry-After"]
        assert refused.headers["RateLimit-Remaining"] == "0"
        assert refused.json()["type"] == "urn:byline:problem:too-many-requests"
    assert other.get("/v1/index").status_code == 200
    assert client.get("/livez").status_code == 200


def test_wrong_keys_use_up_the_share_of_their_address(service):
    served = service(requests_per_minute=3)
    key = served.client("read")
    guesser = served.anybody(Authorization="Bearer byline_0_0")
    assert [guesser.get("/v1/index").status_code for _ in range(5)] == [401, 401, 401, 429, 429]
    neighbour = served.anybody(("2001:db8::1", 1), Authorization="Bearer byline_0_0")
    same_network = served.anybody(("2001:db8::2:1", 1), Authorization="Bearer byline_0_0")
    assert [neighbour.get("/v1/index").status_code for _ in range(3)] == [401, 401, 401]
    assert same_network.get("/v1/index").status_code == 429
    assert key.get("/v1/index").status_code == 200


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_this_machine_without_keys_is_not_limited(service, address):
    client = service(requests_per_minute=2, concurrent_requests=1).anybody((address, 1))
    replies = [client.get("/v1/index") for _ in range(5)]
    assert {reply.status_code for reply in replies} == {200}
    assert "RateLimit-Limit" not in replies[0].headers


def test_a_key_has_its_share_of_requests_at_once(service):
    served = service(concurrent_requests=1)
    held, go = threading.Event(), threading.Event()
    served.parts.library.digests, digests = (
        lambda: (held.set(), go.wait(20), digests())[2],
        served.parts.library.digests,
    )
    client, other = served.client("read"), served.client("read")
    first = threading.Thread(target=lambda: client.get("/v1/index"))
    first.start()
    assert held.wait(20)
    refused = client.get("/v1/conversations")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert other.get("/v1/conversations").status_code == 200
    go.set()
    first.join()
    assert client.get("/v1/conversations").status_code == 200


def test_without_keys_only_names_of_this_machine_are_answered(service):
    served = service(allowed_hosts=["Byline.example"])
    for host, status in (
        ("localhost", 200),
        ("localhost:8000", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("byline.example", 200),
        ("byline.EXAMPLE:443", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("user@localhost", 421),
        ("[::1", 421),
        ("", 421),
    ):
        assert served.anybody(Host=host).get("/v1/index").status_code == status, host
    client = served.client("read")
    assert client.get("/v1/index", headers={"Host": "news.example"}).status_code == 200


def test_a_page_of_another_site_changes_nothing_without_a_key(service):
    client = service(cors_origins=["https://news.example"]).anybody()

    def post(**headers):
        return client.post("/v1/articles", json={"text": "Some words of ours."}, headers=headers).status_code

    assert post(Origin="http://localhost") in (200, 201)
    assert post(Origin="https://news.example") in (200, 201)
    assert post(**{"Sec-Fetch-Site": "same-origin"}) in (200, 201)
    assert post(**{"Sec-Fetch-Site": "none"}) in (200, 201)
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost:9999"},
        {"Origin": "null"},
        {"Origin": "http://[::1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert post(**headers) == 403, headers


def test_pages_of_named_sites_may_use_the_api_and_no_others(service):
    asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    closed = service().anybody()
    assert (
        "Access-Control-Allow-Origin" not in closed.get("/v1/index", headers={"Origin": "https://news.example"}).headers
    )
    assert closed.options("/v1/chat", headers={"Origin": "https://news.example"} | asking).status_code == 405
    served = service(cors_origins=["https://news.example"])
    key = served.client("read")
    for client, status in ((key, 200), (served.anybody(), 401)):
        reply = client.get("/v1/index", headers={"Origin": "https://news.example"})
        assert reply.status_code == status
        assert reply.headers["Access-Control-Allow-Origin"] == "https://news.example"
        assert "Retry-After" in reply.headers["Access-Control-Expose-Headers"]
    preflight = served.anybody().options("/v1/chat", headers={"Origin": "https://news.example"} | asking)
    assert preflight.status_code == 200
    other = served.anybody().options("/v1/chat", headers={"Origin": "https://evil.example"} | asking)
    assert "Access-Control-Allow-Origin" not in other.headers


def test_a_public_server_whose_keys_are_lost_opens_to_nobody(service):
    assert service(host="192.0.2.1").anybody().get("/v1/index").status_code == 401


def test_keys_that_cannot_be_read_let_nobody_in(service, tmp_path):
    served = service()
    client = served.client("read")
    served.store.close()
    (tmp_path / "keys.sqlite").write_bytes(b"no database" * 100)
    refused = client.get("/v1/index")
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:byline:problem:storage")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_a_loopback_host_is_served_without_keys(tmp_path, host):
    require_access_control(Settings(data=tmp_path, host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_a_public_host_is_refused_until_there_is_a_key_that_works(tmp_path, host):
    settings = Settings(data=tmp_path, host=host)
    with pytest.raises(PublicHostRefused, match="byline keys create"):
        require_access_control(settings)
    store = KeyStore(tmp_path / "keys.sqlite")
    key = store.create("app", ["read"]).key
    require_access_control(settings)
    store.revoke(key.id)
    store.close()
    with pytest.raises(PublicHostRefused):
        require_access_control(settings)


@pytest.mark.model
def test_an_explanation_is_its_owners_and_the_log_names_the_key(service, build_index):
    served = service()
    served.parts.library.put(prepare(RawArticle(text="The ferry to Orlo leaves at nine.", title="Ferry to Orlo")))
    build_index(served.parts)
    one, other = served.client("read"), served.client("read")
    with capture_logs() as logged:
        asked = one.post("/v1/chat", json={"message": "When does the ferry to Orlo leave?"}).json()
    (key,) = {line["key"] for line in logged if line["event"] == "request"}
    assert key in {stored.id for stored in served.store.all()}
    assert one.headers["Authorization"].split()[1] not in repr(logged)
    assert one.get(f"/v1/messages/{asked['id']}/explain").status_code == 200
    assert other.get(f"/v1/messages/{asked['id']}/explain").status_code == 404
