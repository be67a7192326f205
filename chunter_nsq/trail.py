"""What was heard of each command that somebody waits for, or may wait for soon."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Data = dict[str, Any]
FINAL = frozenset({"succeeded", "failed", "rejected", "expired", "cancelled", "interrupted"})
LIMIT = 10_000


class Trail:
    """The newest result of each kind and host, queues of those who follow, and how to ask for the results again."""

    def __init__(self) -> None:
        self._newest: dict[tuple[str, str], Data] = {}
        self._followers: list[asyncio.Queue[Data]] = []
        self.ask_again: Callable[[], Awaitable[None]] = _nobody_to_ask

    @property
    def is_followed(self) -> bool:
        """Whether somebody reads it now."""
        return bool(self._followers)

    @property
    def is_ended(self) -> bool:
        """Whether some host's final result came."""
        return any(status in FINAL for _host, status in self._newest)

    def add(self, data: Data) -> None:
        """A result; one that came before, to the letter, is no news."""
        place = (str(data.get("host")), str(data.get("status")))
        if self._newest.get(place) == data:
            return
        self._newest.pop(place, None)
        self._newest[place] = data
        for queue in self._followers:
            queue.put_nowait(data)

    def join(self) -> asyncio.Queue[Data]:
        """A queue that has what is known, in order of arrival, and gets what comes."""
        queue: asyncio.Queue[Data] = asyncio.Queue()
        for data in self._newest.values():
            queue.put_nowait(data)
        self._followers.append(queue)
        return queue

    def leave(self, queue: asyncio.Queue[Data]) -> None:
        """The queue gets nothing more."""
        self._followers = [each for each in self._followers if each is not queue]


async def _nobody_to_ask() -> None:
    """Somebody else sent the command."""


class Trails:
    """One for each command; above the limit the oldest that nobody follows is forgotten."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._trails: dict[str, Trail] = {}

    def __len__(self) -> int:
        return len(self._trails)

    def of(self, command_id: str) -> Trail:
        """The command's trail, begun now when there is none."""
        if command_id not in self._trails:
            if len(self._trails) >= self._limit:
                idle = (name for name, trail in self._trails.items() if not trail.is_followed)
                self._trails.pop(next(idle, command_id), None)
            self._trails[command_id] = Trail()
        return self._trails[command_id]

    def add(self, event: Mapping[str, Any]) -> None:
        """An event; results of commands that have a trail are added to it."""
        data = event.get("data")
        if event.get("type") == "chunter.result" and isinstance(data, dict):
            trail = self._trails.get(str(data.get("command")))
            if trail is not None:
                trail.add(data)

    def leave(self, command_id: str, queue: asyncio.Queue[Data]) -> None:
        """A follower goes; a trail that ended is forgotten with its last one."""
        trail = self._trails.get(command_id)
        if trail is not None:
            trail.leave(queue)
            if trail.is_ended and not trail.is_followed:
                del self._trails[command_id]
