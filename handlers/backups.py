"""backup.list, .verify, .delete and .prune: what becomes of backups that are there.

What does the work is imported by the first command that needs it, as in ``handlers.backup``.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from chunter_nsq.actions import Done, Lane, Leave, Progress, Subject, Yield, action
from chunter_nsq.endings import KEYS, MANIFESTS, STORE, TOOLS
from chunter_nsq.errors import InsufficientResources, InvalidState, NoRestorePath, NotFound
from chunter_nsq.ground import Ground
from chunter_nsq.messages.backup_params import BackupDelete, BackupList, BackupPrune, BackupVerify
from chunter_nsq.messages.command import Command
from chunter_nsq.messages.events import Event
from chunter_nsq.smartos import zfs_argv
from chunter_nsq.smartos.names import checked_uuid
from chunter_nsq.smartos.zfs_stream_argv import destroy_bookmark_argv
from chunter_nsq.tools import Tools

if TYPE_CHECKING:
    from chunter_nsq.storage.manifest import Manifest


_MISSING = {NotFound: "there is no such backup"}


@action(
    "backup.list",
    form=BackupList,
    subject=Subject.OPTIONAL,
    group="backup_api",
    errors=STORE | KEYS,
)
async def listing(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """The backups of a machine, or of all, as their manifests in the store say."""
    from chunter_nsq.backup import keeping  # noqa: PLC0415 - loaded when first used

    params: BackupList = command.params
    stores = tools.backups.stores
    yield Done(await keeping.listed(stores, stores.account(params.s3), command.uuid, params.after, params.limit))


@action(
    "backup.verify",
    form=BackupVerify,
    lane=Lane.TRANSFER,
    subject=Subject.REQUIRED,
    group="backup_api",
    cancellable=True,
    changes=False,
    leaves=True,
    resumable=True,
    errors=_MISSING
    | STORE
    | MANIFESTS
    | {
        NoRestorePath: "a backup is missing on the way to this one (level restore)",
        InsufficientResources: "there is no space to receive it in (level restore)",
    }
    | KEYS
    | TOOLS,
)
async def verify(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Look whether a backup is what was stored: its objects, every byte, its streams, or all of it received."""
    from chunter_nsq.backup import keeping, looking, told  # noqa: PLC0415 - loaded when first used
    from chunter_nsq.backup.course import Course  # noqa: PLC0415 - loaded when first used
    from chunter_nsq.memo import Memo  # noqa: PLC0415 - loaded when first used

    params: BackupVerify = command.params
    uuid = checked_uuid(command.uuid or "")
    yield Progress("preparing")
    account = tools.backups.stores.account(params.s3)
    yield Leave(Ground(params.snapshot, local=False))
    begun = time.monotonic()
    look = looking.Look(tools.backups, account, Memo(tools.outbox, command.id), uuid)
    async with Course(lambda tell: look.run(params.snapshot, params.level, tell)) as course:
        async for step in course:
            yield step
    files = course.result
    good = all(not faults for faults in files.values())
    ages = tools.backups.ages
    notes = (ages.proved(uuid, params.level, time.time()),) if good else ()
    if not good and ages.newest(uuid) == params.snapshot:
        stays = await keeping.newest_but(tools.backups.stores, account, uuid, params.snapshot)
        notes = (keeping.remembered(ages, uuid, stays),)
    event = told.verified(uuid, params.snapshot, {"level": params.level, "good": good}, notes)
    seconds = round(time.monotonic() - begun, 3)
    yield Done({"level": params.level, "good": good, "files": files, "seconds": seconds}, (event,))


@action(
    "backup.delete",
    form=BackupDelete,
    lane=Lane.TRANSFER,
    subject=Subject.REQUIRED,
    group="backup_api",
    errors=_MISSING
    | STORE
    | {InvalidState: "others could not be restored without it, something stands on the snapshot, or there is no store"}
    | MANIFESTS
    | KEYS
    | TOOLS,
)
async def delete(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Delete a backup's snapshot on this host, its objects in the store, or both; no chain is broken without force."""
    from chunter_nsq.backup import keeping, thinning, told  # noqa: PLC0415 - loaded when first used

    params: BackupDelete = command.params
    uuid = checked_uuid(command.uuid or "")
    stores = tools.backups.stores
    gone: list[Manifest] = []
    stays: Manifest | None = None
    account = stores.account(params.s3) if params.where != "local" else None
    if account is not None:
        gone, stays = await keeping.to_delete(stores, account, uuid, params.snapshot, force=params.force)
    local = await _local(tools, uuid, params.snapshot) if params.where != "remote" else {}
    if not gone and not local and command.resumed is None and not command.dry_run:
        raise NotFound(f"there is no {params.snapshot} of {uuid} to delete ({params.where})")
    names, streams = [one.snapshot.name for one in gone], tools.backups.streams
    if command.dry_run:
        argv = [list(zfs_argv.destroy_snapshot_argv(name)) for name in local]
        argv += [list(destroy_bookmark_argv(name)) for name in await thinning.marks(streams, gone)]
        yield Done({"dry_run": True, "argv": argv, "found": {"present": list(local), "backups": names}})
        return
    freed = await keeping.remove(stores, account, gone) if account is not None else 0
    await thinning.unmark(streams, gone)
    for name in names:
        yield told.update(uuid, name, {"state": "deleted"}, (keeping.remembered(tools.backups.ages, uuid, stays),))
    events: tuple[Event, ...] = ()
    if local:
        await thinning.destroy(tools.zfs, streams, list(local), mark=params.where == "local")
        freed += sum(local.values())
        events = told.snapshot_deleted(uuid, params.snapshot), told.update(uuid, params.snapshot, {"local": False})
    yield Done({"freed": freed, "backups": names, "datasets": list(local)}, events)


@action(
    "backup.prune",
    form=BackupPrune,
    lane=Lane.TRANSFER,
    subject=Subject.OPTIONAL,
    group="backup_api",
    errors=STORE | MANIFESTS | KEYS | TOOLS,
)
async def prune(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Delete backups in the store that a rule does not keep; those that a kept one needs are kept too."""
    from chunter_nsq.backup import keeping, thinning, told  # noqa: PLC0415 - loaded when first used

    params: BackupPrune = command.params
    stores = tools.backups.stores
    account = stores.account(params.s3)
    found = await keeping.pruning(stores, account, command.uuid, params.keep)
    kept = {vm: {name: list(why) for name, why in chosen.kept.items()} for vm, chosen, _, _ in found}
    deleted = {vm: list(chosen.deleted) for vm, chosen, _, _ in found}
    streams = tools.backups.streams
    if command.dry_run:
        marks = await thinning.marks(streams, [one for _, _, going, _ in found for one in going])
        argv = [list(destroy_bookmark_argv(name)) for name in marks]
        yield Done({"dry_run": True, "argv": argv, "found": {"kept": kept, "deleted": deleted}})
        return
    freed = 0
    for vm, _, going, stays in found:
        for one in going:
            freed += await keeping.remove(stores, account, [one])
            known = keeping.remembered(tools.backups.ages, vm, stays)
            yield told.update(vm, one.snapshot.name, {"state": "deleted"}, (known,))
        await thinning.unmark(streams, going)
    yield Done({"kept": kept, "deleted": deleted, "freed": freed})


async def _local(tools: Tools, uuid: str, snapshot: str) -> dict[str, int]:
    """The snapshot on each dataset that has it, and the bytes that only it holds."""
    from chunter_nsq.backup import disks  # noqa: PLC0415 - loaded when first used

    try:
        machine: dict[str, Any] = await tools.vmadm.get(uuid)
    except NotFound:
        return {}
    found = {}
    for dataset in await disks.datasets(tools.zfs, machine):
        for one in await tools.zfs.snapshots(dataset):
            if one.name == snapshot:
                found[one.full_name] = one.used_bytes
    return found
