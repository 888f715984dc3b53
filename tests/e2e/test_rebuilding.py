"""Rebuilding while people chat: no error, no mixture, every reply of one generation and quoted exactly from it."""

import threading
import time

import httpx
import pytest
from processes import SAMPLES, byline, serving

from eval.sets.questions import load_question_set
from index.catalog import Catalog
from index.generation import Generation

pytestmark = [pytest.mark.model, pytest.mark.server]


class Clients:
    """Threads that chat and search without pause, and keep what they were told."""

    def __init__(self, address, count):
        self.errors = []
        self.replies = []
        self.searches = []
        self._address = address
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number, count)) for number in range(count)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, number, count):
        questions = [one.row.question for one in load_question_set().questions][number::count]
        turn = 0
        with httpx.Client(base_url=self._address, timeout=30) as client:
            while not self._stop.is_set():
                question = questions[turn % len(questions)]
                turn += 1
                try:
                    if turn % 3:
                        answer = client.post("/v1/chat", json={"message": question, "history": []})
                        self.replies.append(answer.raise_for_status().json())
                    else:
                        answer = client.post("/v1/search", json={"query": question})
                        self.searches.append(answer.raise_for_status().json())
                except httpx.HTTPError as error:
                    self.errors.append(repr(error))


def edit(client, number):
    """Change an article so that only this version has a word of its own."""
    text = f"The ferry to Hallin was late on day {number}. Captain Oona{number} blamed the fog of Wexmoor."
    client.post("/v1/articles", json={"text": text, "title": "Ferry late", "external_id": "ferry"}).raise_for_status()
    return f"Oona{number}"


def rebuild(client, *, full):
    place = client.post("/v1/index/builds", json={"full": full}).headers["location"]
    deadline = time.monotonic() + 240
    while (job := client.get(place).json())["state"] in ("queued", "running"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert job["state"] == "succeeded", job
    return job["result"]["generation"]


def check_quotes(catalog, clients):
    """Every quote of a reply stands in the article as the generation of the reply holds it, and no other."""
    generations = {name: Generation.open(catalog.folder(name)) for name in catalog.names()}
    quotes = 0
    for reply in clients.replies:
        generation = generations[reply["generation"]]
        for citation in reply["citations"] + reply["nearest"]:
            text = generation.articles[generation.article_row(citation["article_id"])].text
            assert text[citation["start"] : citation["end"]] == citation["quote"]
            quotes += 1
    for found in clients.searches:
        generation = generations[found["generation"]]
        for hit in found["hits"]:
            text = generation.articles[generation.article_row(hit["article_id"])].text
            assert text[hit["start"] : hit["end"]] == hit["text"]
    return quotes


def test_people_chat_while_the_index_is_rebuilt(tmp_path, thorough):
    rebuilds, clients_at_once = (20, 32) if thorough else (2, 6)
    data = tmp_path / "data"
    byline("add", *sorted(SAMPLES.glob("*.md"))[:6], data=data)
    byline("build", data=data)
    with serving(data, BYLINE_KEEP_GENERATIONS="100") as client:
        with Clients(str(client.base_url), clients_at_once) as clients:
            for number in range(rebuilds):
                word = edit(client, number)
                name = rebuild(client, full=number % 5 == 1)
                hits = client.post("/v1/search", json={"query": f"Captain {word} of the ferry"}).json()
                assert hits["generation"] == name
                assert word in hits["hits"][0]["text"]
        assert client.get("/readyz").json()["problems"] == []
    assert clients.errors == []
    served = {one["generation"] for one in clients.replies + clients.searches}
    assert served <= {f"{number:06}" for number in range(1, rebuilds + 2)}
    assert len(served) >= rebuilds / 2 + 1
    assert check_quotes(Catalog(data / "index"), clients) > len(clients.replies) / 2
