"""A server with a stand-in for the embedding model, so that it is the API that is tested."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def api_server(tmp_path_factory):
    """Address and API key of a server with a few articles; its LLM is down."""
    data = tmp_path_factory.mktemp("api")
    log = data / "server.log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, str(TESTS / "contract" / "stand_in_server.py"), str(data)],
            env=os.environ | {"PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}"},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    try:
        said = process.stdout.readline().split()
        assert len(said) == 2, log.read_text()
        yield said
        assert process.poll() is None, log.read_text()[-5000:]
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()
