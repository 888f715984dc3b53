"""Articles taken in on the chat page, and the index built, while chatting goes on: in a real browser, on a real server."""

import json

import pytest
from browsing import SIDEWAYS, axe_faults
from playwright.sync_api import expect
from processes import serving

pytestmark = [pytest.mark.model, pytest.mark.server]

FERRY = """---
title: The ferry of 🦉 Norwick
date: 2025-06-01
source: Norwick Herald
url: https://herald.example/ferry
---
🛶🛶 The ferry of Norwick is back.

The ferry of Norwick sails to Tamsel every Sunday at nine. It costs 4 crowns.
"""
HOSTILE = """<html><head><title>Zoo &lt;script&gt;document.title=1&lt;/script&gt;</title></head><body><article>
<p>The zoo of Tamsel keeps seven otters &lt;img src=x onerror=document.title=1&gt; in a pond [7].</p>
<p>The keeper of the zoo, Ada Lind, feeds the otters of Tamsel at noon [1].</p>
<script>document.title = "run"</script></article></body></html>
"""
ASKED = "Where does the ferry of Norwick sail every Sunday?"
DROPPING = """text => {
  const held = new DataTransfer();
  held.items.add(new File([text], "dropped.txt", {type: "text/plain"}));
  for (const kind of ["dragenter", "dragover"]) document.body.dispatchEvent(new DragEvent(kind, {dataTransfer: held, bubbles: true}));
  window.held = held;
}"""
DROP = "() => document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: window.held, bubbles: true}))"


def file(name, text):
    return {"name": name, "mimeType": "text/plain", "buffer": text if isinstance(text, bytes) else text.encode()}


def send(page, question):
    turns = page.locator(".turn")
    before = turns.count()
    page.locator("#message").fill(question)
    page.keyboard.press("Enter")
    return turns.nth(before)


def test_from_nothing_to_a_cited_answer(tmp_path, visit):
    held = []
    hold = [False]
    with serving(tmp_path) as client:
        page = visit(
            client, routes=[("/v1/index/builds/*/events", lambda r: held.append(r) if hold[0] else r.continue_())]
        )
        expect(page.locator("#empty")).to_be_visible()
        assert "byline add FOLDER" in page.locator("#empty").inner_text()
        assert "No conversations yet" in page.locator("#sidebar").inner_text()
        assert axe_faults(page) == []
        expect(send(page, ASKED).locator(".problem")).to_contain_text("There is no index yet")

        page.locator("#files").set_input_files(
            [file("ferry.md", FERRY), file("<img src=x>.bin", b"\0\1\2"), file("zoo.html", HOSTILE)]
        )
        report = page.locator("#tray .card").first
        expect(report.locator("h3")).to_have_text("Articles: 2 added, 1 refused")
        refused = report.locator(".outcomes.refused li")
        expect(refused).to_have_count(1)
        assert refused.locator(".file").text_content() == "<img src=x>.bin"
        assert refused.locator(".reason").text_content()
        report.locator("summary").click()
        expect(report.locator("details li")).to_have_count(2)

        build = page.locator("#tray .build")
        expect(build).to_contain_text("The index is up to date", timeout=60_000)
        expect(build).to_contain_text("2 articles can be asked about (2 added).")
        expect(page.locator("#index-line")).to_contain_text("2 articles")
        expect(page.locator("#empty")).to_be_hidden()
        answer = send(page, ASKED)
        expect(answer.locator(".answer .mark").first).to_be_visible()
        answer.locator(".mark").first.click()
        expect(page.locator("#reader mark").first).to_contain_text("sails to Tamsel every Sunday")
        expect(page.get_by_role("link", name="Original article")).to_have_attribute(
            "href", "https://herald.example/ferry"
        )

        hold[0] = True
        page.evaluate(
            DROPPING, "The museum of Tamsel\n\nThe museum of Tamsel opens on Friday with 300 paintings of owls."
        )
        expect(page.locator("#veil")).to_be_visible()
        page.evaluate(DROP)
        expect(page.locator("#veil")).to_be_hidden()
        expect(page.locator("#tray .card h3").nth(1)).to_have_text("Articles: 1 added")
        expect(build.locator("h3")).to_have_text("Building the index …")
        # The build is on its way, as far as the page knows; questions are answered meanwhile.
        otters = send(page, "Who feeds the otters of Tamsel?")
        expect(otters.locator(".answer")).to_contain_text("Ada Lind")
        assert otters.locator(".mark").all_text_contents()[0] == "[1]"
        assert page.locator(".turn img, .turn script, #reader img, #reader script").count() == 0
        page.reload()
        expect(build.locator("progress")).to_be_visible()
        hold[0] = False
        held[-1].continue_()
        expect(build).to_contain_text("The index is up to date", timeout=60_000)
        build.get_by_label("Dismiss").click()
        expect(page.locator("#tray .card")).to_have_count(0)
        expect(send(page, "When does the museum of Tamsel open?").locator(".answer")).to_contain_text("Friday")

        client.post("/v1/articles", json={"text": "Another article of Norwick, about its bridge over the river."})
        page.reload()
        expect(page.locator("#pending-line")).to_have_text("1 change not in the index yet")
        page.locator("#build").click()
        expect(build).to_contain_text("4 articles can be asked about (1 added).", timeout=60_000)


def stream(*events):
    return {
        "content_type": "text/event-stream",
        "body": "".join(f"event: {name}\ndata: {json.dumps(values)}\n\n" for name, values in events),
    }


def test_a_build_says_how_far_it_is_and_why_it_failed(server, visit):
    running = {"id": "build_1", "state": "running", "finished_at": None, "result": None, "error": None}
    running["progress"] = {"phase": "embed", "done": 1500, "total": 3000, "eta_s": 200.0}
    failed = running | {
        "state": "failed",
        "finished_at": "2026-01-01T00:00:00Z",
        "error": "no space left <b>at all</b>",
    }
    states = [running, failed]
    broken = {"status": 409, "title": "Conflict", "detail": "the build failed"}
    streams = [stream(("progress", running), ("progress", running)), stream(("error", broken))]
    routes = [
        ("/v1/index/builds", lambda route: route.fulfill(status=202, json=running)),
        ("/v1/index/builds/build_1", lambda route: route.fulfill(json=states.pop(0))),
        ("/v1/index/builds/build_1/events", lambda route: route.fulfill(**streams.pop(0))),
        ("/v1/articles/files", lambda route: route.fulfill(json={"results": [
            {"file": "a.txt", "outcome": "updated", "article_id": "art_1", "reason": None}]})),
    ]  # fmt: skip
    page = visit(server, width=360, height=740, routes=routes)
    page.locator("#files").set_input_files([file("a.txt", "Words.")])
    build = page.locator("#tray .build")
    expect(build).to_contain_text("Working out what the passages mean: 1,500 of 3,000, about 3 min left")
    assert build.locator("progress").evaluate("one => one.position") == 0.5
    assert page.evaluate(SIDEWAYS) <= 0
    expect(build).to_contain_text("The build failed")
    expect(build).to_contain_text("no space left <b>at all</b>")


def test_files_that_the_server_does_not_take_are_told_of(server, visit):
    too_large = {"status": 413, "detail": "the body is larger than the limit"}
    page = visit(server, routes=[("/v1/articles/files", lambda route: route.fulfill(status=413, json=too_large))])
    page.locator("#files").set_input_files([file("large.txt", "Words.")])
    card = page.locator("#tray .card")
    expect(card.locator("h3")).to_have_text("Articles: 1 refused")
    expect(card.locator(".reason")).to_contain_text("larger than the limit")
    expect(page.locator("#tray .build")).to_have_count(0)


def test_many_files_go_in_several_requests(server, visit):
    sizes = []

    def take(route):
        names = route.request.post_data.count('filename="')
        sizes.append(names)
        result = {"outcome": "unchanged", "article_id": "art_1", "reason": None}
        route.fulfill(json={"results": [result | {"file": f"{len(sizes)}-{n}.txt"} for n in range(names)]})

    page = visit(server, routes=[("/v1/articles/files", take)])
    page.locator("#files").set_input_files([file(f"{n}.txt", "Words.") for n in range(120)])
    expect(page.locator("#tray .card h3")).to_have_text("Articles: 120 unchanged")
    assert sizes == [50, 50, 20]
