"""That an nsqd says of itself that it is ill, and that it is well again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from chunter_nsq.messages.events import Event
from chunter_nsq.tools import Tools

_HEARTBEATS = 3  # between two looks: a quarter of a minute


class Nsqd:
    """Has nothing to tell of its own: a complaint of nsqd's is this publisher's failure, which is told as any other."""

    name = "nsqd"

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @property
    def interval_seconds(self) -> float:
        """With every third heartbeat."""
        return self._tools.config().heartbeat_interval_seconds * _HEARTBEATS

    async def tick(self) -> AsyncIterator[Sequence[Event]]:
        """Never an event."""
        await self._tools.condition.check()
        yield ()
