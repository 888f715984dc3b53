"""What the parts of a benchmark share, each made when it is first needed: index, floor, embedder, questions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Literal, get_args

from eval.bench.building import Built, build_corpus
from eval.bench.corpus import Question, questions
from eval.bench.embedding import Passages, measure_passages
from eval.bench.floor import Floor, bare_process
from eval.bench.measure import MIB, percentile, timed
from eval.bench.processes import Finished
from index.embedding import Embedder, load_embedder
from index.runtimes import REFERENCE
from service.assembly import embedder_settings
from service.settings import Settings

Part = Literal["embedding", "build", "search", "start", "http", "load"]
PARTS: tuple[Part, ...] = get_args(Part)
USUAL_PARTS: tuple[Part, ...] = ("embedding", "build", "search", "start", "http")
"""What is run if nothing is said: all but what takes minutes and all of the machine."""

WARM_UP_QUESTIONS = 10
FLOOR_QUESTIONS = 30
"""Questions that the floor is asked for alone, where the part that pairs it with searches is left out."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure and how much of it.

    Attributes:
        articles: Articles of the corpus.
        questions: Questions asked in process, each once of the floor, the search and the assistant.
        clients: How many clients ask a server at once, one level of load after another.
        seconds: How long a level of load lasts.
        cold_starts: How often processes are started for their time.
        seed: Of corpus and questions.
        parts: Which parts to run.
        reference: Whether the index is built, and the server run, by torch too.
        load_clients, load_seconds: How many clients overload a server, and for how long.
    """

    articles: int
    questions: int
    clients: tuple[int, ...]
    seconds: float
    cold_starts: int
    seed: int
    parts: tuple[Part, ...]
    reference: bool = True
    load_clients: int = 1_000
    load_seconds: float = 60.0


class Bench:
    """The workbench of one run, over a data folder of its own that is thrown away."""

    def __init__(self, plan: Plan, settings: Settings, folder: Path, note: Callable[[str], None]) -> None:
        self.plan = plan
        self.folder = folder
        self.note = note
        # Kept generations: the first must outlive the ones that the rebuilds make.
        # Prepared models of the user are neither used nor added to; those of the run serve all its data folders.
        own = {"data": folder / "data", "keep_generations": 3, "prepared_models": folder / "models"}
        self.settings = settings.model_copy(update=own)
        self._questions = questions(plan.seed, plan.articles)
        self._question_floor: list[float] = []
        self.bare_runs: list[Finished] = []

    def next_questions(self, count: int) -> list[Question]:
        """Give questions that were not given before in this run: fewer than `count` where there are no more."""
        return list(islice(self._questions, count))

    @cached_property
    def built(self) -> Built:
        """The corpus, added and built by the command line."""
        self.note(f"Making {self.plan.articles} articles, adding them and building their index ...")
        return build_corpus(self.settings, self.folder / "articles", self.plan.seed, self.plan.articles)

    @cached_property
    def embedder(self) -> Embedder:
        """Our embedder, loaded once."""
        self.note("Loading the embedding model ...")
        return load_embedder(embedder_settings(self.settings))

    @cached_property
    def floor(self) -> Floor:
        """The bare model and index."""
        folder = self.built.folder
        # Ours first: loading it sets what its libraries read, and the floor is to have the same.
        _ = self.embedder
        floor = Floor.load(self.settings.embedding_model, folder)
        floor.choose_threads([one.text for one in self.next_questions(WARM_UP_QUESTIONS)])
        return floor

    @cached_property
    def passages(self) -> Passages:
        """What embedding the texts of the index takes: bare, and by our embedder."""
        generation, floor = self.built.generation, self.floor
        self.note("Embedding the same texts bare and by our embedder ...")
        return measure_passages(generation, floor, self.embedder, with_title=self.settings.chunk_title)

    @property
    def by_torch(self) -> Settings | None:
        """The settings with the reference as the runtime; None where it is the runtime anyway, or is not wanted."""
        if not self.plan.reference or self.embedder.engine == REFERENCE:
            return None
        return self.settings.model_copy(update={"embedding_runtime": "torch", "embedding_precision": "auto"})

    def keep_question_floor(self, walls: list[float]) -> None:
        """Keep the floor's times (wall, seconds) of single questions for the parts that compare with them."""
        self._question_floor = walls

    def question_floor_seconds(self) -> float:
        """Give the median time (wall) of the floor for one question; measured now where no part has done it yet."""
        if not self._question_floor:
            asked = self.next_questions(WARM_UP_QUESTIONS + FLOOR_QUESTIONS)
            self.floor.ready_for_question()
            costs = [timed(partial(self.floor.ask, one.text)) for one in asked]
            self.floor.leave()
            self._question_floor = [cost.wall for cost in costs[WARM_UP_QUESTIONS:] or costs]
        return percentile(self._question_floor, 50)

    def run_bare_process(self) -> Finished:
        """Start a bare process once more and keep what it took."""
        question = self.next_questions(1)[0].text
        finished = bare_process(self.settings.embedding_model, self.built.folder, question)
        self.bare_runs.append(finished)
        return finished

    def bare_peak_mib(self) -> float | None:
        """Give the median of the most memory that bare processes held, in MiB; None where the system does not tell."""
        if not self.bare_runs:
            self.run_bare_process()
        peaks = [run.peak_bytes / MIB for run in self.bare_runs if run.peak_bytes is not None]
        return percentile(peaks, 50) if peaks else None
