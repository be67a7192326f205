"""vmadm delete: the VM, its datasets and its configuration go."""

from __future__ import annotations

import shutil

from chunter_nsq.smartos.simulator import contents, lifecycle
from chunter_nsq.smartos.simulator.commands.vmadm import take_uuid
from chunter_nsq.smartos.simulator.files import remove
from chunter_nsq.smartos.simulator.machine import Machines
from chunter_nsq.smartos.simulator.pools import open_pool
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.vmedit import set_properties
from chunter_nsq.smartos.simulator.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process


def _delete(process: Process, pace: Pace, words: list[str]) -> int:
    uuid = take_uuid("delete", words)
    world = World(process.root)
    attempt = f"Failed to delete VM {uuid}: "
    vm = Machines(world).get(uuid)
    if vm is None:
        raise Refused(attempt + f"VM {uuid} not found")
    with world.config_lock(uuid):
        vm = Machines(world).get(uuid)
        if vm is None:
            raise Refused(attempt + f"VM {uuid} not found")
        for mark in ("indestructible_zoneroot", "indestructible_delegated"):
            if vm.get(mark):
                raise Refused(attempt + f"{mark} is set, cannot delete")
        _may_lose_volumes(world, vm, attempt)
        _unmake(world, vm, pace, attempt)
    process.err(f"Successfully deleted VM {uuid}")
    return 0


def _may_lose_volumes(world: World, vm: dict[str, Any], attempt: str) -> None:
    """Refuse as long as another VM has a volume of this one, which lies in its zonepath, among its file systems."""
    inside = f"{vm['zonepath']}/volumes/"
    own = {one["source"] for one in vm.get("filesystems", ()) if one["source"].startswith(inside)}
    if vm["hvm"] or not own:
        return
    others = [one for one in Machines(world).all() if one["uuid"] != vm["uuid"]]
    users = [f'"{one["uuid"]}"' for one in others if own & {each["source"] for each in one.get("filesystems", ())}]
    if users:
        text = f"Unable to delete VM {vm['uuid']} the following VMs are sharing its volumes: "
        raise Refused(f"{attempt}{text}[{','.join(users)}]")


def _unmake(world: World, vm: dict[str, Any], pace: Pace, attempt: str) -> None:
    name = vm["zonename"]
    set_properties(world, name, {"autoboot": False})
    pace.step("autoboot", 0.1)
    with world.zone_lock(name):
        zone = world.zone(name)
        if zone is not None and zone.active is not None:
            lifecycle.halt(world, name, pace, 0.3, 9)
        if zone is not None and zone.state != "configured":
            _may_destroy(world, vm, attempt)
            world.mark(name, "incomplete")
            pace.step("incomplete", 0.2)
            destroy_datasets(world, vm)
            pace.step("datasets", 0.2)
            world.mark(name, "configured")
        else:
            destroy_datasets(world, vm)
        pace.step("configured", 0.2)
        world.forget(name)
    shutil.rmtree(world.root + vm["zonepath"], ignore_errors=True)
    for leftover in (f"var/run/zones/{name}.zoneadm.lock", f"etc/zones/{name}-receiving.json", f"var/svc/{name}"):
        remove(world.path(leftover))


def datasets_of(vm: dict[str, Any]) -> list[str]:
    """The roots of everything in the pool that belongs to the VM; its cores first, which are mounted below the rest."""
    names = [f"zones/cores/{vm['zonename']}", vm["zonepath"].lstrip("/")]
    names += [disk["zfs_filesystem"] for disk in vm.get("disks", ()) if "zfs_filesystem" in disk]
    return names + list(vm.get("datasets", ()))


def _may_destroy(world: World, vm: dict[str, Any], attempt: str) -> None:
    pool = open_pool(world.root)
    held = [one for name in datasets_of(vm) for one in pool.snapshots(name, below=True) if one.holds]
    pool.close()
    if held:
        raise Refused(attempt + f"Command failed: cannot destroy '{held[0].name}': dataset is busy")


def destroy_datasets(world: World, vm: dict[str, Any]) -> None:
    """Everything in the pool that belongs to the VM goes."""
    pool = open_pool(world.root)
    with pool:
        for name in datasets_of(vm):
            for one in pool.datasets(name):
                contents.forget(world.root, pool, one.name)
                pool.remove(one.name)
    pool.close()


VERBS = {"delete": _delete}
