"""What a build has embedded so far, kept on disk part by part, so that an interrupted one goes on where it was.

`<index>/unfinished/<fingerprint>/000001/` is a part: a sealed folder like a generation, with some dozens of articles.
The fingerprint names the model and the settings, so that a build with others does not take it for its own. Nothing
of it is served. A build that ends well removes it all. Whoever uses it holds the catalog's `writer()`.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from index.durable import fsync_folder, make_folder
from index.errors import GenerationDamaged, GenerationIncompatible
from index.manifest import STAGING_SUFFIX, is_generation_name, read_manifest
from index.merging import Source
from ingest.article import ArticleId
from ingest.failpoints import reach

UNFINISHED_FOLDER = "unfinished"


class UnfinishedBuild:
    """The parts of builds with one fingerprint; those of other builds are removed."""

    def __init__(self, root: Path, fingerprint: str) -> None:
        self._root = root / UNFINISHED_FOLDER
        self._folder = self._root / fingerprint
        if self._root.is_dir():
            for other in self._root.iterdir():
                if other != self._folder:
                    _remove(other)

    def sources(self) -> list[Source]:
        """Open the parts that are whole, oldest first; what a crash left half written is removed."""
        if not self._folder.is_dir():
            return []
        found: list[Source] = []
        for part in sorted(self._folder.iterdir()):
            try:
                if is_generation_name(part.name):
                    found.append(Source.open(part))
                    continue
            except (GenerationDamaged, GenerationIncompatible):
                pass  # it is embedded again
            _remove(part)
        return found

    def next_folder(self) -> Path:
        """Make the folder of the next part; it counts once it is sealed."""
        make_folder(self._folder)
        numbers = [int(part.name) for part in self._folder.iterdir() if is_generation_name(part.name)]
        part = self._folder / f"{max(numbers, default=0) + 1:06}"
        part.mkdir()
        return part

    def keep(self, part: Path) -> Source:
        """Open a part that was just sealed, once its name is on the disk."""
        reach("build.part_sealed")
        fsync_folder(self._folder)
        reach("build.part_kept")
        return Source.open(part)

    def drop(self) -> None:
        """Remove everything; after a crash half way the next writer of the catalog does."""
        if self._root.is_dir():
            doomed = self._root.with_name(f"{UNFINISHED_FOLDER}{STAGING_SUFFIX}")
            with suppress(FileNotFoundError):
                shutil.rmtree(doomed)
            self._root.rename(doomed)
            reach("build.parts_dropped")
            shutil.rmtree(doomed)


def unfinished_articles(root: Path) -> int:
    """Count the articles that a build which did not end has embedded; whether the next one can use them depends."""
    count = 0
    for part in (root / UNFINISHED_FOLDER).glob("*/*"):
        with suppress(GenerationDamaged, GenerationIncompatible):
            count += len(read_manifest(part).articles)
    return count


def drop_outdated(root: Path, wanted: Mapping[ArticleId, str]) -> int:
    """Remove the parts of unfinished builds that hold an article which is not wanted as it is there.

    Args:
        root: The index folder, whose `writer()` the caller holds.
        wanted: Content hash of every article of the library, by id.

    Returns:
        How many parts were removed.
    """
    removed = 0
    for part in sorted((root / UNFINISHED_FOLDER).glob("*/*")):
        try:
            held = read_manifest(part).articles
        except (GenerationDamaged, GenerationIncompatible):
            held = {"": ""}  # nobody can say what it holds
        if any(wanted.get(ArticleId(article)) != digest for article, digest in held.items()):
            _remove(part)
            removed += 1
    return removed


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
