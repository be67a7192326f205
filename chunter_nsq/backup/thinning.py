"""Snapshots of a machine gone from this host, with bookmarks in their place where increments may start from them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from chunter_nsq.errors import NotFound
from chunter_nsq.smartos.zfs import Zfs
from chunter_nsq.smartos.zfs_streams import ZfsStreams


async def destroy(zfs: Zfs, streams: ZfsStreams, names: Sequence[str], *, mark: bool) -> list[str]:
    """Destroy snapshots (``dataset@snapshot``), which may be gone already; those that were there.

    With ``mark`` a bookmark of each stays, where ZFS has bookmarks. Raises Busy when one is held.
    """
    can_mark = mark and (await streams.features()).bookmarks
    gone = []
    for name in names:
        if not await zfs.exists(name):
            continue
        if can_mark:
            await _bookmark(zfs, streams, name)
        with suppress(NotFound):
            await zfs.destroy_snapshot(name)
            gone.append(name)
    return gone


async def _bookmark(zfs: Zfs, streams: ZfsStreams, name: str) -> None:
    dataset = name.partition("@")[0]
    guid = (await zfs.get([name], ("guid",)))[name]["guid"]
    if guid not in [str(mark.guid) for mark in await streams.bookmarks(dataset)]:
        await streams.bookmark(name, f"{dataset}#chunter-{guid}")
