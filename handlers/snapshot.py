"""snapshot.*: all disks of a machine in one atomic ZFS snapshot."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

from chunter_nsq.actions import Done, Lane, Subject, Yield, action
from chunter_nsq.endings import MACHINE, TOOLS, Errors
from chunter_nsq.errors import AlreadyExists, Fault, InsufficientResources, InvalidState, NotFound
from chunter_nsq.messages.command import Command
from chunter_nsq.messages.events import Event, Note, timestamp
from chunter_nsq.messages.params import Snapshot, SnapshotNamed
from chunter_nsq.smartos import zfs_argv
from chunter_nsq.smartos.names import checked_uuid
from chunter_nsq.tools import Tools

_SPACE = "snapshot"
_MISSING: Errors = {NotFound: "there is no such machine here, or it has no such snapshot"}


@action(
    "snapshot.create",
    form=Snapshot,
    lane=Lane.MACHINE,
    subject=Subject.REQUIRED,
    group="snapshot_api",
    errors=MACHINE
    | {AlreadyExists: "there is a snapshot of that name", InsufficientResources: "there is no space for it"}
    | TOOLS,
)
async def create(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Snapshot the root, the disks and the delegated datasets of a machine, all at the same instant."""
    params: Snapshot = command.params
    uuid = checked_uuid(command.uuid or "")
    wanted = [f"{dataset}@{params.snapshot}" for dataset in await _datasets(tools, uuid)]
    present = [name for name in wanted if await tools.zfs.exists(name)]
    if command.dry_run:
        yield Done({"dry_run": True, "argv": [list(zfs_argv.snapshot_argv(wanted))], "found": {"present": present}})
        return
    if present and (command.resumed is None or present != wanted):
        raise AlreadyExists(f"There is a snapshot {present[0]} already", {"snapshots": present})
    if not present:
        try:
            await tools.zfs.snapshot(wanted)
        except Fault as fault:
            yield _told(uuid, "error", params.snapshot, message=fault.message)
            raise
    kept = {"comment": params.comment, "timestamp": timestamp(time.time()), "state": "completed"}
    event = _told(uuid, "completed", params.snapshot, note=json.dumps(kept), data=kept)
    yield Done({"snapshot": params.snapshot, "datasets": wanted}, (event,))


@action("snapshot.list", subject=Subject.REQUIRED, group="snapshot_api", errors=MACHINE | TOOLS)
async def listing(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """The snapshots of a machine, oldest first, each with its datasets and the bytes that only it holds."""
    uuid = checked_uuid(command.uuid or "")
    remembered = await tools.outbox.recall(_SPACE)
    found: dict[str, dict[str, Any]] = {}
    for dataset in await _datasets(tools, uuid):
        for one in await tools.zfs.snapshots(dataset):
            kept = json.loads(remembered.get(f"{uuid}@{one.name}", "{}"))
            entry = found.setdefault(
                one.name,
                {
                    "snapshot": one.name,
                    "created": timestamp(one.created),
                    "used": 0,
                    "comment": kept.get("comment"),
                    "datasets": [],
                },
            )
            entry["used"] += one.used_bytes
            entry["datasets"].append(f"{dataset}@{one.name}")
    yield Done({"snapshots": sorted(found.values(), key=lambda entry: (entry["created"], entry["snapshot"]))})


@action(
    "snapshot.delete",
    form=SnapshotNamed,
    lane=Lane.MACHINE,
    subject=Subject.REQUIRED,
    group="snapshot_api",
    errors={**_MISSING, InvalidState: "something stands on it: a clone, or somebody holds it"} | TOOLS,
)
async def delete(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Destroy a snapshot on every dataset of a machine that has it."""
    params: SnapshotNamed = command.params
    uuid = checked_uuid(command.uuid or "")
    present = await _present(tools, uuid, params.snapshot)
    if command.dry_run:
        argv = [list(zfs_argv.destroy_snapshot_argv(name)) for name in present]
        yield Done({"dry_run": True, "argv": argv, "found": {"present": present}})
        return
    if not present and command.resumed is None:
        raise NotFound(f"The machine {uuid} has no snapshot {params.snapshot}")
    for name in present:
        await tools.zfs.destroy_snapshot(name)
    event = _told(uuid, "deleted", params.snapshot, note=None)
    yield Done({"snapshot": params.snapshot, "datasets": present}, (event,))


@action(
    "snapshot.rollback",
    form=SnapshotNamed,
    lane=Lane.MACHINE,
    subject=Subject.REQUIRED,
    group="snapshot_api",
    errors={**_MISSING, InvalidState: "the machine is not stopped"} | TOOLS,
)
async def rollback(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Bring every dataset of a stopped machine back to a snapshot; newer snapshots are lost."""
    params: SnapshotNamed = command.params
    uuid = checked_uuid(command.uuid or "")
    state = (await tools.vmadm.get(uuid)).get("state")
    present = await _present(tools, uuid, params.snapshot)
    if command.dry_run:
        argv = [list(zfs_argv.rollback_argv(name)) for name in present]
        yield Done({"dry_run": True, "argv": argv, "found": {"state": state, "present": present}})
        return
    if not present:
        raise NotFound(f"The machine {uuid} has no snapshot {params.snapshot}")
    if state != "stopped":
        raise InvalidState(f"The machine {uuid} is {state}; stop it first, then roll it back", {"state": state})
    for name in present:
        await tools.zfs.rollback(name)
    yield Done({"snapshot": params.snapshot, "datasets": present}, (_told(uuid, "rollback", params.snapshot),))


async def _datasets(tools: Tools, uuid: str) -> list[str]:
    """The root of a machine, its disks and its delegated datasets, in that order, each once."""
    machine = await tools.vmadm.get(uuid)
    disks = [disk.get("zfs_filesystem") for disk in machine.get("disks") or ()]
    named = [machine.get("zfs_filesystem"), *disks, *(machine.get("datasets") or ())]
    return list(dict.fromkeys(name for name in named if name))


async def _present(tools: Tools, uuid: str, snapshot: str) -> list[str]:
    names = [f"{dataset}@{snapshot}" for dataset in await _datasets(tools, uuid)]
    return [name for name in names if await tools.zfs.exists(name)]


def _told(uuid: str, action_name: str, snapshot: str, *, note: str | None = "", **more: Any) -> Event:
    """An event of a snapshot; a ``note`` that is not empty is remembered, None forgets."""
    notes = () if note == "" else (Note(_SPACE, f"{uuid}@{snapshot}", note),)
    data = {"event": "snapshot", "data": {"action": action_name, "uuid": snapshot, **more}}
    return Event("snapshot", f"chunter.snapshot.{action_name}", uuid, data, notes=notes)
