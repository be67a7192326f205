"""lock.*: the host lock, held for a machine that is to be made.

Both answer at once, whatever the machine's other commands wait for: they are queries by their lane, and change
nothing on the host but who may come next.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from chunter_nsq.actions import Done, Subject, Yield, action
from chunter_nsq.endings import Errors
from chunter_nsq.errors import Locked
from chunter_nsq.messages.command import Command
from chunter_nsq.messages.events import timestamp
from chunter_nsq.messages.params import Change
from chunter_nsq.smartos.names import checked_uuid
from chunter_nsq.tools import Tools

_HELD: Errors = {Locked: "it is held for another machine; `details` says for which, and how long still"}


@action("lock.acquire", form=Change, subject=Subject.REQUIRED, changes=True, errors=_HELD)
async def acquire(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Hold the host lock for a machine for 60 seconds, or go on holding it; machine.create of others waits meanwhile.

    It is given up when that machine has been created, or has failed to be, and by lock.release.
    """
    uuid = checked_uuid(command.uuid or "")
    if command.dry_run:
        yield _plan(tools)
        return
    seconds = tools.host_lock.acquire(uuid)
    yield Done({"holder": uuid, "expires": timestamp(time.time() + seconds)})


@action("lock.release", form=Change, subject=Subject.REQUIRED, changes=True, errors=_HELD)
async def release(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Give up the host lock that is held for a machine; one that is free already is a success."""
    uuid = checked_uuid(command.uuid or "")
    if command.dry_run:
        yield _plan(tools)
        return
    tools.host_lock.release(uuid)
    yield Done({"holder": tools.host_lock.holder})


def _plan(tools: Tools) -> Done:
    lock = tools.host_lock
    found = {"holder": lock.holder, "seconds_left": round(lock.seconds_left, 1)}
    return Done({"dry_run": True, "argv": [], "found": found})
