"""Real processes: the command line and servers, run as a user runs them."""

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "eval" / "data" / "articles"
SHARED_ARTICLES = ROOT.parent / "shared" / "articles"


def byline(*arguments, data, check=True, **environment):
    """Run the command line as a user would; gives the finished process."""
    return subprocess.run(
        [sys.executable, "-m", "service", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"BYLINE_DATA": str(data)} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=check,
    )


@contextmanager
def serving(data, *arguments):
    """Start a server on a free port; gives a client, with the process as `client.process`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "serve", "--port", "0", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"BYLINE_DATA": str(data)},
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = []
    try:
        for line in process.stderr:
            lines.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                break
        else:
            pytest.fail("the server ended before it was ready:\n" + "".join(lines))
        with httpx.Client(base_url=found.group(), timeout=30) as client:
            client.process = process
            yield client
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            pytest.fail("the server did not end within 15 s of SIGTERM")
        finally:
            process.stderr.close()
