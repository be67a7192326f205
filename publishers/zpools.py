"""The pools of the host: space and health, and warnings when one gets full, ill or lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from chunter_nsq.errors import Fault
from chunter_nsq.messages.events import Event, Note
from chunter_nsq.smartos.zpool import Zpool
from chunter_nsq.tools import Tools
from publishers.poolview import SPACE, PoolView, trouble_of


class Zpools:
    """One listing a tick, and a report on each pool that is not healthy."""

    name = "zpools"

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._zpool = Zpool(tools.runner)
        self._view: PoolView | None = None

    @property
    def interval_seconds(self) -> float:
        """As configured."""
        return self._tools.config().zpool_interval_seconds

    async def tick(self) -> AsyncIterator[Sequence[Event | Note]]:
        """What changed; what could not be written is found again the next time."""
        pools = await self._zpool.list()
        ill = [pool.name for pool in pools if not pool.is_healthy]
        troubles = dict(zip(ill, await asyncio.gather(*map(self._trouble, ill)), strict=True))
        view = self._view or PoolView(self._tools.host.id, await self._tools.outbox.recall(SPACE))
        self._view = None
        yield view.told(pools, troubles)
        self._view = view

    async def _trouble(self, pool: str) -> dict[str, Any]:
        """The report on a pool; where there is none to be had, why: that a pool is ill is told in any case."""
        try:
            return trouble_of(await self._zpool.status(pool))
        except Fault as fault:
            return {"status": f"There is no report: {fault.message}", "devices": []}
