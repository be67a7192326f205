"""snapshot.store: what a machine is now, as an image for others.

What does the work is imported by the first command that needs it: it takes memory that most hosts never use.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from chunter_nsq.actions import Done, Lane, Leave, Progress, Subject, Yield, action
from chunter_nsq.messages.command import Command
from chunter_nsq.messages.image_params import SnapshotStore
from chunter_nsq.tools import Tools


@action(
    "snapshot.store",
    form=SnapshotStore,
    lane=Lane.TRANSFER,
    subject=Subject.REQUIRED,
    group="snapshot_api",
    cancellable=True,
    leaves=True,
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
