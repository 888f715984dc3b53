"""What the chat page makes of trouble: errors, a server that starts, keys, hostile words, articles that changed since."""

import json
import shutil

import pytest
from browsing import ask, axe_faults
from playwright.sync_api import expect
from processes import byline, serving

pytestmark = [pytest.mark.model, pytest.mark.server]

HOSES = "What does the Merrin Coast order prohibit?"
PROBLEM = "application/problem+json"


def problem(status, detail, name="x", **headers):
    body = {"type": f"urn:byline:problem:{name}", "title": "T", "status": status, "detail": detail, "errors": []}
    return {"status": status, "content_type": PROBLEM, "body": json.dumps(body), "headers": headers}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (problem(429, "at most 5 a minute", **{"retry-after": "1"}), "Too many requests at once: at most 5 a minute"),
        (problem(503, "the line is full", **{"retry-after": "1"}), "The line is full."),
        (problem(403, "the key may only read"), "Your key may not do this: the key may only read"),
        (problem(422, "1 value is not allowed."), "1 value is not allowed."),
        ({"status": 502, "body": "<html>"}, "The server answered with status 502."),
        (None, "The server cannot be reached."),
        ({"content_type": "text/event-stream", "body": 'event: start\ndata: {"id": "m"}\n\n'}, "broke off"),
    ],
)
def test_what_goes_wrong_is_said_and_tried_again(server, visit, answer, said):
    failures = [answer]

    def chat(route):
        if not failures:
            route.continue_()
        elif failure := failures.pop():
            route.fulfill(**failure)
        else:
            route.abort()

    page = visit(server, routes=[("/v1/chat", chat)])
    page.locator("#message").fill(HOSES)
    page.keyboard.press("Enter")
    expect(page.locator(".turn .problem")).to_contain_text(said)
    again = page.locator(".turn .retry button")
    if answer and "retry-after" in answer.get("headers", {}):
        expect(again).to_be_disabled()
    again.click()
    expect(page.locator(".turn .answer .mark").first).to_be_visible()
    expect(page.locator(".turn")).to_have_count(1)


def test_a_server_that_starts_is_waited_for(server, visit):
    starting = [problem(503, "starting: the index is being opened", "not-ready", **{"retry-after": "1"})] * 2
    page = visit(
        server, routes=[("/readyz", lambda route: route.fulfill(**starting.pop()) if starting else route.continue_())]
    )
    expect(page.locator("#notice")).to_contain_text("Byline is starting")
    expect(page.locator("#notice")).to_be_hidden()
    expect(page.locator("#index-line")).to_contain_text("articles")


@pytest.fixture(scope="module")
def locked(sample_data, tmp_path_factory):
    """A server that wants keys; gives it, and a key for each scope."""
    data = tmp_path_factory.mktemp("locked") / "data"
    shutil.copytree(sample_data, data)
    made = (byline("keys", "create", f"to {scope}", "--scope", scope, data=data) for scope in ("read", "read,write"))
    reader, editor = (one.stdout.strip() for one in made)
    with serving(data) as client:
        yield client, reader, editor


def test_a_key_is_asked_for_kept_and_forgotten(locked, visit):
    client, reader, editor = locked
    page = visit(client)
    field = page.get_by_label("Key", exact=True)
    expect(field).to_be_focused()
    assert axe_faults(page) == []
    field.fill("wrong-key")
    page.keyboard.press("Enter")
    expect(page.locator("#key-why")).to_contain_text("not accepted")
    field.fill(reader)
    page.keyboard.press("Enter")
    expect(page.locator("#index-line")).to_contain_text("articles")
    ask(page, HOSES)
    assert page.evaluate("[Object.values(sessionStorage), Object.keys(localStorage)]") == [[reader], []]
    page.reload()
    expect(page.locator(".turn .answer .mark").first).to_be_visible()
    expect(page.locator("#conversations a")).to_have_count(1)
    page.locator("#forget-key").click()
    expect(field).to_be_focused()
    assert page.evaluate("Object.values(sessionStorage)") == []
    assert page.locator(".turn, #conversations a").count() == 0
    field.press("Escape")
    expect(page.locator("#enter-key")).to_be_visible()
    page.locator("#message").fill(HOSES)
    page.keyboard.press("Enter")
    expect(field).to_be_focused()
    field.press("Escape")
    expect(page.locator(".turn").last.locator(".problem")).to_contain_text("answers only those who have an API key")
    page.locator(".turn").last.locator(".retry button").click()
    field.fill(editor)
    page.get_by_label("Keep on this device").check()
    page.get_by_role("button", name="Use this key").click()
    expect(page.locator(".turn").last.locator(".answer .mark").first).to_be_visible()
    assert page.evaluate("[Object.values(localStorage), Object.keys(sessionStorage)]") == [[editor], []]
    expect(page.locator("#index-line")).to_contain_text("articles")
    expect(page.locator("#conversations a")).to_have_count(1)  # the other key's are its own


def test_a_key_that_may_not_add_is_told_so(locked, visit):
    client, reader, editor = locked
    page = visit(client)
    field = page.get_by_label("Key", exact=True)
    field.fill(reader)
    page.keyboard.press("Enter")
    expect(page.locator("#index-line")).to_contain_text("articles")
    words = {
        "name": "otters.txt",
        "mimeType": "text/plain",
        "buffer": b"Otters\n\nThe zoo of Tamsel keeps seven otters.",
    }
    page.locator("#files").set_input_files([words])
    expect(page.locator("#tray .card")).to_contain_text("Your key may not do this: the API key lacks the scope 'write'")
    expect(page.locator("#sidebar .add-articles")).to_be_disabled()
    expect(page.locator("#sidebar .may-not-add")).to_have_text("Your key may not add articles.")
    page.locator("#forget-key").click()
    field.fill(editor)
    page.keyboard.press("Enter")
    expect(page.locator("#sidebar .add-articles")).to_be_enabled()
    page.locator("#files").set_input_files([words])
    expect(page.locator("#tray .build h3")).to_have_text("The index is up to date", timeout=60_000)


EVIL = '<img src=x onerror="document.title=1"><script>document.title=1</script> [7] 🛶🛶 [1] said.'
TEXT = f"𝔑ext to 🛶 nothing.\n\nBefore it 👩\u200d🚀. {EVIL} After it [1]."


def evil_reply(**changes):
    """A reply whose every word is an attack; no server of ours sends one."""
    start = TEXT.index(EVIL)
    citation = {
        "number": 1, "article_id": "art_0", "title": EVIL, "source": EVIL, "url": "javascript:document.title=1",
        "published_at": None, "date_source": "unknown", "quote": EVIL, "start": start, "end": start + len(EVIL),
        "chunk_id": "c", "score": 1, "also_in": ["art_1", "art_2"], "removed": False,
    }  # fmt: skip
    sentence = {"text": EVIL, "start": 0, "end": len(EVIL), "citations": [1], "support": "verbatim", "score": 1}
    return {
        "id": "msg_0", "conversation_id": None, "status": "answered", "answer": f"{EVIL} [1] [2]", "sentences": [sentence],
        "citations": [citation], "question": EVIL, "generation": "000009", "answerer": "llm", "degraded": True,
        "conflicts": [{"about": EVIL, "positions": [{"value": EVIL, "citation": 1, "published_at": None}]}],
        "abstain_reason": None, "nearest": [], **changes,
    }  # fmt: skip


def evil_server(reply, *, held=TEXT, now=TEXT, url="javascript:document.title=1"):
    """Routes that answer with a reply, and with an article: as the generation holds it, and as it is now."""

    def chat(route):
        one = {name: reply[name] for name in ("id", "conversation_id", "question", "generation")}
        events = [("start", one), *(("citation", one) for one in reply["citations"])]
        events += [("delta", {"text": part}) for part in (EVIL[:5], EVIL[5:])]
        events += [
            *(("sentence", one) for one in reply["sentences"]),
            ("delta", {"text": reply["answer"][len(EVIL) :]}),
        ]
        events += [("done", reply)]
        body = "".join(f"event: {name}\ndata: {json.dumps(values)}\n\n" for name, values in events)
        route.fulfill(content_type="text/event-stream", body=body)

    def article(route):
        text = held if "generation=000009" in route.request.url else now
        if text is None:
            route.fulfill(**problem(404, "there is none"))
            return
        body = {"title": EVIL, "source": EVIL, "url": url, "authors": [EVIL], "published_at": None}
        route.fulfill(content_type="application/json", body=json.dumps(body | {"date_source": "unknown", "text": text}))

    return [("/v1/chat", chat), ("/v1/articles/art_*", article)]


def test_hostile_text_stays_text(server, visit):
    page = visit(server, routes=evil_server(evil_reply()))
    turn = ask(page, EVIL)
    assert turn.locator(".question").text_content() == EVIL
    assert turn.locator(".answer").text_content() == f"{EVIL} [1] [2]"
    # The article's own "[7]" and "[1]" are no marks, nor is a number that is no citation's.
    assert turn.locator(".answer .mark").all_text_contents() == ["[1]"]
    assert "date unknown" in turn.locator(".source-line").inner_text()
    assert "The language model did not answer" in turn.inner_text()
    turn.locator(".answer .mark").click()
    expect(page.locator("#reader mark")).to_have_text(EVIL)
    expect(page.locator("#reader .also li")).to_have_count(2)
    assert "date unknown" in page.locator(".reader-head").inner_text()
    assert page.locator("#reader-title").text_content() == EVIL
    assert page.locator("main img, main script, aside img, aside script, a[href^='javascript:']").count() == 0
    assert page.title() == "Byline"


def test_an_articles_own_address_is_a_link_that_tells_nothing(server, visit):
    page = visit(server, routes=evil_server(evil_reply(), url="https://herald.example/a?b=<c>"))
    ask(page, "What?").locator(".answer .mark").click()
    link = page.get_by_role("link", name="Original article")
    expect(link).to_have_attribute("href", "https://herald.example/a?b=%3Cc%3E")
    assert (link.get_attribute("rel"), link.get_attribute("target")) == ("noopener noreferrer", "_blank")


@pytest.mark.parametrize(
    ("now", "note", "shown"),
    [
        (TEXT, None, EVIL),
        (f"🛶 Corrected. {TEXT}", "changed since this answer; the quoted words stand here now", EVIL),
        ("All of it is new.", "the quoted words no longer stand in it", None),
        (None, "This article was removed since.", None),
    ],
)
def test_an_article_that_changed_since_says_so(server, visit, now, note, shown):
    page = visit(server, routes=evil_server(evil_reply(), held=None, now=now))
    ask(page, "What?").locator(".answer .mark").click()
    body = page.locator(".reader-body")
    if note:
        expect(body.locator(".note")).to_contain_text(note)
    if shown:
        expect(body.locator("mark")).to_have_text(shown)
        expect(body.locator(".note")).to_have_count(1 if note else 0)
    else:
        expect(body.locator("mark")).to_have_count(0)


def test_half_an_answer_says_that_it_is_one(server, visit):
    page = visit(server, routes=evil_server(evil_reply(status="partial")))
    assert "Answered in part" in ask(page, "What?").locator(".verdict.partial").inner_text()
