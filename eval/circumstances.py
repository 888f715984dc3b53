"""Under what circumstances a run or a benchmark was made: program, settings, machine."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from eval.records import Circumstances, Machine
from index.manifest import Manifest
from service.settings import Settings

_ROOT = Path(__file__).parents[1]
_SET_FILES = ("*.jsonl", "articles/**/*", "qrels/*")


def circumstances(
    place: Path | None,
    *,
    set_name: str,
    split: str = "all",
    mode: str = "hybrid",
    unit: str = "chunk",
    settings: Settings,
    manifest: Manifest | None,
    excluded: dict[str, int] | None = None,
) -> Circumstances:
    """Take down the circumstances of a run that starts now.

    Args:
        place: The file or folder of the set.
        set_name: Its name.
        split: Which half of it.
        mode: How passages are ranked.
        unit: What is ranked: chunks, or articles as wholes.
        settings: Of this process; secrets stay out.
        manifest: Of the generation that is asked; None for rankings that came from elsewhere.
        excluded: How many entries of the set are left out, by the reason.
    """
    return Circumstances(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        set=set_name,
        set_sha256=set_digest(place) if place else "",
        split=split,
        mode=mode,
        unit=unit,
        settings=settings_record(settings),
        generation=manifest.generation if manifest else None,
        model=manifest.embedding.model if manifest else None,
        model_sha256=manifest.embedding.model_sha256 if manifest else None,
        articles=manifest.counts.articles if manifest else 0,
        chunks=manifest.counts.chunks if manifest else 0,
        excluded=excluded or {},
        byline_version=byline_version(),
        git_revision=git_revision(),
        python=platform.python_version(),
        machine=this_machine(),
    )


def settings_record(settings: Settings) -> dict[str, Any]:
    """Give the settings as JSON values, without the key and without where the process runs."""
    return settings.model_dump(mode="json", exclude={"data", "prepared_models", "host", "port", "llm_api_key"})


def this_machine() -> Machine:
    """Describe the machine; its name is nobody's business."""
    return Machine(
        cpu=_cpu_model() or platform.processor() or platform.machine(),
        cores=os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        platform=f"{platform.system()} {platform.machine()}",
    )


def _cpu_model() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return None
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), None)


def set_digest(place: Path) -> str:
    """Give the SHA-256 (hex) over the files of a set, the same wherever they lie."""
    folder = place if place.is_dir() else place.parent
    # Questions beside a BEIR corpus are about its articles; any other file of a set stands alone.
    if place.is_dir() or (place.suffix == ".jsonl" and (folder / "corpus.jsonl").is_file()):
        files = sorted(path for pattern in _SET_FILES for path in folder.glob(pattern) if path.is_file())
    else:
        files = [place]
    digest = hashlib.sha256()
    for path in files:
        file_digest = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{file_digest}\n".encode())
    return digest.hexdigest()


def byline_version() -> str | None:
    """Give the installed version; None where the source tree is not installed."""
    try:
        return version("byline")
    except PackageNotFoundError:
        return None


def git_revision() -> str | None:
    """Give the commit of the source tree; None where this is an installed package or there is no commit."""
    git = shutil.which("git")
    if git is None or not (_ROOT / ".git").exists():
        return None
    command = [git, "-C", str(_ROOT), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # no outside words
    return found.stdout.strip() or None
