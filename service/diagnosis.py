"""What is set up, what is missing, and what a changed setting would need."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from index.catalog import Catalog
from index.dense import choose_kind
from index.embedding import choose_engine
from index.errors import IndexingError
from index.manifest import Manifest, verify
from index.model_files import check_model
from index.reports import Changes
from index.unfinished import unfinished_articles
from ingest.article import IngestError
from service.assembly import (
    embedder_settings,
    engine_of_index,
    has_library,
    index_is_stale,
    open_catalog,
    open_library,
)
from service.console import duration
from service.conversation_file import CONVERSATIONS_FILE, fault_of
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `finding` says what to do where it is not `ok`."""

    name: str
    ok: bool
    finding: str


def diagnose(settings: Settings) -> list[Check]:
    """Look at the model, the library and the index of a data folder."""
    return [_model(settings), *_library_and_index(settings), *_conversations(settings), _answerer(settings)]


def _model(settings: Settings) -> Check:
    try:
        files = check_model(settings.embedding_model)
        if not settings.data.exists() and settings.prepared_models is None:
            # To find out, the model would be prepared for other runtimes, in a folder that nobody has made yet.
            finding = (
                f"{settings.embedding_model}, files {files.model_sha256[:12]}; what runs it is chosen at its first use"
            )
            return Check("embedding model", ok=True, finding=finding)
        made_with = engine_of_index(open_catalog(settings.data))
        chosen = choose_engine(files, embedder_settings(settings), made_with)
    except IndexingError as error:
        return Check("embedding model", ok=False, finding=str(error))
    finding = f"{settings.embedding_model}, files {files.model_sha256[:12]}, run by {chosen.engine}: {chosen.why}"
    if chosen.agreement is not None:
        finding += f" ({chosen.agreement.overlap:.1%} of the ten nearest alike)"
    if chosen.passed_over:
        finding += f"; not by {'; '.join(chosen.passed_over)}"
    return Check("embedding model", ok=True, finding=finding)


def _answerer(settings: Settings) -> Check:
    if settings.llm_base_url is None:
        return Check("LLM", ok=True, finding="none is set; answers are sentences of the articles")
    use = "answers by default" if settings.answerer == "llm" else "answers where a request names it"
    return Check("LLM", ok=True, finding=f"{settings.llm_model} at {settings.llm_base_url}, not asked; it {use}")


def _library_and_index(settings: Settings) -> list[Check]:
    if not has_library(settings.data):
        finding = f"there is none in {settings.data}; add articles with 'byline add PATH'"
        return [Check("library", ok=False, finding=finding)]
    try:
        library = open_library(settings.data)
        wanted, faults = library.digests(), library.faults()
        characters = library.characters(list(wanted))
        library.close()
    except IngestError as error:
        return [Check("library", ok=False, finding=str(error))]
    checks = [_library(len(wanted), faults, settings)]
    catalog = open_catalog(settings.data)
    current = catalog.current()
    if current is None:
        checks.append(Check("index", ok=False, finding="there is none; run 'byline build'"))
        return [*checks, *_unfinished(catalog)]
    try:
        manifest = verify(catalog.folder(current))
    except IndexingError as error:
        return [*checks, Check("index", ok=False, finding=str(error)), *_unfinished(catalog)]
    hashes = {str(article): digest for article, digest in wanted.items()}
    checks += [_index(manifest, hashes, characters, settings), _vectors(manifest, settings)]
    return [*checks, *_unfinished(catalog)]


def _library(count: int, faults: list[str], settings: Settings) -> Check:
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        return Check("library", ok=False, finding=f"{faults[0]}{more}; or bring all back with 'byline restore FILE'")
    found = f"{count} articles in {settings.data}"
    if not count:
        return Check("library", ok=False, finding=f"{found}; add some with 'byline add PATH'")
    return Check("library", ok=True, finding=f"{found}, every one as it was stored")


def _conversations(settings: Settings) -> list[Check]:
    file = settings.data / CONVERSATIONS_FILE
    if not file.is_file():
        return []
    try:
        fault = fault_of(file)
    except SQLAlchemyError as error:
        fault = f"they cannot be looked at now ({getattr(error, 'orig', error)}); try again"
    else:
        fault = fault and f"{file} is damaged ({fault}); the next start moves it aside, or 'byline restore FILE'"
    return [Check("conversations", ok=fault is None, finding=fault or f"{file} is sound")]


def _index(manifest: Manifest, wanted: dict[str, str], characters: int, settings: Settings) -> Check:
    stale = index_is_stale(manifest, settings)
    if stale is not None:
        finding = f"{stale}; the next 'byline build' embeds all {len(wanted)} articles anew"
        return Check("index", ok=False, finding=finding + _takes(characters, manifest.embedding_pace))
    if wanted != manifest.articles:
        changes = Changes.between(manifest.articles, wanted)
        finding = (
            f"generation {manifest.generation} is behind the library: {changes.added} articles to add, "
            f"{changes.updated} to update, {changes.removed} to remove; run 'byline build'"
        )
        return Check("index", ok=False, finding=finding)
    return Check("index", ok=True, finding=f"generation {manifest.generation} holds all {len(wanted)} articles")


def _takes(characters: int, pace: float) -> str:
    """Say how long embedding takes at the pace of the last build, if one is known."""
    return f", about {duration(characters / pace)} at the pace of the last build" if pace else ""


def _vectors(manifest: Manifest, settings: Settings) -> Check:
    """Tell which kind of vector index there is and why; another one is made by itself as the library grows."""
    made, wanted = manifest.dense, choose_kind(manifest.counts.chunks, settings.exact_chunks)
    finding = f"{wanted.kind}: {wanted.why}"
    if made.kind != wanted.kind:
        finding = f"{made.kind} now; from the next build on {finding}"
    elif made.kind == "ivf":
        finding += f", {made.probes} of {made.lists}"
    return Check("vector index", ok=True, finding=f"{finding}; it finds {made.recall:.1%} of the ten nearest")


def _unfinished(catalog: Catalog) -> list[Check]:
    """Say what a build that did not end has left for the next one."""
    held = unfinished_articles(catalog.root)
    if not held:
        return []
    finding = f"{held} articles were embedded by a build that did not end; 'byline build' goes on from there"
    return [Check("unfinished build", ok=True, finding=finding)]
