"""vmadm create: a payload becomes a zone, step by step, as other commands can watch."""

from __future__ import annotations

import json
import time
import uuid as uuids

from chunter_nsq.smartos.simulator import contents, lifecycle, zonedoc
from chunter_nsq.smartos.simulator.commands.vmadm import USAGE
from chunter_nsq.smartos.simulator.files import exists, make_folder, write_bytes
from chunter_nsq.smartos.simulator.machine import config_path
from chunter_nsq.smartos.simulator.payload.prepare import prepare_create
from chunter_nsq.smartos.simulator.pool import Pool
from chunter_nsq.smartos.simulator.poolhealth import refuse_when_full
from chunter_nsq.smartos.simulator.pools import open_pool
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.values import iso
from chunter_nsq.smartos.simulator.vmedit import set_properties, transition
from chunter_nsq.smartos.simulator.world import World
from chunter_nsq.smartos.simulator.xmltree import render

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process

MIB, GIB = 2**20, 2**30
PROVISION_SECONDS = 300
CONFIG_KEYS = ("customer_metadata", "internal_metadata", "tags", "routes")


def read_payload(process: Process, words: list[str], verb: str = "create") -> Any:
    """The JSON that was given with -f or on stdin."""
    if "-f" in words:
        at = words.index("-f")
        path = words[at + 1] if at + 1 < len(words) else "-"
        del words[at : at + 2]
        if path != "-":
            if not exists(path):
                raise Refused(f"File: {path} does not exist.")
            with open(path, "rb") as file:  # noqa: PTH123 - start-up matters here, pathlib is slow to import
                return _decoded(file.read())
    elif process.stdin_is_terminal():
        raise Refused(f"Will not {verb} from stdin when stdin is a tty.\n{USAGE}", 2)
    return _decoded(process.stdin())


def _decoded(content: bytes) -> Any:
    text = content.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except ValueError as fault:
        position = getattr(fault, "pos", len(text))
        token = f"Unexpected token {text[position]}" if position < len(text) else "Unexpected end of input"
        raise Refused(f"Invalid JSON payload: {token}") from fault


def _create(process: Process, pace: Pace, words: list[str]) -> int:
    payload = read_payload(process, words)
    if not isinstance(payload, dict):
        raise Refused("Invalid JSON payload: not an object")
    world = World(process.root)
    payload.setdefault("uuid", str(uuids.uuid4()))
    pace.step("validate", 0.05)
    uuid = str(payload["uuid"])
    with world.config_lock(uuid):
        vm = prepare_create(payload, process.root)
        make(world, vm, pace)
    process.err(f"Successfully created VM {uuid}")
    return 0


def make(world: World, vm: dict[str, Any], pace: Pace) -> None:
    """Bring the VM into being: configured, incomplete, installed, and up when it shall boot."""
    name, path = vm["zonename"], f"/{vm['zpool']}/{vm['zonename']}"
    boots = bool(vm.get("autoboot"))
    target = "running" if boots else "stopped"
    vm |= {"v": 1, "zonepath": path, "create_timestamp": vm.get("create_timestamp") or iso(time.time())}
    seconds = PROVISION_SECONDS * (1 + vm.get("ram", 0) // 4096 if vm["brand"] in ("kvm", "bhyve") else 1)
    marks = {"provisioning": True, "transition": transition("provisioning", target, seconds)}
    root = zonedoc.new(marks | vm, world.debugid())
    world.configure(name, render(root), path, vm["uuid"])
    pace.step("configured", 0.1)
    with world.zone_lock(name):
        world.mark(name, "incomplete")
        make_datasets(world, vm)
        pace.step("incomplete", 0.25)
        write_configuration(world, vm)
        world.mark(name, "installed")
        pace.step("installed", 0.1)
        if boots:
            lifecycle.boot(world, name, pace, 0.2)
    pace.step("provisioning", 0.3)
    set_properties(world, name, {"provisioning": None, "transition": None})


def write_configuration(world: World, vm: dict[str, Any]) -> None:
    """The files beside the zone's root: metadata, tags, routes."""
    home = world.root + vm["zonepath"]
    make_folder(home + "/config")
    make_folder(home + "/root")
    metadata = {key: vm.get(key, {}) for key in ("customer_metadata", "internal_metadata")}
    for name, value in (("metadata", metadata), ("tags", vm.get("tags", {})), ("routes", vm.get("routes", {}))):
        write_bytes(config_path(world, vm["zonepath"], name), json.dumps(value, indent=2).encode())


def make_datasets(world: World, vm: dict[str, Any]) -> None:
    """The zone's root, a clone of its image when it has one, its volumes and its delegated dataset."""
    root, zpool = vm["zonepath"].lstrip("/"), vm["zpool"]
    pool = open_pool(world.root)
    with pool:
        refuse_when_full(world.root, pool, f"Command failed: cannot create '{root}'")
        image = pool.dataset(f"{zpool}/{vm.get('image_uuid')}")
        if image is not None and vm["brand"] not in ("kvm", "bhyve"):
            pool.add(root, local=_root_properties(vm), origin=f"{image.name}@final", refer=image.refer, own=8192)
            final = pool.snapshot_of(image.name, "final")
            contents.thaw(world.root, pool, root, contents.kept(world.root, final) if final is not None else None)
        else:
            pool.add(root, local=_root_properties(vm))
        for disk in vm.get("disks", ()):
            if not disk.get("nocreate") and disk.get("media", "disk") == "disk":
                add_volume(pool, zpool, disk)
        for name in vm.get("datasets", ()):
            data = {"zoned": "on", "mountpoint": f"{vm['zonepath']}/data"}
            pool.add(
                name, local=data | _given(vm, {"zfs_data_compression": "compression", "zfs_data_recsize": "recordsize"})
            )
        if pool.dataset(f"{zpool}/cores") is not None:
            cores = {"quota": str(100 * GIB), "compression": "gzip", "mountpoint": f"{vm['zonepath']}/cores"}
            pool.add(f"{zpool}/cores/{vm['zonename']}", local=cores)
        guard_as_asked(pool, root, vm)
    pool.close()


def _root_properties(vm: dict[str, Any]) -> dict[str, str]:
    quota = int(vm.get("quota", 0)) * GIB
    local = {"quota": str(quota), "recordsize": "131072"}
    if vm["brand"] == "bhyve":
        volumes = sum(reservation(disk) for disk in vm.get("disks", ())) * MIB
        local |= {"refquota": str(quota), "quota": str(quota + volumes) if quota else "0"}
    names = {
        "zfs_root_compression": "compression", "zfs_root_recsize": "recordsize",
        "zfs_filesystem_limit": "filesystem_limit", "zfs_snapshot_limit": "snapshot_limit",
    }  # fmt: skip
    return local | _given(vm, names)


def _given(vm: dict[str, Any], names: dict[str, str]) -> dict[str, str]:
    return {prop: str(vm[key]) for key, prop in names.items() if vm.get(key)}


def reservation(disk: dict[str, Any]) -> int:
    """MiB set aside for a disk: its size and a little for the volume's own tables unless it says otherwise."""
    size = int(disk.get("size") or disk.get("image_size") or 0)
    asked = disk.get("refreservation", "auto")
    return -(-size * 33 // 32) if asked == "auto" else int(asked)


def add_volume(pool: Pool, zpool: str, disk: dict[str, Any]) -> None:
    """The volume behind a disk."""
    name = str(disk["path"]).removeprefix("/dev/zvol/rdsk/")
    if pool.dataset(name) is not None:
        raise Refused(f"Command failed: cannot create '{name}': dataset already exists")
    size = int(disk.get("size") or disk.get("image_size") or 0)
    local = {
        "volsize": str(size * MIB), "volblocksize": str(disk.get("block_size", 8192)),
        "refreservation": str(reservation(disk) * MIB), "compression": str(disk.get("compression", "off")),
    }  # fmt: skip
    image = pool.dataset(f"{zpool}/{disk.get('image_uuid')}") if disk.get("image_uuid") else None
    if image is not None:
        pool.add(name, "volume", local, origin=f"{image.name}@final", refer=image.refer, own=8192)
    else:
        pool.add(name, "volume", local, refer=57344)


def guard_as_asked(pool: Pool, root: str, asked: dict[str, Any]) -> bool:
    """Put a held snapshot on what shall be indestructible, or take it away; whether anything changed."""
    changed = False
    for key, dataset in (("indestructible_zoneroot", root), ("indestructible_delegated", f"{root}/data")):
        if key in asked:
            changed = _guard(pool, dataset, wanted=bool(asked[key])) or changed
    return changed


def _guard(pool: Pool, dataset: str, *, wanted: bool) -> bool:
    snapshot = pool.snapshot_of(dataset, "indestructible")
    if wanted and snapshot is None and pool.dataset(dataset) is not None:
        pool.add_snapshots([(dataset, "indestructible")])
        fresh = pool.snapshot_of(dataset, "indestructible")
        if fresh is not None:
            fresh.holds["do_not_destroy"] = fresh.creation
            pool.set_holds(fresh)
        return True
    if not wanted and snapshot is not None:
        pool.remove_snapshot(dataset, "indestructible")
        return True
    return False


VERBS = {"create": _create}
