"""All that can move a figure and is not in the code: machine, versions, settings, revision."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from eval.circumstances import byline_version, git_revision, settings_record, this_machine
from service.settings import Settings

_PACKAGES = "bm25s faiss-cpu fastapi numpy PyStemmer sentence-transformers starlette torch transformers uvicorn".split()
_TUNING = ("OMP_", "MKL_", "OPENBLAS_", "KMP_", "GOMP_")


def circumstances(settings: Settings, parameters: dict[str, Any]) -> dict[str, Any]:
    """Take down the circumstances of a run that starts now, as JSON values."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "parameters": parameters,
        "machine": machine(),
        "versions": versions(),
        "byline_version": byline_version(),
        "git_revision": git_revision(),
        "settings": settings_record(settings),
        "environment": {name: os.environ[name] for name in sorted(os.environ) if name.startswith(_TUNING)},
        "load_before": load_average(),
    }


def machine() -> dict[str, Any]:
    """Describe this machine without naming it."""
    affinity = getattr(os, "sched_getaffinity", None)
    return this_machine().model_dump() | {
        "cores_usable": len(affinity(0)) if affinity else os.cpu_count(),
        "os": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def versions() -> dict[str, str | None]:
    """Give the versions of the packages that do the work; None for one that is not installed."""
    found: dict[str, str | None] = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def load_average() -> float:
    """Give the average number of busy processes over the last minute: above 0 before a run, others are at work."""
    return round(os.getloadavg()[0], 2)
