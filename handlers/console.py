"""console.*: somebody sits at a machine's console, with keys from one topic and the screen on another.

Both answer at once, whatever the machine's other commands wait for: a console is there to watch them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from chunter_nsq.actions import Done, Subject, Yield, action
from chunter_nsq.endings import MACHINE, TOOLS
from chunter_nsq.errors import AlreadyExists, InsufficientResources, InvalidState, Locked, NotFound
from chunter_nsq.messages.command import Command
from chunter_nsq.messages.console_params import ConsoleClose, ConsoleOpen
from chunter_nsq.smartos import vmadm, zlogin
from chunter_nsq.smartos.names import checked_uuid
from chunter_nsq.smartos.terminal import Size
from chunter_nsq.tools import Tools

_UP = frozenset({"running", "stopped", "stopping", "provisioning"})


@action(
    "console.open",
    form=ConsoleOpen,
    subject=Subject.REQUIRED,
    group="console_api",
    changes=True,
    errors=MACHINE
    | {
        InvalidState: "the machine has no console in this state",
        AlreadyExists: "a session of that name is one of another machine",
        Locked: "somebody else sits at that console",
        InsufficientResources: "there are as many consoles open as a host has",
    }
    | TOOLS,
)
async def open_session(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Open a machine's console under a name; what is typed and shown goes through the session's two topics.

    A zone may be stopped: its console shows it boot. A session that is open already is given the new size.
    """
    params: ConsoleOpen = command.params
    uuid = checked_uuid(command.uuid or "")
    machine = await tools.vmadm.get(uuid)
    _check(machine)
    argv = _argv(machine)
    is_open = tools.consoles.check(params.session, uuid)
    topics = tools.consoles.topics(params.session)
    if command.dry_run:
        found = {"state": machine.get("state"), "is_open": is_open, "topics": topics}
        yield Done({"dry_run": True, "argv": [list(argv)], "found": found})
        return
    runs = machine.get("state") == "running"
    topics = await tools.consoles.open(params.session, uuid, argv, Size(params.cols, params.rows), runs=runs)
    yield Done({"session": params.session, "topics": topics, "idle_seconds": tools.config().console_idle_seconds})


@action(
    "console.close",
    form=ConsoleClose,
    subject=Subject.REQUIRED,
    group="console_api",
    changes=True,
    errors={NotFound: "the machine has no such session"},
)
async def close_session(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Close a session; the last message of its output says so."""
    params: ConsoleClose = command.params
    uuid = checked_uuid(command.uuid or "")
    if command.dry_run:
        found = {"is_open": tools.consoles.has(params.session, uuid)}
        yield Done({"dry_run": True, "argv": [], "found": found})
        return
    yield Done({"session": params.session, "topics": await tools.consoles.close(params.session, uuid)})


def _check(machine: Mapping[str, Any]) -> None:
    """Only a kvm machine has to run: its console is its hypervisor's."""
    state = machine.get("state")
    if machine.get("brand") == "kvm" and state != "running":
        raise InvalidState(f"the machine {machine['uuid']} is {state}: start it first", {"state": state})
    if state not in _UP:
        raise InvalidState(f"the machine {machine['uuid']} is {state}: it has no console now", {"state": state})


def _argv(machine: Mapping[str, Any]) -> tuple[str, ...]:
    uuid = str(machine["uuid"])
    if machine.get("brand") == "kvm":
        return vmadm.console_argv(uuid)
    return zlogin.console_argv(uuid, docker=machine.get("docker") is True)
