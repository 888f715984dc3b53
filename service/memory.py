"""Giving memory back to the system."""

from __future__ import annotations

import ctypes
import gc
import sys
from contextlib import suppress


def give_memory_back() -> None:
    """Free what is garbage, and return what is free to the system, where the C library can be asked to (glibc).

    Takes a tenth of a second after many connections, and holds all threads up for it.
    """
    gc.collect()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL("libc.so.6").malloc_trim(0)
