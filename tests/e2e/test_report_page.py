"""The page of a run in a real browser: it keeps its own content policy, fits a phone, and works by keyboard and on paper."""

import pytest
from browsing import SIDEWAYS
from report_runs import answer_run, retrieval_run

from eval.report import write_report


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The pages by name; the rankings are of more queries than are listed."""
    folder = tmp_path_factory.mktemp("pages")
    ranks = {
        "hybrid": [1, None] * 150,
        "dense": [2, None] * 150,
        "a system with a long name, and_one_that_does_not_break_at_all_anywhere": [5, None] * 150,
    }
    runs = {"answers": answer_run(), "retrieval": retrieval_run(ranks)}
    for name, run in runs.items():
        write_report(run, folder / f"{name}.html")
    return {name: folder / f"{name}.html" for name in runs}


@pytest.fixture
def opened(browser, files):
    """A function that opens a page, at a width and in a scheme; what goes wrong in it fails the test."""
    faults = []
    contexts = []

    def open_page(name, width=1280, scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        address = files[name].as_uri()
        page.on("console", lambda message: faults.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("request", lambda request: request.url == address or faults.append(f"request: {request.url}"))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


@pytest.mark.parametrize("name", ["answers", "retrieval"])
@pytest.mark.parametrize("width", [375, 1280])
def test_nothing_scrolls_sideways(opened, name, width):
    page = opened(name, width)
    assert page.evaluate(SIDEWAYS) <= 0
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate(SIDEWAYS) <= 0


def test_every_question_is_there_and_hostile_text_did_nothing(opened):
    page = opened("answers")
    assert page.locator("details.question").count() == 11
    assert page.title() == "hand-made, all: evaluation of Byline"
    assert page.locator("script, img").count() == 0


def test_no_more_queries_than_are_of_use(opened):
    page = opened("retrieval")
    assert page.locator("details.question").count() == 200
    assert "100 are left out" in page.locator("#queries > p").inner_text()


def test_a_question_opens_by_keyboard(opened):
    page = opened("answers")
    first = page.locator("details.question").first
    body = first.locator("> .body")
    assert not body.is_visible()
    page.locator("nav dl a").last.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert body.is_visible()
    page.keyboard.press("Enter")
    assert not body.is_visible()


def test_the_index_opens_the_question_and_a_mark_leads_to_its_citation(opened):
    page = opened("answers", width=375)
    page.locator("nav dl a", has_text="conflict1").click()
    second = page.locator("[id='c2.q-conflict1']")
    assert second.is_visible()
    page.locator("[id='q-conflict1'] p.answer a.mark", has_text="[2]").click()
    assert second.evaluate("one => one.matches(':target')")
    assert second.locator("mark").inner_text() == "15 gold words."


def test_the_quote_is_marked_where_it_stands(opened):
    page = opened("answers")
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    quotation = page.locator("[id='c1.q-emoji1']")
    assert quotation.locator("mark").inner_text() == "The 🛶 ferry of 𝔑orwick, the gold words."
    assert quotation.locator("blockquote").inner_text().startswith("🛶🛶 𝔑ext, The")


# WCAG's contrast, of the text that a reader meets, against the nearest background behind it.
CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const channels = colour => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = one => {
    for (let at = one; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255];
  };
  const bad = new Set();
  for (const one of document.querySelectorAll("body :not(title, desc)")) {
    if (![...one.childNodes].some(node => node.nodeType === 3 && node.data.trim())) continue;
    const style = getComputedStyle(one);
    const [a, b] = [light(channels(one.closest("svg") ? style.fill : style.color)), light(behind(one))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) bad.add(`${one.tagName} ${one.className} ${ratio.toFixed(2)}`);
  }
  return [...bad];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(opened, scheme):
    page = opened("answers", scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate(CONTRASTS) == []


def test_on_paper_everything_is_open(opened):
    page = opened("answers", scheme="dark")
    page.emulate_media(media="print")
    assert page.locator("[id='c2.q-conflict1'] mark").is_visible()
    # Paper is white, whatever the screen is.
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(30, 28, 25)"
    assert page.pdf(format="A4")[:5] == b"%PDF-"
