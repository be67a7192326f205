"""That this host is here, and what it is: at start, every minute, and at once when something of it changes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from chunter_nsq.messages.events import Event
from chunter_nsq.tools import Tools

_LOOK_SECONDS = 1.0
_REFRESH_SECONDS = 60.0


class Announce:
    """Looks every second at what it knows already, and asks the platform once a minute."""

    name = "announce"
    interval_seconds = _LOOK_SECONDS

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._said: dict[str, Any] = {}
        self._said_at = -1e9
        self._refreshed = -1e9

    async def tick(self) -> AsyncIterator[Sequence[Event]]:
        """The registration, when it is time or when it changed."""
        host, config = self._tools.host, self._tools.config()
        now = time.monotonic()
        if now - self._refreshed >= _REFRESH_SECONDS:
            self._refreshed = now
            await host.refresh()
        told = await host.announcement(self._tools.actions, config)
        if told == self._said and now - self._said_at < config.announce_interval_seconds:
            return
        self._said, self._said_at = told, now
        yield [Event("announce", "chunter.host.announce", host.id, {"event": "announce", "data": told})]
