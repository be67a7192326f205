"""backup.create and backup.restore: a machine's disks and configuration into the object store and back.

What does the work is imported by the first command that needs it: it takes memory that most hosts use once a night.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from chunter_nsq.actions import Done, Lane, Leave, Progress, Subject, Yield, action
from chunter_nsq.endings import KEYS, MANIFESTS, STORE, TOOLS
from chunter_nsq.errors import (
    AlreadyExists,
    Fault,
    InsufficientResources,
    InvalidState,
    NoRestorePath,
    NotFound,
    StorageFailed,
)
from chunter_nsq.messages.backup_params import BackupCreate, BackupRestore
from chunter_nsq.messages.command import Command
from chunter_nsq.tools import Tools


@action(
    "backup.create",
    form=BackupCreate,
    lane=Lane.TRANSFER,
    subject=Subject.REQUIRED,
    group="backup_api",
    cancellable=True,
    leaves=True,
    resumable=True,
    errors={
        NotFound: "there is no such machine here, or it has no such snapshot and `create` is false",
        AlreadyExists: "there is a backup of that name, or a snapshot and `create` is true",
        InvalidState: "no increment can start from that parent; or there is no store",
        InsufficientResources: "there is no space for the snapshot",
        StorageFailed: STORE[StorageFailed],
    }
    | MANIFESTS
    | KEYS
    | TOOLS,
)
async def create(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Store a snapshot of a machine, whole or what changed since a parent; other commands go on meanwhile."""
    from chunter_nsq.backup import keeping, preview, told  # noqa: PLC0415 - loaded when first used
    from chunter_nsq.backup.course import Course  # noqa: PLC0415 - loaded when first used
    from chunter_nsq.backup.making import Making  # noqa: PLC0415 - loaded when first used
    from chunter_nsq.backup.plan import Stored  # noqa: PLC0415 - loaded when first used

    making = Making(tools, command)
    if command.dry_run:
        yield Done(await preview.of_create(tools, making))
        return
    yield Progress("preparing")
    async with tools.backups.leftovers.spared(making.vm):
        try:
            plan = await making.prepare()
            yield Leave(plan.ground)
            yield Progress("uploading")
            async with Course(lambda tell: making.run(plan, tell)) as course:
                async for step in course:
                    yield step
            manifest = course.result
        except (asyncio.CancelledError, GeneratorExit):
            if not tools.work.is_put_down(command.id):
                await making.undo(hasty=True)
            raise
        except Exception as fault:
            await making.undo(hasty=False)
            if isinstance(fault, Fault) and not isinstance(fault, Stored):
                yield told.failed(making.vm, making.params.snapshot, fault.message)
            raise
        known = keeping.remembered(tools.backups.ages, making.vm, manifest)
        event = told.completed(making.vm, manifest, (*making.memo.forgotten(), known), local=making.is_local)
        yield Done(making.result(plan, manifest), (event,))


@action(
    "backup.restore",
    form=BackupRestore,
    lane=Lane.TRANSFER,
    subject=Subject.REQUIRED,
    group="backup_api",
    cancellable=True,
    resumable=True,
    errors={
        AlreadyExists: "there is a machine of the uuid that `as_uuid` names",
        InvalidState: "the machine is not stopped, or is to be made without a configuration; or there is no store",
        InsufficientResources: "what is to be received does not fit beside what is there",
        NoRestorePath: "a backup is missing on the way to this one",
        StorageFailed: STORE[StorageFailed],
    }
    | MANIFESTS
    | KEYS
    | TOOLS,
)
async def restore(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Bring a stopped machine back to a backup, or make it anew from one; it stays as it is until all is proven."""
    from chunter_nsq.backup import preview, told  # noqa: PLC0415 - loaded when first used
    from chunter_nsq.backup.course import Course  # noqa: PLC0415 - loaded when first used
    from chunter_nsq.backup.restoring import Restoring  # noqa: PLC0415 - loaded when first used

    restoring = Restoring(tools, command)
    if command.dry_run:
        yield Done(await preview.of_restore(restoring))
        return
    yield Progress("preparing")
    try:
        async with Course(restoring.run) as course:
            async for step in course:
                yield step
        result = course.result
    except (asyncio.CancelledError, GeneratorExit):
        if not tools.work.is_put_down(command.id):
            await restoring.undo()
        raise
    except Exception as fault:
        await restoring.undo()
        if isinstance(fault, Fault):
            yield told.failed(restoring.target, restoring.params.snapshot, fault.message)
        raise
    data = {name: result[name] for name in ("path", "lost")}
    event = told.restored(restoring.target, restoring.params.snapshot, data, restoring.memo.forgotten())
    yield Done(result, (event,))
