"""What the agent tells of itself by HTTP: its state, the figures for Prometheus, and the newest commands in short."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from chunter_nsq import __version__, ledger
from chunter_nsq.messages.events import timestamp
from chunter_nsq.parts import Parts
from chunter_nsq.status.pages import Sources
from publishers.zones import Zones
from publishers.zoneview import Counts


class Portrait:
    """An agent as it is now; nothing of it is asked, all is in memory but the commands."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def sources(self) -> Sources:
        """What the status listener shows."""
        return Sources(self.state, self.metrics, self._parts.tools.inventory.known, self._recent)

    def metrics(self) -> bytes:
        """What /metrics tells."""
        from chunter_nsq.status import metrics  # noqa: PLC0415 - memory that only those pay who scrape

        return metrics.text(self.state(), self.figures())

    def figures(self) -> dict[str, Any]:
        """What /metrics tells beyond the state; keys of counters are tuples of label values."""
        parts = self._parts
        counts = next((one.counts for one in parts.publishers if isinstance(one, Zones)), Counts())
        return {
            "commands": dict(parts.dispatcher.ended),
            "zone_events": {(found_by,): count for found_by, count in counts.as_dict().items()},
            "tools": parts.runner.durations(),
            "machines": parts.tools.inventory.known(),
            "memory": parts.tools.memory.known,
            "backups": parts.tools.backups.ages.backups,
            "verifications": parts.tools.backups.ages.verifications,
        }

    def state(self) -> dict[str, Any]:
        """What /api/status tells; ``missing`` says in words what keeps the agent from being ready."""
        parts = self._parts
        outbox = parts.outbox.state()
        return {
            "host": parts.host.id,
            "alias": parts.host.alias,
            "version": __version__,
            "started": timestamp(parts.host.started),
            "uptime_seconds": round(time.monotonic() - parts.host.started_monotonic, 3),
            "simulated": parts.host.simulated,
            **self._connections(),
            "announced": parts.is_announced,
            "foreign_clients": [one.as_dict() for one in parts.strangers.found],
            "outbox": {"waiting": outbox.waiting, "stored_bytes": outbox.stored_bytes, "dropped": outbox.dropped},
            "memory": dict(parts.tools.memory.known),
            "running": parts.dispatcher.running(),
            "queued": parts.dispatcher.queued,
            "queues": parts.dispatcher.queues(),
            "tools": [{"argv": list(one.argv), "pid": one.pid} for one in parts.runner.active()],
            "publishers": parts.ticker.state(),
            "lag_seconds": round(parts.lag.seconds(), 3),
        }

    def _connections(self) -> dict[str, Any]:
        producer = self._parts.producer.state()
        consumers = [consumer.state() for consumer in self._parts.consumers]
        missing = [] if producer.connected else ["no nsqd to publish to"]
        missing += [] if all(one.connected for one in consumers) else ["no nsqd to read commands from"]
        return {
            "missing": missing,
            "nsq": {
                "producer": {"connected": list(producer.connected), "last_error": producer.last_error},
                "consumers": [
                    {"topic": topic, "connected": list(one.connected), "in_flight": one.in_flight}
                    for topic, one in zip(self._parts.topics, consumers, strict=True)
                ],
            },
        }

    def _recent(self, count: int) -> asyncio.Future[list[dict[str, Any]]]:
        """The newest commands, without their contents."""
        return self._parts.database.submit(lambda connection: ledger.newest(connection, count))
