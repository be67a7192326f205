"""How many may do the same at a time, of all transfers of the host together."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from chunter_nsq.storage.stop import Stop


class Turns:
    """``most`` at a time; 0 is no limit."""

    def __init__(self, most: int = 0) -> None:
        self._most = most
        self._taken = 0
        self._changed = threading.Condition()

    def change(self, most: int) -> None:
        """Another limit from now on; who has a turn keeps it."""
        with self._changed:
            self._most = most
            self._changed.notify_all()

    @contextmanager
    def turn(self, stop: Stop) -> Iterator[None]:
        """Wait for one, and have it as long as the context lasts. Raises Cancelled when stopped while it waits."""
        with stop.calling(self._wake), self._changed:
            self._changed.wait_for(lambda: stop.is_set() or not self._most or self._taken < self._most)
            stop.check()
            self._taken += 1
        try:
            yield
        finally:
            with self._changed:
                self._taken -= 1
                self._changed.notify_all()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
