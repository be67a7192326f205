"""The ARC of the host, ZFS's cache in memory (l1) and on fast disks (l2): hits, misses and size."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

from chunter_nsq.messages.events import Event
from chunter_nsq.smartos.kstat import Kstats
from chunter_nsq.tools import Tools

SPECS = ("zfs:0:arcstats",)
_EVERY_TICKS = 120
_MIB = 2**20
_COUNTERS = {"l1hits": b"hits", "l1miss": b"misses", "l2hits": b"l2_hits", "l2miss": b"l2_misses"}
_SIZES = {"l1size": b"size", "l2size": b"l2_size"}

Figures = dict[str, int]


def figures(values: Mapping[bytes, bytes]) -> Figures:
    """Counters since the host was booted, sizes in MB; 0 for what the platform does not count (no l2).

    Raises:
        ValueError: when hits and misses are not there, or something is no number.
    """
    if not {b"hits", b"misses", b"size"} <= values.keys():
        raise ValueError("hits, misses or size")
    counted = {name: int(values.get(statistic, b"0")) for name, statistic in _COUNTERS.items()}
    return counted | {name: round(int(values.get(statistic, b"0")) / _MIB) for name, statistic in _SIZES.items()}


def hit_rate(before: Figures | None, now: Figures) -> float | None:
    """Percent of the reads since the reading before that memory served.

    None when nothing was read, and when there is nothing to compare with: no reading, or counters that began anew.
    """
    if before is None:
        return None
    hits, misses = now["l1hits"] - before["l1hits"], now["l1miss"] - before["l1miss"]
    if hits < 0 or misses < 0 or hits + misses == 0:
        return None
    return round(100 * hits / (hits + misses), 2)


class Arc:
    """Speaks when a figure changed, and every 120th tick."""

    name = "arc"

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._kstat = Kstats(tools.runner)
        self._before: Figures | None = None
        self._silent = 0

    @property
    def interval_seconds(self) -> float:
        """As configured."""
        return self._tools.config().arc_interval_seconds

    async def tick(self) -> AsyncIterator[Sequence[Event]]:
        """The statistics, with the hit rate of this interval."""
        reading = await self._kstat.read(SPECS)
        values = {
            name: value
            for kstat in reading.table.kstats()
            for name, value in zip(kstat.head.statistics, kstat.values, strict=True)
        }
        try:
            now = figures(values)
        except ValueError as fault:
            raise reading.odd(str(fault)) from fault
        before, self._before = self._before, now
        self._silent += 1
        if now == before and self._silent < _EVERY_TICKS:
            return
        self._silent = 0
        data = {**now, "hit_rate": hit_rate(before, now)}
        yield [Event("arc", "chunter.arc.stats", self._tools.host.id, {"event": "arc", "data": data})]
