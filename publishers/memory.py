"""The memory of the host: what there is, what the machines were given, what is left."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from chunter_nsq.messages.events import Event
from chunter_nsq.tools import Tools

_EVERY_TICKS = 30


class Memory:
    """Speaks when a figure changed, and every thirtieth tick."""

    name = "memory"

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._said: dict[str, int] = {}
        self._silent = 0

    @property
    def interval_seconds(self) -> float:
        """The services' tick."""
        return self._tools.config().update_services_interval_seconds

    async def tick(self) -> AsyncIterator[Sequence[Event]]:
        """The accounting, in MiB."""
        figures = await self._figures()
        self._silent += 1
        if figures == self._said and self._silent < _EVERY_TICKS:
            return
        self._said, self._silent = figures, 0
        host = self._tools.host
        host.resources = figures
        yield [Event("memory", "chunter.memory.update", host.id, {"event": "memory", "data": figures})]

    async def _figures(self) -> dict[str, int]:
        total = await self._tools.prtconf.memory_mib()
        reserved = self._tools.config().reserved_memory_bytes // 2**20
        provisioned = sum(machine.memory_mib for machine in await self._tools.inventory.machines())
        return {
            "total-memory": total,
            "provisioned-memory": provisioned,
            "reserved-memory": reserved,
            "free-memory": total - reserved - provisioned,
        }
