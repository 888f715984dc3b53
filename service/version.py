"""Which version of Byline this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def byline_version() -> str:
    """Give the version of the installed package."""
    try:
        return version("byline")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0+unknown"
