"""One budget of bytes for all transfers of the host.

Responsibilities: nobody holds a byte of a stream that was not taken from the budget before; a transfer that may begin
can always go on.

Theory: each transfer leases a floor, the least with which it makes progress (one part being filled and the blocks on
their way into it), and waits for that at its start, first come first served. Above its floor it takes from what nobody
has leased. So two transfers never starve each other with halves of parts, and one alone may use everything.

Not promised: that what is taken equals resident memory; copies within libraries and the allocator's reserves come on
top.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from chunter_nsq.storage.stop import Stop


class Budget:
    """``total_bytes`` for all; thread-safe. A lease above the total is granted when nobody else has one.

    ``changed`` guards the figures beside it; leases share them.
    """

    def __init__(self, total_bytes: int) -> None:
        self.total_bytes = total_bytes
        self.changed = threading.Condition()
        self.leased_bytes = 0
        self.extra_bytes = 0
        self._line: deque[object] = deque()

    @property
    def free_bytes(self) -> int:
        """What nobody has leased or taken; negative when something too large went alone."""
        return self.total_bytes - self.leased_bytes - self.extra_bytes

    def resize(self, total_bytes: int) -> None:
        """Another total from now on; what is taken already stays so."""
        with self.changed:
            self.total_bytes = total_bytes
            self.changed.notify_all()

    @contextmanager
    def lease(self, floor_bytes: int, stop: Stop) -> Iterator[Lease]:
        """A floor of one's own, as long as the context lasts. Raises Cancelled when stopped while it waits."""
        self._admit(floor_bytes, stop)
        lease = Lease(self, floor_bytes, stop)
        try:
            yield lease
        finally:
            lease.end()

    def _admit(self, floor_bytes: int, stop: Stop) -> None:
        ticket = object()

        def admitted() -> bool:
            if stop.is_set():
                return True
            return self._line[0] is ticket and (floor_bytes <= self.free_bytes or self.leased_bytes == 0)

        with stop.calling(self.wake), self.changed:
            self._line.append(ticket)
            try:
                self.changed.wait_for(admitted)
                stop.check()
                self.leased_bytes += floor_bytes
            finally:
                self._line.remove(ticket)
                self.changed.notify_all()

    def wake(self) -> None:
        """Let all who wait look again."""
        with self.changed:
            self.changed.notify_all()


class Lease:
    """One transfer's share: its floor, and what it took above it."""

    def __init__(self, budget: Budget, floor_bytes: int, stop: Stop) -> None:
        self._budget = budget
        self._floor_bytes = floor_bytes
        self._stop = stop
        self._used_bytes = 0
        self._ended = False

    def take(self, size_bytes: int) -> None:
        """Wait until so many bytes may be held. Raises Cancelled when the transfer is stopped."""
        budget = self._budget
        with self._stop.calling(budget.wake), budget.changed:
            budget.changed.wait_for(lambda: self._stop.is_set() or self._fits(size_bytes))
            self._stop.check()
            self._move(size_bytes)

    def try_take(self, size_bytes: int) -> bool:
        """Take without waiting; whether there was room."""
        with self._budget.changed:
            room = self._fits(size_bytes)
            if room:
                self._move(size_bytes)
            return room

    def give(self, size_bytes: int) -> None:
        """So many bytes are not held any more."""
        with self._budget.changed:
            if not self._ended:
                self._move(-size_bytes)

    def end(self) -> None:
        """Give everything back; what threads give afterwards counts no more."""
        with self._budget.changed:
            self._move(-self._used_bytes)
            self._ended = True
            self._budget.leased_bytes -= self._floor_bytes

    def _fits(self, size_bytes: int) -> bool:
        above = self._above(self._used_bytes + size_bytes) - self._above(self._used_bytes)
        # What is larger than the whole budget could never fit; it goes when nothing else of ours is held.
        return above == 0 or above <= self._budget.free_bytes or self._used_bytes == 0

    def _move(self, size_bytes: int) -> None:
        before = self._above(self._used_bytes)
        self._used_bytes += size_bytes
        self._budget.extra_bytes += self._above(self._used_bytes) - before
        self._budget.changed.notify_all()

    def _above(self, used_bytes: int) -> int:
        return max(0, used_bytes - self._floor_bytes)
