"""The snapshots of machines: how large they are, and which are gone, whoever destroyed them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from itertools import chain
from pathlib import PurePosixPath

from chunter_nsq.messages.events import Event, Note
from chunter_nsq.smartos.names import is_uuid
from chunter_nsq.smartos.zpool import Zpool
from chunter_nsq.tools import Tools
from publishers.snapshotlisting import Listing
from publishers.snapshotview import SPACE, told

log = logging.getLogger(__name__)

_LISTABLE = frozenset({"ONLINE", "DEGRADED"})
_BATCH_CHARACTERS = 2**16  # of the machines' texts
_TURN_SNAPSHOTS = 500

Texts = dict[str, str]


class Snapshots:
    """One listing a pool and tick, however many machines there are, told as it comes; nothing of it stays in memory."""

    name = "snapshots"

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._zpool = Zpool(tools.runner)

    @property
    def interval_seconds(self) -> float:
        """As configured."""
        return self._tools.config().snapshot_update_interval_seconds

    async def tick(self) -> AsyncIterator[Sequence[Event | Note]]:
        """What changed since it was told; what could not be written is found again the next time."""
        zones = await self._tools.zoneadm.list()
        machines = {PurePosixPath(z.zonepath).name: z.uuid if is_uuid(z.uuid) else z.name for z in zones}
        pools = {pool.name: pool.health for pool in await self._zpool.list()}
        known = await self._tools.outbox.recall_keys(SPACE)
        # That a machine is gone is told elsewhere.
        yield [Note(SPACE, uuid, None) for uuid in sorted(known - set(machines.values()))]
        for pool, health in pools.items():
            if health not in _LISTABLE:
                log.warning("snapshots.pool_not_listed", extra={"pool": pool, "health": health})
                continue
            async with aclosing(self._machines(pool, machines)) as batches:
                async for texts in batches:
                    notes = await self._tools.outbox.recall_some(SPACE, texts)
                    news = (told(uuid, notes.get(uuid, ""), text, pool, pools) for uuid, text in texts.items())
                    yield list(chain.from_iterable(news))

    async def _machines(self, pool: str, machines: Mapping[str, str]) -> AsyncGenerator[Texts, None]:
        """The texts of all machines for one pool, some at a time."""
        texts: Texts = {}
        size = 0
        async with aclosing(self._complete(Listing(pool, machines), pool)) as complete:
            async for uuid, text in complete:
                texts[uuid] = text
                size += len(uuid) + len(text)
                if size >= _BATCH_CHARACTERS:
                    yield texts
                    texts, size = {}, 0
        yield texts

    async def _complete(self, listing: Listing, pool: str) -> AsyncGenerator[tuple[str, str], None]:
        """Each machine as soon as it is complete."""
        count = 0
        async with aclosing(self._tools.zfs.snapshots_stream(pool, recursive=True)) as snapshots:
            async for snapshot in snapshots:
                for one in listing.feed(snapshot):
                    yield one
                count += 1
                if count % _TURN_SNAPSHOTS == 0:
                    await asyncio.sleep(0)
        for one in listing.finish():
            yield one
