"""``zfs send`` and ``zfs receive`` as streams for threads, and the bookmarks that increments start from.

Responsibilities: streams whose end can be trusted; how long one will be; a receive that failed, was cancelled or was
left leaves no dataset that was not there before; what this host's ZFS can do, found out once.

Theory: a stream goes into a dataset of its own, unmounted, and takes its place by a rename when all is proven; so a
receive overwrites nothing unless that is said. ZFS takes back by itself what half a stream did to a dataset that was
there; a dataset that half a stream made may need to be destroyed, some moments later where a daemon still holds it.

Not promised: that nothing is left when the agent itself is killed; whoever starts next knows its names.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from chunter_nsq.errors import Fault, Unsupported
from chunter_nsq.smartos import zfs_argv, zfs_stream_argv
from chunter_nsq.smartos.documents import whole_lines
from chunter_nsq.smartos.refusal import check, unreadable
from chunter_nsq.smartos.runner import Runner, Sink, Source
from chunter_nsq.smartos.streams import SILENCE_SECONDS
from chunter_nsq.smartos.zfs_datasets import ZfsDatasets
from chunter_nsq.smartos.zfs_features import Features, parse_features
from chunter_nsq.smartos.zfs_refusal import DestinationExists, check_received, check_sent, stream_refusal
from chunter_nsq.smartos.zfs_rows import Bookmark, parse_bookmarks, parse_estimate, parse_properties
from chunter_nsq.smartos.zfs_stream_argv import PLAIN, SendFlags

log = logging.getLogger(__name__)

__all__ = ["Estimate", "Features", "SendFlags", "ZfsStreams"]

_USAGE_STATUS = 2


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long a stream will be: as ``send`` says, or at most about what the snapshot refers to."""

    size_bytes: int
    source: Literal["send", "referenced"]


class ZfsStreams:
    """Streams through ``zfs``; ``silence_seconds`` is how long one may stand still."""

    def __init__(self, runner: Runner, *, silence_seconds: float = SILENCE_SECONDS) -> None:
        self._runner = runner
        self._silence_seconds = silence_seconds
        self._datasets = ZfsDatasets(runner)
        self._features: Features | None = None

    async def features(self) -> Features:
        """What this host's ZFS can do; raises ToolFailed when it does not say."""
        if self._features is None:
            completed = await self._runner.run(zfs_stream_argv.USAGE_ARGV)
            found = parse_features(completed.stderr)
            if found is None:
                raise unreadable(completed, "find out what zfs can do", "it printed no usage")
            self._features = found
        return self._features

    @asynccontextmanager
    async def send(self, snapshot: str, base: str | None = None, flags: SendFlags = PLAIN) -> AsyncIterator[Source]:
        """A snapshot as a stream; with ``base`` (``dataset@snapshot`` or ``dataset#bookmark``) what changed since.

        Raises, while reading: NotFound, BaseMissing, BaseMismatch, DoubtfulStream, ToolFailed, ToolTimeout.
        """
        judge = partial(check_sent, attempted=f"send {snapshot}" + (f" since {base}" if base else ""))
        argv = zfs_stream_argv.send_argv(snapshot, base, flags)
        async with self._runner.source(argv, judge, silence_seconds=self._silence_seconds) as source:
            yield source

    async def estimate(self, snapshot: str, base: str | None = None, flags: SendFlags = PLAIN) -> Estimate:
        """How long that stream will be; raises NotFound, BaseMissing, BaseMismatch."""
        attempted = f"estimate the stream of {snapshot}"
        if (await self.features()).estimates:
            argv = zfs_stream_argv.estimate_argv(snapshot, base, flags)
            completed = await self._runner.run(argv)
            if completed.exit_status != 0:
                raise stream_refusal(completed, attempted)
            size_bytes = parse_estimate(completed.stdout.decode(errors="replace") + completed.stderr)
            if size_bytes is not None:
                return Estimate(size_bytes, "send")
            log.warning("zfs.estimate_unreadable", extra={"argv": argv})
        completed = check(await self._runner.run(zfs_argv.get_argv([snapshot], _BOUNDS)), attempted)
        values = parse_properties(whole_lines(completed, attempted)).get(snapshot, {})
        return Estimate(_bound(values), "referenced")

    @asynccontextmanager
    async def receive(
        self, target: str, *, overwrite: bool = False, properties: Mapping[str, str] | None = None
    ) -> AsyncIterator[Sink]:
        """A stream becomes ``target`` (dataset, or dataset@snapshot), unmounted; ``Sink.finish`` makes it so.

        A full stream needs a dataset that is not there, an increment one that ends with its base; ``overwrite`` takes
        back changes made since, or replaces the dataset. Left otherwise than after ``finish``, a dataset that was not
        there before is gone again.

        Raises, while writing and finishing: DestinationExists, DestinationModified, BaseMismatch, BaseMissing,
        InvalidStream, InsufficientResources, Busy, ToolFailed, ToolTimeout.
        """
        judge = partial(check_received, attempted=f"receive {target}")
        argv = zfs_stream_argv.receive_argv(target, overwrite=overwrite, properties=properties)
        dataset = target.partition("@")[0]
        there_before = await self._datasets.exists(dataset)
        whole = False
        try:
            async with self._runner.sink(argv, judge, silence_seconds=self._silence_seconds) as sink:
                yield sink
                whole = sink.whole
        except DestinationExists:
            there_before = True
            raise
        finally:
            if not whole and not there_before:
                await _despite_cancellation(self._take_back(dataset))

    async def bookmark(self, snapshot: str, bookmark: str) -> None:
        """Mark a snapshot (``dataset#name``); raises Unsupported, NotFound, AlreadyExists."""
        await self._need_bookmarks()
        argv = zfs_stream_argv.bookmark_argv(snapshot, bookmark)
        check(await self._runner.run(argv, mutates=True), f"bookmark {snapshot} as {bookmark}")

    async def bookmarks(self, dataset: str) -> tuple[Bookmark, ...]:
        """The bookmarks of a dataset, oldest first; none where ZFS knows none."""
        if not (await self.features()).bookmarks:
            return ()
        attempted = f"list the bookmarks of {dataset}"
        completed = check(await self._runner.run(zfs_stream_argv.bookmarks_argv(dataset)), attempted)
        found = parse_bookmarks(whole_lines(completed, attempted))
        if found is None:
            raise unreadable(completed, attempted, "what it printed is not a list of bookmarks")
        return found

    async def destroy_bookmark(self, bookmark: str) -> None:
        """Take a mark away; raises Unsupported, NotFound."""
        await self._need_bookmarks()
        argv = zfs_stream_argv.destroy_bookmark_argv(bookmark)
        check(await self._runner.run(argv, mutates=True), f"destroy bookmark {bookmark}")

    async def _need_bookmarks(self) -> None:
        if not (await self.features()).bookmarks:
            raise Unsupported("this host's ZFS knows no bookmarks; keep the snapshot instead")

    async def _take_back(self, dataset: str) -> None:
        try:
            await self._datasets.discard(dataset)
        except Fault as fault:  # the first fault is the one to tell
            log.warning("zfs.half_received_left_behind", extra={"dataset": dataset, "why": fault.message})


_BOUNDS = ("referenced", "compressratio")


def _bound(values: Mapping[str, str]) -> int:
    """About the most that the blocks of a snapshot come to outside of the pool."""
    referenced, ratio = values.get("referenced", "0"), values.get("compressratio", "1").rstrip("x")
    try:
        return int(int(referenced) * max(1.0, float(ratio)))
    except ValueError:
        return 0


async def _despite_cancellation(work: Coroutine[Any, Any, None]) -> None:
    """Do it to its end; a cancellation meanwhile is raised after it."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as again:
            cancelled = again
    if cancelled is not None:
        raise cancelled
    task.result()
