"""Results in the order in which the work was begun, whoever ends first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from chunter_nsq.storage.stop import Stop

T = TypeVar("T")


class Conveyor(Generic[T]):
    """One thread takes places, any thread delivers to them, one thread iterates."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._changed = threading.Condition()
        self._ready: dict[int, T] = {}
        self._places = 0
        self._ended = False

    def place(self) -> Callable[[T], None]:
        """The next place in the order; what is returned delivers to it."""
        number = self._places
        self._places += 1

        def deliver(result: T) -> None:
            with self._changed:
                self._ready[number] = result
                self._changed.notify_all()

        return deliver

    def end(self) -> None:
        """No place after those that were taken."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        """Wait for each in turn. Raises Cancelled when the transfer is stopped."""
        number = 0
        with self._stop.calling(self._wake):
            while self._arrived(number):
                with self._changed:
                    result = self._ready.pop(number)
                yield result
                del result
                number += 1

    def _arrived(self, number: int) -> bool:
        """Whether it has; False when it never will."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._stop.is_set() or number in self._ready or (self._ended and number >= self._places)
            )
            self._stop.check()
            return number in self._ready

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
