"""How busy zones, their networks and disks, and the host's processors are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from chunter_nsq.messages.events import Event
from chunter_nsq.smartos.kstat import Kstats
from chunter_nsq.tools import Tools
from publishers.caphits import CapRecord
from publishers.meters import Meters, specs
from publishers.zonenames import ZoneNames

_BATCH = 200


class Metrics:
    """One process a tick for all zones; none when metrics are switched off."""

    name = "metrics"

    def __init__(self, tools: Tools, caps: CapRecord | None = None) -> None:
        self._tools = tools
        self._caps = caps or CapRecord()
        self._kstat = Kstats(tools.runner)
        self._names = ZoneNames(tools)
        self._meters = self._fresh()

    @property
    def interval_seconds(self) -> float:
        """As configured."""
        return self._tools.config().metrics_interval_seconds

    async def tick(self) -> AsyncIterator[Sequence[Event]]:
        """One reading."""
        if not self._tools.config().metrics:
            self._meters = self._fresh()
            return
        await self._names.refresh()
        reading = await self._kstat.read(specs(self._names.by_hand()))
        table = reading.table
        batch: list[Event] = []
        try:
            for count, event in enumerate(self._meters.read(table.kstats(), table.zones(), reading.at)):
                if event is not None:
                    self._caps.hear(event)
                    batch.append(event)
                if len(batch) >= _BATCH:
                    yield batch
                    batch = []
                elif count % _BATCH == 0:
                    await asyncio.sleep(0)
        except ValueError as fault:
            raise reading.odd(str(fault)) from fault
        yield batch

    def _fresh(self) -> Meters:
        return Meters(self._tools.host.id, self._names.subject)
