"""service.*: services of the global zone and of machines; each waits until the service is where it was asked to be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from chunter_nsq.actions import Done, Lane, Progress, Subject, Yield, action
from chunter_nsq.endings import TOOLS
from chunter_nsq.errors import InvalidState, NotFound, ToolFailed, ToolTimeout, Unsupported
from chunter_nsq.messages.command import Command
from chunter_nsq.messages.service_params import ServiceNamed
from chunter_nsq.smartos import svcadm
from chunter_nsq.smartos.svcadm import UP, ServiceState, check_request, reached
from chunter_nsq.smartos.svcs import parse_since
from chunter_nsq.tools import Tools

_LOOK_SECONDS = 0.25
_WITHOUT_SERVICES = frozenset({"lx", "kvm", "bhyve"})
_ERRORS = {
    NotFound: "there is no such machine or service",
    InvalidState: "the machine does not run, or the service is in a state from which this does not lead anywhere",
    Unsupported: "the machine has no services that its host could reach",
    ToolFailed: TOOLS[ToolFailed],
    ToolTimeout: "the service was not where it should be within `timeout`; the request stands",
}


@action(
    "service.enable",
    form=ServiceNamed,
    lane=Lane.MACHINE,
    subject=Subject.OPTIONAL,
    group="service_api",
    errors=_ERRORS,
)
async def enable(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Enable a service of a machine, of the global zone without ``uuid``, and wait until it is online."""
    async for step in _served(tools, command, "enable"):
        yield step


@action(
    "service.disable",
    form=ServiceNamed,
    lane=Lane.MACHINE,
    subject=Subject.OPTIONAL,
    group="service_api",
    errors=_ERRORS,
)
async def disable(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Disable a service and wait until it is stopped."""
    async for step in _served(tools, command, "disable"):
        yield step


@action(
    "service.refresh",
    form=ServiceNamed,
    lane=Lane.MACHINE,
    subject=Subject.OPTIONAL,
    group="service_api",
    errors=_ERRORS,
)
async def refresh(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Have a service read its configuration again; the state is that after it."""
    async for step in _served(tools, command, "refresh"):
        yield step


@action(
    "service.restart",
    form=ServiceNamed,
    lane=Lane.MACHINE,
    subject=Subject.OPTIONAL,
    group="service_api",
    errors=_ERRORS,
)
async def restart(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Stop a service that runs, start it again, and wait until it is online."""
    async for step in _served(tools, command, "restart"):
        yield step


@action(
    "service.clear", form=ServiceNamed, lane=Lane.MACHINE, subject=Subject.OPTIONAL, group="service_api", errors=_ERRORS
)
async def clear(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Take a service out of maintenance, or call a degraded one well, and wait for the state that follows."""
    async for step in _served(tools, command, "clear"):
        yield step


async def _served(tools: Tools, command: Command, verb: str) -> AsyncIterator[Yield]:
    params: ServiceNamed = command.params
    await _check_zone(tools, command.uuid)
    before = await tools.svcadm.look(params.service, command.uuid)
    if command.dry_run:
        argv = [list(svcadm.request_argv(verb, before.fmri, command.uuid))]
        yield Done({"dry_run": True, "argv": argv, "found": {"service": before.fmri, "state": before.state}})
        return
    check_request(verb, before)
    if not (command.resumed is not None and _is_done(verb, before, command.resumed)):
        await tools.svcadm.request(verb, before.fmri, command.uuid)
        began = time.monotonic()
        after = before
        # SMF tells nobody outside a zone what it does: there is nothing to wait for but a look.
        while not reached(verb, before, after := await tools.svcadm.look(before.fmri, command.uuid), _since(began)):
            if _since(began) > params.timeout:
                raise _late(verb, after, params.timeout)
            yield Progress(f"waiting for {before.fmri}")
            await asyncio.sleep(_LOOK_SECONDS)
        before = after
    yield Done({"service": before.fmri, "state": before.state})


async def _check_zone(tools: Tools, uuid: str | None) -> None:
    if uuid is None:
        return
    zone = next((one for one in await tools.zoneadm.list() if uuid in (one.uuid, one.name)), None)
    if zone is None:
        raise NotFound(f"There is no machine {uuid} here")
    if zone.brand in _WITHOUT_SERVICES:
        raise Unsupported(f"A machine of brand {zone.brand} has no services that its host could reach")
    if zone.state != "running":
        raise InvalidState(f"The machine {uuid} does not run: its services cannot be reached", {"state": zone.state})


def _is_done(verb: str, now: ServiceState, resumed: float) -> bool:
    """Whether the run that was cut off had got there: these requests must not be made twice."""
    since = parse_since(now.stime, time.time())
    changed = since is not None and since.last >= int(resumed)
    return verb in ("restart", "clear") and now.state in UP and now.next_state is None and changed


def _late(verb: str, now: ServiceState, seconds: int) -> ToolTimeout:
    going = f", on its way to {now.next_state}" if now.next_state else ""
    return ToolTimeout(
        f"{now.fmri} is {now.state}{going} {seconds} s after {verb}; the request stands, and svcs -x says what it"
        " waits for",
        {"service": now.fmri, "state": now.state, "timeout_seconds": seconds},
    )


def _since(began: float) -> float:
    return time.monotonic() - began
