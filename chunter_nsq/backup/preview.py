"""What a backup or a restore would do, shown without doing it."""

from __future__ import annotations

from typing import Any

from chunter_nsq.backup.making import Making
from chunter_nsq.backup.plan import wants_snapshot
from chunter_nsq.backup.restoring import Restoring
from chunter_nsq.smartos import zfs_argv, zfs_stream_argv
from chunter_nsq.tools import Tools


async def of_create(tools: Tools, making: Making) -> dict[str, Any]:
    """The vectors that would run, and what was found on the host and in the store."""
    seen = await making.look()
    names = [one.snapshot for one in seen.stretches]
    fresh = await wants_snapshot(tools.zfs, names, making.params.create)
    argv = [zfs_argv.snapshot_argv(names)] if fresh else []
    argv += [zfs_stream_argv.send_argv(one.snapshot, one.base, seen.flags) for one in seen.stretches]
    found = {
        "state": seen.machine.get("state"),
        "datasets": [one.dataset for one in seen.stretches],
        "present": [] if fresh else names,
        "parent": None if seen.parent is None else seen.parent.created,
    }
    return {"dry_run": True, "argv": [list(one) for one in argv], "found": found}


async def of_restore(restoring: Restoring) -> dict[str, Any]:
    """The vectors that would receive, and the way that was found."""
    _, found = await restoring.look()
    names = [restoring.received(one.dataset) for leg in found.legs for one in leg.reaches]
    argv = [list(zfs_stream_argv.receive_argv(name)) for name in names]
    return {"dry_run": True, "argv": argv, "found": {"path": found.shown(), "bytes": found.total_bytes}}
