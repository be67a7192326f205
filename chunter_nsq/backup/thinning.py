"""Snapshots of a machine gone from this host, with bookmarks in their place where increments may start from them.

A bookmark stays as long as the backup that an increment could start from. Not promised: that none is left over when the
agent is killed in between. It costs next to nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress

from chunter_nsq.errors import Fault, NotFound
from chunter_nsq.smartos.zfs import Zfs
from chunter_nsq.smartos.zfs_streams import ZfsStreams
from chunter_nsq.storage.manifest import Manifest

log = logging.getLogger(__name__)


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


async def marks(streams: ZfsStreams, backups: Iterable[Manifest]) -> list[str]:
    """The bookmarks on this host (``dataset#bookmark``) that stand for some backups."""
    wanted = {f"{dataset}#{_mark(guid)}" for one in backups for dataset, guid in one.snapshot.guids.items()}
    found: list[str] = []
    for dataset in sorted({name.partition("#")[0] for name in wanted}):
        with suppress(NotFound):  # the machine is on another host, or gone
            found += [one.full_name for one in await streams.bookmarks(dataset) if one.full_name in wanted]
    return found


async def unmark(streams: ZfsStreams, backups: Iterable[Manifest]) -> None:
    """Destroy the bookmarks of backups that are gone; one that stays is told in the log."""
    try:
        for name in await marks(streams, backups):
            await streams.destroy_bookmark(name)
    except Fault as fault:
        log.warning("backup.bookmark_left", extra={"reason": fault.message})


def _mark(guid: str) -> str:
    return f"chunter-{guid}"


async def _bookmark(zfs: Zfs, streams: ZfsStreams, name: str) -> None:
    dataset = name.partition("@")[0]
    guid = (await zfs.get([name], ("guid",)))[name]["guid"]
    if guid not in [str(mark.guid) for mark in await streams.bookmarks(dataset)]:
        await streams.bookmark(name, f"{dataset}#{_mark(guid)}")
