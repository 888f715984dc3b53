"""An index for the articles of a set, made once and kept beside the data."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence

from index.builder import Builder, GivenArticles
from index.catalog import Catalog
from index.cutting import chunking_record
from index.embedding import Embedder
from index.reports import Progress
from ingest.article import Article
from service.assembly import chunking_settings
from service.settings import Settings


def articles_digest(articles: Sequence[Article]) -> str:
    """Give the SHA-256 (hex) of some articles, whatever their order."""
    hashes = sorted(article.content_hash for article in articles)
    return hashlib.sha256("\n".join(hashes).encode("ascii")).hexdigest()


def indexed(
    settings: Settings,
    name: str,
    articles: Sequence[Article],
    *,
    embedder: Embedder,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Catalog:
    """Bring the index of a set up to date in `<data>/eval/<name>-<digest>`; nothing is built where it is.

    The digest is of the articles, the model and the way of cutting: going back to an earlier setting builds nothing.
    Articles are indexed in the order of their ids, whatever order they came in, so that ties fall alike.

    Args:
        settings: Of the product: where the data lies, and how articles are cut.
        name: Of the set.
        articles: All of the set.
        embedder: The model of the settings.
        on_progress: Told of the build.

    Raises:
        BuildRunning: Another process is building it.
        StorageFull: No space left.
    """
    chunking = chunking_settings(settings)
    made_from = [articles_digest(articles), embedder.model_sha256, str(embedder.engine), chunking_record(chunking)]
    digest = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode("ascii")).hexdigest()
    folder = f"{re.sub(r'[^A-Za-z0-9._-]', '_', name)}-{digest[:16]}"
    catalog = Catalog(settings.data / "eval" / folder)
    source = GivenArticles(articles)
    Builder(catalog, embedder, chunking).build(source, keep=1, on_progress=on_progress)
    return catalog
