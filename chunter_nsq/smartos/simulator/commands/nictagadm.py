"""nictagadm: the names of the host's networks, kept in ``usbkey/config``."""

from __future__ import annotations

import re

from chunter_nsq.smartos.simulator.files import read_bytes, write_bytes
from chunter_nsq.smartos.simulator.host import USBKEY, NicTag, facts, nic_tags, padded, usbkey
from chunter_nsq.smartos.simulator.process import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process

STUB = re.compile("[a-zA-Z0-9_]{0,30}[0-9]")
MAC = re.compile("(?:[0-9a-fA-F]{1,2}:){5}[0-9a-fA-F]{1,2}")
USAGE = "Usage: nictagadm <subcommand> <args> ..."


def run(process: Process, _pace: Pace) -> int:
    """Do what the arguments say; the exit status."""
    if not process.arguments:
        raise Refused(USAGE, 2)
    verb = VERBS.get(process.arguments[0])
    if verb is None:
        raise Refused(f"Error: unknown command {process.arguments[0]}")
    return verb(process, list(process.arguments[1:]))


def _list(process: Process, words: list[str]) -> int:
    delimiter = words[words.index("-d") + 1] if "-d" in words[:-1] else ":"
    if "-d" in words and "-p" not in words:
        raise Refused("Error: Delimiter option requires parsable option to be set")
    if "-l" in words and "-L" in words:
        raise Refused("Error: Cannot specify both local and non-local options")
    tags = nic_tags(process.root)
    if "-l" in words:
        tags = [tag for tag in tags if tag.kind == "etherstub"]
    if "-L" in words:
        tags = [tag for tag in tags if tag.kind != "etherstub"]
    if "-p" in words:
        for tag in tags:
            mac = tag.mac.replace(delimiter, "\\" + delimiter)
            process.line(delimiter.join((tag.name, mac, tag.link, tag.kind)))
        return 0
    process.line(_row("NAME", "MACADDRESS", "LINK", "TYPE"))
    for tag in tags:
        process.line(_row(tag.name, tag.mac, tag.link, tag.kind))
    return 0


def _row(*columns: str) -> str:
    name, mac, link, kind = columns
    return f"{name:<14} {mac:<18} {link:<14} {kind:<16}"


def _exists(process: Process, words: list[str]) -> int:
    local = "-l" in words
    names = [word for word in words if not word.startswith("-")]
    known = {tag.name for tag in nic_tags(process.root) if not local or tag.kind == "etherstub"}
    missing = [name for name in names if name not in known]
    for name in missing:
        process.err(name if local else f"invalid tag: {name}")
    return 1 if missing else 0


def _add(process: Process, words: list[str]) -> int:
    names = [word for at, word in enumerate(words) if not word.startswith("-") and (at == 0 or words[at - 1] != "-p")]
    if not names:
        raise Refused(USAGE, 2)
    name = names[0]
    if any(tag.name == name for tag in nic_tags(process.root)):
        raise Refused(f"Error: nic tag '{name}' already exists")
    if "-l" in words:
        if len(names) > 1:
            raise Refused("Error: create local tag, but mac address specified")
        if not STUB.fullmatch(name):
            raise Refused("Error: nic tag name is invalid")
        stubs = [tag.name for tag in nic_tags(process.root) if tag.kind == "etherstub"]
        _set(process, "etherstub", ",".join([*stubs, name]))
    elif len(names) > 1:
        _set(process, f"{name}_nic", _address(process, names[1]))
    else:
        raise Refused("Error: create non-local tag, but no mac address specified")
    return 0


def _address(process: Process, given: str) -> str:
    """The address of a nic that the host has, or the name of an aggregation."""
    if STUB.fullmatch(given):
        if f"{given}_aggr" not in usbkey(process.root):
            raise Refused(f"Error: aggregation '{given}' does not exist")
        return given
    if not MAC.fullmatch(given):
        raise Refused(f"Error: MAC address '{given}' is invalid")
    if padded(given) not in {nic["mac"] for nic in facts(process.root)["phys"]}:
        raise Refused(f"Error: No physical nic found with MAC address '{padded(given)}'")
    return padded(given)


def _update(process: Process, words: list[str]) -> int:
    names = [word for word in words if not word.startswith("-")]
    if len(names) != 2:  # noqa: PLR2004 - a tag and an address
        raise Refused(USAGE, 2)
    tag = _tag(process, names[0])
    _set(process, f"{tag.name}_nic", _address(process, names[1]))
    return 0


def _delete(process: Process, words: list[str]) -> int:
    names = [word for word in words if not word.startswith("-")]
    if not names:
        raise Refused(USAGE, 2)
    tag = _tag(process, names[0])
    if "-f" not in words and _users(process, tag.name):
        raise Refused(f"Error: nic tag '{tag.name}' is in use")
    if tag.kind == "etherstub":
        stubs = [one.name for one in nic_tags(process.root) if one.kind == "etherstub" and one.name != tag.name]
        _set(process, "etherstub", ",".join(stubs))
    else:
        _set(process, f"{tag.name}_nic", None)
    return 0


def _vms(process: Process, words: list[str]) -> int:
    for uuid in _users(process, words[-1] if words else ""):
        process.line(uuid)
    return 0


def _users(process: Process, name: str) -> list[str]:
    from chunter_nsq.smartos.simulator.machine import Machines  # noqa: PLC0415 - rarely needed
    from chunter_nsq.smartos.simulator.world import World  # noqa: PLC0415 - rarely needed

    vms = Machines(World(process.root)).all()
    return [vm["uuid"] for vm in vms if any(nic.get("nic_tag") == name for nic in vm["nics"])]


def _tag(process: Process, name: str) -> NicTag:
    for tag in nic_tags(process.root):
        if tag.name == name:
            return tag
    raise Refused(f"Error: nic tag '{name}' does not exist")


def _set(process: Process, key: str, value: str | None) -> None:
    path = process.path(USBKEY)
    lines = (read_bytes(path) or b"").decode().splitlines()
    kept = [line for line in lines if not line.startswith(f"{key}=")]
    if value:
        kept.append(f"{key}={value}")
    write_bytes(path, ("\n".join(kept) + "\n").encode())


VERBS = {
    "list": _list, "exists": _exists, "add": _add, "update": _update, "delete": _delete, "vms": _vms,
}  # fmt: skip
