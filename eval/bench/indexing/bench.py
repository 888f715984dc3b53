"""What the parts of the benchmark of building share: the library, its commands, a server, and the floors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Literal, get_args

from eval.bench.building import Build, run_build
from eval.bench.corpus import questions, write_rows
from eval.bench.indexing.articles import Cutter, Later, Row, embedded_texts, later_batch, library_rows
from eval.bench.indexing.floor import Embedded, embed_in_bare_process
from eval.bench.measure import folder_bytes
from eval.bench.processes import Finished, Server, byline_command, child_environment, run_process, serving
from eval.bench.serving import put_under_load
from service.settings import Settings

Part = Literal["build", "idle", "add", "remove", "readers"]
PARTS: tuple[Part, ...] = get_args(Part)

SAMPLE_ARTICLES = 100
"""Articles whose texts the floor of a whole build embeds; the rest is reckoned by the number of chunks."""

_WARM_UP_SEARCHES = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure and how much of it.

    Attributes:
        articles: Sizes of libraries, one after another.
        long: How many synthetic articles make one of the library.
        rounds: How often a small change is made and measured.
        clients: How many clients search without pause beside a build.
        seconds: How long they search while nothing is built.
        build_seconds: How long they search beside builds.
        seed: Of articles and questions.
        model: The embedding model, where it is not that of the settings.
        stand_in_layers: Layers of the stand-in that takes its place; None where none does.
        parts: Which parts to run; `build` is run in any case, as the others need it.
    """

    articles: tuple[int, ...]
    long: int
    rounds: int
    clients: int
    seconds: float
    build_seconds: float
    seed: int
    model: str | None
    stand_in_layers: int | None
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class FirstBuild:
    """A library that was made, added and built, and what it lies on the disk with; sizes in bytes."""

    articles_bytes: int
    adding: Finished
    build: Build
    index_bytes: int
    data_bytes: int


class IndexBench:
    """The workbench for a library of one size, over a data folder of its own. Use it as a context: it ends its server.

    Byline is reached by its command line and its HTTP API alone.
    """

    def __init__(
        self,
        plan: Plan,
        count: int,
        settings: Settings,
        *,
        folder: Path,
        cutter: Callable[[], Cutter],
        note: Callable[[str], None],
    ) -> None:
        self.plan = plan
        self.count = count
        self.folder = folder
        self.note = note
        self.settings = settings.model_copy(update={"data": folder / "data"})
        self._cutter = cutter
        self._questions = questions(plan.seed, count)
        self._batches = 0
        self._stack = ExitStack()

    def __enter__(self) -> IndexBench:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def byline(self, *words: str) -> Finished:
        """Run a command of Byline's over the library.

        Raises:
            ChildFailed: It failed.
        """
        return run_process(byline_command(*words), child_environment(self.settings))

    def build(self) -> Build:
        """Run `byline build`.

        Raises:
            ChildFailed: It failed.
        """
        return run_build(self.settings)

    @cached_property
    def first(self) -> FirstBuild:
        """The library with its first index."""
        plan, articles = self.plan, self.folder / "articles"
        self.note(f"Making {self.count:,} articles and adding them ...")
        size = write_rows(articles, library_rows(plan.seed, self.count, plan.long))
        adding = self.byline("add", str(articles))
        self.note("Building the whole index ...")
        build = self.build()
        return FirstBuild(size, adding, build, self.index_bytes(), folder_bytes(self.settings.data))

    def index_bytes(self) -> int:
        """Give the size of all generations that are kept."""
        return folder_bytes(self.settings.data / "index")

    def next_batch(self) -> list[Later]:
        """Give articles that were not given before in this run."""
        self._batches += 1
        return later_batch(self.plan.seed, self._batches - 1, self.plan.long)

    def add(self, batch: Sequence[Later]) -> Finished:
        """Add articles by `byline add`."""
        place = self.folder / f"later-{self._batches:05d}"
        write_rows(place, (one.row for one in batch))
        return self.byline("add", str(place))

    def texts_of(self, rows: Sequence[Row]) -> tuple[list[str], list[str]]:
        """Give what a build embeds of articles: chunks and sentences."""
        return embedded_texts(rows, self._cutter(), self.settings)

    def embed_bare(self, texts: Sequence[Sequence[str]]) -> Embedded:
        """Measure the floor for some texts."""
        return embed_in_bare_process(self.settings.embedding_model, texts)

    @cached_property
    def server(self) -> Server:
        """One server for all parts that need one; it has answered some searches."""
        _ = self.first
        self.note("Starting a server ...")
        server = self._stack.enter_context(serving(self.settings))
        put_under_load(server, "/v1/search", self.texts(_WARM_UP_SEARCHES), clients=1, seconds=self.plan.seconds)
        return server

    def texts(self, count: int | None = None) -> Iterator[str]:
        """Give questions that were not given before in this run, at most `count`."""
        return islice((question.text for question in self._questions), count)
