"""command.*: other commands of this host."""

from __future__ import annotations

from collections.abc import AsyncIterator

from chunter_nsq.actions import Done, Yield, action
from chunter_nsq.endings import Errors
from chunter_nsq.errors import InvalidState, NotFound
from chunter_nsq.messages.command import Command
from chunter_nsq.messages.params import CommandCancel, CommandNamed
from chunter_nsq.tools import Tools

_UNKNOWN: Errors = {NotFound: "this host knows no such command, or forgot it"}


@action("command.status", form=CommandNamed, errors=_UNKNOWN)
async def status(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """The record of a command, as its last result told it."""
    params: CommandNamed = command.params
    record = await tools.work.record(params.command)
    yield Done(dict(record.event(tools.host.id).data))


@action(
    "command.cancel",
    form=CommandCancel,
    changes=True,
    errors=_UNKNOWN | {InvalidState: "it has ended already, or runs and cannot be stopped half-way"},
)
async def cancel(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """End a command that waits, or one that runs and may be ended; that command's result says cancelled."""
    params: CommandCancel = command.params
    if command.dry_run:
        found = {"command": params.command, "was": await tools.work.cancellable(params.command)}
        yield Done({"dry_run": True, "argv": [], "found": found})
        return
    yield Done(await tools.work.cancel(params.command))
