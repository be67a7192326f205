"""How late the event loop is: the longest delay of a short sleep within the last few seconds."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque

_EVERY_SECONDS = 0.25
_KEPT = 40


class Lag:
    """Measures until it is closed."""

    def __init__(self) -> None:
        self._seen: deque[float] = deque(maxlen=_KEPT)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._measure(), name="loop lag")

    def seconds(self) -> float:
        """The longest of the last ten seconds."""
        return max(self._seen, default=0.0)

    async def close(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _measure(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(_EVERY_SECONDS)
            self._seen.append(max(0.0, time.monotonic() - before - _EVERY_SECONDS))
