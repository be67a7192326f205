"""machine.*: what vmadm does with a machine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

from chunter_nsq.actions import Done, Lane, Subject, Yield, action
from chunter_nsq.endings import DESTROYS, LARGE, MACHINE, TOOLS, Errors
from chunter_nsq.errors import (
    AlreadyExists,
    InsufficientResources,
    InvalidMessage,
    InvalidState,
    NotFound,
    Unsupported,
)
from chunter_nsq.fifo.config import from_vmadm
from chunter_nsq.messages.command import Command
from chunter_nsq.messages.params import (
    MachineDelete,
    MachineInfo,
    MachineList,
    MachineReboot,
    MachineStart,
    MachineStop,
)
from chunter_nsq.removal import remove
from chunter_nsq.smartos import vmadm
from chunter_nsq.tools import Tools

_LISTED = (
    "uuid", "alias", "brand", "state", "zone_state", "ram", "max_physical_memory", "vcpus", "cpu_cap", "quota",
    "autoboot", "image_uuid", "owner_uuid", "package_name",
)  # fmt: skip


_STATE = "it is in a state in which this cannot be done, or something of it is in use"
# What stands in the way of a boot zoneadm, dladm and zfs say, in vmadm's words.
_BOOTS: Errors = {
    NotFound: "there is no such machine here, or something is gone that it boots with",
    InvalidState: _STATE,
    AlreadyExists: "something that its boot makes is there already, such as a VNIC",
    InsufficientResources: "there is too little memory or space for it to run",
    Unsupported: "this host cannot run a machine of its kind",
}


@action("machine.list", form=MachineList, errors=LARGE | TOOLS)
async def listing(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """All machines, with the members that are asked for."""
    params: MachineList = command.params
    yield Done({"machines": await tools.vmadm.lookup(params.fields or _LISTED)})


@action("machine.get", subject=Subject.REQUIRED, errors=MACHINE | LARGE | TOOLS)
async def get(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """A machine as vmadm has it, and its configuration in FiFo's form."""
    machine = await tools.vmadm.get(_uuid(command))
    yield Done({"machine": machine, "config": from_vmadm(machine)})


@action(
    "machine.info",
    form=MachineInfo,
    subject=Subject.REQUIRED,
    errors=MACHINE
    | {InvalidState: "the machine does not run", Unsupported: "its brand has no such information"}
    | TOOLS,
)
async def info(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """What a kvm or bhyve machine's hypervisor tells (vnc, block devices, ...)."""
    params: MachineInfo = command.params
    yield Done({"info": await tools.vmadm.info(_uuid(command), params.types)})


@action(
    "machine.start",
    form=MachineStart,
    lane=Lane.MACHINE,
    subject=Subject.REQUIRED,
    group="machine_api",
    errors=_BOOTS | TOOLS,
)
async def start(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Boot a machine; one that runs already is a success."""
    params: MachineStart = command.params
    uuid = _uuid(command)
    if command.dry_run:
        yield await _plan(tools, uuid, vmadm.start_argv(uuid, params.cdrom, params.once))
        return
    await tools.vmadm.start(uuid, params.cdrom, params.once)
    yield Done({"state": await _state(tools, uuid)})


@action(
    "machine.stop",
    form=MachineStop,
    lane=Lane.MACHINE,
    subject=Subject.REQUIRED,
    group="machine_api",
    errors=MACHINE
    | {
        InvalidState: _STATE,
        InsufficientResources: "there is too little memory or space to do it",
        Unsupported: "a grace time is for kvm, bhyve and docker machines",
    }
    | TOOLS,
)
async def stop(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Shut a machine down, or halt it; one that is stopped already is a success."""
    params: MachineStop = command.params
    uuid = _uuid(command)
    if command.dry_run:
        yield await _plan(tools, uuid, vmadm.stop_argv(uuid, force=params.force, grace_seconds=params.timeout))
        return
    await tools.vmadm.stop(uuid, force=params.force, timeout_seconds_grace=params.timeout)
    yield Done({"state": await _state(tools, uuid)})


@action(
    "machine.reboot",
    form=MachineReboot,
    lane=Lane.MACHINE,
    subject=Subject.REQUIRED,
    group="machine_api",
    errors=_BOOTS | TOOLS,
)
async def reboot(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Reboot a machine; one that was on its way down when the agent ended is booted, one that is back is left."""
    params: MachineReboot = command.params
    uuid = _uuid(command)
    if command.dry_run:
        yield await _plan(tools, uuid, vmadm.reboot_argv(uuid, force=params.force))
        return
    if command.resumed is None:
        await tools.vmadm.reboot(uuid, force=params.force)
    else:
        await _resume_reboot(tools, uuid, params.force, command.resumed)
    yield Done({"state": await _state(tools, uuid)})


@action(
    "machine.delete",
    form=MachineDelete,
    lane=Lane.MACHINE,
    subject=Subject.REQUIRED,
    group="machine_api",
    errors={InvalidState: "it is marked indestructible, or something of it is in use"} | DESTROYS | TOOLS,
)
async def delete(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Delete a machine with its data, and the firewall rules kept for it; one that is gone already is a success."""
    uuid = _uuid(command)
    if command.dry_run:
        yield await _plan(tools, uuid, vmadm.delete_argv(uuid))
        return
    yield Done({"state": "deleted", **await remove(tools, uuid)})


def _uuid(command: Command) -> str:
    """The machine that the command is about; the schema saw to it that there is one."""
    if command.uuid is None:
        raise InvalidMessage(f"{command.action.name} needs the uuid of a VM")
    return command.uuid


async def _state(tools: Tools, uuid: str) -> str:
    return str((await tools.vmadm.get(uuid)).get("state", "unknown"))


async def _resume_reboot(tools: Tools, uuid: str, is_forced: bool, since: float) -> None:  # noqa: FBT001 - as in the command
    machine = await tools.vmadm.get(uuid)
    booted = machine.get("boot_timestamp")
    if machine.get("state") != "running":
        await tools.vmadm.start(uuid)
    elif not booted or datetime.fromisoformat(booted).timestamp() < since:
        await tools.vmadm.reboot(uuid, force=is_forced)


async def _plan(tools: Tools, uuid: str, argv: tuple[str, ...], found: Mapping[str, Any] | None = None) -> Done:
    """What a dry run tells: the vector that would run, and the machine as it is."""
    try:
        machine = await tools.vmadm.get(uuid)
    except NotFound:
        seen: dict[str, Any] = {"exists": False}
    else:
        seen = {"exists": True, "state": machine.get("state"), "brand": machine.get("brand")}
    return Done({"dry_run": True, "argv": [list(argv)], "found": {**seen, **(found or {})}})
