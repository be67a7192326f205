"""vmadm update: properties, nics, disks, file systems and metadata of a VM that is there."""

from __future__ import annotations

import json

from chunter_nsq.smartos.simulator import zonedoc
from chunter_nsq.smartos.simulator.commands.vmadm import USAGE, take_uuid
from chunter_nsq.smartos.simulator.commands.vmadm_create import add_volume, read_payload
from chunter_nsq.smartos.simulator.files import write_bytes
from chunter_nsq.smartos.simulator.machine import Machines, config_path
from chunter_nsq.smartos.simulator.payload.defaults import HVM, finish_nic, random_mac
from chunter_nsq.smartos.simulator.pool import Pool
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.vmedit import document, save
from chunter_nsq.smartos.simulator.world import World
from chunter_nsq.smartos.simulator.xmltree import render

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process
    from chunter_nsq.smartos.simulator.xmltree import Element

    VM = dict[str, Any]

GIB, MIB = 2**30, 2**20
FIXED = frozenset({"uuid", "zonename", "brand", "zpool", "image_uuid", "delegate_dataset", "zonepath"})
HASHES = ("tags", "customer_metadata", "internal_metadata", "routes")
POOL_KEYS = {
    "quota": "quota", "zfs_root_compression": "compression", "zfs_root_recsize": "recordsize",
    "zfs_filesystem_limit": "filesystem_limit", "zfs_snapshot_limit": "snapshot_limit",
}  # fmt: skip


def _update(process: Process, _pace: Pace, words: list[str]) -> int:
    uuid = take_uuid("update", words)
    world = World(process.root)
    pairs = [word for word in words if "=" in word and not word.startswith("-")]
    if pairs:
        payload: Any = dict(_pair(word) for word in pairs)
    elif "-f" not in words and process.stdin_is_terminal():
        raise Refused(f"Will not update from stdin when stdin is a tty.\n{USAGE}", 2)
    else:
        payload = read_payload(process, words)
    if Machines(world).get(uuid) is None:
        raise Refused(f"VM {uuid} not found")
    with world.config_lock(uuid):
        vm = Machines(world).get(uuid)
        if vm is None:
            raise Refused(f"VM {uuid} not found")
        apply(world, vm, payload)
    process.err(f"Successfully updated VM {uuid}")
    return 0


def _pair(word: str) -> tuple[str, Any]:
    key, _, value = word.partition("=")
    if value in ("true", "false"):
        return key, value == "true"
    return key, int(value) if value.lstrip("-").isdigit() and key not in ("alias", "hostname") else value


def apply(world: World, vm: VM, payload: VM) -> None:
    """Make the VM what the payload says."""
    payload = {key: value for key, value in payload.items() if key not in FIXED}
    root = document(world, vm["zonename"])
    before = render(root)
    _nics(root, vm, payload)
    _disks(world, root, vm, payload)
    _filesystems(root, payload)
    for key, value in payload.items():
        zonedoc.set_property(root, key, value)
    changed = _hashes(world, vm, payload)
    changed = _pool(world, vm, payload) or changed
    if render(root) != before:
        save(world, vm["zonename"], root)
    elif changed:
        world.touched(vm["zonename"])


def _nics(root: Element, vm: VM, payload: VM) -> None:
    nics = {nic["mac"]: nic for nic in vm["nics"]}
    for mac in payload.pop("remove_nics", None) or []:
        zonedoc.drop(root, "network", "mac-addr", mac)
        nics.pop(mac, None)
    for change in payload.pop("update_nics", None) or []:
        old = nics.get(change.get("mac"))
        if old is None:
            raise Refused(f"AssertionError: nic {change.get('mac')} not found", 134)
        if "ip" in change or "ips" in change:
            old = {key: value for key, value in old.items() if key not in ("ip", "ips", "netmask")}
        if "gateway" in change or "gateways" in change:
            old = {key: value for key, value in old.items() if key not in ("gateway", "gateways")}
        fresh = finish_nic(old | change)
        nics[fresh["mac"]] = fresh
        zonedoc.replace(root, "network", "mac-addr", fresh["mac"], zonedoc.network_element(fresh))
    for given in payload.pop("add_nics", None) or []:
        nic = finish_nic(given)
        used = {one.get("interface") for one in nics.values()}
        prefix = "eth" if vm["brand"] == "lx" else "net"
        free = next(f"{prefix}{at}" for at in range(len(used) + 1) if f"{prefix}{at}" not in used)
        nic.setdefault("interface", free)
        nic.setdefault("mac", random_mac())
        if not nics:
            nic.setdefault("primary", True)
        if vm["brand"] in HVM:
            nic.setdefault("model", vm.get("nic_driver", "virtio"))
        nics[nic["mac"]] = nic
        root.children.append(zonedoc.network_element(nic))


def _disks(world: World, root: Element, vm: VM, payload: VM) -> None:
    wanted = [payload.pop(key, None) or [] for key in ("remove_disks", "update_disks", "add_disks")]
    removed, updated, added = wanted
    structural = removed or added or any(set(one) - {"path", "compression", "refreservation"} for one in updated)
    if structural and vm["state"] != "stopped":
        raise Refused(
            f'updates to disks are only allowed when state is "stopped", currently: {vm["state"]} ({vm["zone_state"]})'
        )
    disks = {disk["path"]: disk for disk in vm.get("disks", ())}
    pool = Pool(world.root)
    with pool:
        for path in removed:
            zonedoc.drop(root, "device", "match", path)
            disks.pop(path, None)
            for one in pool.datasets(path.removeprefix("/dev/zvol/rdsk/")):
                pool.remove(one.name)
        for change in updated:
            disk = disks.get(change["path"], {}) | change
            _resize(pool, disks.get(change["path"], {}), change)
            zonedoc.replace(root, "device", "match", change["path"], zonedoc.device_element(disk))
        for disk in added:
            separator = "-" if vm["brand"] == "kvm" else "/"
            stem = f"/dev/zvol/rdsk/{vm['zpool']}/{vm['zonename']}{separator}disk"
            free = next(f"{stem}{at}" for at in range(len(disks) + 1) if f"{stem}{at}" not in disks)
            disk.setdefault("path", free)
            disk.setdefault("media", "disk")
            disk.setdefault("model", vm.get("disk_driver", "virtio"))
            disks[disk["path"]] = disk
            root.children.append(zonedoc.device_element(disk))
            if not disk.get("nocreate") and disk["media"] == "disk":
                add_volume(pool, vm["zpool"], disk)
    pool.close()


def _resize(pool: Pool, disk: VM, change: VM) -> None:
    name = change["path"].removeprefix("/dev/zvol/rdsk/")
    local: dict[str, str | None] = {}
    if "size" in change:
        if change["size"] < disk.get("size", 0) and not change.get("dangerous_allow_shrink"):
            raise Refused(
                "cannot resize disk: new size must be greater than current size. "
                f"({disk.get('size')} > {change['size']})"
            )
        local |= {"volsize": str(change["size"] * MIB), "refreservation": str(change["size"] * MIB * 33 // 32)}
    if "compression" in change:
        local["compression"] = str(change["compression"])
    if "refreservation" in change:
        local["refreservation"] = str(int(change["refreservation"]) * MIB)
    pool.set_local(name, local)


def _filesystems(root: Element, payload: VM) -> None:
    for target in payload.pop("remove_filesystems", None) or []:
        zonedoc.drop(root, "filesystem", "directory", target)
    for one in payload.pop("update_filesystems", None) or []:
        zonedoc.replace(root, "filesystem", "directory", one["target"], zonedoc.filesystem_element(one))
    root.children += [zonedoc.filesystem_element(one) for one in payload.pop("add_filesystems", None) or []]


def _hashes(world: World, vm: VM, payload: VM) -> bool:
    values = {name: dict(vm[name]) for name in HASHES}
    for name in HASHES:
        values[name].update(payload.get(f"set_{name}") or {})
        for key in payload.get(f"remove_{name}") or []:
            values[name].pop(key, None)
    if all(values[name] == vm[name] for name in HASHES):
        return False
    metadata = {name: values[name] for name in ("customer_metadata", "internal_metadata")}
    for file, value in (("metadata", metadata), ("tags", values["tags"]), ("routes", values["routes"])):
        write_bytes(config_path(world, vm["zonepath"], file), json.dumps(value, indent=2).encode())
    return True


def _pool(world: World, vm: VM, payload: VM) -> bool:
    name = vm.get("zfs_filesystem")
    if name is None:
        return False
    local: dict[str, str | None] = {}
    for key, prop in POOL_KEYS.items():
        if key in payload:
            value = payload[key]
            gone = value in (None, "", 0) and key != "quota"
            local[prop] = None if gone else str(int(value or 0) * GIB) if key == "quota" else str(value)
    if "quota" in local and vm["brand"] == "bhyve":
        local["refquota"] = local["quota"]
    pool = Pool(world.root)
    changed = bool(local)
    with pool:
        if local:
            pool.set_local(name, local)
        for key, dataset in (("indestructible_zoneroot", name), ("indestructible_delegated", f"{name}/data")):
            if key in payload:
                changed = _guard(pool, dataset, wanted=bool(payload[key])) or changed
    pool.close()
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


VERBS = {"update": _update}
