"""machine.create: all of a machine or nothing of it.

The uuid is fixed when the command is accepted, so that after a crash of the agent the host can be asked what became
of it: a machine that is whole is adopted, a half-made one is removed and the command reported interrupted, and where
there is nothing it is made. A uuid that exists already is never touched.
"""

from __future__ import annotations

import uuid as uuids
from collections.abc import AsyncIterator
from typing import Any

from chunter_nsq.actions import Done, Lane, Progress, Subject, Yield, action
from chunter_nsq.errors import AlreadyExists, Fault, Interrupted, InvalidMessage, NotFound
from chunter_nsq.fifo.config import from_vmadm
from chunter_nsq.messages.command import Command
from chunter_nsq.messages.params import MachineCreate
from chunter_nsq.smartos import vmadm
from chunter_nsq.smartos.names import checked_uuid
from chunter_nsq.tools import Tools
from chunter_nsq.zonestate import announced

_WHOLE = frozenset({"running", "stopped"})


def assigned_uuid(command: Command) -> str:
    """The uuid of the machine to be: the one that is given, else always the same one for the same command."""
    given = command.uuid or command.params.payload.get("uuid")
    return given if isinstance(given, str) else str(uuids.uuid5(uuids.NAMESPACE_OID, f"chunter {command.id}"))


@action(
    "machine.create",
    form=MachineCreate,
    lane=Lane.MACHINE,
    subject=Subject.OPTIONAL,
    exclusive=True,
    names=assigned_uuid,
)
async def create(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Create a machine from a vmadm payload."""
    uuid = checked_uuid(command.uuid or "")
    payload = _payload(command.params, uuid)
    known = await _known(tools, uuid)
    if command.dry_run:
        yield await _plan(tools, payload, known)
        return
    if known is not None:
        yield Done(_result(await _adopt(tools, known, command.resumed)))
        return
    yield announced(uuid, "creating")
    yield Progress("creating")
    try:
        await tools.vmadm.create(payload)
    except Fault:
        await tools.vmadm.delete(uuid)
        yield announced(uuid, "failed")
        raise
    await _set_running(tools, command.params, uuid)
    yield Done(_result(await tools.vmadm.get(uuid)))


def _payload(params: MachineCreate, uuid: str) -> dict[str, Any]:
    if params.payload.get("uuid", uuid) != uuid:
        raise InvalidMessage(f"params.payload.uuid is not the command's uuid {uuid}; give one of them")
    payload = {**params.payload, "uuid": uuid}
    if params.start is not None:
        payload["autoboot"] = params.start
    return payload


async def _set_running(tools: Tools, params: MachineCreate, uuid: str) -> None:
    """Without a boot now autoboot was taken off for the creation; the payload's own word counts from here on."""
    if params.start is False and params.payload.get("autoboot", True) is True:
        await tools.vmadm.update(uuid, {"autoboot": True})


async def _known(tools: Tools, uuid: str) -> dict[str, Any] | None:
    try:
        return await tools.vmadm.get(uuid)
    except NotFound:
        return None


async def _adopt(tools: Tools, machine: dict[str, Any], resumed: float | None) -> dict[str, Any]:
    """A machine that is there already: this command's own work of before the agent ended, or somebody else's."""
    uuid = str(machine["uuid"])
    if resumed is None:
        raise AlreadyExists(f"There is a machine {uuid} already", {"uuid": uuid, "state": machine.get("state")})
    if machine.get("state") in _WHOLE:
        return machine
    await tools.vmadm.delete(uuid)
    raise Interrupted(
        f"The agent ended while the machine {uuid} was being made; what there was of it was removed: send it again",
        {"uuid": uuid, "state": machine.get("state")},
    )


def _result(machine: dict[str, Any]) -> dict[str, Any]:
    return {"uuid": machine["uuid"], "state": machine.get("state"), "config": from_vmadm(machine)}


async def _plan(tools: Tools, payload: dict[str, Any], known: dict[str, Any] | None) -> Done:
    image = payload.get("image_uuid") or next(
        (disk["image_uuid"] for disk in payload.get("disks") or () if isinstance(disk, dict) and "image_uuid" in disk),
        None,
    )
    images = {one.uuid for one in await tools.imgadm.list()}
    tags = [nic.get("nic_tag") for nic in payload.get("nics") or () if isinstance(nic, dict)]
    total, provisioned = await tools.prtconf.memory_mib(), sum(m.memory_mib for m in await tools.inventory.machines())
    reserved = tools.config().reserved_memory_bytes // 2**20
    found = {
        "exists": known is not None,
        "image": image,
        "image_present": image in images,
        "memory_free_mib": total - reserved - provisioned,
        "memory_wanted_mib": payload.get("max_physical_memory") or payload.get("ram"),
        "nic_tags": {tag: tag in tools.host.nic_tags for tag in tags if isinstance(tag, str)},
    }
    return Done({"dry_run": True, "argv": [list(vmadm.create_argv())], "payload": payload, "found": found})
