"""Firewall rules, through ``fwadm``.

fwadm rewrites every rule into a text of its own; only texts that it has told may be compared. Documents are asked
for everywhere, since its tables cannot be read back, and complaints then come as documents too. Payloads go to
standard input and leave no file behind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from chunter_nsq.errors import InvalidMessage, NotFound
from chunter_nsq.smartos.documents import read_object, read_objects
from chunter_nsq.smartos.names import checked_uuid
from chunter_nsq.smartos.refusal import check, evidence, unreadable
from chunter_nsq.smartos.runner import Completed, Runner

FWADM = "usr/sbin/fwadm"
_RULE_FAULT = re.compile(
    r"Error at character|rule (?:affects|does not)|maximum of|No rule specified|The end of the range"
    r'|(?:address|Subnet|UUID|number|type|code|level) "[^"]*" is invalid|is not a valid port|must be (?:a|shorter|true)'
    r"|Invalid (?:rule|owner) UUID|owner_uuid required|cannot specify both global"
)
_UNKNOWN_RULE = re.compile(r"Unknown rule")

Rule = dict[str, Any]


def list_argv() -> tuple[str, ...]:
    """All rules of the host as JSON."""
    return (FWADM, "list", "-j")


def rules_argv(vm_uuid: str) -> tuple[str, ...]:
    """The rules that concern a VM, by its name, its tags, its addresses, or as one of all VMs."""
    return (FWADM, "rules", "-j", checked_uuid(vm_uuid))


def add_argv(*, dry_run: bool = False) -> tuple[str, ...]:
    """New rules; the payload goes to standard input. A dry run tells what would be kept."""
    return (FWADM, "add", *(("--dryrun",) if dry_run else ()), "-j")


def delete_argv(uuids: Sequence[str]) -> tuple[str, ...]:
    """Rules gone; those that are gone already are passed over."""
    return (FWADM, "delete", "-j", *map(checked_uuid, uuids))


def start_argv(vm_uuid: str) -> tuple[str, ...]:
    """A VM's firewall at work."""
    return (FWADM, "start", "-j", checked_uuid(vm_uuid))


def stop_argv(vm_uuid: str) -> tuple[str, ...]:
    """A VM without firewall."""
    return (FWADM, "stop", "-j", checked_uuid(vm_uuid))


def payload_bytes(rules: Sequence[Mapping[str, Any]]) -> bytes:
    """Rules as they are written to standard input."""
    return json.dumps({"rules": [dict(rule) for rule in rules]}).encode()


def parse_complaint(stderr: str) -> tuple[str, ...]:
    """The messages in what fwadm says when it refuses with ``-j``; none when it said something else."""
    try:
        errors = json.loads(stderr)["errors"]
        return tuple(str(error["message"]) for error in errors)
    except (ValueError, KeyError, TypeError, RecursionError):
        return ()


class Fwadm:
    """``fwadm``; a change reloads the packet filter of every running VM that it concerns, which takes its time.

    A rule is as fwadm tells it: ``{"uuid", "rule", "enabled", "version", "log", "owner_uuid" | "global": true,
    "description"?, "created_by"?}``.
    """

    def __init__(self, runner: Runner, timeout_seconds: float) -> None:
        self._runner = runner
        self._timeout_seconds = timeout_seconds

    async def list(self) -> tuple[Rule, ...]:
        """All rules of the host."""
        return await self._rules(list_argv(), "list the firewall rules")

    async def rules(self, vm_uuid: str) -> tuple[Rule, ...]:
        """The rules that concern a VM, disabled ones too; none for a VM that is not there."""
        return await self._rules(rules_argv(vm_uuid), f"list the firewall rules of VM {vm_uuid}")

    async def canonical(self, rules: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
        """The texts that fwadm would keep of rules, in their order; nothing is changed.

        Raises:
            InvalidMessage: fwadm would refuse one of them, with its words; it does not tell which.
        """
        argv, attempted = add_argv(dry_run=True), "check the firewall rules"
        completed = await self._run(argv, attempted, payload_bytes(rules))
        kept = _kept(completed, attempted)
        if len(kept) != len(rules):
            raise unreadable(completed, attempted, f"of {len(rules)} rules it told {len(kept)}")
        return tuple(str(rule["rule"]) for rule in kept)

    async def add(self, rules: Sequence[Mapping[str, Any]]) -> tuple[Rule, ...]:
        """Keep new rules, all or none; the rules as they are kept."""
        attempted = f"add {len(rules)} firewall rules"
        completed = await self._run(add_argv(), attempted, payload_bytes(rules), mutates=True)
        return _kept(completed, attempted)

    async def delete(self, uuids: Sequence[str]) -> tuple[Rule, ...]:
        """Remove rules; those that were still there."""
        attempted = f"delete {len(uuids)} firewall rules"
        return _kept(await self._run(delete_argv(uuids), attempted, mutates=True), attempted)

    async def start(self, vm_uuid: str) -> None:
        """Put a VM's firewall to work; from then on only what a rule allows comes in. Raises NotFound."""
        await self._run(start_argv(vm_uuid), f"start the firewall of VM {vm_uuid}", mutates=True)

    async def stop(self, vm_uuid: str) -> None:
        """Let everything through to a VM and from it. Raises NotFound."""
        await self._run(stop_argv(vm_uuid), f"stop the firewall of VM {vm_uuid}", mutates=True)

    async def _rules(self, argv: tuple[str, ...], attempted: str) -> tuple[Rule, ...]:
        completed = await self._run(argv, attempted)
        return _checked(completed, attempted, read_objects(completed, attempted))

    async def _run(
        self, argv: tuple[str, ...], attempted: str, stdin: bytes = b"", *, mutates: bool = False
    ) -> Completed:
        completed = await self._runner.run(argv, stdin=stdin, timeout_seconds=self._timeout_seconds, mutates=mutates)
        return _accepted(completed, attempted)


def _accepted(completed: Completed, attempted: str) -> Completed:
    """The same when fwadm agreed; else its messages decide which fault it is."""
    messages = parse_complaint(completed.stderr) if completed.exit_status != 0 else ()
    if not messages:
        return check(completed, attempted)
    spoken = replace(completed, stderr="\n".join(messages))
    words = f"cannot {attempted}: {'; '.join(messages)}"
    if all(_RULE_FAULT.search(message) for message in messages):
        raise InvalidMessage(words, evidence(spoken) | {"words": list(messages)})
    if any(_UNKNOWN_RULE.match(message) for message in messages):
        raise NotFound(words, evidence(spoken))
    return check(spoken, attempted)


def _kept(completed: Completed, attempted: str) -> tuple[Rule, ...]:
    rules = read_object(completed, attempted).get("rules")
    if not isinstance(rules, list):
        raise unreadable(completed, attempted, "it did not tell the rules")
    return _checked(completed, attempted, rules)


def _checked(completed: Completed, attempted: str, rules: Sequence[Any]) -> tuple[Rule, ...]:
    for rule in rules:
        if not isinstance(rule, dict) or not all(isinstance(rule.get(name), str) for name in ("uuid", "rule")):
            raise unreadable(completed, attempted, "a rule in it has no uuid or no text")
    return tuple(rules)
