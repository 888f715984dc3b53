"""The chat page in a real browser, against a real server: asking, checking every sentence, and going on from there."""

import re

import llm_server
import pytest
from browsing import SIDEWAYS, ask, axe_faults
from llm_server import Talker
from playwright.sync_api import expect
from processes import serving

pytestmark = [pytest.mark.model, pytest.mark.server]

HOSES = "What does the Merrin Coast order prohibit?"
LEAK = "How many customers were affected by the Kaldrail data leak?"
NOT_THERE = "What is the boiling point of tungsten in kelvin?"
IN_VIEW = """mark => { const [a, b] = [mark, mark.closest(".reader-body")].map(one => one.getBoundingClientRect());
  return a.top >= b.top && a.top < b.bottom && b.top < innerHeight; }"""


def stored(server, page):
    """What the server keeps of the conversation that is open."""
    return server.get(f"/v1/conversations/{page.url.partition('#')[2]}").json()


def marked(page):
    return "".join(page.locator("#reader mark").all_text_contents())


def without_breaks(text):
    return text.replace("\n", "")


def test_a_mark_opens_the_article_at_exactly_the_quoted_words(server, visit):
    page = visit(server, height=480)  # so low that the words are out of sight at first
    turn = ask(page, HOSES)
    answer = stored(server, page)["messages"][1]
    assert turn.locator(".answer").text_content() == answer["content"]
    assert turn.locator(".answer .mark").all_text_contents() == re.findall(r"\[\d+\]", answer["content"])
    for citation in answer["citations"]:
        mark = turn.locator(f'.answer .mark[data-number="{citation["number"]}"]').first
        mark.click()
        first = page.locator("#reader mark").first
        expect(first).to_be_visible()
        assert marked(page) == without_breaks(citation["quote"])
        assert first.evaluate(IN_VIEW)
        head = page.locator(".reader-head")
        assert citation["title"] in head.inner_text()
        assert citation["source"] in head.inner_text()
        assert turn.locator(".sentence.lit").count() >= 1
        page.keyboard.press("Escape")
        expect(page.locator("#reader")).to_be_hidden()
        expect(mark).to_be_focused()


def test_every_source_is_listed_with_quote_and_day_and_opens(server, visit):
    page = visit(server)
    turn = ask(page, LEAK)
    citations = stored(server, page)["messages"][1]["citations"]
    sources = turn.locator(".source")
    assert sources.count() == len(citations) > 1
    for citation, source in zip(citations, sources.all(), strict=True):
        assert without_breaks(source.locator("blockquote").text_content()) == without_breaks(citation["quote"])
        assert source.locator("time").get_attribute("datetime") == citation["published_at"]
        assert citation["title"] in source.inner_text()
    sources.last.locator("button").click()
    expect(page.locator("#reader mark").first).to_be_visible()
    assert marked(page) == without_breaks(citations[-1]["quote"])
    assert "lit" in sources.last.get_attribute("class")


def test_a_conflict_shows_each_value_with_its_day_newest_first(server, visit):
    page = visit(server)
    turn = ask(page, LEAK)
    conflict = turn.locator(".conflict")
    values = [value.split()[0] for value in conflict.locator("dt").all_text_contents()]
    assert values == ["640,000", "184,000"]
    days = [one.get_attribute("datetime") for one in conflict.locator("time").all()]
    assert days == sorted(days, reverse=True)
    conflict.locator(".mark").last.click()
    expect(page.locator("#reader mark").first).to_be_visible()
    assert "184,000" in marked(page)


def test_an_abstention_looks_like_one_and_offers_what_came_nearest(server, visit):
    page = visit(server)
    turn = ask(page, NOT_THERE)
    said = turn.locator(".verdict.abstained")
    assert said.locator("strong").inner_text() == "Not in the articles"
    assert "I found nothing about this" in said.inner_text()
    assert turn.locator(".mark").count() == 0
    near = turn.locator(".sources.near")
    assert near.locator("h3").inner_text() == "Closest passages"
    near.locator("button").first.click()
    expect(page.locator("#reader mark").first).to_be_visible()
    page.reload()
    expect(page.locator(".turn .verdict.abstained strong")).to_have_text("Not in the articles")
    expect(page.locator(".turn .sources.near .source")).to_have_count(near.locator(".source").count())


def test_a_follow_up_says_what_was_searched(server, visit):
    page = visit(server)
    assert "Searched for" not in ask(page, "Who designed the new Quillon Bridge in Port Ellisand?").inner_text()
    second = ask(page, "And what will it cost?")
    assert "Quillon Bridge" in second.locator(".searched").inner_text()
    assert len(stored(server, page)["messages"]) == 4


def test_a_conversation_is_kept_renamed_and_deleted(server, visit):
    page = visit(server)
    expect(page).to_have_title("Byline")
    ask(page, HOSES)
    address = page.url
    entry = page.locator("#conversations a[aria-current]")
    expect(entry).to_contain_text(HOSES)
    page.reload()
    expect(page.locator(".turn .answer .mark").first).to_be_visible()
    page.locator("#rename").click()
    page.get_by_label("Title").fill("Hoses <b>in</b> Merrin")
    page.keyboard.press("Enter")
    expect(page.locator("#title")).to_have_text("Hoses <b>in</b> Merrin")
    expect(entry).to_contain_text("Hoses <b>in</b> Merrin")
    page.locator("#new").click()
    expect(page.locator("#welcome")).to_be_visible()
    assert "#conv" not in page.url
    page.locator("#conversations a", has_text="Hoses <b>in</b>").click()
    expect(page.locator(".turn .question")).to_have_text(HOSES)
    assert page.url == address
    page.locator("#delete").click()
    page.get_by_role("button", name="Cancel").click()
    assert server.get(f"/v1/conversations/{address.partition('#')[2]}").status_code == 200
    page.locator("#delete").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator(".turn")).to_have_count(0)
    expect(page.locator("#conversations a", has_text="Hoses <b>in</b>")).to_have_count(0)
    assert server.get(f"/v1/conversations/{address.partition('#')[2]}").status_code == 404
    page.goto(address)
    expect(page.get_by_text("There is no such conversation")).to_be_visible()


def test_more_conversations_come_by_the_page(server, visit):
    for number in range(35):
        server.post("/v1/chat", json={"message": f"Question {number} about hoses?"})
    page = visit(server)
    entries = page.locator("#conversations a")
    expect(entries).to_have_count(30)
    page.locator("#more").click()
    expect(entries.nth(34)).to_contain_text("Question 0")
    assert len(set(entries.evaluate_all("all => all.map(one => one.hash)"))) == entries.count()


def test_an_answer_is_copied_with_its_sources(server, visit):
    page = visit(server)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    turn = ask(page, HOSES)
    turn.get_by_label("Copy with its sources").click()
    expect(turn.get_by_text("Copied.")).to_be_visible()
    answer = stored(server, page)["messages"][1]
    copied = page.evaluate("navigator.clipboard.readText()").replace("\r\n", "\n")
    assert copied.startswith(f"{answer['content']}\n\n[1] {answer['citations'][0]['title']}, Sample Coast Courier, ")


def test_a_rating_is_kept_and_shown_again(server, visit):
    page = visit(server)
    turn = ask(page, HOSES)
    turn.get_by_label("Not helpful").click()
    expect(turn.get_by_label("Not helpful")).to_have_attribute("aria-pressed", "true")
    assert stored(server, page)["messages"][1]["feedback"]["rating"] == "down"
    page.reload()
    expect(page.get_by_label("Not helpful")).to_have_attribute("aria-pressed", "true")
    page.get_by_label("Helpful", exact=True).click()
    expect(page.get_by_label("Not helpful")).to_have_attribute("aria-pressed", "false")


def test_filters_bound_what_is_searched(server, visit):
    page = visit(server)
    page.locator("#filters-button").click()
    expect(page.locator("#from")).to_be_focused()
    expect(page.locator("#source-names option[value='Sample Coast Courier']")).to_be_attached()
    page.locator("#from").fill("2025-10-01")
    page.locator("#to").fill("2025-09-01")
    expect(page.locator("#filters-wrong")).to_have_text("This day is before the first.")
    page.locator("#filters-done").click()
    page.locator("#message").fill(LEAK)
    page.keyboard.press("Enter")
    expect(page.locator("#to")).to_be_focused()
    assert page.locator(".turn").count() == 0
    page.locator("#to").fill("2025-10-31")
    page.locator("#as-of").fill("2025-10-20")
    page.locator("#source").fill("Sample Evening Ledger")
    page.keyboard.press("Enter")
    page.locator("#filters-done").click()
    with page.expect_request("**/v1/chat") as asked:
        turn = ask(page, LEAK)
    sent = asked.value.post_data_json
    assert sent["filters"] == {
        "published_from": "2025-10-01", "published_to": "2025-10-31", "sources": ["Sample Evening Ledger"]
    }  # fmt: skip
    assert sent["as_of"] == "2025-10-20"
    lines = turn.locator(".source-line").all_inner_texts()
    assert lines
    assert all(re.fullmatch(r"Sample Evening Ledger · \d+ October 2025", line) for line in lines)
    for chip in reversed(page.locator(".chip").all()):
        chip.click()
    with page.expect_request("**/v1/chat") as asked:
        ask(page, LEAK)
    assert {"filters", "as_of"} & set(asked.value.post_data_json) == set()


def test_it_works_by_the_keyboard_alone(server, visit):
    page = visit(server)
    expect(page.locator("#index-line")).to_contain_text("articles")
    page.keyboard.press("Tab")
    expect(page.locator("#skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#message")).to_be_focused()
    page.keyboard.type("What does the Merrin Coast")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("order prohibit?")
    page.keyboard.press("Enter")
    expect(page.locator(".turn .question")).to_have_text("What does the Merrin Coast\norder prohibit?")
    expect(page.locator(".reply-foot")).to_be_visible()
    # Whole, once, when it is there.
    expect(page.locator("#announcer")).to_contain_text("Watering lawns and gardens with a hose")
    for _ in range(20):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.matches('.answer .mark')"):
            break
    opened = page.evaluate("document.activeElement.dataset.number")
    page.keyboard.press("Enter")
    expect(page.locator("#reader-title")).to_be_focused()
    expect(page.locator("#reader mark").first).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#reader")).to_be_hidden()
    expect(page.locator(f".answer .mark[data-number='{opened}']").first).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(server, visit, scheme):
    page = visit(server, scheme=scheme)
    assert axe_faults(page) == []
    ask(page, NOT_THERE)
    ask(page, LEAK).locator(".mark").first.click()
    expect(page.locator("#reader mark").first).to_be_visible()
    page.locator("#filters-button").click()
    page.locator("#from").fill("2025-10-01")
    assert axe_faults(page) == []
    page.locator("#rename").click()
    assert axe_faults(page) == []


def test_a_phone_shows_all_of_it_without_scrolling_sideways(server, visit):
    page = visit(server, width=360, height=740, scheme="dark")
    turn = ask(page, LEAK)
    columns = (
        "() => [...document.querySelectorAll('.scroller, #filters')].map(one => one.scrollWidth - one.clientWidth)"
    )
    assert page.evaluate(SIDEWAYS) <= 0
    page.locator("#filters-button").click()
    assert max(page.evaluate(columns)) <= 0
    page.locator("#filters-done").click()
    turn.locator(".mark").first.click()
    expect(page.locator("#reader-sheet")).to_have_js_property("open", True)
    sheet = page.locator("#reader-sheet").bounding_box()
    assert (sheet["x"], sheet["width"], sheet["height"]) == (0, 360, 740)
    assert page.locator("#reader mark").first.evaluate(IN_VIEW)
    assert page.locator(".reader-body").evaluate("one => one.scrollWidth - one.clientWidth") <= 0
    assert axe_faults(page) == []
    page.keyboard.press("Escape")
    expect(page.locator("#reader")).to_be_hidden()
    page.locator("#menu").click()
    expect(page.locator("#conversations a").first).to_be_visible()
    assert axe_faults(page) == []
    page.locator("#new").click()
    expect(page.locator("#sidebar")).to_be_hidden()
    # A window that grows has room for both again.
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(page.locator("#sidebar")).to_be_visible()


def test_the_theme_is_the_readers_choice_and_stays(server, visit):
    page = visit(server, scheme="light")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.locator("input[name=theme][value=dark]").check(force=True)
    dark = page.evaluate(background)
    assert light != dark
    page.reload()
    assert page.evaluate(background) == dark
    page.locator("input[name=theme][value=auto]").check(force=True)
    assert page.evaluate(background) == light


def test_offsets_are_code_points(server, visit):
    page = visit(server)
    texts = ["", "plain words", "🛶🛶 𝔑orwick, the ferry", "e\u0301 👩\u200d🚀 end 🛶", "a🛶"]
    cases = [
        (text, start, end) for text in texts for start in range(len(text) + 1) for end in range(start, len(text) + 1)
    ]
    work = "async cases => { const m = await import('/web/text.js'); return cases.map(one => [m.slice(...one), m.length(one[0])]); }"
    assert page.evaluate(work, cases) == [[text[start:end], len(text)] for text, start, end in cases]


@pytest.fixture(scope="module")
def talking(sample_data):
    """A server whose LLM says one sentence and does not come to an end."""
    llm, stop = llm_server.start()
    try:
        settings = {"BYLINE_LLM_BASE_URL": llm.url, "BYLINE_LLM_MODEL": "tiny", "BYLINE_ANSWERER": "llm"}
        with serving(sample_data, **settings) as client:
            yield client, llm
    finally:
        stop()


def test_sentences_come_one_by_one_and_stopping_keeps_what_came(talking, visit):
    client, llm = talking
    words = "new Quillon Bridge will cost $289 million and open to traffic in June 2028"
    llm.replies(Talker(llm, "The new Quillon Bridge will cost $289 million.", words))
    page = visit(client)
    page.locator("#message").fill("When does the new Quillon Bridge open to traffic?")
    page.keyboard.press("Enter")
    answer = page.locator(".turn .answer")
    expect(answer).to_contain_text("289 million")
    expect(page.locator("#stop")).to_be_visible()
    assert page.locator("#announcer").text_content() == ""
    answer.locator(".mark").first.click()  # before the answer is whole
    expect(page.locator("#reader mark").first).to_contain_text("289 million")
    page.locator("#stop").click()
    expect(page.locator(".turn")).to_contain_text("Stopped.")
    assert "289 million" in answer.inner_text()
    assert llm.script[0].left.wait(10)
    llm.replies(llm_server.streams("NO ANSWER"))
    page.locator(".retry button").click()
    expect(page.locator(".turn .verdict.abstained strong")).to_have_text("Not stated in the articles")


def test_who_answers_is_a_choice_where_there_is_an_llm(server, talking, visit):
    page = visit(server)
    page.locator("#filters-button").click()
    expect(page.locator("#from")).to_be_visible()
    expect(page.locator("#answerer")).to_be_hidden()
    page = visit(talking[0])
    page.locator("#filters-button").click()
    page.locator("#answerer").select_option("extractive")
    with page.expect_request("**/v1/chat") as asked:
        ask(page, HOSES)
    assert asked.value.post_data_json["answerer"] == "extractive"
