"""machine.update: whatever vmadm can change of a machine.

vmadm waits a minute in vain, or aborts, when it is told to change a NIC or a disk that is not there; so that is looked
for beforehand. What it drops without a word is looked for afterwards, and told.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

from chunter_nsq.actions import Done, Lane, Subject, Yield, action
from chunter_nsq.endings import TOOLS
from chunter_nsq.errors import (
    InsufficientResources,
    Interrupted,
    InvalidMessage,
    InvalidState,
    NotFound,
    Unsupported,
)
from chunter_nsq.fifo.config import from_vmadm
from chunter_nsq.layout import update_payload
from chunter_nsq.messages.command import Command
from chunter_nsq.messages.params import MachineUpdate
from chunter_nsq.smartos import vmadm
from chunter_nsq.smartos.ignored import KNOWN_BY, ignored
from chunter_nsq.smartos.names import checked_uuid
from chunter_nsq.tools import Tools


@action(
    "machine.update",
    form=MachineUpdate,
    lane=Lane.MACHINE,
    subject=Subject.REQUIRED,
    group="machine_api",
    errors={
        NotFound: "there is no such machine here, or it has no such NIC, disk or filesystem",
        InvalidState: "it is in a state in which this cannot be changed",
        InsufficientResources: "there is less space than that wants, or more in use than it leaves",
        Unsupported: "this cannot be changed of a machine of its brand",
        Interrupted: "the agent ended while something was being added; look whether it is there",
    }
    | TOOLS,
)
async def update(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Change a machine as a vmadm payload says, or as FiFo does; a package changes its size."""
    params: MachineUpdate = command.params
    uuid = checked_uuid(command.uuid or "")
    machine = await tools.vmadm.get(uuid)
    payload = await update_payload(tools, params, machine)
    if payload.get("uuid", uuid) != uuid:
        raise InvalidMessage(f"params.payload.uuid is not the command's uuid {uuid}; leave it out")
    faults = list(_strangers(payload, machine, "payload" if params.payload is not None else "config"))
    if command.dry_run:
        found = {"exists": True, "state": machine.get("state"), "brand": machine.get("brand"), "faults": faults}
        yield Done({"dry_run": True, "argv": [list(vmadm.update_argv(uuid))], "payload": payload, "found": found})
        return
    if faults:
        told = "; ".join(f"{fault['path']}: {fault['message']}" for fault in faults)
        raise NotFound(f"cannot update VM {uuid}: {told}", {"faults": faults})
    _check_resumed(payload, machine, command.resumed)
    await tools.vmadm.update(uuid, payload)
    after = await tools.vmadm.get(uuid)
    tools.inventory.put(after)
    yield Done({"config": from_vmadm(after), "ignored": ignored(payload, machine, after)})


def _strangers(payload: Mapping[str, Any], machine: Mapping[str, Any], form: str) -> list[dict[str, str]]:
    """What is to be changed or taken away and is not there."""
    found = []
    for name, key in KNOWN_BY.items():
        there = {one.get(key) for one in machine.get(name) or () if isinstance(one, dict)}
        for verb in ("update", "remove"):
            listed = payload.get(f"{verb}_{name}")
            for number, one in enumerate(listed if isinstance(listed, list) else ()):
                wanted = one.get(key) if isinstance(one, dict) else one
                if isinstance(wanted, str) and wanted not in there:
                    path = f"$.params.{form}.{verb}_{name}[{number}]"
                    found.append({"path": path, "message": f"the machine has none with {key} {wanted}"})
    return found


def _check_resumed(payload: Mapping[str, Any], machine: Mapping[str, Any], resumed: float | None) -> None:
    """What adds something must not be done twice; whether it was done the machine does not tell for sure."""
    if resumed is None or not any(key.startswith("add_") for key in payload):
        return
    modified = machine.get("last_modified")
    if isinstance(modified, str) and datetime.fromisoformat(modified).timestamp() < int(resumed):
        return
    raise Interrupted(
        "The agent ended while this ran, and the machine was changed since it began; look at it, and send what is"
        " missing again",
        {"last_modified": modified},
    )
