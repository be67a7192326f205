"""vmadm get, info and console."""

from __future__ import annotations

from chunter_nsq.smartos.simulator import jsontext
from chunter_nsq.smartos.simulator.commands.vmadm import take_uuid
from chunter_nsq.smartos.simulator.machine import Machines
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process

INFO_TYPES = {
    "kvm": ("all", "block", "blockstats", "chardev", "cpus", "kvm", "pci", "spice", "status", "version", "vnc"),
    "bhyve": ("all", "vnc"),
}


def pretty(value: Any) -> str:
    """JSON as vmadm prints it."""
    return jsontext.dumps(value, indent=2, ensure_ascii=False)


def _get(process: Process, _pace: Pace, words: list[str]) -> int:
    uuid = take_uuid("get", words)
    vm = Machines(World(process.root)).get(uuid)
    if vm is None:
        raise Refused(f"zoneadm: {uuid}: No such zone configured")
    process.line(pretty(vm))
    return 0


def _info(process: Process, _pace: Pace, words: list[str]) -> int:
    uuid = take_uuid("info", words)
    attempt = f"Unable to get VM info for VM {uuid}: "
    vm = Machines(World(process.root)).get(uuid)
    if vm is None:
        raise Refused(attempt + "bad statusCode: 404")
    if vm["state"] not in ("running", "stopping"):
        raise Refused(
            attempt + f'Unable to get info for vm from state "{vm["state"]}", must be "running" or "stopping".'
        )
    known = INFO_TYPES.get(vm["brand"])
    if known is None:
        raise Refused(attempt + f"no info types supported for brand {vm['brand']}")
    types = [word for text in words for word in text.split(",")] or ["all"]
    for one in types:
        if one not in known:
            raise Refused(attempt + f"unknown info type {one}")
    process.line(pretty(_facts(vm, set(known) - {"all"} if "all" in types else set(types))))
    return 0


def _facts(vm: dict[str, Any], types: set[str]) -> dict[str, Any]:
    port = vm.get("vnc_port") or 5900 + int(vm.get("zoneid", 0)) + 31000
    found: dict[str, Any] = {
        "block": [
            {"device": f"{disk.get('model', 'virtio')}{at}", "locked": False, "removable": False, "type": "hd",
             "inserted": {"ro": False, "drv": "raw", "file": disk["path"]}}
            for at, disk in enumerate(vm.get("disks", []))
        ],
        "blockstats": [], "chardev": [], "pci": [],
        "cpus": [{"current": cpu == 0, "CPU": cpu, "halted": False} for cpu in range(vm.get("vcpus", 1))],
        "kvm": {"enabled": True, "present": True},
        "status": {"singlestep": False, "running": True, "status": "running"},
        "version": {"qemu": {"micro": 1, "minor": 14, "major": 0}, "package": ""},
        "vnc": {"host": "10.0.0.11", "port": port, "display": port - 5900},
    }  # fmt: skip
    if "vnc_password" in vm:
        found["vnc"]["password"] = vm["vnc_password"]
    if "spice_port" in vm:
        found["spice"] = {"host": "10.0.0.11", "port": vm["spice_port"]}
    return {key: value for key, value in found.items() if key in types}


def _console(process: Process, _pace: Pace, words: list[str]) -> int:
    from chunter_nsq.smartos.simulator.console import Console  # noqa: PLC0415 - only this verb needs it

    uuid = take_uuid("console", words)
    world = World(process.root)
    vm, zone = Machines(world).get(uuid), world.zone(uuid)
    if vm is None or zone is None:
        raise Refused("bad statusCode: 404")
    if vm["state"] != "running":
        raise Refused(f'cannot connect to console when state is "{vm["state"]}" must be "running".')
    return Console(process, zone, escape=b"\x1d", quiet=False, logs_in=not vm["hvm"]).run()


VERBS = {"get": _get, "info": _info, "console": _console}
