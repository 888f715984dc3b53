"""The same with the command line and servers as users run them; with `--thorough` only, as each takes seconds to start."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from index.catalog import Catalog
from index.generation import Generation
from ingest.failpoints import EXIT_CODE, FAILPOINTS
from service.assembly import open_records

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))

from processes import ROOT, SAMPLES, byline, environment_of, serving

pytestmark = [pytest.mark.model, pytest.mark.server]

STEPS = [point for point in FAILPOINTS if point.startswith(("build.", "publish."))]
FILES = sorted(SAMPLES.glob("*.md"))[:4]


@pytest.fixture(autouse=True)
def only_thorough(thorough):
    if not thorough:
        pytest.skip("with --thorough only")


@pytest.mark.parametrize("first", [True, False], ids=["first build", "later build"])
def test_a_server_starts_after_a_build_that_died_anywhere(tmp_path, first, capsys):
    waits = []
    for step in STEPS:
        data = tmp_path / step
        byline("add", *FILES[:2], data=data)
        if not first:
            byline("build", data=data)
            byline("add", *FILES[2:], data=data)
        died = byline("build", data=data, check=False, BYLINE_FAILPOINT=step)
        assert died.returncode == EXIT_CODE, died.stderr
        began = time.monotonic()
        with serving(data) as client:
            waits.append(time.monotonic() - began)
            ready = client.get("/readyz")
            if first and STEPS.index(step) < STEPS.index("publish.renamed"):
                assert ready.status_code == 503
                assert client.post("/v1/chat", json={"message": "Who?"}).status_code == 503
            else:
                assert ready.status_code == 200
            place = client.post("/v1/index/builds", json={}).headers["location"]
            while (job := client.get(place).json())["state"] in ("queued", "running"):
                time.sleep(0.1)
            assert (job["state"], client.get("/v1/index").json()["articles"]) == ("succeeded", 2 if first else 4)
            assert client.get("/readyz").json()["problems"] == []
        left = {path.name for path in (data / "index").iterdir()} - set(Catalog(data / "index").names())
        assert left == {"CURRENT", "writer.lock"}
    with capsys.disabled():
        sys.stdout.write(f"\nstart after a crash: {min(waits):.1f} to {max(waits):.1f} s, n = {len(waits)}\n")
    assert max(waits) < 30  # far more than it takes, on a busy machine


def test_five_command_lines_that_build_at_once(tmp_path):
    byline("add", *FILES, data=tmp_path)
    builds = [
        subprocess.Popen(
            [sys.executable, "-m", "service", "build"],
            cwd=ROOT,
            env=environment_of(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(5)
    ]
    said = [build.communicate(timeout=120) for build in builds]
    assert [build.returncode for build in builds] == [0] * 5
    assert all(out.startswith("Generation 000001: 4 articles") for out, _ in said)
    assert sum("A build is running already" in err for _, err in said) == 4
    assert Catalog(tmp_path / "index").names() == ["000001"]
    assert len(Generation.open(tmp_path / "index" / "000001").articles) == 4


def test_a_server_joins_follows_and_cancels_the_build_of_a_command_line(tmp_path):
    byline("add", *sorted(SAMPLES.glob("*.md"))[:20], data=tmp_path)
    with serving(tmp_path) as client:
        for cancel in (True, False):
            build = subprocess.Popen(
                [sys.executable, "-m", "service", "build"],
                cwd=ROOT,
                env=environment_of(tmp_path),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            while not (records := open_records(tmp_path).active()):
                time.sleep(0.05)
            place = client.post("/v1/index/builds", json={"full": True}).headers["location"]
            assert place == f"/v1/index/builds/{records.id}"
            if cancel:
                while client.get(place).json()["progress"] is None:
                    time.sleep(0.05)
                assert client.delete(place).status_code == 204
            events = client.get(f"{place}/events").text
            said = build.communicate(timeout=60)
            assert events.count("event: done") == 1
            job = client.get(place).json()
            if cancel:
                assert (job["state"], build.returncode) == ("cancelled", 1)
                assert "the build was cancelled; the current index is kept" in said[1]
            else:
                assert (job["state"], build.returncode) == ("succeeded", 0)
                assert client.get("/v1/index").json()["articles"] == 20


def test_a_job_of_a_killed_server_is_told_after_the_restart(tmp_path):
    byline("add", *FILES, data=tmp_path)
    with serving(tmp_path) as client:
        place = client.post("/v1/index/builds", json={}).headers["location"]
        while (job := client.get(place).json())["progress"] is None:
            time.sleep(0.05)
        client.process.kill()
        client.process.wait()
    with serving(tmp_path) as client:
        deadline = time.monotonic() + 60
        while (job := client.get(place).json())["state"] in ("queued", "running"):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        # The build is a process of its own and outlives the server that asked for it.
        assert job["state"] == "succeeded"
        assert client.get("/v1/index").json()["articles"] == 4
