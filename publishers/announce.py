"""That this host is here, and what it is: at start, every minute, and at once when something of it changes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from chunter_nsq.errors import Fault
from chunter_nsq.messages.events import Event
from chunter_nsq.tools import Tools


class Announce:
    """Looks every second at what it knows already, and asks the platform once a minute."""

    name = "announce"
    interval_seconds = 1.0
    refresh_seconds = 60.0

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._said: dict[str, Any] = {}
        self._said_at = -1e9
        self._failing: Mapping[str, Fault] = {}

    async def tick(self) -> AsyncIterator[Sequence[Event]]:
        """The registration, when it is time or when it changed; a warning when a tool that it needs fails or recovers.

        What could not be written is found again the next time.
        """
        host, config = self._tools.host, self._tools.config()
        now = time.monotonic()
        if now - host.asked_monotonic >= self.refresh_seconds:
            await host.refresh()
        failing = host.unanswered
        told = await host.announcement(self._tools.actions, config, self._tools.memory.known)
        events = self._warnings(failing)
        is_due = told != self._said or now - self._said_at >= config.announce_interval_seconds
        if is_due:
            events.append(Event("announce", "chunter.host.announce", host.id, {"event": "announce", "data": told}))
        yield events
        self._failing = failing
        if is_due:
            self._said, self._said_at = told, now

    def _warnings(self, failing: Mapping[str, Fault]) -> list[Event]:
        worse, better = failing.keys() - self._failing.keys(), self._failing.keys() - failing.keys()
        return [
            *(self._warning(tool, "failing", failing[tool].as_dict()) for tool in sorted(worse)),
            *(self._warning(tool, "recovered", {}) for tool in sorted(better)),
        ]

    def _warning(self, tool: str, state: str, details: dict[str, Any]) -> Event:
        data = {"event": "warning", "data": {"source": tool, "state": state, **details}}
        return Event("announce", "chunter.host.warning", self._tools.host.id, data)
