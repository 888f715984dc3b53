"""The pages as they are sent: which files, with which headers, and what must not stand in them."""

import re
from importlib import resources

import pytest
from fastapi.testclient import TestClient

from service.api.app import build_app

WEB = {entry.name: entry.read_text(encoding="utf-8") for entry in resources.files("service").joinpath("web").iterdir()}
PAGES = ("/", "/articles/art_1234", "/docs")
TYPES = {"css": "text/css", "html": "text/html", "js": "text/javascript", "svg": "image/svg+xml"}


@pytest.fixture(scope="module")
def client(parts):
    return TestClient(build_app(parts), base_url="http://localhost")


@pytest.mark.parametrize("address", PAGES)
def test_a_page_lets_nothing_in_from_elsewhere(client, address):
    headers = client.get(address).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self'",
        "connect-src": "'self'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'", "trusted-types": "'none'",
    }  # fmt: skip
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize("address", [*PAGES, "/favicon.ico", *(f"/web/{name}" for name in sorted(WEB))])
def test_a_file_has_its_type_and_is_kept_until_it_changes(client, address):
    sent = client.get(address)
    assert sent.status_code == 200
    kind = "svg" if address == "/favicon.ico" else address.rpartition(".")[2] if "." in address else "html"
    assert sent.headers["content-type"].partition(";")[0] == TYPES[kind]
    assert sent.headers["cache-control"] == "no-cache"
    again = client.get(address, headers={"If-None-Match": f'"other", W/{sent.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(address, headers={"If-None-Match": '"other"'}).status_code == 200
    head = client.head(address)
    assert (head.status_code, head.headers["etag"]) == (200, sent.headers["etag"])


@pytest.mark.parametrize(
    "name",
    ["nothing.js", "..%2Fcli.py", "..%2f..%2fpyproject.toml", "%2Fetc%2Fpasswd", "main.js%00", ".", "", "sub/main.js"],
)
def test_no_other_name_leads_to_a_file(client, name):
    refused = client.get(f"/web/{name}")
    assert refused.status_code == 404
    assert refused.headers["content-type"] == "application/problem+json"


def test_the_pages_are_not_part_of_the_documented_api(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert not {"/", "/articles/{article_id}", "/docs", "/web/{name}", "/favicon.ico"} & set(paths)


@pytest.mark.parametrize("address", ["/redoc", "/docs/oauth2-redirect"])
def test_no_page_of_others_describes_the_api(client, address):
    assert client.get(address).status_code == 404


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_a_page_is_only_read(client, method):
    refused = getattr(client, method)("/")
    assert refused.status_code == 405
    assert refused.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("name", sorted(WEB))
def test_no_text_becomes_markup_or_code(name):
    ways = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|setHTML|srcdoc"
    ways += r"|\beval\b|new Function|javascript:|setTimeout\(\s*[\"'`]"
    assert re.findall(ways, WEB[name]) == []


@pytest.mark.parametrize("name", sorted(WEB))
def test_nothing_is_fetched_from_elsewhere(name):
    addresses = set(re.findall(r"(?:https?:)?//[a-z0-9][^\s\"'`)]*", WEB[name])) - {"http://www.w3.org/2000/svg"}
    assert addresses == set()
    assert len(WEB[name].splitlines()) <= 400


@pytest.mark.parametrize("name", [name for name in WEB if name.endswith(".html")])
def test_a_page_has_no_script_or_style_of_its_own(name):
    page = WEB[name]
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page) == []
    assert not re.search(r"<(?:form)[^>]*\baction=", page)


def test_every_file_that_is_named_is_there():
    named = set()
    for page in (text for name, text in WEB.items() if name.endswith(".html")):
        named |= set(re.findall(r"(?:href|src)=\"(?:\.\./)?web/([^\"]+)\"", page))
    for script in (text for name, text in WEB.items() if name.endswith(".js")):
        named |= set(re.findall(r"from \"\./([^\"]+)\"", script))
    assert named == set(WEB) - {"index.html", "article.html", "docs.html"}


@pytest.mark.parametrize(
    ("page", "script"),
    [("index.html", "main.js"), ("article.html", "article-page.js"), ("docs.html", "docs-page.js")],
)
def test_all_modules_of_a_page_are_fetched_at_once(page, script):
    needed, wanted = set(), [script]
    while wanted:
        found = set(re.findall(r"from \"\./([^\"]+)\"", WEB[wanted.pop()])) - needed
        needed |= found
        wanted += found
    assert set(re.findall(r'modulepreload" href="(?:\.\./)?web/([^"]+)"', WEB[page])) == needed
