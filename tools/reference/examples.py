"""Plays every action once on a world of its own and keeps one example of each action and each type of event."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from rich.console import Console

from chunter_nsq.messages.catalogue import KINDS
from chunter_nsq.smartos.simulator import faults
from tools.demo.controller import Controller, Unexpected
from tools.demo.scenes import zone
from tools.demo.screen import Screen
from tools.demo.world import Event, World
from tools.reference.newer import Newer

MACHINE = "0c8dbb0b-6ce0-4d8e-8c1b-1d4a0f9f8a11"
RULE = {"action": "allow", "direction": "inbound", "protocol": "tcp", "target": "all", "filters": [22, 443]}
# What no quiet world brings forth: a full disk, and an agent that is another version than before.
RARE = frozenset({"chunter.host.dropped", "chunter.host.updated"})
_VIRTUAL = "9b1d6c1e-2f4a-4c1b-8e57-0d3a5b7c9e02"
_SESSION = "monday-1"
_DISK_IMAGE = "462d1d03-8457-e134-a408-cf9ea2b9be96"
_IMAGE = "7b5981c4-1889-11e7-b4c5-3f3bdfc9b88b"
_GOLDEN = "3f0c1f1e-8a53-4a0e-9d4c-6a1d2f7e5b90"
_SERVICE = "svc:/system/cron:default"
_LONG = 4
_STATISTICS_SECONDS = 8.0
_SETTINGS = {"execute_api": "on", "snapshot_update_interval": "5s", "backup_rate_limit": "0MB"} | {
    f"{name}_interval": "1s" for name in ("heartbeat", "update_services", "zpool", "arc", "metrics")
}
_SYSINFO = ("Hostname", "Live Image", "MiB of Memory", "Zpool")


async def record() -> dict[str, dict[str, Any]]:
    """``{"actions": {name: {"command", "result"}}, "events": {type: event}}`` of a fresh run."""
    screen = Screen(Console(quiet=True))
    topics = tuple(dict.fromkeys(kind.topic.replace("{session}", _SESSION) for kind in KINDS))
    async with World(store=True) as world:
        with Newer(world.folder / "releases") as newer:
            world.configure(**_SETTINGS, **newer.settings)
            return await _recorded(world, Controller(world, screen, topics))


async def _recorded(world: World, controller: Controller) -> dict[str, dict[str, Any]]:
    async with controller:
        await world.agent.start()
        await controller.until(lambda event: event["type"] == "chunter.host.announce", "the announcement")
        await _play(controller)
        await _statistics(controller)
        world.agent.end()
        await controller.until(lambda event: event["type"] == "chunter.host.leaving", "the goodbye")
        return {"actions": _actions(controller), "events": _events(controller.heard)}


async def _play(controller: Controller) -> None:
    run = controller.run
    for name in ("host.ping", "host.info"):
        await run(name)
    await run("host.update", dry_run=True)
    await run("lock.acquire", MACHINE)
    await run("machine.create", MACHINE, payload=zone("web0"))
    await run("lock.release", MACHINE)
    await controller.state(MACHINE, "running")
    listed = await run("machine.list", fields=["uuid", "alias", "state"])
    other = next(one["uuid"] for one in listed["result"]["machines"] if one["uuid"] != MACHINE)
    await controller.world.by_hand("zfs", "snapshot", f"zones/{other}@by-hand")
    await run("machine.get", MACHINE)
    await controller.until(
        lambda event: (event["type"], event["subject"]) == ("chunter.service.changed", MACHINE), "the services"
    )
    await controller.world.by_hand("svcadm", "-z", MACHINE, "mark", "-I", "maintenance", "svc:/network/ssh:default")
    await controller.until(lambda event: event["data"].get("attention"), "the service in maintenance")
    await _insides(controller)
    await run("machine.update", MACHINE, payload={"max_physical_memory": 512})
    await run("firewall.update", MACHINE, rules=[RULE, f"FROM vm {MACHINE} TO any BLOCK tcp PORT 25"])
    await run("machine.reboot", MACHINE, force=True)
    await run("snapshot.create", MACHINE, snapshot="monday", comment="before the update")
    faults.add(str(controller.world.platform), {"tool": "zfs", "subcommand": "snapshot", "exit": 1, "times": 1})
    await run("snapshot.create", MACHINE, expect="failed", snapshot="tuesday")
    await run("snapshot.list", MACHINE)
    await run("snapshot.store", MACHINE, snapshot="monday", image=_GOLDEN, manifest={"name": "web", "version": "1.0"})
    done = await run("machine.stop", MACHINE, force=True)
    await run("snapshot.rollback", MACHINE, snapshot="monday")
    await run("snapshot.delete", MACHINE, snapshot="monday")
    await run("machine.start", MACHINE)
    await _virtual(controller)
    await _backups(controller)
    await run("command.status", command=done["command"])
    await run("command.cancel", expect="failed", command=done["command"])
    await controller.world.post("/pub?topic=chunter.command", b"stop web0")
    await _heard(controller, "chunter.deadletter")
    faults.add(str(controller.world.platform), {"tool": "zpool", "exit": 1, "stderr": "I/O error", "times": 1})
    await _heard(controller, "chunter.host.warning")
    await run("machine.delete", MACHINE)
    await controller.until(lambda event: event["type"] == "chunter.zone.deleted", "the deletion")
    await run("host.replay", topic="chunter.zone", **{"from": 1, "to": 2})


async def _heard(controller: Controller, kind: str) -> None:
    await controller.until(lambda event: event["type"] == kind, kind)


async def _virtual(controller: Controller) -> None:
    """A machine with a hypervisor to ask."""
    disk = {"image_uuid": _DISK_IMAGE, "boot": True, "model": "virtio"}
    nic = {"nic_tag": "admin", "ips": ["dhcp"], "model": "virtio", "primary": True}
    made = {"brand": "kvm", "alias": "db0", "ram": 512, "vcpus": 1, "disks": [disk], "nics": [nic]}
    await controller.run("machine.create", _VIRTUAL, payload=made)
    await _heard(controller, "chunter.zone.info")
    await controller.run("machine.info", _VIRTUAL, types=["vnc"])
    await controller.run("machine.delete", _VIRTUAL)


async def _backups(controller: Controller) -> None:
    """A machine that is stored, gone, and back."""
    run = controller.run
    await controller.world.store_ready()
    await run("backup.create", MACHINE, snapshot="sunday")
    await run("backup.create", MACHINE, snapshot="monday", parent="sunday")
    await run("backup.list", MACHINE)
    await run("backup.verify", MACHINE, snapshot="monday")
    await run("backup.create", MACHINE, expect="failed", snapshot="tuesday", parent="friday")
    await run("machine.stop", MACHINE, force=True)
    await run("backup.restore", MACHINE, snapshot="monday")
    await run("backup.delete", MACHINE, snapshot="monday", where="both")
    await run("backup.prune", MACHINE, keep={"last": 7, "weekly": 5})
    await run("machine.store", MACHINE, force=True)
    await run("backup.restore", MACHINE, snapshot="sunday")


async def _console(controller: Controller) -> None:
    """What is typed comes back; what cannot be typed is refused."""
    await controller.run("console.open", MACHINE, session=_SESSION, cols=132, rows=50)
    for typed in (b'{"input": "hostname\\r"}', b'{"imput": "hostname\\r"}'):
        await controller.world.post(f"/pub?topic=chunter.console.{_SESSION}.in", typed)
    await _heard(controller, "chunter.console.output")
    await _heard(controller, "chunter.console.refused")
    await controller.run("console.close", MACHINE, session=_SESSION)


async def _insides(controller: Controller) -> None:
    """Services and programs of the machine, images of the host, and a machine that stops by itself."""
    run = controller.run
    await run("service.clear", MACHINE, service="svc:/network/ssh:default")
    for verb in ("disable", "enable", "refresh", "restart"):
        await run(f"service.{verb}", MACHINE, service=_SERVICE)
    await run("machine.execute", MACHINE, argv=["sh", "-c", "echo who am I; hostname; exit 3"])
    await _console(controller)
    await run("image.import", image=_IMAGE)
    await run("image.list")
    await run("image.delete", image=_IMAGE)
    listed = await run("machine.list", fields=["uuid", "alias", "state"])
    other = next(one["uuid"] for one in reversed(listed["result"]["machines"]) if one["uuid"] != MACHINE)
    await controller.world.by_hand("vmadm", "kill", "-s", "KILL", other)
    await controller.until(lambda event: event["type"] == "chunter.zone.stopped", "why it stopped")


async def _statistics(controller: Controller) -> None:
    """Wait a while for what comes at intervals; what does not come has no example."""
    wanted = {kind.type for kind in KINDS} - RARE

    def is_all(_: Event) -> bool:
        return wanted <= {event["type"] for event in controller.heard}

    with contextlib.suppress(Unexpected):
        await controller.until(is_all, "one of each type", patience_seconds=_STATISTICS_SECONDS)


def _actions(controller: Controller) -> dict[str, Any]:
    """The first command of each action with its final result."""
    ends = {event["data"]["command"]: event["data"] for event in controller.heard if event["type"] == "chunter.result"}
    found: dict[str, Any] = {}
    for command in controller.sent:
        result = ends[command["id"]]
        outcome = {"status": result["status"], "result": result["result"], "error": result["error"]}
        shown = {"command": command, **{name: one for name, one in outcome.items() if one is not None}}
        found.setdefault(command["action"], _shortened(shown))
    return dict(sorted(found.items()))


def _events(heard: list[Event]) -> dict[str, Any]:
    """One event of each type; some tell more than the first that came.

    A failure, a change of state, a sick service, and an announcement by a host that has looked at its memory.
    """
    found: dict[str, Any] = {}
    for event in heard:
        kept = {name: one for name, one in event.items() if name != "topic"}
        data = event["data"]
        is_better = data.get("status") == "failed" or data.get("previous") == "running" or "attention" in data
        is_better = is_better or data.get("event") == "announce"
        if event["type"] not in found or is_better:
            found[event["type"]] = _shortened(kept)
    return dict(sorted(found.items()))


def _shortened(document: Any) -> Any:
    """The same with less of sysinfo, and the first entries of a long list of objects."""
    if isinstance(document, dict):
        return {
            name: {key: one[key] for key in _SYSINFO if key in one} if name == "sysinfo" else _shortened(one)
            for name, one in document.items()
        }
    if not isinstance(document, list):
        return document
    is_long = len(document) > _LONG and isinstance(document[0], dict)
    return [_shortened(one) for one in (document[:2] if is_long else document)]


def pretty(document: Any, indent: int = 0, width: int = 100) -> str:
    """JSON in which everything that fits on a line stands on one."""
    line = json.dumps(document, ensure_ascii=False)
    if indent + len(line) <= width or not isinstance(document, dict | list) or not document:
        return line
    pad = " " * (indent + 2)
    if isinstance(document, list):
        inner = [f"{pad}{pretty(one, indent + 2, width)}" for one in document]
        return "[\n" + ",\n".join(inner) + f"\n{' ' * indent}]"
    inner = [f"{pad}{json.dumps(name)}: {pretty(one, indent + 2, width)}" for name, one in document.items()]
    return "{\n" + ",\n".join(inner) + f"\n{' ' * indent}}}"
