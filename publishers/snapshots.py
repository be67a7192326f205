"""The snapshots of machines: how large they are, and which are gone, whoever destroyed them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import PurePosixPath

from chunter_nsq.messages.events import Event, Note
from chunter_nsq.smartos.names import is_uuid
from chunter_nsq.smartos.zpool import Zpool
from chunter_nsq.tools import Tools
from publishers.snapshotview import SPACE, Listing, SnapshotView

log = logging.getLogger(__name__)

_LISTABLE = frozenset({"ONLINE", "DEGRADED"})
_BATCH_EVENTS = 50
_TURN_SNAPSHOTS = 500


class Snapshots:
    """One listing a pool and tick, however many machines there are, read as it comes."""

    name = "snapshots"

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._zpool = Zpool(tools.runner)
        self._view: SnapshotView | None = None

    @property
    def interval_seconds(self) -> float:
        """As configured."""
        return self._tools.config().snapshot_update_interval_seconds

    async def tick(self) -> AsyncIterator[Sequence[Event | Note]]:
        """What changed since the last tick; what could not be written is found again the next time."""
        zones = await self._tools.zoneadm.list()
        machines = {PurePosixPath(z.zonepath).name: z.uuid if is_uuid(z.uuid) else z.name for z in zones}
        listing = Listing(machines)
        unlisted = await self._gather(listing)
        view = self._view or SnapshotView(await self._tools.outbox.recall(SPACE))
        self._view = None
        batch: list[Event | Note] = [*view.forget(listing.texts)]
        for uuid, text in listing.texts.items():
            batch += view.told(uuid, bytes(text), unlisted)
            if len(batch) >= _BATCH_EVENTS:
                yield batch
                batch = []
            await asyncio.sleep(0)
        yield batch
        self._view = view

    async def _gather(self, listing: Listing) -> frozenset[bytes]:
        """Read the snapshots of every pool that can be read; the names of the others."""
        unlisted: set[bytes] = set()
        for pool in await self._zpool.list():
            if pool.health not in _LISTABLE:
                log.warning("snapshots.pool_not_listed", extra={"pool": pool.name, "health": pool.health})
                unlisted.add(pool.name.encode())
                continue
            async with aclosing(self._tools.zfs.snapshots_stream(pool.name, recursive=True)) as snapshots:
                count = 0
                async for snapshot in snapshots:
                    listing.feed(snapshot)
                    count += 1
                    if count % _TURN_SNAPSHOTS == 0:
                        await asyncio.sleep(0)
        return frozenset(unlisted)
