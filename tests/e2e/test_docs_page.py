"""The page at /docs: all that the OpenAPI document says is on it, its commands work, and what is tried is sent."""

import json
import os
import re
import shlex
import shutil
import subprocess

import pytest
from browsing import SIDEWAYS, axe_faults
from playwright.sync_api import expect
from processes import byline, serving

pytestmark = [pytest.mark.model, pytest.mark.server]

REFUSED_BY_ITS_FORM = {0, 400, 401, 403, 405, 413, 415, 422}

# A stream that the test feeds: what fetch gives for everything but the page's own files.
FED_STREAM = """() => {
  const body = new ReadableStream({ start: (fed) => {
    window.feed = (text) => fed.enqueue(new TextEncoder().encode(text));
    window.end = () => fed.close();
  } });
  window.fetch = async () => new Response(body, { headers: { "Content-Type": "text/event-stream" } });
}"""


@pytest.fixture(scope="module")
def document(server):
    return server.get("/openapi.json").json()


@pytest.fixture(scope="module")
def keyed(sample_data, tmp_path_factory):
    """A server of its own, with keys; gives its client, with a key that may do everything as `client.key`."""
    data = tmp_path_factory.mktemp("keyed") / "data"
    shutil.copytree(sample_data, data)
    key = byline("keys", "create", "tests", "--scope", "read,write,admin", data=data).stdout.strip()
    with serving(data) as client:
        client.key = key
        yield client


def drawn(visit, server, path="/docs", **how):
    page = visit(server, path, **how)
    expect(page.locator(".operation").first).to_be_attached()
    return page


def field(page, operation, name):
    return page.locator(f"#{operation} li:has(> .field > .name:text-is('{name}'))").first


def unfold(details):
    details.evaluate_all("all => all.forEach(one => { one.open = true; })")


def open_form(page, operation):
    part = page.locator(f"#{operation} .try")
    part.locator("> summary").click()
    return part


def test_every_operation_and_every_field_is_drawn(server, visit, document):
    page = drawn(visit, server)
    operations = [f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item]
    assert sorted(page.locator(".operation h3").all_text_contents()) == sorted(operations)
    assert sorted(page.locator("#names li").all_text_contents()) == sorted(operations)
    ids = page.locator("[id]").evaluate_all("all => all.map(one => one.id)")
    assert len(set(ids)) == len(ids)
    assert {"post-v1-chat", "delete-v1-articles-article_id"} <= set(ids)

    names = set(page.locator(".name").all_text_contents())
    words = page.locator("main").text_content()
    for schema in document["components"]["schemas"].values():
        assert set(schema.get("properties", {})) <= names
        for one in schema.get("properties", {}).values():
            assert one.get("description", "").replace("`", "") in words
    for item in document["paths"].values():
        for operation in item.values():
            assert {parameter["name"] for parameter in operation.get("parameters", [])} <= names
            view = page.locator(".operation").filter(has=page.get_by_text(operation["summary"], exact=True))
            statuses = {status.replace("default", "other") for status in operation["responses"]}
            assert statuses == set(view.first.locator(".status").all_text_contents())
            for paragraph in operation["description"].split("\n\n"):
                assert paragraph.replace("`", "") in view.first.locator(".purpose").text_content()
    assert not re.search(r"undefined|NaN|\[object", words)


@pytest.mark.parametrize(
    ("operation", "name", "said"),
    [
        ("post-v1-chat", "message", "message string required · 1 to 4,000 characters · matches \\S"),
        ("post-v1-chat", "as_of", "as_of string (date) or null"),
        ("post-v1-chat", "max_citations", "max_citations integer · 1 to 20 · default 5"),
        ("post-v1-chat", "sources", "sources array of string or null · 1 to 100 items · each 1 to 500 characters"),
        ("post-v1-chat", "support", 'support "verbatim" or "supported" required'),
        ("post-v1-chat", "citations", "citations array of integer required"),
        ("post-v1-articles-files", "files", "files array of file required · at least 1 item"),
        ("post-v1-articles-files", "source", "source string or null · at most 255 characters"),
        ("get-v1-conversations", "limit", "limit integer · 1 to 200 · default 50"),
        ("get-readyz", "status", 'status "ready"'),
    ],
)
def test_a_field_is_described(server, visit, operation, name, said):
    page = drawn(visit, server)
    unfold(page.locator("main details"))
    shown = field(page, operation, name).locator("> .field")
    expect(shown).to_be_visible()
    # The dots between are the style's.
    words = [shown.locator(".name").inner_text(), shown.locator(".type").inner_text()]
    words += ["required"] * shown.locator(".required").count()
    assert " · ".join([" ".join(words), *shown.locator(".bound").all_inner_texts()]).startswith(said)


def test_the_filter_leaves_what_has_all_its_words(server, visit, document):
    page = drawn(visit, server)
    page.get_by_label("Filter the operations").fill("abstain_reason CHAT post")
    expect(page.locator("#filtered")).to_have_text(f"1 of {page.locator('.operation').count()} operations")
    assert page.locator(".operation:visible h3").all_text_contents() == ["POST /v1/chat"]
    assert page.locator("#names li:visible").count() == page.locator("#names h2:visible").count() == 1
    page.evaluate("location.hash = 'post-v1-search'")  # leads to one that it hid
    expect(page.locator("#post-v1-search")).to_be_visible()
    assert page.get_by_label("Filter the operations").input_value() == ""


def test_an_address_leads_to_an_operation(server, visit):
    page = drawn(visit, server, "/docs#delete-v1-index-builds-build_id")
    heading = page.locator("#delete-v1-index-builds-build_id h3")
    expect(heading).to_be_in_viewport()
    expect(page.locator("#names [aria-current]")).to_have_text("DELETE /v1/index/builds/{build_id}")
    expect(page.locator("#names [aria-current]")).to_be_in_viewport()
    page.locator("#filter").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#post-v1-chat h3")).to_be_in_viewport()
    assert page.evaluate("location.hash") == "#post-v1-chat"


def test_every_command_can_be_sent_as_it_is(keyed, visit, tmp_path):
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("there is no curl")
    page = drawn(visit, keyed)
    lines = page.locator(".curl").all_text_contents()
    assert len(lines) == page.locator(".operation").count()
    (tmp_path / "FILE").write_text("A ferry sails.", encoding="utf-8")
    for line in lines:
        assert ("$BYLINE_KEY" in line) == ("/v1/" in line), line
        silent = line.replace("curl ", f"{shlex.quote(curl)} -s -o got -w '%{{http_code}}' --noproxy '*' ", 1)
        sent = subprocess.run(
            ["sh", "-c", silent], cwd=tmp_path, env=os.environ | {"BYLINE_KEY": keyed.key},
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert int(sent.stdout) not in REFUSED_BY_ITS_FORM, (line, (tmp_path / "got").read_text())


def test_a_command_is_copied_and_has_no_key_where_there_are_none(server, visit):
    page = drawn(visit, server)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#post-v1-search").get_by_label("Copy the command").click()
    expect(page.locator("#post-v1-search").get_by_text("Copied.")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()").replace("\r\n", "\n")
    assert copied == page.locator("#post-v1-search .curl").text_content()
    address = server.base_url.join("/v1/search")
    assert copied.startswith(f"curl {address} \\\n  -H 'Content-Type: application/json' \\\n  -d '{{\n")
    assert "Authorization" not in page.locator("#operations").inner_text()
    expect(page.locator("#key-line")).to_contain_text("no API keys")


def test_a_search_is_tried(server, visit):
    page = drawn(visit, server)
    part = open_form(page, "post-v1-search")
    part.get_by_label("Body", exact=True).fill('{"query": "Merrin Coast order", "top_k": 2}')
    part.get_by_role("button", name="Send").click()
    expect(part.get_by_role("status")).to_have_text(re.compile(r"^200 OK, after [\d,]+ ms$"))
    shown = part.get_by_label("Body of the response")
    expected = server.post("/v1/search", json={"query": "Merrin Coast order", "top_k": 2}).json()
    assert json.loads(shown.text_content())["hits"] == expected["hits"]
    part.get_by_text("Headers").click()
    expect(part.get_by_label("Headers of the response")).to_contain_text("content-type: application/json")

    part.get_by_label("Body", exact=True).fill('{"query": ')
    part.get_by_role("button", name="Send").click()
    expect(part.get_by_role("status")).to_contain_text("400")
    expect(shown).to_contain_text("urn:byline:problem:")


def test_parameters_and_accept_are_sent(server, visit):
    page = drawn(visit, server)
    part = open_form(page, "get-v1-articles")
    part.get_by_label("limit").fill("1")
    part.get_by_label("query").fill("Merrin & coast?")
    with page.expect_request("**/v1/articles?*") as asked:
        part.get_by_role("button", name="Send").click()
    assert asked.value.url.endswith("/v1/articles?limit=1&query=Merrin%20%26%20coast%3F")
    part = open_form(page, "get-v1-articles-article_id")
    part.get_by_role("button", name="Send").click()  # without what is required nothing is sent
    part.get_by_label("article_id").fill("a/../b")
    with page.expect_request("**/v1/articles/*") as asked:
        part.get_by_role("button", name="Send").click()
    assert asked.value.url.endswith("/v1/articles/a%2F..%2Fb")
    part = open_form(page, "post-v1-chat")
    part.get_by_label("Accept").select_option("text/plain")
    part.get_by_role("button", name="Send").click()
    expect(part.get_by_label("Body of the response")).to_contain_text("[1]")


def test_files_are_sent(keyed, visit):
    page = visit(keyed)  # the key is the chat page's
    page.get_by_label("Key", exact=True).fill(keyed.key)
    page.keyboard.press("Enter")
    page.get_by_role("link", name="API").click()
    part = open_form(page, "post-v1-articles-files")
    part.get_by_label("files").set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"A ferry sails."})
    part.get_by_role("button", name="Send").click()
    expect(part.get_by_label("Body of the response")).to_contain_text('"outcome": "added"')


def test_a_stream_is_shown_as_it_comes(server, visit):
    page = drawn(visit, server)
    part = open_form(page, "post-v1-chat")
    page.evaluate(FED_STREAM)
    part.get_by_role("button", name="Send").click()
    shown = part.get_by_label("Body of the response")
    page.evaluate("feed('event: start\\n')")
    expect(shown).to_have_text("event: start\n")
    expect(part.get_by_role("button", name="Stop")).to_be_visible()
    page.evaluate("feed('data: <b>1</b>\\n')")
    page.evaluate("end()")
    expect(part.get_by_role("status")).to_contain_text("after")
    assert shown.text_content() == "event: start\ndata: <b>1</b>\n"
    expect(part.get_by_role("button", name="Stop")).to_be_hidden()


def test_what_is_on_its_way_can_be_stopped(server, visit):
    page = drawn(visit, server, routes=[("/v1/search", lambda route: None)])
    part = open_form(page, "post-v1-search")
    part.get_by_role("button", name="Send").click()
    part.get_by_role("button", name="Stop").click()
    expect(part.get_by_role("status")).to_have_text("Stopped.")
    expect(part.get_by_role("button", name="Send")).to_be_enabled()


def test_a_key_is_asked_for_and_forgotten(keyed, visit):
    page = drawn(visit, keyed)
    expect(page.locator("#key-line")).to_contain_text("those who have an API key")
    part = open_form(page, "get-v1-models")
    part.get_by_role("button", name="Send").click()
    page.get_by_role("button", name="Not now").click()
    expect(part.get_by_role("status")).to_contain_text("401")
    page.get_by_role("button", name="Enter a key").click()
    page.get_by_label("Key", exact=True).fill(keyed.key)
    page.keyboard.press("Enter")
    expect(page.locator("#key-line")).to_contain_text("sent with your API key")
    part.get_by_role("button", name="Send").click()
    expect(part.get_by_role("status")).to_contain_text("200")
    assert keyed.key not in page.content()
    page.get_by_role("button", name="Forget key").click()
    expect(page.get_by_role("button", name="Enter a key")).to_be_visible()
    expect(page.get_by_label("Body of the response")).to_have_count(0)


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1400, "dark")])
def test_everybody_can_read_it(server, visit, width, scheme):
    page = drawn(visit, server, width=width, scheme=scheme)
    assert page.evaluate(SIDEWAYS) <= 0
    unfold(page.locator("#post-v1-chat details, #get-v1-index details"))
    part = page.locator("#post-v1-chat .try")
    part.get_by_role("button", name="Send").click()
    expect(part.get_by_role("status")).to_contain_text("after")
    if width < 960:
        expect(page.locator("#names")).to_be_hidden()
        page.get_by_text("All operations").click()
    expect(page.locator("#names")).to_be_visible()
    assert page.evaluate(SIDEWAYS) <= 0
    assert axe_faults(page) == []


def test_words_of_a_description_stay_words(server, visit, document):
    evil = "<img src=x onerror=alert(1)> `<script>alert(1)</script>`"
    itself = {"$ref": "#/components/schemas/Node"}
    fields = {
        evil: {"type": "string", "description": evil, "default": evil, "pattern": "^a$"},
        "inner": itself,
        "all": {"type": "array", "items": itself},
    }
    node = {"type": "object", "title": evil, "description": evil, "required": [evil], "properties": fields}
    answer = {"200": {"description": evil, "content": {"application/json": {"schema": itself}}}}
    hostile = {
        "info": {"title": evil, "version": evil, "description": evil},
        "paths": {"/v1/node": {"get": {"tags": [evil], "summary": evil, "description": evil, "responses": answer}}},
        "components": {"schemas": {"Node": node}},
    }
    page = drawn(visit, server, routes=[("/openapi.json", lambda route: route.fulfill(json=hostile))])
    assert page.locator("img, script:not([src])").count() == 0
    assert page.locator(".operation .summary").inner_text() == evil
    # A schema that holds itself ends at the second time.
    assert page.get_by_text("Node is described above.").count() == 2


def test_a_description_that_cannot_be_read_is_asked_for_again(server, visit):
    broken = [True]

    def once(route):
        if broken.pop() if broken else False:
            route.fulfill(status=503, content_type="application/problem+json", body='{"detail": "shutting down"}')
        else:
            route.continue_()

    page = visit(server, "/docs", routes=[("/openapi.json", once)])
    expect(page.get_by_role("alert")).to_contain_text("shutting down")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#post-v1-chat")).to_be_visible()
