"""How far each kind of work stands back for others on the processor."""

from __future__ import annotations

import os
import sys
import threading

QUESTIONS = 10
"""Of threads that answer: a server goes on taking and refusing requests, and says that it lives, however many compute.
Of `byline build`, too, which must not go before them."""

SERVER_BUILDS = 19
"""Of a build's process that a server started: it takes what questions leave."""


def process_stands_back(niceness: int) -> None:
    """Let this process, with all threads that it starts from now on, stand back."""
    os.nice(niceness)


def thread_stands_back(niceness: int) -> None:
    """Let this thread stand back for the others of its process; only Linux counts niceness by thread."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + niceness)
