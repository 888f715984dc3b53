"""What is set up, what is missing, and what a changed setting would need."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from index.embedding import check_model
from index.errors import IndexingError
from index.manifest import Manifest, verify
from ingest.article import IngestError
from service.assembly import has_library, index_is_stale, open_catalog, open_library
from service.conversations import CONVERSATIONS_FILE, fault_of
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `finding` says what to do where it is not `ok`."""

    name: str
    ok: bool
    finding: str


def diagnose(settings: Settings) -> list[Check]:
    """Look at the model, the library and the index of a data folder."""
    return [_model(settings), *_library_and_index(settings), *_conversations(settings)]


def _model(settings: Settings) -> Check:
    try:
        files = check_model(settings.embedding_model)
    except IndexingError as error:
        return Check("embedding model", ok=False, finding=str(error))
    return Check("embedding model", ok=True, finding=f"{settings.embedding_model}, files {files.model_sha256[:12]}")


def _library_and_index(settings: Settings) -> list[Check]:
    if not has_library(settings.data):
        finding = f"there is none in {settings.data}; add articles with 'byline add PATH'"
        return [Check("library", ok=False, finding=finding)]
    try:
        library = open_library(settings.data)
        wanted, faults = library.digests(), library.faults()
        library.close()
    except IngestError as error:
        return [Check("library", ok=False, finding=str(error))]
    checks = [_library(len(wanted), faults, settings)]
    catalog = open_catalog(settings.data)
    current = catalog.current()
    if current is None:
        return [*checks, Check("index", ok=False, finding="there is none; run 'byline build'")]
    try:
        manifest = verify(catalog.folder(current))
    except IndexingError as error:
        return [*checks, Check("index", ok=False, finding=str(error))]
    return [*checks, _index(manifest, {str(key): value for key, value in wanted.items()}, settings)]


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


def _index(manifest: Manifest, wanted: dict[str, str], settings: Settings) -> Check:
    stale = index_is_stale(manifest, settings)
    if stale is not None:
        return Check("index", ok=False, finding=f"{stale}; 'byline build' will embed all {len(wanted)} articles again")
    differ = len(wanted.items() ^ manifest.articles.items())
    if differ:
        return Check(
            "index",
            ok=False,
            finding=f"generation {manifest.generation} is behind the library; run 'byline build'",
        )
    return Check("index", ok=True, finding=f"generation {manifest.generation} holds all {len(wanted)} articles")
