"""vmadm events: what happens to VMs, as it happens.

Theory: the change journal tells which zone changed, in order. A change of the kernel's view carries its values and
is applied to the object kept here; a change of configuration makes that one zone be read again. What no command
told the journal (a hand-edited file) is found by looking at the stamps of index and documents, less often.

Not promised: an event for a state that came and went in a file edited by hand between two looks.
"""

from __future__ import annotations

import json
import os
import time
import uuid as uuids

from chunter_nsq.smartos.simulator.changes import Follower
from chunter_nsq.smartos.simulator.commands.vmadm import USAGE, take_uuid
from chunter_nsq.smartos.simulator.diff import differences
from chunter_nsq.smartos.simulator.files import stamp
from chunter_nsq.smartos.simulator.index import PLACE as INDEX
from chunter_nsq.smartos.simulator.machine import Machines, exit_status, set_state
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.values import compact, iso
from chunter_nsq.smartos.simulator.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process

    VM = dict[str, Any]

BUSY_SECONDS, IDLE_SECONDS, SWEEP_SECONDS = 0.002, 0.02, 1.0
KERNEL_KEYS = ("zoneid", "boot_timestamp", "init_restarts", "pid", "exit_status", "exit_timestamp")


class Stream:
    """The VM objects as last told, and how changes to them are told."""

    def __init__(self, process: Process, flags: set[str], only: str | None) -> None:
        self._process = process
        self._json, self._full = "j" in flags, "f" in flags
        self._only = only
        self.world = World(process.root)
        self.machines = Machines(self.world)
        self.vms: dict[str, VM] = {}

    def load(self) -> None:
        """Take in every VM as it is now."""
        self.vms = {vm["zonename"]: vm for vm in self.machines.all() if self._wanted(vm["zonename"])}

    def _wanted(self, name: str) -> bool:
        return self._only is None or name == self._only

    def ready(self) -> None:
        """The first event, with everything."""
        event = {"type": "ready", "date": iso(time.time()), "uuid": str(uuids.uuid4()), "vms": self.vms}
        self._say(event, time.time(), "")

    def take(self, fields: list[str]) -> None:
        """Tell what one line of the journal means."""
        moment, kind, name = float(fields[0]), fields[1], fields[2]
        if not self._wanted(name):
            return
        if kind == "D":
            self.remove(name, moment)
        elif kind == "S" and name in self.vms:
            self._told(name, with_kernel(self.vms[name], fields[3:]), moment)
        else:
            vm = self.machines.get(name)
            if vm is not None:
                self._told(name, with_kernel(vm, fields[3:]), moment)

    def remove(self, name: str, moment: float) -> None:
        """The VM is gone."""
        old = self.vms.pop(name, None)
        if old is not None:
            event = {"type": "delete", "date": iso(moment), "zonename": name, "uuid": old["uuid"]}
            self._say(event, moment, old.get("alias", ""))

    def _told(self, name: str, vm: VM, moment: float) -> None:
        old = self.vms.get(name)
        self.vms[name] = vm
        head = {"date": iso(moment), "zonename": name, "uuid": vm["uuid"], "vm": vm}
        if old is None:
            self._say({"type": "create", **head}, moment, vm.get("alias", ""))
            return
        changes = differences(old, vm)
        if changes:
            self._say({"type": "modify", **head, "changes": changes}, moment, vm.get("alias", ""))

    def _say(self, event: dict[str, Any], moment: float, alias: str) -> None:
        if self._json:
            self._process.line(json.dumps(event, separators=(",", ":"), ensure_ascii=False))
            return
        stamp_text = iso(moment) if self._full else iso(moment)[11:]
        if event["type"] == "ready":
            self._process.line(f"[{stamp_text}] ready")
            return
        name = event["zonename"] if self._full else event["zonename"].partition("-")[0]
        alias = (alias[:27] + "..." if len(alias) > 30 else alias) or "-"  # noqa: PLR2004 - the width of an alias
        head = f"[{stamp_text}] {name} {alias} {event['type']}"
        for change in event.get("changes", ()):
            sides = [compact(change[key]) if key in change else "undefined" for key in ("oldValue", "newValue")]
            self._process.line(f"{head}: {change['prettyPath']} {change['action']} :: {sides[0]} -> {sides[1]}")
        if event["type"] != "modify":
            self._process.line(head)

    def sweep(self, changed: set[str]) -> None:
        """Read again what was changed without a line in the journal, and find what came and went in the index."""
        now = time.time()
        for name in changed & set(self.vms):
            vm = self.machines.get(name)
            if vm is not None:
                self._told(name, as_last_told(vm, self.vms[name]), now)
        known = {zone.name for zone in self.world.zones() if self._wanted(zone.name)}
        for name in known - set(self.vms):
            vm = self.machines.get(name)
            if vm is not None:
                self._told(name, vm, now)
        for name in set(self.vms) - known:
            self.remove(name, now)


def as_last_told(vm: VM, old: VM) -> VM:
    """A VM read again, with the state that was told last: what the kernel does is told by the journal alone."""
    vm = {key: value for key, value in vm.items() if key not in KERNEL_KEYS}
    vm |= {key: old[key] for key in KERNEL_KEYS if key in old}
    vm["zone_state"] = old["zone_state"]
    set_state(vm)
    return vm


def with_kernel(vm: VM, fields: list[str]) -> VM:
    """The VM with the zone's state and the kernel's facts as a line of the journal has them."""
    old, vm = vm, {key: value for key, value in vm.items() if key not in KERNEL_KEYS}
    state, zoneid, pid, boot, restarts, status, exited = fields
    vm["zone_state"] = state
    if zoneid != "-":
        vm["zoneid"] = int(zoneid)
    if state == "running":
        vm |= {"boot_timestamp": iso(float(boot)), "init_restarts": int(restarts), "pid": int(pid)}
    elif status != "-":
        vm |= {"exit_status": exit_status(int(status)), "exit_timestamp": iso(float(exited))}
    elif "exit_status" in old:
        vm |= {"exit_status": old["exit_status"], "exit_timestamp": old["exit_timestamp"]}
    set_state(vm)
    return vm


def _events(process: Process, pace: Pace, words: list[str]) -> int:
    flags = {letter for word in words if word.startswith("-") for letter in word[1:]}
    if flags - set("fjr"):
        raise Refused(f"Invalid option\n{USAGE}", 2)
    words = [word for word in words if not word.startswith("-")]
    only = take_uuid("events", words) if words else None
    pace.step("connect", 1.0)
    stream = Stream(process, flags, only)
    follower, files = Follower(process.root), Files(stream.world)  # before the VMs are: no change falls between
    stream.load()
    if only is not None and only not in stream.vms:
        raise Refused(f"VM {only} not found")
    if "r" in flags:
        stream.ready()
        process.flush()
    _follow(process, stream, follower, files)
    return 0


def _follow(process: Process, stream: Stream, follower: Follower, files: Files) -> None:
    next_sweep, busy_until = time.monotonic() + SWEEP_SECONDS, 0.0
    while not process.unheard():
        lines = follower.read()
        now = time.monotonic()
        if lines:
            for fields in lines:
                stream.take(fields)
            process.flush()
            busy_until = now + 0.5
        elif now >= next_sweep:
            changed = files.changed()
            if changed:
                stream.sweep(changed)
                process.flush()
            next_sweep = now + SWEEP_SECONDS
        else:
            time.sleep(BUSY_SECONDS if now < busy_until else IDLE_SECONDS)


class Files:
    """The stamps of index and documents, and which of them are others than the last time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._seen = self._look()

    def _look(self) -> dict[str, object]:
        with os.scandir(self._world.path("etc/zones")) as files:
            names = [(file.name.removesuffix(".xml"), file.stat()) for file in files if file.name.endswith(".xml")]
        found: dict[str, object] = {name: (status.st_mtime_ns, status.st_ino) for name, status in names}
        found[""] = stamp(self._world.path(INDEX))
        return found

    def changed(self) -> set[str]:
        """Names of zones whose documents changed since the last time; an empty name stands for the index."""
        fresh = self._look()
        changed = {name for name in {**fresh, **self._seen} if fresh.get(name) != self._seen.get(name)}
        self._seen = fresh
        return changed


VERBS = {"events": _events}
