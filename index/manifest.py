"""The manifest of a generation: what the folder holds, and whether it still holds just that.

A manifest lists every file with its size and SHA-256, and carries a SHA-256 of itself, because FAISS reads
flipped bits without a word. What the files mean is not known here; neither is which generation is served.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints

from index.durable import fsync_tree, replace_text, sha256_of
from index.errors import GenerationDamaged, GenerationIncompatible
from index.runtimes import Engine, Precision, Runtime
from ingest.failpoints import reach

FORMAT_VERSION = 5
"""Of the folder as a whole: raised when an older program could not read a newer generation, or misread it."""

MANIFEST_FILE = "manifest.json"
STAGING_SUFFIX = ".tmp"

_NAME = re.compile(r"[0-9]{6}")
_SELF_DIGEST = "manifest_sha256"
_Record = TypeVar("_Record")


@dataclass(frozen=True, slots=True)
class EmbeddingRecord:
    """The model that made the vectors; `max_tokens` is the longest text it sees whole.

    `runtime` and `precision` say what computed them: see `index.runtimes.Engine`.
    """

    model: str
    model_sha256: str
    dimension: int
    max_tokens: int
    runtime: str
    precision: str

    @property
    def engine(self) -> Engine:
        """What computed the vectors; this program may know no such one."""
        return Engine(cast("Runtime", self.runtime), cast("Precision", self.precision))


@dataclass(frozen=True, slots=True)
class DenseRecord:
    """What kind of vector index a generation has.

    Attributes:
        kind: "flat", which looks at every vector, or "ivf", which looks at `probes` of its `lists` of vectors.
        recall: Share of the ten nearest that a search finds, measured when the index was made; 1.0 where it is empty.
    """

    kind: str
    lists: int
    probes: int
    recall: float


@dataclass(frozen=True, slots=True)
class Counts:
    """How much a generation holds."""

    articles: int
    chunks: int
    sentences: int


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file as it was written: its SHA-256 (hex) and its size in bytes."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsealedManifest:
    """What a generation is made from, as its builder says.

    Attributes:
        generation: Six digits, the name of the published folder.
        built_at: RFC 3339, in UTC.
        chunking: The settings that the articles were split with, as given.
        dense: The kind of vector index, and what it finds.
        embedding_pace: Characters of articles that were embedded a second when last some were; 0.0 if that is not
            known.
        articles: Content hash by article id; their rows are in the order of the ids.
    """

    generation: str
    built_at: str
    embedding: EmbeddingRecord
    chunking: dict[str, int | str]
    cleaning_version: int
    counts: Counts
    dense: DenseRecord
    embedding_pace: float
    articles: dict[str, str]

    def __post_init__(self) -> None:
        if not is_generation_name(self.generation):
            raise ValueError(f"field 'generation' is {self.generation!r}; expected six digits")
        if not _is_utc(self.built_at):
            raise ValueError(f"field 'built_at' is {self.built_at!r}; expected RFC 3339 in UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest(UnsealedManifest):
    """What a generation is made from and what its folder holds.

    Attributes:
        files: Every file by its relative POSIX path, the manifest excepted.
    """

    format_version: int
    files: dict[str, FileRecord]

    def to_json(self) -> str:
        """Give the manifest as canonical JSON that carries its own SHA-256; `from_json` is the inverse."""
        return _signed(asdict(self))

    @classmethod
    def from_json(cls, text: str, *, generation: str) -> Manifest:
        """Read what `to_json` wrote, byte for byte.

        Args:
            text: The whole of a manifest file.
            generation: The name that errors give to the generation.

        Raises:
            GenerationDamaged: The text is not a manifest, was altered, or a field is missing, unknown or of a
                wrong type.
            GenerationIncompatible: The manifest is whole, but of another format version.
        """
        try:
            values = _unsigned(text)
            version = values.get("format_version")
            if version == FORMAT_VERSION:
                return _manifest(values)
        except ValueError as error:
            raise GenerationDamaged(generation, MANIFEST_FILE, f"it cannot be trusted: {error}") from error
        raise GenerationIncompatible(
            f"generation {generation!r} has format version {version!r}, this program reads {FORMAT_VERSION}; "
            "rebuild needed: run 'byline build', or start the program version that wrote it"
        )


def is_generation_name(name: str) -> bool:
    """Tell whether `name` is one of a published generation: six digits."""
    return _NAME.fullmatch(name) is not None


def generation_of(folder: Path) -> str:
    """Give the name of the generation that a folder holds, or, while it is staged, will hold."""
    return folder.name.removesuffix(STAGING_SUFFIX)


def seal(folder: Path, draft: UnsealedManifest) -> Manifest:
    """Finish a generation: hash and sync every file, then write and sync the manifest.

    Args:
        folder: A folder that nobody writes to any more; sub-folders are allowed.
        draft: The manifest, but for its files.

    Returns:
        The manifest as written.

    Raises:
        GenerationDamaged: The folder holds something other than regular files and folders.
        OSError: The disk refused.
    """
    sizes = _sizes(folder)
    sizes.pop(MANIFEST_FILE, None)
    files = {name: FileRecord(sha256_of(folder / name), size) for name, size in sizes.items()}
    given = {field.name: getattr(draft, field.name) for field in fields(draft)}
    sealed = Manifest(**given, format_version=FORMAT_VERSION, files=files)
    fsync_tree(folder)
    reach("build.hashed")
    replace_text(folder / MANIFEST_FILE, sealed.to_json())
    reach("build.sealed")
    return sealed


def verify(folder: Path) -> Manifest:
    """Read the manifest of a generation and check every file against it; cheap checks come first.

    Returns:
        The manifest, once the folder holds exactly its files, byte for byte. Empty folders are no matter.

    Raises:
        GenerationDamaged: A file, which the error names, is missing, extra, altered, unreadable, a link or
            special; or the manifest belongs to another generation (a staged folder may have any name).
        GenerationIncompatible: The format version is not one that this program reads.
    """
    generation = generation_of(folder)
    try:
        sizes = _sizes(folder)
        manifest = _read_manifest(folder, sizes, generation)
        if is_generation_name(folder.name) and manifest.generation != folder.name:
            reason = f"it belongs to generation {manifest.generation!r}, the folder is named {folder.name!r}"
            raise GenerationDamaged(generation, MANIFEST_FILE, reason)
        _compare_sizes(sizes, manifest, generation)
        for name, record in sorted(manifest.files.items()):
            if sha256_of(folder / name) != record.sha256:
                raise GenerationDamaged(generation, name, "it differs from its SHA-256 in the manifest")
    except OSError as error:
        # A bad sector is damage like any other; so is a file that vanishes while it is looked at.
        raise unreadable(folder, error) from error
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a generation alone: what it was made from, whatever became of its files.

    Raises:
        GenerationDamaged: The manifest is missing, altered or unreadable.
        GenerationIncompatible: The format version is not one that this program reads.
    """
    generation = generation_of(folder)
    try:
        sizes = {MANIFEST_FILE: 0} if (folder / MANIFEST_FILE).is_file() else {}
        return _read_manifest(folder, sizes, generation)
    except OSError as error:
        raise unreadable(folder, error) from error


def unreadable(folder: Path, error: OSError) -> GenerationDamaged:
    """Give the damage that an OSError met in reading a generation amounts to."""
    name = os.path.relpath(error.filename, folder) if isinstance(error.filename, str) else "."
    return GenerationDamaged(generation_of(folder), name, f"it cannot be read ({error.strerror or error})")


def _sizes(folder: Path) -> dict[str, int]:
    """Give the size of every file below `folder` by relative POSIX path, in order.

    Links and special files are refused: a link leaves the folder, and opening a pipe would wait for ever.
    """
    found: dict[str, int] = {}
    pending = [folder]
    while pending:
        for path in pending.pop().iterdir():
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode):
                pending.append(path)
            elif stat.S_ISREG(status.st_mode):
                found[path.relative_to(folder).as_posix()] = status.st_size
            else:
                kind = "a symbolic link" if stat.S_ISLNK(status.st_mode) else "a special file"
                reason = f"it is {kind}; a generation holds regular files only"
                raise GenerationDamaged(generation_of(folder), path.relative_to(folder).as_posix(), reason)
    return dict(sorted(found.items()))


def _read_manifest(folder: Path, sizes: dict[str, int], generation: str) -> Manifest:
    if MANIFEST_FILE not in sizes:
        raise GenerationDamaged(generation, MANIFEST_FILE, "it is missing")
    try:
        text = (folder / MANIFEST_FILE).read_bytes().decode("ascii")
    except UnicodeDecodeError as error:
        raise GenerationDamaged(generation, MANIFEST_FILE, f"it cannot be trusted: {error}") from error
    return Manifest.from_json(text, generation=generation)


def _compare_sizes(sizes: dict[str, int], manifest: Manifest, generation: str) -> None:
    for name in sorted(manifest.files.keys() - sizes.keys()):
        raise GenerationDamaged(generation, name, "it is missing")
    for name in sorted(sizes.keys() - manifest.files.keys() - {MANIFEST_FILE}):
        raise GenerationDamaged(generation, name, "it is not in the manifest")
    for name, record in sorted(manifest.files.items()):
        if sizes[name] != record.bytes:
            reason = f"it has {sizes[name]} bytes, the manifest says {record.bytes}"
            raise GenerationDamaged(generation, name, reason)


def _signed(values: dict[str, Any]) -> str:
    digest = hashlib.sha256(_canonical(values).encode("ascii")).hexdigest()
    return _canonical(values | {_SELF_DIGEST: digest}) + "\n"


def _unsigned(text: str) -> dict[str, Any]:
    """Give the values of a signed text.

    Raises:
        ValueError: The text is not what `_signed` makes of its values, to the byte.
    """
    try:
        values = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(values, dict):
        raise ValueError("not a JSON object")
    values.pop(_SELF_DIGEST, None)
    # Writing it again also finds what a digest of the values would not: blanks, repeated keys, escapes.
    if _signed(values) != text:
        raise ValueError(f"not as it was written, {_SELF_DIGEST!r} is missing or differs")
    return values


def _canonical(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":"))


def _manifest(values: dict[str, Any]) -> Manifest:
    """Build a manifest from JSON values; ValueError where a field is missing, unknown or of a wrong type."""
    _check_names(values, Manifest.__dataclass_fields__, "manifest")
    files = _mapping(values["files"], (dict,), "files")
    return Manifest(
        format_version=_typed(values["format_version"], (int,), "format_version"),
        generation=_typed(values["generation"], (str,), "generation"),
        built_at=_typed(values["built_at"], (str,), "built_at"),
        embedding=_record(EmbeddingRecord, values["embedding"], "embedding"),
        chunking=_mapping(values["chunking"], (int, str), "chunking"),
        cleaning_version=_typed(values["cleaning_version"], (int,), "cleaning_version"),
        counts=_record(Counts, values["counts"], "counts"),
        dense=_record(DenseRecord, values["dense"], "dense"),
        embedding_pace=_typed(values["embedding_pace"], (float,), "embedding_pace"),
        articles=_mapping(values["articles"], (str,), "articles"),
        files={name: _record(FileRecord, record, f"files.{name}") for name, record in files.items()},
    )


def _record(kind: type[_Record], value: object, where: str) -> _Record:
    """Build a flat dataclass from a JSON object, its annotations being the types that are allowed."""
    types = get_type_hints(kind)
    given = _typed(value, (dict,), where)
    _check_names(given, types, where)
    return kind(**{name: _typed(given[name], (types[name],), f"{where}.{name}") for name in types})


def _mapping(value: object, kinds: tuple[type, ...], where: str) -> dict[str, Any]:
    mapping: dict[str, Any] = _typed(value, (dict,), where)
    for name, item in mapping.items():
        _typed(item, kinds, f"{where}.{name}")
    return mapping


def _typed(value: object, kinds: tuple[type, ...], where: str) -> Any:  # noqa: ANN401 - `kinds` says what it is
    # Not isinstance: JSON's true is no number, though Python's True is an int.
    if type(value) not in kinds:
        expected = " or ".join(kind.__name__ for kind in kinds)
        raise ValueError(f"field {where!r} is a {type(value).__name__}; expected {expected}")
    return value


def _check_names(given: dict[str, Any], expected: Collection[str], where: str) -> None:
    missing, unknown = sorted(expected - given.keys()), sorted(given.keys() - expected)
    if missing or unknown:
        raise ValueError(f"{where} has missing fields {missing} and unknown fields {unknown}")


def _is_utc(moment: str) -> bool:
    """Tell whether a text is a full RFC 3339 time in UTC; the standard library would accept `20260101`."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)", moment, re.ASCII):
        return False
    try:
        return datetime.fromisoformat(moment).utcoffset() == timedelta(0)
    except ValueError:
        return False
