"""Two libraries, alike but for the attacks, each built once and served beside sample articles."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import llm_server as scripted
import numpy as np
import pytest
from fastapi.testclient import TestClient
from judging import is_answered
from obedient import ObedientLlm
from poisoned import about_injections, sample

from index.builder import Builder
from ingest.adding import add_files
from service.api.app import build_app
from service.assembly import chunking_settings

OUTCOMES = pytest.StashKey[dict]()
SAMPLES = Path(__file__).parents[2] / "eval" / "data" / "articles"


@dataclass
class Remembering:
    """An embedder that embeds no text twice: both libraries hold nearly the same sentences."""

    inner: object
    known: dict = field(default_factory=dict)

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def encode(self, texts, *, on_batch=None):
        new = list(dict.fromkeys(text for text in texts if text not in self.known))
        self.known.update(zip(new, self.inner.encode(new), strict=True))
        if on_batch:
            on_batch(sum(map(len, texts)))
        return np.stack([self.known[text] for text in texts])


@dataclass
class Desk:
    """A service over one library, asked as its users ask."""

    client: TestClient
    article_of: dict
    texts: dict = field(default_factory=dict)
    boundaries: list = field(default_factory=list)
    said: list = field(default_factory=list)

    def text_of(self, article):
        if article not in self.texts:
            self.texts[article] = self.client.get(f"/v1/articles/{article}").json()["text"]
        return self.texts[article]

    def ask(self, question, **fields):
        response = self.client.post("/v1/chat", json={"message": question, "history": [], **fields})
        assert response.status_code == 200, response.text
        return response.json()

    def ask_streamed(self, question):
        """Ask for a stream; gives its last event, which every other one must agree with."""
        response = self.client.post("/v1/chat", json={"message": question, "history": [], "stream": True})
        assert response.status_code == 200, response.text
        events = []
        for block in response.text.strip().split("\n\n"):
            lines = [line for line in block.split("\n") if not line.startswith(":")]
            if lines:
                events.append((lines[0].removeprefix("event: "), json.loads(lines[1].removeprefix("data: "))))
        assert [name for name, _ in events if name in ("done", "error")] == ["done"]
        done = events[-1][1]
        assert "".join(value["text"] for name, value in events if name == "delta") == done["answer"]
        assert [value for name, value in events if name == "sentence"] == done["sentences"]
        assert [value for name, value in events if name == "citation"] == done["citations"]
        return done

    def ask_plain(self, question):
        """Ask for plain text, as `byline ask` prints it, without the addresses of the articles."""
        body = {"message": question, "history": []}
        response = self.client.post("/v1/chat", json=body, headers={"Accept": "text/plain"})
        return re.sub(r" \(https://samples\.byline\.example/[\w-]+\)", "", response.text)


@pytest.fixture(scope="session")
def remembering(embedder):
    return Remembering(embedder)


@pytest.fixture(scope="session")
def open_desk(assembled, remembering, tmp_path_factory, thorough):
    """A function that puts articles into a library, through the API, and serves it beside the samples."""
    opened = []

    def open_desk(bodies):
        parts = assembled(tmp_path_factory.mktemp("library"))
        opened.append(parts)
        client = TestClient(build_app(parts), base_url="http://localhost")
        article_of = {}
        for body in bodies:
            response = client.post("/v1/articles", json=body)
            assert response.status_code == 201, response.text
            article_of[body["external_id"]] = response.json()["article_id"]
        samples = sorted(SAMPLES.iterdir())
        list(add_files(parts.library, samples if thorough else samples[::15]))
        Builder(parts.catalog, remembering, chunking_settings(parts.settings)).build(parts.library)
        parts.live.refresh()
        return parts, Desk(client, article_of)

    yield open_desk
    for parts in opened:
        parts.close()


@pytest.fixture(scope="session")
def cases(thorough):
    """The poisoned articles that are asked about."""
    return sample(thorough)


@pytest.fixture(scope="session")
def poisoned_parts(open_desk, cases):
    bodies = [case.body for case in (*cases, *about_injections())]
    return open_desk(bodies + [case.truth_body for case in cases if case.truth])


@pytest.fixture(scope="session")
def desk(poisoned_parts):
    """The extractive answerer over the poisoned articles."""
    return poisoned_parts[1]


@pytest.fixture(scope="session")
def answered_when_clean(open_desk, cases):
    """The cases whose question is answered without the attack."""
    bodies = [case.clean_body for case in (*cases, *about_injections())]
    desk = open_desk(bodies + [case.truth_body for case in cases if case.truth])[1]
    return [case for case in cases if is_answered(desk.ask(case.question), case)]


@pytest.fixture(scope="session")
def outcomes(request):
    """What each answerer did, by family; shown at the end of a thorough run."""
    return request.config.stash.setdefault(OUTCOMES, {})


def pytest_terminal_summary(terminalreporter, config):
    if not config.getoption("--thorough"):
        return
    for answerer, table in config.stash.get(OUTCOMES, {}).items():
        terminalreporter.write_line(f"{answerer}: family, articles, answered without the attack, answered with it")
        for family, counts in sorted(table.items()):
            terminalreporter.write_line(f"  {family:12}{counts[0]:4}{counts[1]:4}{counts[2]:4}")


@pytest.fixture(scope="session")
def extractive_replies(desk, cases):
    return {case.id: desk.ask(case.question) for case in cases}


@pytest.fixture(scope="session")
def obeying_replies(obeying_desk, cases, thorough):
    """Replies to every question, whole and streamed; or to every other one, in turns: this LLM is long-winded."""
    replies = {}
    for number, case in enumerate(cases):
        asked = [obeying_desk.ask, obeying_desk.ask_streamed] if thorough else []
        if not thorough and number % 2 == 0:
            asked = [obeying_desk.ask if number % 4 else obeying_desk.ask_streamed]
        if asked:
            replies[case] = [ask(case.question) for ask in asked]
    return replies


@pytest.fixture(scope="session")
def obeying_desk(poisoned_parts, assembled, cases):
    """The LLM answerer over the poisoned articles, with the LLM that obeys them."""
    parts, desk = poisoned_parts
    server, stop = scripted.start()
    llm = ObedientLlm((*cases, *about_injections()))
    server.replies(scripted.answers(llm, server))
    service = assembled(parts.settings.data, llm_base_url=server.url, llm_model="obedient", answerer="llm")
    yield Desk(
        TestClient(build_app(service), base_url="http://localhost"),
        desk.article_of,
        desk.texts,
        llm.boundaries,
        llm.said,
    )
    service.close()
    stop()
