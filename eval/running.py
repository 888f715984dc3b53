"""Running a set, whatever its form: its articles indexed, its questions asked or its queries searched, all measured."""

from __future__ import annotations

from eval.asking import Part, run_questions
from eval.ranking import Unit, run_beir
from eval.records import Run
from eval.sets.beir import BeirSet
from eval.sets.opening import open_set, place_of
from eval.watching import Watch
from index.embedding import Embedder, load_embedder
from index.searcher import Mode
from service.assembly import embedder_settings
from service.errors import WrongUse
from service.settings import Settings


def run_set(
    name: str,
    settings: Settings,
    *,
    split: Part = "all",
    mode: Mode | None = None,
    unit: Unit = "chunk",
    watch: Watch | None = None,
    embedder: Embedder | None = None,
) -> Run:
    """Run a set as the service would with these settings.

    Args:
        name: `shipped`, or the path of a set (`eval.sets.opening`).
        settings: Of the product; the index of the set is kept below `settings.data`.
        split: Which half of a question set.
        mode: Rank by this mode and answer nothing; None asks the questions of a question set, and ranks the
            queries of a BEIR set by every mode.
        unit: Rank articles by their best chunk, or as wholes, which needs a BEIR set.
        watch: Told of the progress.
        embedder: The model of the settings, where it is loaded already.

    Raises:
        DatasetError: The set is malformed.
        WrongUse: A half of a BEIR set, or whole articles of a question set, was asked for.
    """
    opened, place = open_set(name), place_of(name)
    is_beir = isinstance(opened, BeirSet)
    if is_beir and split != "all":
        raise WrongUse("a BEIR folder has no halves; leave --split out")
    if not is_beir and unit != "chunk":
        raise WrongUse("whole articles are ranked for BEIR folders only; leave --unit out")
    embedder = embedder or load_embedder(embedder_settings(settings))
    if isinstance(opened, BeirSet):
        return run_beir(opened, place, settings, mode, unit, watch or Watch(), embedder)
    return run_questions(opened, place, settings, split, mode, watch or Watch(), embedder)
