"""That this host lives: what runs, what waits, and how late the loop is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from chunter_nsq.messages.events import Event
from chunter_nsq.tools import Tools


class Heartbeat:
    """Asks no tool, so that nothing can hold it up."""

    name = "heartbeat"

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @property
    def interval_seconds(self) -> float:
        """As configured."""
        return self._tools.config().heartbeat_interval_seconds

    async def tick(self) -> AsyncIterator[Sequence[Event]]:
        """The agent's pulse."""
        tools = self._tools
        outbox = tools.outbox.state()
        data = {
            "running": tools.work.running(),
            "queued": tools.work.queued,
            "outbox": outbox.waiting,
            "outbox_bytes": outbox.stored_bytes,
            "dropped": outbox.dropped,
            "tools": [{"argv": list(one.argv), "command": one.command} for one in tools.runner.active()],
            "lag_seconds": round(tools.lag_seconds(), 3),
        }
        yield [Event("announce", "chunter.host.heartbeat", tools.host.id, {"event": "heartbeat", "data": data})]
