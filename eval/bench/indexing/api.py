"""Byline's HTTP API, as a client of it: articles in and out, builds, and whether a search finds an article."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from eval.bench.indexing.articles import Row
from eval.bench.processes import ChildFailed, Server
from eval.bench.serving import Client

BUILD_SECONDS = 4 * 3600.0
"""After it a build is given up."""

LOOK_SECONDS = 0.02
"""Between two looks at a build or at what is served."""

SEEN_SECONDS = 300.0
"""How long after a command or build has ended a server may take to serve what it did."""


class Api:
    """A connection to a server; not for several threads."""

    def __init__(self, server: Server) -> None:
        self._client = Client(server.host, server.port)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def call(self, method: str, path: str, values: object = None, *, also: tuple[str, ...] = ()) -> Any:  # noqa: ANN401  # whatever JSON holds
        """Send a request and give the JSON of its response, None where it has no body.

        Args:
            method: Of HTTP.
            path: Of the request.
            values: Its body.
            also: Statuses besides those of success that are no failure.

        Raises:
            ChildFailed: It was answered otherwise, or not at all.
        """
        body = None if values is None else json.dumps(values).encode("utf-8")
        response = self._client.send(method, path, body)
        if not response.outcome.isdecimal():  # a server closes a connection that was not used for a while
            response = self._client.send(method, path, body)
        if not (response.outcome.startswith("2") or response.outcome in also):
            said = response.body.decode("utf-8", "replace")[:300]
            raise ChildFailed(f"{method} {path} was answered {response.outcome}: {said or 'nothing'}")
        return json.loads(response.body) if response.body else None

    def add(self, row: Row) -> str:
        """Add an article; gives its id."""
        return str(self.call("POST", "/v1/articles", row)["article_id"])

    def remove(self, article_id: str) -> None:
        """Remove an article."""
        self.call("DELETE", f"/v1/articles/{article_id}")

    def finds(self, word: str, article_id: str) -> bool:
        """Tell whether a search for a word finds an article."""
        found = self.call("POST", "/v1/search", {"query": word, "mode": "lexical"})
        return any(hit["article_id"] == article_id for hit in found["hits"])

    def wait_until_found(self, word: str, article_id: str) -> None:
        """Wait until a search for a word finds an article.

        Raises:
            ChildFailed: None did within `SEEN_SECONDS`.
        """
        deadline = time.perf_counter() + SEEN_SECONDS
        while not self.finds(word, article_id):
            if time.perf_counter() > deadline:
                raise ChildFailed(f"an added article was not found within {SEEN_SECONDS:g} s of the end of its build")
            time.sleep(LOOK_SECONDS)

    def serves(self) -> str | None:
        """Give the generation that is served; unlike `index`, at a price that does not grow with the library."""
        generation: str | None = self.call("GET", "/readyz", also=("503",))["generation"]
        return generation

    def index(self) -> dict[str, Any]:
        """Give what is served."""
        shown: dict[str, Any] = self.call("GET", "/v1/index")
        return shown

    def start_build(self, *, full: bool = False) -> str:
        """Start a build; gives its id."""
        return str(self.call("POST", "/v1/index/builds", {"full": full})["id"])

    def build(self, build_id: str) -> dict[str, Any]:
        """Give a build as it is now.

        Raises:
            ChildFailed: It failed.
        """
        job: dict[str, Any] = self.call("GET", f"/v1/index/builds/{build_id}")
        if job["state"] == "failed":
            raise ChildFailed(f"a build of the server failed: {job['error']}")
        return job

    def wait_for_build(self, build_id: str) -> dict[str, Any]:
        """Wait until a build has ended, well or cancelled, and give it.

        Raises:
            ChildFailed: It failed, or took longer than `BUILD_SECONDS`.
        """
        deadline = time.perf_counter() + BUILD_SECONDS
        while (job := self.build(build_id))["finished_at"] is None:
            if time.perf_counter() > deadline:
                raise ChildFailed(f"a build of the server took longer than {BUILD_SECONDS:g} s")
            time.sleep(LOOK_SECONDS)
        return job

    def cancel_build(self, build_id: str) -> None:
        """Have a build stopped; one that has ended already is left as it is."""
        self.call("DELETE", f"/v1/index/builds/{build_id}", also=("409",))


class Watch:
    """Looks, in a thread with a connection of its own, for the moment from which something is so.

    Within its block the thread looks; `wait` gives the moment. What goes wrong in the thread is raised by `wait`.
    """

    def __init__(self, server: Server, so: Callable[[Api], bool], *, pause_seconds: float) -> None:
        self._api = Api(server)
        self._so = so
        self._pause_seconds = pause_seconds
        self._left = threading.Event()
        self._moment: float | None = None
        self._problem: Exception | None = None
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join()
        self._api.close()

    def wait(self, problem: str) -> float:
        """Give the moment (`time.perf_counter()`), waiting for it at most `SEEN_SECONDS` from now.

        Raises:
            ChildFailed: It did not come, or looking failed.
        """
        self._thread.join(timeout=SEEN_SECONDS)
        if self._problem is not None:
            raise self._problem
        if self._moment is None:
            raise ChildFailed(f"{problem}, even after {SEEN_SECONDS:g} s")
        return self._moment

    def _look(self) -> None:
        try:
            while not self._left.is_set():
                if self._so(self._api):
                    self._moment = time.perf_counter()
                    return
                self._left.wait(self._pause_seconds)
        except Exception as problem:  # noqa: BLE001  # whoever waits is to get it, in the thread that waits
            self._problem = problem
