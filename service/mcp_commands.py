"""`byline mcp`: the articles for an assistant that starts this command and speaks to it by its standard streams."""

from __future__ import annotations

import os
import signal
import sys
from importlib.util import find_spec

import typer

from service.options import CommandFailed, DataOption, settings_of


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("mcp")(serve_mcp)


def serve_mcp(context: typer.Context, data: DataOption = None) -> None:
    """Serve an assistant by the Model Context Protocol, on standard input and output."""
    if find_spec("mcp") is None:
        raise CommandFailed("'byline mcp' needs the package mcp, which is not installed; run: pip install 'mcp>=2.3'")
    settings = settings_of(context, data)
    # The thread that waits for input cannot be woken, and nothing that the tools do has to be brought to an end.
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, lambda *_: _end())

    from service.assembly import open_reading
    from service.mcp_server import serve_stdio

    serve_stdio(lambda: open_reading(settings))
    _end()


def _end() -> None:
    # Threads may be in libraries that the interpreter cannot end without a crash.
    sys.stderr.flush()
    os._exit(0)
