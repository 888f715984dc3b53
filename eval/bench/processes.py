"""Byline's own command in processes of its own, as a user runs it: their time, their memory, and their end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from eval.bench.measure import Cost, memory_bytes
from service.errors import ServiceError
from service.settings import Settings

SOURCE = Path(__file__).parents[2]
START_SECONDS = 120.0
STOP_SECONDS = 15.0
_LOOK_SECONDS = 0.005
_LISTENING = re.compile(r"Listening on (127\.0\.0\.1):(\d+)")
_READY = re.compile(r"http://(127\.0\.0\.1):(\d+)")


class ChildFailed(ServiceError):
    """A process that was to be measured ended with an error, or was not ready in time."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that ended well: what it took from its start to its end, and what it printed.

    `peak_bytes` is the most memory that it held, None where the system does not tell (it has no /proc).
    """

    cost: Cost
    peak_bytes: int | None
    stdout: str


@dataclass(frozen=True, slots=True)
class Server:
    """A server process that accepts connections at `host:port`; it was started at `began` (`time.perf_counter()`)."""

    pid: int
    began: float
    host: str
    port: int


def byline_command(*words: str) -> list[str]:
    """Give the command that runs Byline: this Python, this source."""
    # -P: a folder named service where the user happens to be is not ours.
    return [sys.executable, "-P", "-m", "service", *words]


def child_environment(settings: Settings) -> dict[str, str]:
    """Give the environment of a child: every setting of this run but the LLM's, and its `byline.toml` overruled."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BYLINE_")}
    # The benchmark asks no LLM, a key is nobody's business, and no collector wants its traces.
    unused = {"answerer", "otel_endpoint", *(name for name in type(settings).model_fields if name.startswith("llm_"))}
    given = settings.model_dump(mode="json", exclude_none=True, exclude=unused)
    ours = {
        f"BYLINE_{name.upper()}": json.dumps(value) if isinstance(value, list) else str(value)
        for name, value in given.items()
    }
    if (SOURCE / "pyproject.toml").is_file():  # a source tree: the child must not take another installed version
        kept["PYTHONPATH"] = os.pathsep.join(filter(None, [str(SOURCE), kept.get("PYTHONPATH")]))
    return kept | ours


def run_process(command: Sequence[str], environment: dict[str, str]) -> Finished:
    """Run a process to its end; it is stopped if this one is interrupted.

    Time counts from before the process exists to its end. Its CPU time is the kernel's account of it alone. Its peak
    memory is what the kernel holds for it (VmHWM), read until it ends: `ru_maxrss` would not do, as a child starts
    with the size of its parent there.

    Raises:
        ChildFailed: The process ended with an error; the message has the end of what it said.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err)  # noqa: S603  # our own command
        peak: int | None = None
        try:
            while True:
                peak = memory_bytes(process.pid, "VmHWM") or peak
                pid, status, usage = os.wait4(process.pid, os.WNOHANG)
                if pid:
                    break
                # Within a hundredth of the time that passed: often enough, and not so often that it takes a core.
                time.sleep(min(max((time.perf_counter() - began) / 100, 0.001), 0.02))
            wall = time.perf_counter() - began
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            _end(process)
        if process.returncode != 0:
            raise ChildFailed(f"{_shown(command)} ended with exit code {process.returncode}: {_tail(_text(err))}")
        return Finished(Cost(wall, usage.ru_utime + usage.ru_stime), peak, _text(out))


@contextmanager
def serving(settings: Settings, *, when_ready: bool = True) -> Iterator[Server]:
    """Start a real server on a free port of this machine's loopback, and stop it however the block ends.

    Args:
        settings: Of the server.
        when_ready: Give it once it can answer; otherwise as soon as it listens.

    Raises:
        ChildFailed: The server ended, or was not that far, within `START_SECONDS`.
    """
    command = byline_command("serve", "--host", "127.0.0.1", "--port", "0")
    # Into a file: a pipe that nobody reads fills up, and the server would wait for its log.
    with tempfile.NamedTemporaryFile(prefix="byline-bench-log-") as log:
        began = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603  # our own command
            command, env=child_environment(settings), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            host, port = _address(process, Path(log.name), command, _READY if when_ready else _LISTENING)
            yield Server(process.pid, began, host, port)
        finally:
            _end(process)


def _address(
    process: subprocess.Popen[bytes], log: Path, command: Sequence[str], line: re.Pattern[str]
) -> tuple[str, int]:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        said = log.read_text(encoding="utf-8", errors="replace")
        if found := line.search(said):
            return found.group(1), int(found.group(2))
        if process.poll() is not None:
            raise ChildFailed(f"{_shown(command)} ended before it was ready: {_tail(said)}")
        time.sleep(_LOOK_SECONDS)
    raise ChildFailed(f"{_shown(command)} was not ready within {START_SECONDS:g} s: {_tail(log.read_text())}")


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is not None or process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=STOP_SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        process.wait()


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Make SIGTERM end the block as Ctrl+C does, so that what it started is stopped and its files are removed."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _shown(command: Sequence[str]) -> str:
    # The command's first word is enough to know it by; the rest are folders that are gone when somebody reads it.
    return f"byline {command[4]}" if command[2:4] == ["-m", "service"] else "a bare process"


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def _tail(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    return " / ".join(lines[-5:]) or "it said nothing"
