"""How far a transfer is, told at most once a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """Bytes of the raw stream and of what is stored of it, moved so far; ``rate`` in raw bytes per second of late."""

    raw_bytes: int
    stored_bytes: int
    rate: float


Tell = Callable[[Progress], None]


class Meter:
    """Counts, from any thread; ``tell`` is called in the thread that counted."""

    def __init__(self, tell: Tell | None = None, interval_seconds: float = 1.0) -> None:
        self._tell = tell
        self._interval_seconds = interval_seconds
        self._lock = threading.Lock()
        self._raw_bytes = 0
        self._stored_bytes = 0
        self._told_at = time.monotonic()
        self._told_bytes = 0

    def add(self, *, raw_bytes: int = 0, stored_bytes: int = 0) -> None:
        """Count, and tell when it is time."""
        with self._lock:
            self._raw_bytes += raw_bytes
            self._stored_bytes += stored_bytes
            seconds = time.monotonic() - self._told_at
            if self._tell is None or seconds < self._interval_seconds:
                return
            progress = Progress(self._raw_bytes, self._stored_bytes, (self._raw_bytes - self._told_bytes) / seconds)
            self._told_at += seconds
            self._told_bytes = self._raw_bytes
        self._tell(progress)
