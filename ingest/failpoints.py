"""Named places at which the process dies if the environment says so: how a crash at each step is tested.

`BYLINE_FAILPOINT=publish.renamed` ends the process there as a power cut would, with nothing flushed and nothing
cleaned up; `publish.renamed:3` at the third time. Unset, a failpoint costs a look into the environment.
"""

from __future__ import annotations

import os
from collections import Counter

VARIABLE = "BYLINE_FAILPOINT"
EXIT_CODE = 137
"""What a shell reports of a process that was killed by SIGKILL."""

FAILPOINTS = (
    "add.begun",
    "add.written",
    "add.committed",
    "remove.written",
    "remove.committed",
    "build.begun",
    "build.read",
    "build.embedded",
    "build.part_written",
    "build.part_sealed",
    "build.part_kept",
    "build.staged",
    "build.texts_written",
    "build.dense_written",
    "build.lexical_written",
    "build.written",
    "build.hashed",
    "build.sealed",
    "build.verified",
    "publish.verified",
    "publish.renamed",
    "publish.current",
    "build.parts_dropped",
    "prune.begun",
    "prune.renamed",
    "prune.removed",
    "rollback.verified",
    "rollback.current",
    "backup.copied",
    "backup.verified",
    "backup.written",
    "backup.published",
    "restore.unpacked",
    "restore.verified",
    "restore.written",
    "restore.placed",
)
"""Every failpoint, in the order in which adding, building, pruning, rolling back, backup and restoring come to them."""

_reached: Counter[str] = Counter()


def reach(name: str) -> None:
    """Die here if the environment names this failpoint and it has been reached often enough."""
    armed = os.environ.get(VARIABLE)
    if not armed:
        return
    wanted, _, times = armed.partition(":")
    if wanted == name:
        _reached[name] += 1
        if _reached[name] >= int(times or 1):
            os._exit(EXIT_CODE)


def problem_of(armed: str) -> str | None:
    """Say what is wrong with a value of the variable; None where it names a failpoint."""
    name, colon, times = armed.partition(":")
    if name not in FAILPOINTS:
        return f"{VARIABLE} names {name!r}, which is no failpoint; they are {', '.join(FAILPOINTS)}"
    if colon and not (times.isascii() and times.isdigit() and int(times) > 0):
        return f"{VARIABLE} says {armed!r}; expected NAME or NAME:N, N from 1"
    return None
