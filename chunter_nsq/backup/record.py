"""What a manifest says beside its files: the machine, its snapshots by GUID, and what streams do not carry."""

from __future__ import annotations

import time

from chunter_nsq import __version__
from chunter_nsq.backup import disks
from chunter_nsq.backup.plan import Plan
from chunter_nsq.messages.events import timestamp
from chunter_nsq.storage.manifest import File, Manifest, Snapshot
from chunter_nsq.tools import Tools


async def manifest(tools: Tools, made_of: Plan, files: tuple[File, ...]) -> Manifest:
    """The manifest of a backup whose files are all in the store."""
    zfs = tools.backups.datasets
    names = [one.dataset for one in made_of.stretches]
    guids = {one.dataset: str(await zfs.guid(one.snapshot)) for one in made_of.stretches}
    created = (await zfs.get(made_of.names[0], ("creation",)))["creation"]
    machine = {name: value for name, value in made_of.machine.items() if name != "snapshots"}
    parent = made_of.parent
    return Manifest(
        vm=made_of.vm,
        host=tools.host.id,
        snapshot=Snapshot(made_of.snapshot, guids),
        parent=None if parent is None else Snapshot(parent.snapshot.name, dict(parent.snapshot.guids)),
        files=files,
        send_flags=made_of.flags.words(),
        config={"machine": machine, "datasets": await disks.properties(zfs, names)},
        created=timestamp(float(created)),
        finished=timestamp(time.time()),
        agent_version=__version__,
    )
