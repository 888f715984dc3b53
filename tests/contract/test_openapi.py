"""The OpenAPI document and the server say the same: schemathesis sends what it describes, and what it does not."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.server

HERE = Path(__file__).parent
CASES, CASES_THOROUGH = 15, 2000
"""Of generated requests for each operation, besides those that schemathesis derives from the bounds of the document."""


def test_the_server_does_what_the_document_says(api_server, thorough, tmp_path):
    address, token = api_server
    cases = CASES_THOROUGH if thorough else CASES
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", HERE / "schemathesis.toml"),
        *("run", f"http://{address}/openapi.json", "--max-examples", str(cases), "--no-color"),
        *("--continue-on-failure", "--output-sanitize", "false"),
        # A quick run takes what `make test` has time for, the same each time: new requests are for the thorough one.
        *(() if thorough else ("--phases", "coverage,fuzzing", "--seed", "1", "--no-shrink")),
    ]
    paths = {"PYTHONPATH": str(HERE), "SCHEMATHESIS_HOOKS": "api_hooks", "API_TOKEN": token}
    run = subprocess.run(
        [str(word) for word in command],
        cwd=tmp_path,
        env=os.environ | paths,
        capture_output=True,
        text=True,
        check=False,
    )
    if thorough:
        sys.stdout.write(run.stdout)
    assert run.returncode == 0, run.stdout + run.stderr
    assert int(re.search(r"Tested: (\d+)", run.stdout)[1]) >= 24
    assert int(re.search(r"(\d+) generated", run.stdout)[1]) > 1000
