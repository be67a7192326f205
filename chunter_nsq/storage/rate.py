"""One limit of bytes per second for all transfers of the host."""

from __future__ import annotations

import threading
import time

from chunter_nsq.storage.stop import Stop


class Rate:
    """Each who moves bytes waits until those before are paid for; ``bytes_per_second`` 0 is no limit."""

    def __init__(self, bytes_per_second: float = 0) -> None:
        self._bytes_per_second = bytes_per_second
        self._lock = threading.Lock()
        self._paid_at = 0.0

    def change(self, bytes_per_second: float) -> None:
        """Another limit from now on."""
        with self._lock:
            self._bytes_per_second = bytes_per_second

    def pay(self, size_bytes: int, stop: Stop) -> None:
        """Wait for one's turn to move so many bytes. Raises Cancelled when stopped meanwhile."""
        stop.check()
        with self._lock:
            if not self._bytes_per_second:
                return
            now = time.monotonic()
            mine = max(now, self._paid_at)
            self._paid_at = mine + size_bytes / self._bytes_per_second
        if mine > now:
            stop.wait(mine - now)
