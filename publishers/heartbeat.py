"""That this host lives: what runs, what waits, how late everything is, and what the agent did so far."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from chunter_nsq.messages.events import Event
from chunter_nsq.tools import Tools
from publishers.zoneview import Counts


class Heartbeat:
    """Asks no tool, so that nothing can hold it up."""

    name = "heartbeat"

    def __init__(self, tools: Tools, zones: Counts) -> None:
        self._tools = tools
        self._zones = zones

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
            "queues": tools.work.queues(),
            "outbox": outbox.waiting,
            "outbox_bytes": outbox.stored_bytes,
            "dropped": outbox.dropped,
            "tools": [{"argv": list(one.argv), "command": one.command} for one in tools.runner.active()],
            "tool_runs": {
                tool: {"runs": one.starts, "failures": one.failures, "seconds": round(one.seconds, 3)}
                for tool, one in tools.runner.durations().items()
            },
            "publishers": {
                one["name"]: {"failures": one["failures"], "late_seconds": one["late_seconds"], "missed": one["missed"]}
                for one in tools.sources()
            },
            "zone_events": self._zones.as_dict(),
            "lag_seconds": round(tools.lag_seconds(), 3),
        }
        yield [Event("announce", "chunter.host.heartbeat", tools.host.id, {"event": "heartbeat", "data": data})]
