"""fwadm add, update, enable, disable, delete, start and stop."""

from __future__ import annotations

import json

from chunter_nsq.smartos.simulator.commands.fwadm import Call, Trouble, affected
from chunter_nsq.smartos.simulator.files import read_bytes
from chunter_nsq.smartos.simulator.firewall.document import fresh_version, is_uuid, kept, merged
from chunter_nsq.smartos.simulator.firewall.fault import Faults
from chunter_nsq.smartos.simulator.machine import Machines
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Document = dict[str, Any]

# A payload with any of these is a rule by itself.
SINGLE = ("rule", "enabled", "description", "owner_uuid", "version")
UNCAUGHT = 8  # how the platform's interpreter ends when nobody catches an error


def _payload(call: Call) -> list[Document]:
    """The rules that were given: as words, in a file, or on standard input; options apply to all of them."""
    given: Any = {"rule": " ".join(call.words)}
    if "file" in call.options or not call.words:
        given = _document(call, call.options.get("file", "-"))
    if isinstance(given, dict) and any(name in given for name in SINGLE):
        given = {"rules": [given]}
    rules = given.get("rules") if isinstance(given, dict) else None
    if not isinstance(rules, list) or not rules:
        raise Trouble("Payload must contain one of: rules, localVMs, remoteVMs")
    if not all(isinstance(rule, dict) for rule in rules):
        raise Trouble("opts.rules ([object]) is required")
    for rule in rules:
        rule.update(
            {name: True for option, name in (("enable", "enabled"), ("global", "global")) if option in call.options}
        )
        if "owner_uuid" in call.options:
            rule["owner_uuid"] = call.options["owner_uuid"]
    return rules


def _document(call: Call, file: str) -> Any:
    if file == "-" and "file" not in call.options and call.process.stdin_is_terminal():
        raise Refused("Must supply file!", 2)
    content = call.process.stdin() if file in ("-", "/dev/stdin") else read_bytes(file)
    if content is None:
        raise Trouble(f'File "{file}" does not exist.')
    try:
        return json.loads(content)
    except ValueError as fault:
        raise Refused(f"SyntaxError: {fault}", UNCAUGHT) from fault


def _made(given: Iterable[Document]) -> list[Document]:
    """What is kept of each; the faults of all are told together."""
    rules, faults = [], []
    for one in given:
        try:
            rules.append(kept(one))
        except Faults as fault:
            faults.append(fault)
    if faults:
        raise Trouble(*(faults[0].messages if len(faults) == 1 else map(str, faults)))
    return rules


def _add(call: Call) -> int:
    version = fresh_version()
    given = [{"version": version} | rule for rule in _payload(call)]
    vms = call.vms()
    with call.rulebook.writing():
        rules = [rule for rule in _made(given) if call.rulebook.get(rule["uuid"]) != rule]
        _write(call, rules)
    return _tell(call, "Added", rules, affected(rules, vms))


def _write(call: Call, rules: list[Document]) -> None:
    if "dryrun" not in call.options:
        for rule in rules:
            call.rulebook.put(rule)


def _tell(call: Call, action: str, rules: list[Document], vms: list[Document]) -> int:
    uuids = [vm["uuid"] for vm in vms if vm["firewall_enabled"]]
    if call.has_json:
        call.say({"vms": uuids, "rules": rules})
        return 0
    lines = [f"{action} rules:"] if rules else []
    lines += [f"{rule['uuid']} {'true   ' if rule['enabled'] else 'false  '} {rule['rule']}" for rule in rules]
    if "verbose" in call.options:
        lines += ["", "VMs affected:", *uuids]
    call.process.line("\n".join(lines))
    return 0


def _update(call: Call) -> int:
    uuid = call.words.pop(0) if call.words else None
    changes = _payload(call)
    if uuid is not None and len(changes) == 1:
        if not is_uuid(uuid):
            raise Refused(f'Error: invalid UUID "{uuid}"')
        changes[0]["uuid"] = uuid
    return _change(call, "Updated", changes)


def _change(call: Call, action: str, changes: list[Document]) -> int:
    version = fresh_version()
    vms = call.vms()
    with call.rulebook.writing():
        old = {str(change.get("uuid")): call.rulebook.get(str(change.get("uuid"))) for change in changes}
        missing = [f"Missing UUID of rule: {json.dumps(change)}" for change in changes if "uuid" not in change]
        missing += [f"Unknown rule: {uuid}" for uuid, rule in old.items() if rule is None and uuid != "None"]
        if missing:
            raise Trouble(*missing)
        pairs = [(old[change["uuid"]] or {}, {"version": version} | change) for change in changes]
        rules = _made(merged(before, change) for before, change in pairs)
        _write(call, rules)
    return _tell(call, action, rules, affected([*(before for before, _ in pairs), *rules], vms))


def _enable(call: Call) -> int:
    return _switch(call, enabled=True)


def _disable(call: Call) -> int:
    return _switch(call, enabled=False)


def _switch(call: Call, *, enabled: bool) -> int:
    if not call.words:
        raise Refused("Must specify rules to enable!", 2)
    uuids = [call.uuid(position) for position in range(len(call.words))]
    return _change(call, "Enabled" if enabled else "Disabled", [{"uuid": uuid, "enabled": enabled} for uuid in uuids])


def _delete(call: Call) -> int:
    """Rules that there are not are passed over in silence."""
    if not call.words:
        call.process.err("Must specify rules to delete!")
        return 0
    uuids = [call.uuid(position) for position in range(len(call.words))]
    vms = call.vms()
    with call.rulebook.writing():
        found = [call.rulebook.get(uuid) for uuid in sorted(set(uuids))]
        rules = [rule for rule in found if rule is not None]
        for rule in () if "dryrun" in call.options else rules:
            call.rulebook.drop(rule["uuid"])
    return _tell(call, "Deleted", rules, affected(rules, vms))


def _start(call: Call) -> int:
    return _guard(call, enabled=True)


def _stop(call: Call) -> int:
    return _guard(call, enabled=False)


def _guard(call: Call, *, enabled: bool) -> int:
    from chunter_nsq.smartos.simulator.commands.vmadm_update import apply  # noqa: PLC0415 - only these two change a VM

    uuid = call.uuid()
    world = World(call.process.root)
    if Machines(world).get(uuid) is None:
        raise Trouble(f"VM {uuid} not found")
    with world.config_lock(uuid):
        vm = Machines(world).get(uuid)
        if vm is None:
            raise Trouble(f"VM {uuid} not found")
        apply(world, vm, {"firewall_enabled": enabled})
    if call.has_json:
        call.say({"result": "success"})
    else:
        call.process.line(f"Firewall {'started' if enabled else 'stopped'} for VM {uuid}")
    return 0


VERBS: dict[str, Callable[[Call], int]] = {
    "add": _add, "update": _update, "enable": _enable, "disable": _disable, "delete": _delete, "start": _start,
    "stop": _stop,
}  # fmt: skip
