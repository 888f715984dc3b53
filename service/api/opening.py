"""The opening of the parts in a thread of its own: a server lives, and says so, before it can answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.assembly import Parts
    from service.settings import Settings


class Opening:
    """The parts of an application, which open while it runs already.

    Args:
        settings: Of the process; what is needed before there are parts.
        open_parts: Opens them, such as `service.assembly.assemble`; called once, in a thread of its own, by `start`.

    Attributes:
        parts: None while they are being opened, and where that failed.
        failure: Why they could not be opened; None while they are being opened, and once they are open.
    """

    def __init__(self, settings: Settings, open_parts: Callable[[], Parts]) -> None:
        self.settings = settings
        self.parts: Parts | None = None
        self.failure: BaseException | None = None
        self._open_parts = open_parts
        self._over: Future[None] = Future()

    @classmethod
    def of(cls, parts: Parts) -> Opening:
        """Give the opening, which is over, of parts that are open."""
        opening = cls(parts.settings, lambda: parts)
        opening._open()
        return opening

    def start(self) -> None:
        """Begin to open."""
        # A daemon: imports and the loading of a model cannot be stopped, and must not keep the process.
        threading.Thread(target=self._open, name="opening", daemon=True).start()

    def _open(self) -> None:
        try:
            self.parts = self._open_parts()
        except BaseException as error:  # noqa: BLE001  # `serve` raises it again, once the server has ended
            self.failure = error
        self._over.set_result(None)

    @property
    def is_over(self) -> bool:
        """Whether the parts are open, or failed to open."""
        return self._over.done()

    def when_over(self, call: Callable[[], object]) -> None:
        """Call a function once the parts are open or failed to open: in the thread that opens, or at once."""
        self._over.add_done_callback(lambda _: call())
