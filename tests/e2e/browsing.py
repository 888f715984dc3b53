"""A real browser on the pages: where it is, how it is started, and what may never happen in it."""

import os
import shutil
from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
SIDEWAYS = "document.scrollingElement.scrollWidth - innerWidth"


def find_chromium():
    named = os.environ.get("BYLINE_CHROMIUM")
    return named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def chromium():
    """Start a browser; without one the test is skipped, and fails in CI."""
    path = find_chromium()
    if path is None:
        message = "there is no Chromium: install it, or name it in BYLINE_CHROMIUM"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        expect.set_options(timeout=20_000)
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


class Visits:
    """Opens pages of a server, each as a new visitor's, and keeps what goes wrong in them as `faults`."""

    def __init__(self, browser):
        self._browser = browser
        self._contexts = []
        self.faults = []

    def __call__(self, server, path="/", *, width=1280, height=800, scheme="light", routes=()):
        context = self._browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
        )
        self._contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        origin = str(server.base_url).rstrip("/")
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("request", lambda one: one.url.startswith(f"{origin}/") or self.faults.append(f"request: {one.url}"))
        for pattern, answer in routes:
            page.route(f"{origin}{pattern}", answer)
        page.goto(origin + path)
        return page

    def _console(self, message):
        # Browsers say so of every answer that is an error; what the page makes of it is judged by itself.
        if not message.text.startswith("Failed to load resource"):
            self.faults.append(f"console: {message.text}")

    def close(self):
        for context in self._contexts:
            context.close()


def axe_faults(page):
    """Give what axe finds serious or critical on a page as it is now."""
    violations = Axe().run(page).response["violations"]
    return [
        (one["id"], node["target"], node["failureSummary"])
        for one in violations
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def ask(page, question):
    """Ask by the keyboard; gives the exchange once its answer is whole."""
    turns = page.locator(".turn")
    before = turns.count()
    page.locator("#message").fill(question)
    page.keyboard.press("Enter")
    turn = turns.nth(before)
    expect(turn.locator(".reply-foot")).to_be_visible()
    expect(page.locator("#send")).to_be_visible()
    return turn
