"""Memory that many clients took goes back when they have gone."""

import gc
import weakref

from service.memory import give_memory_back


class Knot:
    def __init__(self):
        self.itself = self


def test_what_only_holds_itself_is_freed():
    gc.disable()
    try:
        seen = weakref.ref(Knot())
        assert seen() is not None
        give_memory_back()
        assert seen() is None
    finally:
        gc.enable()
