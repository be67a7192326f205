"""snapshot.store and machine.store: an image of what a machine is, and the machine itself left to its backup.

What does the work is imported by the first command that needs it: it takes memory that most hosts never use.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from chunter_nsq.actions import Done, Lane, Leave, Progress, Subject, Yield, action
from chunter_nsq.endings import DESTROYS, KEYS, MACHINE, MANIFESTS, STORE, TOOLS
from chunter_nsq.errors import (
    AlreadyExists,
    InsufficientResources,
    InvalidState,
    NotFound,
    StorageFailed,
    Unsupported,
)
from chunter_nsq.messages.command import Command
from chunter_nsq.messages.events import Note
from chunter_nsq.messages.image_params import SnapshotStore
from chunter_nsq.messages.params import MachineStore
from chunter_nsq.removal import remove
from chunter_nsq.smartos import vmadm
from chunter_nsq.smartos.names import checked_uuid
from chunter_nsq.tools import Tools
from chunter_nsq.zonestate import STORED


@action(
    "snapshot.store",
    form=SnapshotStore,
    lane=Lane.TRANSFER,
    subject=Subject.REQUIRED,
    group="snapshot_api",
    cancellable=True,
    leaves=True,
    errors={
        NotFound: "there is no such machine here, or it has no such snapshot",
        AlreadyExists: "there is an image of that uuid",
        InvalidState: "the machine has no disk to make an image of, or its store has no bucket",
        Unsupported: "there is no type of image for its brand",
        InsufficientResources: "the files cannot be written",
        StorageFailed: STORE[StorageFailed],
    }
    | KEYS
    | TOOLS,
)
async def image(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Make an image of a snapshot, with a manifest for imgadm: in the store, or as files of the host without one."""
    from chunter_nsq.backup.course import Course  # noqa: PLC0415 - loaded when first used
    from chunter_nsq.images.storing import Storing  # noqa: PLC0415 - loaded when first used

    storing = Storing(tools, command)
    if command.dry_run:
        yield Done(await storing.plan())
        return
    yield Progress("preparing")
    try:
        yield Leave(await storing.prepare())
        async with Course(storing.run) as course:
            async for step in course:
                yield step
        result = course.result
    except (asyncio.CancelledError, GeneratorExit):
        await storing.undo(hasty=True)
        raise
    except Exception:
        await storing.undo(hasty=False)
        raise
    yield Done(result, storing.memo.forgotten())


@action(
    "machine.store",
    form=MachineStore,
    lane=Lane.MACHINE,
    subject=Subject.REQUIRED,
    group="backup_api",
    errors=MACHINE
    | STORE
    | {InvalidState: "no backup of it is whole, or something was written since the newest; or there is no store"}
    | MANIFESTS
    | DESTROYS
    | TOOLS,
)
async def machine(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Delete a machine from this host once its newest backup proved complete and nothing was written since.

    ``force`` gives up what was written since, and a backup that is still being uploaded; never the proof itself.
    """
    from chunter_nsq.backup import proof  # noqa: PLC0415 - loaded when first used

    params: MachineStore = command.params
    uuid = checked_uuid(command.uuid or "")
    try:
        known = await tools.vmadm.get(uuid)
    except NotFound:
        if command.resumed is None:
            raise
        yield Done({"state": "stored", **await remove(tools, uuid)})
        return
    yield Progress("proving the backup")
    proven = await proof.of(tools, known)
    if command.dry_run:
        found = {"state": known.get("state"), **proven.shown(), "unsaved": proven.unsaved}
        yield Done({"dry_run": True, "argv": [list(vmadm.delete_argv(uuid))], "found": found})
        return
    if not params.force:
        proof.check(proven, uuid)
    yield Progress("deleting")
    await tools.outbox.put([Note(STORED, uuid, proven.newest.snapshot.name)])
    tools.inventory.stored.add(uuid)
    try:
        removed = await remove(tools, uuid)
    except Exception:
        tools.inventory.stored.discard(uuid)
        await tools.outbox.put([Note(STORED, uuid, None)])
        raise
    yield Done({"state": "stored", **proven.shown(), **removed})
