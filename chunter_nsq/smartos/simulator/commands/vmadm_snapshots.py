"""vmadm create-snapshot, delete-snapshot and rollback-snapshot."""

from __future__ import annotations

import re

from chunter_nsq.smartos.simulator import contents, lifecycle
from chunter_nsq.smartos.simulator.commands.vmadm import USAGE, take_uuid
from chunter_nsq.smartos.simulator.commands.zfs_change import newer_than, roll_back
from chunter_nsq.smartos.simulator.machine import Machines
from chunter_nsq.smartos.simulator.pool import SNAPSHOT_BYTES
from chunter_nsq.smartos.simulator.poolhealth import refuse_when_full
from chunter_nsq.smartos.simulator.pools import open_pool
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.vmedit import set_properties
from chunter_nsq.smartos.simulator.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process

NAME = re.compile(r"[A-Za-z0-9\-_.:%]{1,64}")


def _target(process: Process, verb: str, words: list[str], refusal: str) -> tuple[World, dict[str, Any], str]:
    uuid = take_uuid(verb, words)
    if len(words) != 1:
        raise Refused(f'Wrong number of parameters to "{verb}"\n{USAGE}', 2)
    if not NAME.fullmatch(words[0]):
        raise Refused("Invalid snapshot name")
    world = World(process.root)
    vm = Machines(world).get(uuid)
    if vm is None:
        raise Refused(refusal.format(uuid=uuid))
    return world, vm, words[0]


def _create(process: Process, _pace: Pace, words: list[str]) -> int:
    world, vm, short = _target(process, "create-snapshot", words, "VM {uuid} not found")
    if vm["brand"] == "kvm":
        raise Refused("snapshots for kvm VMs currently unsupported")
    if vm.get("datasets"):
        raise Refused("Cannot currently snapshot zones that have datasets")
    with world.config_lock(vm["uuid"]):
        pool = open_pool(world.root)
        with pool:
            name = vm.get("zfs_filesystem")
            if name is None:
                raise Refused(f"vmobj doesn't have a zfs_filesystem, cannot create snapshot for {vm['uuid']}")
            if pool.snapshot_of(name, f"vmsnap-{short}") is not None:
                raise Refused(f'snapshot with name "{short}" already exists.')
            refuse_when_full(world.root, pool, f"Command failed: cannot create snapshot '{name}@vmsnap-{short}'")
            inside = pool.datasets(name) if vm["brand"] == "bhyve" else [pool.dataset(name)]
            wanted = [(one.name, f"vmsnap-{short}") for one in inside if one]
            pool.add_snapshots(wanted, used=SNAPSHOT_BYTES)
            contents.freeze(world.root, pool, wanted)
        pool.close()
        world.touched(vm["zonename"])
    process.err(f"Created snapshot {short} for VM {vm['uuid']}")
    return 0


def _delete(process: Process, _pace: Pace, words: list[str]) -> int:
    world, vm, short = _target(process, "delete-snapshot", words, "VM {uuid} not found")
    if vm["brand"] == "kvm":
        raise Refused("snapshots for kvm VMs currently unsupported")
    with world.config_lock(vm["uuid"]):
        pool = open_pool(world.root)
        with pool:
            name = vm.get("zfs_filesystem", "")
            found = [one for one in pool.snapshots(name, below=True) if one.short == f"vmsnap-{short}"]
            if not found:
                raise Refused(f'No snapshot named "{short}" for {vm["uuid"]}')
            for one in found:
                if one.holds:
                    raise Refused(f"Command failed: cannot destroy snapshot {one.name}: dataset is busy")
                pool.remove_snapshot(one.dataset, one.short)
        pool.close()
        world.touched(vm["zonename"])
    process.err(f"Deleted snapshot {short} for VM {vm['uuid']}")
    return 0


def _rollback(process: Process, pace: Pace, words: list[str]) -> int:
    world, vm, short = _target(process, "rollback-snapshot", words, "bad statusCode: 404")
    if vm["brand"] == "kvm":
        raise Refused("snapshots for kvm VMs currently unsupported")
    if not any(one["name"] == short for one in vm["snapshots"]):
        raise Refused(f'No snapshot named "{short}" for {vm["uuid"]}')
    name = vm["zonename"]
    with world.config_lock(vm["uuid"]), world.zone_lock(name):
        zone = world.zone(name)
        if zone is not None and zone.active is not None:
            lifecycle.halt(world, name, pace, 0.3, 9)
        pool = open_pool(world.root)
        with pool:
            for one in pool.snapshots(vm["zfs_filesystem"], below=True):
                if one.short == f"vmsnap-{short}":
                    roll_back(pool, one, newer_than(pool, one))
                    contents.thaw(world.root, pool, one.dataset, contents.kept(world.root, one))
        pool.close()
        world.touched(name)
        pace.step("rollback", 0.3)
        set_properties(world, name, {"autoboot": True})
        lifecycle.boot(world, name, pace, 0.4)
    process.err(f"Rolled back snapshot {short} for VM {vm['uuid']}")
    return 0


VERBS = {"create-snapshot": _create, "delete-snapshot": _delete, "rollback-snapshot": _rollback}
