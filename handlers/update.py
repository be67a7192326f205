"""host.update: the agent itself, by the updater that runs beside it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from chunter_nsq import __version__, errors
from chunter_nsq.actions import Done, Lane, Progress, Yield, action
from chunter_nsq.endings import TOOLS
from chunter_nsq.errors import (
    ChecksumMismatch,
    Fault,
    InsufficientResources,
    Interrupted,
    InvalidState,
    NotFound,
    StorageFailed,
    Unsupported,
)
from chunter_nsq.messages.command import Command
from chunter_nsq.messages.params import HostUpdate
from chunter_nsq.release.state import CURRENT, UPDATED, State, Wanted
from chunter_nsq.smartos.svcadm import request_argv
from chunter_nsq.tools import Tools

UPDATER = "svc:/network/chunter-update:default"
_LOOK_SECONDS = 0.2
_SILENT_LOOKS = 150  # so many in a row, half a minute, without an updater: it died


@action(
    "host.update",
    form=HostUpdate,
    lane=Lane.MACHINE,
    group="update_api",
    limited=False,
    errors={
        Unsupported: "this agent was not installed from a release, or nobody says where newer ones are",
        InvalidState: "another update runs, or the updater is switched off",
        NotFound: "there is no such version",
        StorageFailed: "the server of releases could not be asked",
        InsufficientResources: "there is no space for it on the disk",
        ChecksumMismatch: "what was fetched is not what the index or the signature says",
        Interrupted: "the updater is gone",
    }
    | TOOLS,
)
async def update(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Update the agent; it restarts, and the command ends in the agent that does its work after that."""
    params: HostUpdate = command.params
    if command.dry_run:
        yield await _planned(tools, params)
        return
    if command.resumed is None or not _is_asked(tools, command.id):
        await _ask(tools, Wanted(command.id, params.version, params.channel))
    looks = 0
    while True:
        state = tools.updates.state()
        if state is not None and state.command == command.id:
            yield Progress(state.phase)
            if state.is_final:
                yield _end(state)
                return
        looks = 0 if tools.updates.is_busy() else looks + 1
        if looks > _SILENT_LOOKS:
            raise Interrupted(f"The updater is gone; see the log of {UPDATER}", {"service": UPDATER})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_SECONDS):
                await tools.stopping.wait()
            # The agent is to be replaced: as at any other end of it, the journal keeps the command for the next one.
            raise asyncio.CancelledError


async def _planned(tools: Tools, params: HostUpdate) -> Done:
    """What there is to go to; nothing is fetched but the index."""
    from chunter_nsq.release.search import find  # noqa: PLC0415 - memory that only those pay who ask

    release = await find(tools.config(), params.version, params.channel)
    found = {"from": __version__, "to": __version__ if release is None else release.version}
    return Done({"dry_run": True, "argv": [list(request_argv("restart", UPDATER))], "found": found})


def _is_asked(tools: Tools, command_id: str) -> bool:
    wanted, state = tools.updates.wanted(), tools.updates.state()
    return command_id in (wanted.command if wanted else None, state.command if state else None)


async def _ask(tools: Tools, wanted: Wanted) -> None:
    """Leave the request and wake the updater."""
    try:
        service = await tools.svcadm.look(UPDATER)
    except NotFound:
        raise Unsupported(
            f"There is no {UPDATER}: this agent was not installed from a release, and cannot update itself"
        ) from None
    if tools.updates.is_busy():
        raise InvalidState("Another update runs on this host; its end is told as chunter.host.updated")
    if service.state in ("disabled", "maintenance"):
        raise InvalidState(
            f"{UPDATER} is {service.state}: svcadm {'enable' if service.state == 'disabled' else 'clear'} it"
        )
    tools.updates.want(wanted)
    await tools.svcadm.request("restart", UPDATER)


def _end(state: State) -> Done:
    if state.phase in (UPDATED, CURRENT):
        return Done({"from": state.from_version, "to": state.to_version})
    kinds = {one.code: one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Fault)}
    details = {"from": state.from_version, "to": state.to_version or None, "outcome": state.phase, **state.details}
    raise kinds.get(state.code, Fault)(state.reason, details)
