"""firewall.*: the rules that are kept for a machine, and whether its firewall is at work."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chunter_nsq.actions import Done, Lane, Recovery, Subject, Yield, action
from chunter_nsq.endings import MACHINE, TOOLS
from chunter_nsq.errors import InvalidMessage, Unsupported
from chunter_nsq.fifo.ownership import is_of
from chunter_nsq.fifo.reconciliation import Reconciliation, is_enabled, payload, reconcile, texts
from chunter_nsq.messages.command import Command
from chunter_nsq.messages.firewall_params import FirewallUpdate
from chunter_nsq.smartos import fwadm
from chunter_nsq.smartos.fwadm import Fwadm
from chunter_nsq.smartos.names import checked_uuid
from chunter_nsq.tools import Tools

_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"')


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to change; ``start`` is None where the firewall is as it should be."""

    rules: Reconciliation
    start: bool | None
    is_enabled: bool

    def argv(self, uuid: str) -> list[list[str]]:
        """The vectors that carry it out, in their order."""
        vectors = [fwadm.add_argv()] if self.rules.add else []
        vectors += [fwadm.delete_argv(_uuids(self.rules.delete))] if self.rules.delete else []
        if self.start is not None:
            vectors.append(fwadm.start_argv(uuid) if self.start else fwadm.stop_argv(uuid))
        return [list(vector) for vector in vectors]


@action(
    "firewall.update",
    form=FirewallUpdate,
    lane=Lane.MACHINE,
    subject=Subject.REQUIRED,
    group="firewall_api",
    recovery=Recovery.RERUN,
    errors=MACHINE | {Unsupported: "a rule names what fwadm cannot express; nothing is opened instead"} | TOOLS,
)
async def update(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Make the rules of a machine those that are given; rules that somebody else made stay as they are.

    New rules come before old ones go, so that nothing is shut meanwhile that is open before and after. With rules
    the firewall is at work; without, it is stopped unless rules of somebody else concern the machine.
    """
    params: FirewallUpdate = command.params
    uuid = checked_uuid(command.uuid or "")
    tool = Fwadm(tools.runner, tools.vmadm.timeout_seconds)
    machine = await tools.vmadm.get(uuid)
    plan = await _plan(tool, machine, params)
    if command.dry_run:
        yield Done({"dry_run": True, "argv": plan.argv(uuid), "found": _found(plan)})
        return
    added = await tool.add(plan.rules.add) if plan.rules.add else ()
    if plan.rules.delete:
        await tool.delete(_uuids(plan.rules.delete))
    if plan.start is not None:
        await (tool.start(uuid) if plan.start else tool.stop(uuid))
    result = {"added": _shown(added), "deleted": _shown(plan.rules.delete), "kept": _shown(plan.rules.keep)}
    yield Done({**result, "firewall_enabled": plan.is_enabled if plan.start is None else plan.start})


async def _plan(tool: Fwadm, machine: Mapping[str, Any], params: FirewallUpdate) -> _Plan:
    uuid = str(machine["uuid"])
    owner = params.owner or str(machine.get("owner_uuid", ""))
    wanted = await _canonical(tool, uuid, [payload(uuid, owner, text) for text in texts(uuid, params.rules)])
    present = await tool.list()
    is_guarded = machine.get("firewall_enabled") is True
    shall_be_guarded = bool(wanted) or (is_guarded and await _concerns_others(tool, uuid))
    start = None if shall_be_guarded == is_guarded else shall_be_guarded
    return _Plan(reconcile(uuid, owner, wanted, present), start, is_guarded)


async def _concerns_others(tool: Fwadm, uuid: str) -> bool:
    """Whether a rule that was not made here is at work for the machine."""
    return any(is_enabled(rule) and not is_of(uuid, rule) for rule in await tool.rules(uuid))


async def _canonical(tool: Fwadm, uuid: str, payloads: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The texts that fwadm would keep; raises InvalidMessage with the place of the first that it would not."""
    if not payloads:
        return ()
    try:
        written = await tool.canonical(payloads)
    except InvalidMessage:
        place, fault = await _first_fault(tool, payloads)
        raise _refused(uuid, place, "; ".join(fault.details.get("words", [fault.message]))) from fault
    for place, text in enumerate(written):
        if not _is_about(uuid, text):
            raise _refused(uuid, place, f"it is about other machines only; name vm {uuid}")
    return written


async def _first_fault(tool: Fwadm, payloads: Sequence[Mapping[str, Any]]) -> tuple[int, InvalidMessage]:
    """Fwadm does not say which of several rules it means: halves are asked about until one is left."""
    first, behind, found = 0, len(payloads), InvalidMessage("fwadm took back its refusal; send the command again")
    while first < behind:
        middle = (first + behind) // 2
        try:
            await tool.canonical(payloads[first : middle + 1])
        except InvalidMessage as fault:
            behind, found = middle, fault
        else:
            first = middle + 1
    return first, found


def _refused(uuid: str, place: int, why: str) -> InvalidMessage:
    path = f"$.params.rules[{place}]"
    return InvalidMessage(
        f"cannot update the firewall of VM {uuid}: {path} is refused: {why}; nothing was changed",
        {"faults": [{"path": path, "message": why}]},
    )


def _is_about(uuid: str, text: str) -> bool:
    """Whether a rule may concern the machine: by name, by a tag, or as one of all."""
    plain = _QUOTED.sub("", text)
    return any(target in plain for target in (f"vm {uuid}", "all vms", "tag "))


def _found(plan: _Plan) -> dict[str, Any]:
    kept, deleted = _shown(plan.rules.keep), _shown(plan.rules.delete)
    added = [dict(rule) for rule in plan.rules.add]
    return {"add": added, "delete": deleted, "keep": kept, "firewall_enabled": plan.is_enabled}


def _shown(rules: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    return [{"uuid": rule["uuid"], "rule": rule["rule"]} for rule in rules]


def _uuids(rules: Iterable[Mapping[str, Any]]) -> list[str]:
    return [rule["uuid"] for rule in rules]
