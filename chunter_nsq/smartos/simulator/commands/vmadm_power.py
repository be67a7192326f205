"""vmadm start, stop, reboot, kill and sysrq."""

from __future__ import annotations

from chunter_nsq.smartos.simulator import lifecycle
from chunter_nsq.smartos.simulator.commands.vmadm import USAGE, take_uuid
from chunter_nsq.smartos.simulator.machine import Machines
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.vmedit import set_properties, transition
from chunter_nsq.smartos.simulator.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process

NOT_FOUND = "bad statusCode: 404"
KILLED = 9
HVM_STOP_SECONDS = 180


def _find(process: Process, uuid: str, refusal: str) -> tuple[World, dict[str, Any]]:
    world = World(process.root)
    vm = Machines(world).get(uuid)
    if vm is None:
        raise Refused(refusal)
    return world, vm


def _start(process: Process, pace: Pace, words: list[str]) -> int:
    uuid = take_uuid("start", words)
    _check_media(words)
    attempt = f"Unable to start VM {uuid}: "
    world, vm = _find(process, uuid, attempt + NOT_FOUND)
    if vm["state"] == "running":
        process.err(attempt + f"VM {uuid} is already 'running'")
        return 0
    if vm["state"] != "stopped":
        raise Refused(attempt + f'Cannot start vm from state "{vm["state"]}", must be "stopped".')
    set_properties(world, vm["zonename"], {"autoboot": True})
    pace.step("autoboot", 0.2)
    with world.zone_lock(vm["zonename"]):
        zone = world.zone(vm["zonename"])
        if zone is None:
            raise Refused(attempt + NOT_FOUND)
        if zone.state == "installed":
            lifecycle.boot(world, vm["zonename"], pace, 0.8)
    process.err(f"Successfully started VM {uuid}")
    return 0


def _check_media(words: list[str]) -> None:
    """What a hardware VM boots from this once: ``order=cd``, ``cdrom=path,model``, ``disk=path,model``."""
    pairs = [word.partition("=")[::2] for word in words if not word.startswith("-")]
    if sum(key == "order" for key, _ in pairs) > 1:
        raise Refused(f"You can only specify 'order' once when starting a VM\n{USAGE}", 2)
    for key, value in pairs:
        if key not in ("order", "cdrom", "disk"):
            raise Refused(f"Invalid argument to start: {key}\n{USAGE}", 2)
        if key != "order" and not all(value.split(",")[at : at + 1] not in ([], [""]) for at in (0, 1)):
            raise Refused(f"Parameter to {key} must be: path,model\n{USAGE}", 2)


def _stop(process: Process, pace: Pace, words: list[str]) -> int:
    uuid = take_uuid("stop", words)
    force = "-F" in words
    world, vm = _find(process, uuid, NOT_FOUND if force else f"VM {uuid} not found")
    name = vm["zonename"]
    set_properties(world, name, {"autoboot": False})
    pace.step("autoboot", 0.1)
    if vm["state"] != "running" and not (force and vm["zone_state"] in ("ready", "shutting_down", "down", "running")):
        process.err(f"VM {uuid} is already not 'running' (currently: {vm['state']})")
        return 0
    if "-t" in words and not force and not vm["hvm"] and not vm.get("docker"):
        raise Refused("Timeout option is only supported for bhyve, KVM and docker containers.")
    if vm["hvm"] and not force:
        set_properties(world, name, {"transition": transition("stopping", "stopped", HVM_STOP_SECONDS)})
    pace.step("shutdown", 0.0 if force else 0.5)
    with world.zone_lock(name):
        zone = world.zone(name)
        if zone is not None and zone.active is not None:
            lifecycle.halt(world, name, pace, 0.9 if force else 0.4, KILLED if force else 0)
    if vm["hvm"]:
        set_properties(world, name, {"transition": None})
    process.err(f"Successfully completed stop for VM {uuid}")
    return 0


def _reboot(process: Process, pace: Pace, words: list[str]) -> int:
    uuid = take_uuid("reboot", words)
    force = "-F" in words
    world, vm = _find(process, uuid, NOT_FOUND)
    if vm["state"] != "running" and not (vm.get("docker") and vm["state"] == "stopped" and not force):
        text = "reset" if force else "reboot"
        raise Refused(f'Cannot {text} vm from state "{vm["state"]}", must be "running"' + ("." if force else ""))
    name = vm["zonename"]
    if not (force and vm["brand"] == "kvm"):
        with world.zone_lock(name):
            pace.step("shutdown", 0.0 if force else 0.2)
            if vm["state"] == "running":
                lifecycle.halt(world, name, pace, 0.4)
            lifecycle.boot(world, name, pace, 0.4)
    process.err(f"Successfully completed reboot for VM {uuid}")
    return 0


def _kill(process: Process, _pace: Pace, words: list[str]) -> int:
    signal = "SIGTERM"
    if "-s" in words:
        at = words.index("-s")
        signal = words[at + 1]
        del words[at : at + 2]
    signal = next((word[1:] for word in words if word.startswith("-")), signal)
    uuid = take_uuid("kill", words)
    world, vm = _find(process, uuid, NOT_FOUND)
    if vm["state"] != "running":
        raise Refused(f"Cannot find running init PID for VM {uuid}")
    if signal.removeprefix("SIG") == "KILL" or (vm.get("docker") and signal.removeprefix("SIG") == "TERM"):
        with world.zone_lock(vm["zonename"]):
            lifecycle.halt(world, vm["zonename"], _pace, 1.0, KILLED)
    process.err(f'Sent signal "{signal}" to init process for VM {uuid}')
    return 0


def _sysrq(process: Process, _pace: Pace, words: list[str]) -> int:
    uuid = take_uuid("sysrq", words)
    if len(words) != 1:
        raise Refused(f'Wrong number of parameters to "sysrq"\n{USAGE}', 2)
    kind = words[0]
    if kind not in ("nmi", "screenshot"):
        raise Refused(f"Invalid sysrq type: {kind}\n{USAGE}", 2)
    _, vm = _find(process, uuid, NOT_FOUND)
    if vm["state"] not in ("running", "stopping"):
        raise Refused(f'Unable to send request to vm from state "{vm["state"]}", must be "running" or "stopping".')
    if not vm["hvm"]:
        raise Refused('The sysrq command is only supported for VMs  with brand "bhyve" or "kvm".')
    if vm["brand"] == "bhyve" and kind != "nmi":
        raise Refused(f'Invalid sysrq "{kind}" valid values: "nmi".')
    process.err(f"Sent {'NMI' if kind == 'nmi' else 'screenshot sysrq'} to VM {uuid}")
    return 0


VERBS = {"start": _start, "stop": _stop, "reboot": _reboot, "kill": _kill, "sysrq": _sysrq}
