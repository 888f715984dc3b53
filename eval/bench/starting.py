"""Part `start`: how long a user waits for a process that was not there.

Claim: a server and a single question wait for little but the imports and the model. Control: a bare process that
imports the libraries, loads model and vectors, answers one search and ends; started in turn with ours. The files are in
the system's cache from the second time on, for both: the processes are cold, the disk is not.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from eval.bench.measure import Measured, figure
from eval.bench.processes import ChildFailed, Server, byline_command, child_environment, run_process, serving
from eval.bench.serving import Client, body_of

if TYPE_CHECKING:
    from eval.bench.bench import Bench

READY_SECONDS = 60.0
_LOOK_SECONDS = 0.005
_FLOOR = "whole bare process: imports, model, one search"

_STEPS = {
    "bare": "floor, a bare process",
    "livez": "server, start to /livez",
    "readyz": "server, start to /readyz",
    "answer": "server, start to the first answer",
    "ask": "byline ask",
    "help": "byline --help",
}


def measure_start(bench: Bench) -> Measured:
    """Measure the part; n counts the processes of a kind, and every time stands in the details."""
    environment = child_environment(bench.settings)
    _ = bench.built
    seconds: dict[str, list[float]] = {step: [] for step in _STEPS}
    for turn in range(bench.plan.cold_starts):
        bench.note(f"Starting processes, {turn + 1} of {bench.plan.cold_starts} ...")
        seconds["bare"].append(bench.run_bare_process().cost.wall)
        for step, took in _first_answer(bench).items():
            seconds[step].append(took)
        ask = byline_command("ask", bench.next_questions(1)[0].text)
        seconds["ask"].append(run_process(ask, environment).cost.wall)
        seconds["help"].append(run_process(byline_command("--help"), environment).cost.wall)
    figures = [
        figure(
            "start", what, "s", seconds[step], base=None if step in ("bare", "help") else seconds["bare"], floor=_FLOOR
        )
        for step, what in _STEPS.items()
    ]
    return Measured(figures, {"seconds": seconds})


def _first_answer(bench: Bench) -> dict[str, float]:
    """Start a server; gives when it lived, was ready and had answered, in seconds from its start."""
    question = bench.next_questions(1)[0].text
    with serving(bench.settings, when_ready=False) as server:
        client = Client(server.host, server.port)
        try:
            return {
                "livez": _until(server, lambda: client.get("/livez") == 200, "alive"),
                "readyz": _until(server, lambda: client.get("/readyz") == 200, "ready"),
                "answer": _until(
                    server, lambda: client.post("/v1/chat", body_of("/v1/chat", question)) == "200", "able"
                ),
            }
        finally:
            client.close()


def _until(server: Server, done: Callable[[], bool], what: str) -> float:
    deadline = time.perf_counter() + READY_SECONDS
    while not done():
        if time.perf_counter() > deadline:
            raise ChildFailed(
                f"the server was not {what} within {READY_SECONDS:g} s of its start; 'byline serve' shows its log"
            )
        time.sleep(_LOOK_SECONDS)
    return time.perf_counter() - server.began
