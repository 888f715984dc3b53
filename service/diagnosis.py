"""What is set up, what is missing, and what a changed setting would need."""

from __future__ import annotations

from dataclasses import dataclass

from index.embedding import check_model
from index.errors import IndexingError
from index.manifest import Manifest, verify
from ingest.article import IngestError
from service.assembly import has_library, index_is_stale, open_catalog, open_library
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `finding` says what to do where it is not `ok`."""

    name: str
    ok: bool
    finding: str


def diagnose(settings: Settings) -> list[Check]:
    """Look at the model, the library and the index of a data folder."""
    return [_model(settings), *_library_and_index(settings)]


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
        wanted = library.digests()
        library.close()
    except IngestError as error:
        return [Check("library", ok=False, finding=str(error))]
    found = f"{len(wanted)} articles in {settings.data}"
    checks = [
        Check(
            "library",
            ok=bool(wanted),
            finding=found if wanted else f"{found}; add some with 'byline add PATH'",
        )
    ]
    catalog = open_catalog(settings.data)
    current = catalog.current()
    if current is None:
        return [*checks, Check("index", ok=False, finding="there is none; run 'byline build'")]
    try:
        manifest = verify(catalog.folder(current))
    except IndexingError as error:
        return [*checks, Check("index", ok=False, finding=str(error))]
    return [*checks, _index(manifest, {str(key): value for key, value in wanted.items()}, settings)]


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
