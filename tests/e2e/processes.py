"""Real processes: the command line and servers, run as a user runs them."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "eval" / "data" / "articles"
SHARED_ARTICLES = ROOT.parent / "shared" / "articles"


def environment_of(data, **more):
    """The environment of a process that works on a data folder."""
    return os.environ | {"BYLINE_DATA": str(data)} | more


def byline(*arguments, data, check=True, cwd=ROOT, **environment):
    """Run the command line as a user would; gives the finished process."""
    return subprocess.run(
        [sys.executable, "-m", "service", *map(str, arguments)],
        cwd=cwd,
        env=environment_of(data, **environment) | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=check,
    )


@contextmanager
def serving(data, *arguments, says="http://", program=("-m", "service"), **environment):
    """Start a server on a free port; gives a client, with the process as `client.process` and its log.

    The server can answer then; with `says="Listening on "` it may still be starting.
    """
    # Into a file: a pipe that nobody reads fills up, and the server would wait for its log.
    with tempfile.NamedTemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, *program, "serve", "--port", "0", *map(str, arguments)],
            cwd=ROOT,
            env=environment_of(data, **environment),
            stderr=log,
        )
        try:
            with httpx.Client(base_url=_address(process, Path(log.name), says), timeout=30) as client:
                client.process = process
                client.log = Path(log.name)
                yield client
        finally:
            _stop(process)


def _address(process, log, says):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        said = log.read_text(encoding="utf-8")
        if found := re.search(rf"{says}(127\.0\.0\.1:\d+)", said):
            return f"http://{found[1]}"
        if process.poll() is not None:
            pytest.fail(f"the server ended before it was ready:\n{said}")
        time.sleep(0.05)
    return pytest.fail(f"the server was not ready within 60 s:\n{said}")


def _stop(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        pytest.fail("the server did not end within 15 s of SIGTERM")
