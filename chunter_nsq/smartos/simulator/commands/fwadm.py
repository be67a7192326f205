"""fwadm: its command line, its complaints, and what only looks."""

from __future__ import annotations

import json

from chunter_nsq.smartos.simulator.firewall import effects
from chunter_nsq.smartos.simulator.firewall.document import FIELDS, is_uuid
from chunter_nsq.smartos.simulator.machine import Machines
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.rulebook import Rulebook
from chunter_nsq.smartos.simulator.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process

    Document = dict[str, Any]

USAGE = """\
Manage firewall rules

Usage:
    fwadm [OPTIONS] COMMAND [ARGS...]
    fwadm help COMMAND

Commands:
    help (?)        Help on a specific sub-command.
    add             Add firewall rules or remote VMs.
    delete          Delete a rule.
    disable         Disable a rule.
    enable          Enable a rule.
    get             Get a rule.
    list            List rules.
    update          Update firewall rules or data.
    vms             List the UUIDs of VMs affected by a rule.

    rules           List rules that apply to a VM.
    start           Start a VM's firewall.
    status          Get the status of a VM's firewall.
    stats           Get rule statistics for a VM's firewall.
    stop            Stop a VM's firewall."""
EVERYWHERE = {"help": "h", "dryrun": "", "json": "j", "stdout": "", "verbose": "v"}
GIVEN = {"description": "", "desc": "", "enable": "e", "file": "f", "global": "g", "owner_uuid": "O"}
OPTIONS = {"add": GIVEN, "update": GIVEN, "list": {"delim": "d", "fields": "o", "parseable": "p"}}
VALUED = frozenset({"description", "desc", "file", "owner_uuid", "delim", "fields"})
WIDTHS = {
    "created_by": 10, "description": 15, "enabled": 7, "global": 6, "owner_uuid": 36, "rule": 20, "uuid": 36,
    "version": 20,
}  # fmt: skip
USAGE_STATUS = 2


class Trouble(Exception):
    """What went wrong, each with the platform's code for it where it has one."""

    def __init__(self, *messages: str, code: str | None = None) -> None:
        super().__init__(*messages)
        self.messages = messages
        self.code = code


class Call:
    """The command line, taken apart: options by their long name, and the words between them."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.options: dict[str, str] = {}
        self.words: list[str] = []
        rest = list(process.arguments)
        while rest and rest[0].startswith("-"):
            self._option(rest, EVERYWHERE)
        self.verb = rest.pop(0) if rest else ""
        known = EVERYWHERE | OPTIONS.get(self.verb, {})
        while rest:
            if rest[0] == "--":
                self.words += rest[1:]
                break
            if rest[0].startswith("-") and rest[0] != "-":
                self._option(rest, known)
            else:
                self.words.append(rest.pop(0))

    def _option(self, rest: list[str], known: dict[str, str]) -> None:
        word = rest.pop(0)
        name, has_value, value = word[2:].partition("=")
        if not word.startswith("--"):
            name = next((long for long, letter in known.items() if letter and letter == word[1]), "")
            is_grouped = name and name not in VALUED and len(word) > 2  # noqa: PLR2004 - a dash and a letter
            if is_grouped:
                rest.insert(0, f"-{word[2:]}")
            has_value, value = ("", "") if is_grouped else (word[2:], word[2:])
        if name not in known:
            raise Refused(f'unknown option: "{word}"', USAGE_STATUS)
        if name in VALUED and not has_value:
            if not rest:
                raise Refused(f'do not have enough args for "{word}" option', USAGE_STATUS)
            value = rest.pop(0)
        self.options[name] = value

    def uuid(self, position: int = 0) -> str:
        """The word at that place, which must be a UUID."""
        if len(self.words) <= position:
            raise Refused("Error: missing UUID")
        if not is_uuid(self.words[position]):
            raise Refused(f'Error: invalid UUID "{self.words[position]}"')
        return self.words[position]

    def say(self, value: object) -> None:
        """A document, as the platform lays it out."""
        self.process.out(_printable(json.dumps(value, indent=2, ensure_ascii=False)) + "\n")

    @property
    def has_json(self) -> bool:
        """Whether documents are wanted."""
        return "json" in self.options

    @property
    def rulebook(self) -> Rulebook:
        """The host's rules."""
        return Rulebook(self.process.root)

    def vms(self) -> list[Document]:
        """The host's VMs."""
        return Machines(World(self.process.root)).all()


def run(process: Process, _pace: Pace) -> int:
    """Do what the arguments say; the exit status."""
    call = Call(process)
    if call.verb in ("", "help") or "help" in call.options:
        process.line(USAGE)
        return 0
    verb = VERBS.get(call.verb)
    if verb is None and call.verb in ("add", "update", "enable", "disable", "delete", "start", "stop"):
        from chunter_nsq.smartos.simulator.commands import fwadm_change  # noqa: PLC0415 - a look does without it

        verb = fwadm_change.VERBS[call.verb]
    if verb is None:
        raise Refused(f'unknown command: "{call.verb}"', USAGE_STATUS)
    try:
        return verb(call)
    except Trouble as trouble:
        raise Refused(_printable(_complaint(call, trouble))) from trouble


def _complaint(call: Call, trouble: Trouble) -> str:
    if not call.has_json:
        return "\n".join(trouble.messages)
    code = {} if trouble.code is None else {"code": trouble.code}
    errors = [{"message": message, **code} for message in trouble.messages]
    return json.dumps({"errors": errors}, indent=2, ensure_ascii=False)


def _printable(text: str) -> str:
    """Half a character becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


def _list(call: Call) -> int:
    if "delim" in call.options and "parseable" not in call.options:
        raise Refused("-d requires -p", USAGE_STATUS)
    if call.has_json and "parseable" in call.options:
        raise Refused("cannot specify both -j and -p", USAGE_STATUS)
    fields = call.options["fields"].split(",") if "fields" in call.options else None
    invalid = sorted(field for field in fields or () if field not in FIELDS)
    if invalid:
        raise Trouble(f"Invalid display field{'' if len(invalid) == 1 else 's'}: {', '.join(invalid)}")
    with call.rulebook.reading():
        rules = call.rulebook.all()
    if fields is not None:
        rules = [{field: rule[field] for field in FIELDS if field in fields and field in rule} for rule in rules]
    return _show(call, rules, fields)


def _show(call: Call, rules: list[Document], fields: list[str] | None = None) -> int:
    if call.has_json:
        call.say(rules)
        return 0
    columns = fields or ["uuid", "enabled", "rule"]
    if "parseable" in call.options:
        separator = call.options.get("delim") or ":"
        for row in rules:
            escaped = (_cell(row.get(column)).replace(separator, "\\" + separator) for column in columns)
            call.process.line(_printable(separator.join(escaped)))
        return 0
    cells = [[_cell(rule.get(column)) for column in columns] for rule in rules]
    widths = [max([WIDTHS.get(column, 0), *(len(row[at]) for row in cells)]) for at, column in enumerate(columns)]
    for line in [[column.upper() for column in columns], *cells]:
        call.process.line(_printable(" ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))))
    return 0


def _cell(value: object) -> str:
    return "-" if not value else "true" if value is True else str(value)


def _get(call: Call) -> int:
    uuid = call.uuid()
    with call.rulebook.reading():
        call.say(_known(call, uuid))
    return 0


def _known(call: Call, uuid: str) -> Document:
    rule = call.rulebook.get(uuid)
    if rule is None:
        raise Trouble(f'Unknown rule "{uuid}"', code="ENOENT")
    return rule


def _rules(call: Call) -> int:
    uuid = call.uuid()
    vms = [vm for vm in call.vms() if vm["uuid"] == uuid]
    with call.rulebook.reading():
        rules = call.rulebook.all()
    return _show(call, [rule for rule in rules if any(effects.concerns(rule, vm) for vm in vms)])


def affected(rules: Iterable[Document], vms: Iterable[Document]) -> list[Document]:
    """The VMs that any of the rules has among its targets."""
    listed = list(rules)
    return [vm for vm in vms if any(effects.concerns(rule, vm) for rule in listed)]


def _vms(call: Call) -> int:
    uuid = call.uuid()
    vms = call.vms()
    with call.rulebook.reading():
        found = [vm["uuid"] for vm in affected([_known(call, uuid)], vms)]
    if call.has_json:
        call.say(found)
    else:
        call.process.line("\n".join(found))
    return 0


def is_running(vm: Document | None) -> bool:
    """Whether a packet filter is at work for a VM."""
    return vm is not None and vm["zone_state"] == "running" and bool(vm["firewall_enabled"])


def _status(call: Call) -> int:
    running = is_running(Machines(World(call.process.root)).get(call.uuid()))
    if call.has_json:
        call.say({"running": running})
    elif "verbose" in call.options:
        call.process.line(f"running: {str(running).lower()}")
    else:
        call.process.line("running" if running else "stopped")
    return 0


def _stats(call: Call) -> int:
    uuid = call.uuid()
    vms = call.vms()
    vm = next((one for one in vms if one["uuid"] == uuid), None)
    if vm is None or not is_running(vm):
        raise Trouble(f'Firewall is not running for VM "{uuid}"')
    with call.rulebook.reading():
        lines = list(effects.ipf(call.rulebook.all(), vm, vms))
    if call.has_json:
        call.say([{"hits": "0", "rule": line} for line in lines])
    for line in () if call.has_json else lines:
        call.process.line(f"0 {line}")
    return 0


VERBS: dict[str, Callable[[Call], int]] = {
    "list": _list, "get": _get, "rules": _rules, "vms": _vms, "status": _status, "stats": _stats,
}  # fmt: skip
