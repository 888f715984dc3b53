"""Dockerfile, compose.yaml and docs/deploy: what can be held against the program without an engine that runs them."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from processes import ROOT, byline, serving

from service.settings import Settings, load_settings

DEPLOY = ROOT / "docs" / "deploy"
FILES = [ROOT / "Dockerfile", ROOT / "compose.yaml", *DEPLOY.iterdir()]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())


def steps(instruction):
    """What an instruction of the Dockerfile says, each time it stands there."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    return re.findall(rf"^{instruction} (.+)$", text, re.MULTILINE)


def in_context(path):
    """Whether .dockerignore lets a file or folder of the repository through: the last line that fits decides."""
    lets = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!")
            if any(part.match(pattern) for part in (Path(path), *Path(path).parents)):
                lets = line.startswith("!")
    return lets


def health_check():
    command = json.loads(steps("HEALTHCHECK")[0].partition(" CMD ")[2])
    assert command[0] == "python"
    return [sys.executable, *command[1:]]


def test_the_image_is_built_from_files_that_are_there_and_let_through():
    sources = [path for step in steps("COPY") if not step.startswith("--from") for path in step.split()[:-1]]
    assert "." in sources
    for path in sources:
        assert (ROOT / path).exists(), path
        assert path == "." or in_context(path), path


def test_the_build_context_has_what_the_package_is_made_of_and_nothing_else():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {name.partition(".")[0] for name in project["tool"]["setuptools"]["packages"]}
    needed = {project["project"]["readme"], *project["project"]["license-files"], "pyproject.toml", "requirements.lock"}
    there = {path.name for path in ROOT.iterdir()} | {".venv", "byline-data", "byline.env", "byline.toml", ".env"}
    assert {name for name in there if in_context(name)} == packages | needed
    assert not in_context("service/__pycache__/cli.cpython-311.pyc")
    assert in_context("service/cli.py")


def test_the_packages_of_the_image_are_those_of_the_project():
    """The step that lists them gives the dependencies and two extras, all of them pinned by the lock."""
    step = next(step for step in steps("RUN") if "tomllib" in step)
    command = shlex.split(step.partition(" > ")[0])
    listed = subprocess.run([sys.executable, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=True)
    names = {re.match(r"[\w.-]+", line)[0].lower().replace("_", "-") for line in listed.stdout.splitlines()}
    assert {"fastapi", "mcp", "opentelemetry-sdk", "setuptools"} <= names
    assert not {"pytest", "mypy", "schemathesis"} & names
    locked = (ROOT / "requirements.lock").read_text().lower().replace("_", "-")
    assert [name for name in names if f"\n{name}==" not in locked] == []


def test_the_image_runs_as_a_user_who_is_not_root_and_is_told_to_stop_as_the_server_expects():
    user = steps("USER")[-1]
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)  # by number: the names of the image do not count elsewhere
    assert steps("STOPSIGNAL") == ["SIGTERM"]
    assert json.loads(steps("ENTRYPOINT")[0]) == ["byline"]
    assert json.loads(steps("CMD")[0]) == ["serve", "--host", "0.0.0.0"]
    assert steps("VOLUME") == ["/data"]
    assert "BYLINE_DATA=/data" in steps("ENV")[-1]


def test_every_setting_that_is_named_is_one():
    for file in FILES:
        named = {name.lower() for name in re.findall(r"\bBYLINE_([A-Z_]+)\b", file.read_text())}
        assert named <= Settings.model_fields.keys(), file


def test_the_example_of_settings_is_accepted_as_a_whole(monkeypatch):
    lines = re.findall(r"^#?(BYLINE_\w+)=(.*)$", (DEPLOY / "byline.env").read_text(), re.MULTILINE)
    assert len(lines) >= 6
    for name, value in lines:
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.answerer == "llm"
    assert settings.llm_timeout_seconds <= settings.request_timeout_seconds


def test_compose_keeps_the_server_to_this_machine_and_its_data_in_a_volume():
    service = COMPOSE["services"]["byline"]
    assert all(port.startswith("127.0.0.1:") for one in COMPOSE["services"].values() for port in one.get("ports", ()))
    assert "data:/data" in service["volumes"]
    assert service["read_only"]
    assert "command" not in service  # what the image does
    assert "profiles" not in service
    assert all("profiles" in one for name, one in COMPOSE["services"].items() if name != "byline")
    volumes = {place.partition(":")[0] for one in COMPOSE["services"].values() for place in one.get("volumes", ())}
    assert volumes == COMPOSE["volumes"].keys()


def test_compose_asks_for_the_route_that_the_chat_program_needs():
    chat = COMPOSE["services"]["open-webui"]["environment"]
    assert chat["OPENAI_API_BASE_URL"] == f"http://byline:{steps('EXPOSE')[0]}/v1"


@pytest.mark.model
@pytest.mark.server
def test_the_health_check_tells_a_server_that_lives_from_one_that_does_not(tmp_path):
    with serving(tmp_path) as client:
        # No index yet: alive all the same.
        assert client.get("/readyz").status_code == 503
        environment = os.environ | {"BYLINE_PORT": str(client.base_url.port), "HTTP_PROXY": "http://127.0.0.1:9"}
        alive = subprocess.run(health_check(), env=environment, timeout=30)
        assert alive.returncode == 0
    gone = subprocess.run(health_check(), env=environment, timeout=30, stderr=subprocess.DEVNULL)
    assert gone.returncode == 1


def test_the_command_of_the_image_wants_a_key_first_and_one_command_makes_it(tmp_path):
    command = json.loads(steps("CMD")[0])
    refused = byline(*command, "--port", "0", data=tmp_path, check=False)
    assert refused.returncode == 2
    assert "byline keys create" in refused.stderr
    # The line at the top of compose.yaml, as it stands there.
    line = re.search(r"docker compose run --rm byline (keys create .*)", (ROOT / "compose.yaml").read_text())[1]
    assert byline(*line.split(), data=tmp_path).stdout.startswith("byline_")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_understands_every_line_of_the_unit(tmp_path):
    unit = (DEPLOY / "byline.service").read_text()
    start = re.search(r"^ExecStart=(\S+) (.*)$", unit, re.MULTILINE)
    assert start[2].split()[0] == "serve"
    (tmp_path / "byline.service").write_text(unit.replace(start[1], sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", tmp_path / "byline.service"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
