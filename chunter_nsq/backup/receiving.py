"""Streams into datasets beside the machine's own, each verified before ZFS sees it and compared by GUID after."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from dataclasses import dataclass

from chunter_nsq.backup.course import ended
from chunter_nsq.backup.disks import Moved
from chunter_nsq.backup.route import Leg, Reach, Route
from chunter_nsq.errors import ChecksumMismatch
from chunter_nsq.smartos.runner import Sink, Source
from chunter_nsq.smartos.zfs_datasets import ZfsDatasets
from chunter_nsq.smartos.zfs_streams import ZfsStreams
from chunter_nsq.storage.download import Download, Wanted
from chunter_nsq.storage.sizing import Reads
from chunter_nsq.storage.transfer import Transfer, in_thread

_BLOCK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Into:
    """A tool's input as a file that says how much it took."""

    sink: Sink

    def write(self, data: memoryview, /) -> int:
        """All of it."""
        self.sink.write(data)
        return len(data)


@dataclass(frozen=True, slots=True)
class Receiving:
    """``moved`` names the datasets that come into being."""

    streams: ZfsStreams
    datasets: ZfsDatasets
    transfer: Transfer
    moved: Moved
    reads: Reads

    async def run(self, route: Route, told: Callable[[Leg], None]) -> None:
        """Receive all legs; what an earlier run of the command has received whole is not received again.

        Raises:
            ChecksumMismatch: a part or a stream is not what was stored, or became another snapshot than it was.
            StorageFailed, ToolFailed and its kin, InsufficientResources.
        """
        for leg in route.legs:
            told(leg)
            for reach in leg.reaches:
                await self._reach(leg, reach)

    async def document(self, stored: Wanted) -> bytes:
        """A small document out of the store."""
        content = io.BytesIO()
        download = Download(self.transfer, stored)
        await in_thread(lambda: download.run(content), self.transfer.stop)
        return content.getvalue()

    async def _reach(self, leg: Leg, reach: Reach) -> None:
        target = self.moved(reach.dataset)
        received = f"{target}@{leg.snapshot}"
        if await self._is_there(received, reach):
            return
        if reach.is_full:
            await self.datasets.discard(target)
        if reach.stored is None:
            await self._copy(f"{reach.dataset}@{leg.snapshot}", target)
        else:
            await self._download(reach.stored, target)
        if not await self._is_there(received, reach):
            raise ChecksumMismatch(
                f"what was received as {received} is another snapshot than the one stored", {"expected": reach.guid}
            )

    async def _is_there(self, received: str, reach: Reach) -> bool:
        if not await self.datasets.exists(received):
            return False
        return not reach.guid or str(await self.datasets.guid(received)) == reach.guid

    async def _download(self, stored: Wanted, target: str) -> None:
        task: asyncio.Future[None] | None = None
        try:
            async with self.streams.receive(target) as sink:

                def work() -> None:
                    Download(self.transfer, stored, reads=self.reads).run(Into(sink))
                    sink.finish()

                task = asyncio.ensure_future(in_thread(work, self.transfer.stop))
                await self._done(task)
        finally:
            if task is not None:
                await ended(task)

    async def _copy(self, snapshot: str, target: str) -> None:
        task: asyncio.Future[None] | None = None
        try:
            async with self.streams.send(snapshot) as source, self.streams.receive(target) as sink:
                work = _copying(source, sink, self.transfer)
                task = asyncio.ensure_future(in_thread(work, self.transfer.stop))
                await self._done(task)
        finally:
            if task is not None:
                await ended(task)

    async def _done(self, task: asyncio.Future[None]) -> None:
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            self.transfer.stop.set()  # before the tools are ended, or their end would be the fault
            raise


def _copying(source: Source, sink: Sink, transfer: Transfer) -> Callable[[], None]:
    def work() -> None:
        while block := source.read(_BLOCK_BYTES):
            transfer.stop.check()
            sink.write(block)
            transfer.meter.add(raw_bytes=len(block))
        sink.finish()

    return work
