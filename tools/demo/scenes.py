"""What is shown, scene by scene; each is a function from the controller to what must have happened.

To add one: write it below and name it in ``SCENES``, whose order is that of the play.
"""

from __future__ import annotations

import json
import uuid as uuids
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

from tools.demo.controller import Controller, check
from tools.demo.world import ZONES, Event

IMAGE = "e44ed3e0-910b-11ed-a5d4-00151714048c"
ORDERS = "orders"
Scene = Callable[[Controller], Awaitable[None]]


def zone(alias: str) -> dict[str, Any]:
    """A small zone, in the words of vmadm."""
    nics = [{"nic_tag": "admin", "ips": ["dhcp"]}]
    return {"brand": "joyent", "image_uuid": IMAGE, "alias": alias, "max_physical_memory": 256, "nics": nics}


async def arrival(controller: Controller) -> None:
    """The agent starts: the host announces itself."""
    for machine in json.loads(await controller.world.by_hand("vmadm", "lookup", "-j", "-o", "uuid,alias")):
        controller.screen.name(machine["uuid"], machine["alias"])
    controller.screen.by_hand("svcadm enable chunter")
    await controller.world.agent.start()
    await controller.until(lambda event: event["type"] == "chunter.host.announce", "the announcement")
    done = await controller.run("host.ping")
    check(done["result"]["simulated"] is True, "the host says that it is a simulated one")
    listed = await controller.run("machine.list")
    check(len(listed["result"]["machines"]) == ZONES, "the machines that are there are listed")


async def life(controller: Controller) -> None:
    """A machine: created, snapshot, stopped, rolled back, started."""
    uuid = str(uuids.uuid4())
    controller.screen.name(uuid, "web0")
    done = await controller.run("machine.create", uuid, payload=zone("web0"))
    check(done["result"]["state"] == "running", "a machine that was created runs")
    await controller.state(uuid, "running")
    _append(controller, uuid, "order 1")
    await controller.run("snapshot.create", uuid, snapshot="sunday", comment="before the update")
    controller.screen.by_hand(f"rm {uuid}/root/{ORDERS}")
    controller.world.inside(uuid, ORDERS).unlink()
    refused = await controller.run("snapshot.rollback", uuid, expect="failed", snapshot="sunday")
    check(refused["error"]["code"] == "invalid_state", "a machine that runs is not rolled back")
    await controller.run("machine.stop", uuid)
    await controller.state(uuid, "stopped")
    await controller.run("snapshot.rollback", uuid, snapshot="sunday")
    check(_orders(controller, uuid) == ["order 1"], "the file is there again")
    listed = await controller.run("snapshot.list", uuid)
    check([one["comment"] for one in listed["result"]["snapshots"]] == ["before the update"], "the comment is kept")
    heard = len(controller.heard)
    await controller.run("machine.start", uuid)
    await controller.state(uuid, "running", after=heard)


async def backups(controller: Controller) -> None:
    """Backups in an object store: first all of it, then what changed since."""
    uuid = _web0(controller)
    await controller.world.store_ready()
    full = await controller.run("backup.create", uuid, snapshot="sunday")
    _append(controller, uuid, "order 2")
    increment = await controller.run("backup.create", uuid, snapshot="monday", parent="sunday")
    check(increment["result"]["size"] * 2 < full["result"]["size"], "the increment holds only what changed")
    await controller.run("backup.verify", uuid, snapshot="monday", level="hash")
    listed = await controller.run("backup.list", uuid)
    parents = {one["snapshot"]: one["parent"] for one in listed["result"]["backups"]}
    check(parents == {"sunday": None, "monday": "sunday"}, "both are listed")


async def disaster(controller: Controller) -> None:
    """The machine is lost with its disks and snapshots, and comes back."""
    uuid = _web0(controller)
    controller.screen.by_hand(f"vmadm delete {uuid}  (the wrong one)")
    await controller.world.by_hand("vmadm", "delete", uuid)
    await _deleted(controller, uuid)
    check(not controller.world.inside(uuid, ORDERS).exists(), "its disk is gone")
    back = await controller.run("backup.restore", uuid, snapshot="monday")
    path = [(one["kind"], one["snapshot"]) for one in back["result"]["path"]]
    check(path == [("full", "sunday"), ("increment", "monday")], "it was made anew from both backups")
    heard = len(controller.heard)
    await controller.run("machine.start", uuid)
    await controller.state(uuid, "running", after=heard)
    check(_orders(controller, uuid) == ["order 1", "order 2"], "all that it knew is there again")


async def doubt(controller: Controller) -> None:
    """The same command twice: run once, answered twice."""
    machine = _web0(controller)
    command = await controller.send({"action": "machine.stop", "uuid": machine, "params": {"force": True}})
    await controller.result(command)
    stops = controller.world.times_run("vmadm", "stop", machine)
    again = {"id": command, "action": "machine.stop", "uuid": machine, "params": {"force": True}}
    await controller.send(again, remark="sent again, same id")
    await controller.result(command, duplicate=True)
    check(controller.world.times_run("vmadm", "stop", machine) == stops, "vmadm stop was not run a second time")


async def refusals(controller: Controller) -> None:
    """What is mistyped does nothing, and says so."""
    mistyped = {"action": "machine.delete", "uuid": _web0(controller), "parms": {"dry_run": True}}
    refused = await controller.result(await controller.send(mistyped), expect="rejected")
    check("did you mean params" in refused["error"]["message"], "the mistyped member is named")
    planned = await controller.run("machine.delete", _web0(controller), dry_run=True)
    check(planned["result"]["argv"][0][1] == "delete", "a dry run shows what would be typed")
    unknown = await controller.run("machine.strat", _web0(controller), expect="rejected")
    check(unknown["error"]["code"] == "unknown_action", "an action that does not exist is refused")
    controller.screen.by_hand("curl -d 'not JSON' .../pub?topic=chunter.command")
    await controller.world.post("/pub?topic=chunter.command", b"not JSON")
    await controller.until(lambda event: event["type"] == "chunter.deadletter", "the dead letter")


async def crash(controller: Controller) -> None:
    """The agent is killed while it works: nothing accepted is lost."""
    uuid, made_before = str(uuids.uuid4()), controller.world.times_run("vmadm", "create")
    controller.screen.name(uuid, "db0")
    command = await controller.send({"action": "machine.create", "uuid": uuid, "params": {"payload": zone("db0")}})
    await controller.until(
        lambda event: (event["type"], event["subject"]) == ("chunter.zone.update", uuid) and _is_known(event),
        "the event that vmadm makes it",
    )
    controller.screen.by_hand("kill -9 AGENT")
    controller.world.agent.kill()
    queued = await controller.send({"action": "snapshot.create", "uuid": uuid, "params": {"snapshot": "first"}})
    controller.screen.by_hand("SMF starts it again")
    await controller.world.agent.start()
    done = await controller.result(command)
    check(done["result"]["uuid"] == uuid, "the machine that was being made is adopted")
    await controller.result(queued)
    made = controller.world.times_run("vmadm", "create") - made_before
    check(made == 1, "vmadm create ran once, by the agent that was killed")


async def operator(controller: Controller) -> None:
    """Somebody works on the host by hand: it is noticed."""
    uuid = str(uuids.uuid4())
    controller.screen.name(uuid, "manual0")
    controller.screen.by_hand("vmadm create < manual0.json")
    await controller.world.by_hand("vmadm", "create", stdin=json.dumps({**zone("manual0"), "uuid": uuid}))
    await controller.state(uuid, "running")
    controller.screen.by_hand("vmadm delete manual0")
    await controller.world.by_hand("vmadm", "delete", uuid)
    await _deleted(controller, uuid)


async def sickness(controller: Controller) -> None:
    """A service fails, a disk of the pool fails: told within an interval."""
    listed = await controller.run("machine.list", fields=["uuid", "alias"])
    machine = listed["result"]["machines"][0]["uuid"]
    fmri = "svc:/network/ssh:default"
    controller.screen.by_hand(f"svcadm -z {machine} mark -I maintenance network/ssh")
    await controller.world.by_hand("svcadm", "-z", machine, "mark", "-I", "maintenance", fmri)
    await controller.until(
        lambda event: event["type"] == "chunter.service.changed" and fmri in event["data"].get("attention", ()),
        "the event that a service is in maintenance",
    )
    controller.screen.by_hand("(a disk breaks)")
    controller.world.set_pool("DEGRADED")
    await controller.until(
        lambda event: (
            event["type"] == "chunter.zpool.status" and event["data"]["data"]["zones"]["health"] == "DEGRADED"
        ),
        "the event that the pool is degraded",
    )
    controller.world.set_pool("ONLINE")


async def departure(controller: Controller) -> None:
    """The machine is deleted, and nothing was missed."""
    uuid = _web0(controller)
    await controller.run("machine.delete", uuid)
    await _deleted(controller, uuid)
    again = await controller.run("machine.delete", uuid)
    check(again["result"]["state"] == "deleted", "deleting what is gone is a success")
    for topic, sequence in _sequences(controller).items():
        check(all(after == before + 1 for before, after in pairwise(sequence)), f"the sequence of {topic} has no gap")


def _is_known(event: Event) -> bool:
    """The host says what is told of the machine, not the command that wants it."""
    return "state" in event["data"]["data"]["config"]


def _append(controller: Controller, uuid: str, line: str) -> None:
    """Work that the machine does: a line more in a file of its disk."""
    controller.screen.by_hand(f"echo '{line}' >> {uuid}/root/{ORDERS}")
    file = controller.world.inside(uuid, ORDERS)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as opened:
        opened.write(f"{line}\n")


def _orders(controller: Controller, uuid: str) -> list[str]:
    controller.screen.by_hand(f"cat {uuid}/root/{ORDERS}")
    lines = controller.world.inside(uuid, ORDERS).read_text().splitlines()
    for line in lines:
        controller.screen.seen(line)
    return lines


def _web0(controller: Controller) -> str:
    return str(next(one["uuid"] for one in controller.sent if one["action"] == "machine.create"))


async def _deleted(controller: Controller, uuid: str) -> None:
    kind = ("chunter.zone.deleted", uuid)
    await controller.until(lambda event: (event["type"], event["subject"]) == kind, f"the event that {uuid} is deleted")


def _sequences(controller: Controller) -> dict[str, list[int]]:
    """The sequence numbers of each topic, each once: what was perhaps sent is sent again with the same one."""
    found: dict[str, set[int]] = {}
    for event in controller.heard:
        found.setdefault(event["topic"], set()).add(int(event["sequence"]))
    return {topic: sorted(numbers) for topic, numbers in found.items()}


SCENES: tuple[Scene, ...] = (arrival, life, backups, disaster, doubt, refusals, operator, sickness, crash, departure)
