"""machine.create: all of a machine or nothing of it.

Responsibilities: lay the machine out, promise it its memory, fetch its images, make it, and when any of that fails
take everything back and say why, in the words of the tool that refused.

Theory: the uuid is fixed when the command is accepted, so that after a crash of the agent the host can be asked what
became of it: a machine that is whole is adopted, a half-made one is removed and the command reported interrupted,
and where there is nothing it is made. A uuid that exists already is never touched. One create runs on a host at a
time, images included, as the host lock has it; many that wait for one image share one import.

Told on the way: ``installing_dataset``, the configuration as it is going to be, ``creating``, then what the platform
says of the zone; or ``failed``.
"""

from __future__ import annotations

import logging
import uuid as uuids
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, cast

from chunter_nsq.actions import Done, Lane, Progress, Subject, Yield, action
from chunter_nsq.endings import TOOLS
from chunter_nsq.errors import (
    AlreadyExists,
    Fault,
    InsufficientResources,
    Interrupted,
    Locked,
    NotFound,
    Unsupported,
)
from chunter_nsq.fifo.config import from_vmadm
from chunter_nsq.layout import Layout, images_of
from chunter_nsq.memory import memory_event, wanted_mib
from chunter_nsq.messages.command import Command
from chunter_nsq.messages.events import Event
from chunter_nsq.messages.params import MachineCreate
from chunter_nsq.smartos import imgadm, vmadm
from chunter_nsq.smartos.names import checked_uuid
from chunter_nsq.tools import Tools
from chunter_nsq.zonestate import announced

log = logging.getLogger(__name__)

_WHOLE = frozenset({"running", "stopped"})


def assigned_uuid(command: Command) -> str:
    """The uuid of the machine to be: the one that is given, else always the same one for the same command."""
    params: MachineCreate = command.params
    given = command.uuid or (params.payload or params.config or {}).get("uuid")
    return given if isinstance(given, str) else str(uuids.uuid5(uuids.NAMESPACE_OID, f"chunter {command.id}"))


@action(
    "machine.create",
    form=MachineCreate,
    lane=Lane.MACHINE,
    subject=Subject.OPTIONAL,
    group="machine_api",
    exclusive=True,
    limited=False,
    names=assigned_uuid,
    errors={
        AlreadyExists: "a machine or a dataset of that uuid is there",
        NotFound: "no source has the image",
        Locked: "the host lock was held for another machine all the time that this waited",
        InsufficientResources: "there is less memory or space than it wants",
        Unsupported: "this kind of machine cannot be made here",
        Interrupted: "the agent ended half-way; what there was of the machine was removed",
    }
    | TOOLS,
)
async def create(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Create a machine from a vmadm payload, or as FiFo describes it; a missing image is imported first."""
    params: MachineCreate = command.params
    uuid = checked_uuid(command.uuid or "")
    layout = Layout(tools, params, uuid)
    payload = await layout.payload()
    known = await _known(tools, uuid)
    if command.dry_run:
        yield await _plan(tools, layout, payload, known)
        return
    if known is not None:
        try:
            adopted = await _adopt(tools, layout, known, command.resumed)
        except Interrupted:
            yield announced(uuid, "failed")
            raise
        yield Done(_result(adopted))
        return
    await _check_free(tools, payload)
    try:
        yield memory_event(tools.host.id, await tools.memory.promise(uuid, wanted_mib(payload)))
        async for step in _prepared(tools, command, layout, uuid):
            yield step
        payload = await layout.payload()  # an image that is there now may say more of the machine
        yield announced(uuid, "creating")
        yield Progress("creating")
        made = await _made(tools, layout, payload)
    except Fault:
        tools.memory.settle(uuid)
        yield announced(uuid, "failed")
        yield memory_event(tools.host.id, await tools.memory.figures())
        raise
    finally:
        tools.memory.settle(uuid)
    yield Done(_result(made))


async def _check_free(tools: Tools, payload: dict[str, Any]) -> None:
    """Data without a machine is somebody's; taking back a failed create would destroy it."""
    dataset = f"{payload.get('zpool') or 'zones'}/{payload['uuid']}"
    if await tools.zfs.exists(dataset):
        raise AlreadyExists(
            f"There is a dataset {dataset} without a machine: destroy it, rename it, or take another uuid",
            {"dataset": dataset},
        )


async def _prepared(tools: Tools, command: Command, layout: Layout, uuid: str) -> AsyncIterator[Yield]:
    """Tell what is going to be, and fetch the images that are missing."""
    yield announced(uuid, "installing_dataset")
    asked = (await tools.work.record(command.id)).received
    if layout.docker_name is not None:  # which image that is, its registry says
        async for step in _fetched(tools, layout.docker_name, asked, layout.stands_for):
            yield step
    payload = await layout.payload()
    yield _going_to_be(tools, payload)
    for image in images_of(payload):
        if not await tools.imgadm.has(image):
            async for step in _fetched(tools, image, asked):
                yield step


async def _fetched(
    tools: Tools, image: str, asked: float, is_there: Callable[[str], None] | None = None
) -> AsyncIterator[Yield]:
    """The import of an image; its uuid is told to ``is_there``."""
    stream = tools.imports.bring(image, asked=asked)
    async with aclosing(cast("Any", stream)):
        async for arrival in stream:
            if arrival.uuid is None:
                yield Progress(f"importing image {image}", arrival.bytes_there)
            elif is_there is not None:
                is_there(arrival.uuid)


def _going_to_be(tools: Tools, payload: dict[str, Any]) -> Event:
    data: dict[str, Any] = {"config": from_vmadm(payload), "hypervisor": tools.host.id}
    if isinstance(payload.get("package_name"), str):
        data["package"] = payload["package_name"]
    return Event("zone", "chunter.zone.update", str(payload["uuid"]), {"event": "update", "data": data})


async def _made(tools: Tools, layout: Layout, payload: dict[str, Any]) -> dict[str, Any]:
    """The machine that vmadm made; what it left of one that it did not make is removed."""
    uuid = str(payload["uuid"])
    try:
        await tools.vmadm.create(payload)
        await layout.settle()
        machine = await tools.vmadm.get(uuid)
    except AlreadyExists:
        raise  # somebody made it meanwhile: it is not ours to remove
    except Fault as fault:
        await _removed(tools, uuid, fault)
        raise
    tools.inventory.put(machine)  # the next create counts its memory, whether or not the event came by then
    return machine


async def _removed(tools: Tools, uuid: str, fault: Fault) -> None:
    try:
        await tools.vmadm.delete(uuid)
    except Fault as second:
        log.error("create.leftover", extra={"uuid": uuid, "reason": second.message})  # noqa: TRY400 - it is told below
        fault.details["leftover"] = f"what there is of it could not be removed: {second.message}"
    else:
        tools.inventory.drop(uuid)


async def _known(tools: Tools, uuid: str) -> dict[str, Any] | None:
    try:
        return await tools.vmadm.get(uuid)
    except NotFound:
        return None


async def _adopt(tools: Tools, layout: Layout, machine: dict[str, Any], resumed: float | None) -> dict[str, Any]:
    """A machine that is there already: this command's own work of before the agent ended, or somebody else's."""
    uuid = str(machine["uuid"])
    if resumed is None:
        raise AlreadyExists(f"There is a machine {uuid} already", {"uuid": uuid, "state": machine.get("state")})
    if machine.get("state") in _WHOLE:
        await layout.settle()
        return await tools.vmadm.get(uuid)
    await tools.vmadm.delete(uuid)
    raise Interrupted(
        f"The agent ended while the machine {uuid} was being made; what there was of it was removed: send it again",
        {"uuid": uuid, "state": machine.get("state")},
    )


def _result(machine: dict[str, Any]) -> dict[str, Any]:
    return {"uuid": machine["uuid"], "state": machine.get("state"), "config": from_vmadm(machine)}


async def _plan(tools: Tools, layout: Layout, payload: dict[str, Any], known: dict[str, Any] | None) -> Done:
    named = layout.docker_name
    wanted = images_of(payload) if named is None else (named,)
    installed = {one.uuid for one in await tools.imgadm.list()}
    tags = [nic.get("nic_tag") for nic in payload.get("nics") or () if isinstance(nic, dict)]
    figures = await tools.memory.figures()
    found = {
        "exists": known is not None,
        "image": wanted[0] if wanted else None,
        "image_present": all(image in installed for image in wanted) if named is None else None,
        "memory_free_mib": figures["free-memory"],
        "memory_wanted_mib": wanted_mib(payload),
        "nic_tags": {tag: tag in tools.host.nic_tags for tag in tags if isinstance(tag, str)},
        "lock": tools.host_lock.holder,
    }
    argv = [list(imgadm.import_argv(image)) for image in wanted if image not in installed]
    return Done({"dry_run": True, "argv": [*argv, list(vmadm.create_argv())], "payload": payload, "found": found})
