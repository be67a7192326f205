"""Room for the parts of one transfer: made as the budget allows, used again and again."""

from __future__ import annotations

from queue import Empty, SimpleQueue

from chunter_nsq.storage.budget import Lease
from chunter_nsq.storage.stop import Stop


class Buffers:
    """At most ``most`` of ``size_bytes`` each; the first is there from the beginning, more when the budget has room."""

    def __init__(self, lease: Lease, size_bytes: int, most: int, stop: Stop) -> None:
        self._lease = lease
        self._size_bytes = size_bytes
        self._most = most
        self._stop = stop
        self._free: SimpleQueue[bytearray | None] = SimpleQueue()
        lease.take(size_bytes)
        self._made = 1
        self._free.put(bytearray(size_bytes))

    def next(self) -> bytearray:
        """One that nobody uses; waits for it. Raises Cancelled when the transfer is stopped."""
        try:
            free = self._free.get_nowait()
        except Empty:
            if self._made < self._most and self._lease.try_take(self._size_bytes):
                self._made += 1
                return bytearray(self._size_bytes)
            with self._stop.calling(lambda: self._free.put(None)):
                free = self._free.get()
        if free is None:
            self._stop.check()
            return self.next()
        return free

    def give(self, buffer: bytearray) -> None:
        """It is not used any more."""
        self._free.put(buffer)
