"""The page of an article: the place that its address names is marked, whatever its text is made of."""

import pytest
from browsing import SIDEWAYS, axe_faults
from playwright.sync_api import expect

pytestmark = [pytest.mark.model, pytest.mark.server]

QUOTE = "The 🛶 ferry of 🦉 Norwick sails on Sunday."
TEXT = "\n\n".join(
    ["🛶🛶 Head 👩\u200d🚀 of it.", *(f"Paragraph {n} of 🦉 Norwick." for n in range(60)), QUOTE, "After it."]
)
IN_VIEW = "mark => { const at = mark.getBoundingClientRect(); return at.top >= 0 && at.bottom <= innerHeight; }"


@pytest.fixture
def article(server):
    """An article that the library has and the index has not; gives what is stored."""
    added = server.post("/v1/articles", json={"text": TEXT, "title": "The <b>ferry</b>", "external_id": "ferry"}).json()
    yield server.get(f"/v1/articles/{added['article_id']}").json()
    server.delete(f"/v1/articles/{added['article_id']}")


def place_of(article, words):
    start = article["text"].index(words)
    return f"#c={start}-{start + len(words)}"


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_named_place_is_marked_and_in_view(server, visit, article, width, scheme):
    page = visit(server, f"/articles/{article['article_id']}{place_of(article, QUOTE)}", width=width, scheme=scheme)
    mark = page.locator("mark")
    expect(mark).to_have_text(QUOTE)
    assert mark.evaluate(IN_VIEW)
    assert page.locator("h1").text_content() == article["title"]
    assert page.title() == f"{article['title']} · Byline"
    assert page.evaluate(SIDEWAYS) <= 0
    assert "date unknown" in page.locator(".facts").inner_text()
    assert axe_faults(page) == []


def test_another_place_is_marked_without_loading_again(server, visit, article):
    page = visit(server, f"/articles/{article['article_id']}")
    expect(page.get_by_text("After it.")).to_be_visible()
    assert page.locator("mark").count() == 0
    page.evaluate("hash => { location.hash = hash; }", place_of(article, "Paragraph 7 of 🦉 Norwick."))
    expect(page.locator("mark")).to_have_text("Paragraph 7 of 🦉 Norwick.")


@pytest.mark.parametrize("place", ["#c=5-999999", "#c=999998-999999"])
def test_a_place_beyond_the_text_is_said(server, visit, article, place):
    page = visit(server, f"/articles/{article['article_id']}{place}")
    expect(page.locator(".note")).to_contain_text("shorter now than the place that was cited")
    assert page.locator("mark").count() == 0


@pytest.mark.parametrize("place", ["#c=9-5", "#c=x-y", "#c=1", "#c=-1-5", "#<img src=x>"])
def test_a_place_that_is_none_marks_nothing(server, visit, article, place):
    page = visit(server, f"/articles/{article['article_id']}{place}")
    expect(page.get_by_text("After it.")).to_be_visible()
    assert page.locator("mark, .note").count() == 0


def test_the_chat_leads_to_the_page_of_its_generation(server, visit):
    reply = server.post(
        "/v1/chat", json={"message": "What does the Merrin Coast order prohibit?", "history": []}
    ).json()
    citation = reply["citations"][0]
    page = visit(server)
    page.locator("#message").fill("What does the Merrin Coast order prohibit?")
    page.keyboard.press("Enter")
    page.locator(".answer .mark").first.click()
    address = page.get_by_role("link", name="Open as a page").get_attribute("href")
    assert address.endswith(
        f"/articles/{citation['article_id']}?generation={reply['generation']}#c={citation['start']}-{citation['end']}"
    )
    page.goto(address)
    expect(page.locator("mark").first).to_be_visible()
    assert "".join(page.locator("mark").all_text_contents()) == citation["quote"].replace("\n", "")
    assert page.locator(".note").count() == 0


def test_a_generation_that_is_gone_gives_the_article_of_today_and_says_so(server, visit, article):
    page = visit(server, f"/articles/{article['article_id']}?generation=000777{place_of(article, QUOTE)}")
    expect(page.locator("mark")).to_have_text(QUOTE)
    expect(page.locator(".note")).to_contain_text("the article as it is now")


@pytest.mark.parametrize("name", ["art_none", "%3Cscript%3E", "..%5C..%5Cx"])
def test_an_unknown_article_is_said_to_be_unknown(server, visit, name):
    page = visit(server, f"/articles/{name}")
    expect(page.locator("h1")).to_have_text("No such article")
    expect(page.get_by_role("alert")).to_contain_text("There is no article at this address")


def test_a_key_is_asked_for(server, visit, article):
    def guarded(route):
        if route.request.headers.get("authorization") == "Bearer right-key":
            route.continue_()
        else:
            route.fulfill(status=401, content_type="application/problem+json", body='{"detail": "no key"}')

    page = visit(server, f"/articles/{article['article_id']}{place_of(article, QUOTE)}", routes=[("/v1/**", guarded)])
    page.get_by_label("Key", exact=True).fill("right-key")
    page.keyboard.press("Enter")
    expect(page.locator("mark")).to_have_text(QUOTE)
