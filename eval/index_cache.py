"""An index for the articles of a set, made once and kept beside the data."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from index.builder import Builder, Progress
from index.catalog import Catalog
from index.embedding import Embedder
from ingest.article import Article
from ingest.chunking import ChunkingSettings


def articles_digest(articles: Sequence[Article]) -> str:
    """Give the SHA-256 (hex) of some articles, whatever their order."""
    hashes = sorted(article.content_hash for article in articles)
    return hashlib.sha256("\n".join(hashes).encode("ascii")).hexdigest()


def indexed(
    data: Path,
    name: str,
    articles: Sequence[Article],
    *,
    embedder: Embedder,
    chunking: ChunkingSettings,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Catalog:
    """Bring the index of a set up to date in `<data>/eval/<name>-<digest>`; nothing is built where it is.

    Raises:
        BuildRunning: Another process is building it.
        StorageFull: No space left.
    """
    folder = f"{re.sub(r'[^A-Za-z0-9._-]', '_', name)}-{articles_digest(articles)[:12]}"
    catalog = Catalog(data / "eval" / folder)
    # The builder itself compares model and chunk sizes, so one folder serves runs with any settings.
    Builder(catalog, embedder, chunking).build(lambda: articles, keep=1, on_progress=on_progress)
    return catalog
