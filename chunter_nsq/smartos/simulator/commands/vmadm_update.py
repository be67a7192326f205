"""vmadm update: properties, nics, disks, file systems and metadata of a VM that is there."""

from __future__ import annotations

import json

from chunter_nsq.smartos.simulator import zonedoc
from chunter_nsq.smartos.simulator.commands.vmadm import USAGE, take_uuid
from chunter_nsq.smartos.simulator.commands.vmadm_create import add_volume, guard_as_asked, read_payload
from chunter_nsq.smartos.simulator.files import write_bytes
from chunter_nsq.smartos.simulator.machine import Machines, config_path
from chunter_nsq.smartos.simulator.payload.javascript import UNDEFINED, items, text, to_number
from chunter_nsq.smartos.simulator.payload.prepare import place_disks, place_nics, prepare_update, stored_nic
from chunter_nsq.smartos.simulator.pool import Pool
from chunter_nsq.smartos.simulator.pools import open_pool
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
DATA_KEYS = {"zfs_data_compression": "compression", "zfs_data_recsize": "recordsize"}


def _update(process: Process, _pace: Pace, words: list[str]) -> int:
    uuid = take_uuid("update", words)
    world = World(process.root)
    pairs = [word for word in words if "=" in word and not word.startswith("-")]
    if pairs:
        payload: Any = dict(word.split("=", 1) for word in pairs)
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


def apply(world: World, vm: VM, given: VM) -> None:
    """Make the VM what the payload says."""
    payload = prepare_update(given, vm, world.root)
    root = document(world, vm["zonename"])
    before = render(root)
    _nics(root, vm, payload)
    _disks(world, root, vm, payload)
    _filesystems(root, payload)
    _pci_devices(root, vm, payload)
    for key, value in payload.items():
        if key not in FIXED:
            zonedoc.set_property(root, key, None if value is UNDEFINED else value)
    changed = _hashes(world, vm, payload)
    changed = _pool(world, vm, payload) or changed
    if render(root) != before:
        save(world, vm["zonename"], root)
    elif changed:
        world.touched(vm["zonename"])


def _nics(root: Element, vm: VM, payload: VM) -> None:
    nics = {nic["mac"]: nic for nic in vm["nics"]}
    added = [stored_nic(nic) for nic in payload.pop("add_nics", ())]
    updated = [change for change in payload.pop("update_nics", ()) if change.get("mac") in nics]
    removed = [mac for _, mac in items(payload.pop("remove_nics", None))]
    if any(nic.get("primary") for nic in [*added, *updated]):
        for nic in nics.values():
            nic.pop("primary", None)
    for change in updated:
        nics[change["mac"]] = stored_nic(_merged(nics[change["mac"]], change))
    for mac in removed:
        nics.pop(mac, None)
    place_nics(added, vm["brand"], {str(nic.get("interface")) for nic in nics.values()})
    nics |= {nic["mac"]: nic for nic in added}
    if nics and not any(nic.get("primary") for nic in nics.values()) and (removed or not vm["nics"]):
        next(iter(nics.values()))["primary"] = True
    if added or updated or removed:
        root.children = [child for child in root.children if child.tag != "network"]
        root.children += [zonedoc.network_element(nic) for nic in nics.values()]


def _merged(nic: VM, change: VM) -> VM:
    if "ips" in change:
        nic = {key: value for key, value in nic.items() if key not in ("ip", "netmask")}
    if "gateways" in change:
        nic = {key: value for key, value in nic.items() if key != "gateway"}
    return nic | change


def _disks(world: World, root: Element, vm: VM, payload: VM) -> None:
    added, updated = payload.pop("add_disks", ()), payload.pop("update_disks", ())
    removed = [path for _, path in items(payload.pop("remove_disks", None))]
    disks = {disk["path"]: disk for disk in vm.get("disks", ())}
    pool = open_pool(world.root)
    with pool:
        for path in removed:
            zonedoc.drop(root, "device", "match", path)
            disks.pop(path, None)
            for one in pool.datasets(path.removeprefix("/dev/zvol/rdsk/")):
                pool.remove(one.name)
        for change in updated:
            old = disks.get(change.get("path"))
            if old is not None:
                _resize(pool, old, change)
                zonedoc.replace(root, "device", "match", old["path"], zonedoc.device_element(old | change))
        place_disks(added, vm, set(disks))
        for disk in added:
            root.children.append(zonedoc.device_element(disk))
            if not disk.get("nocreate") and disk.get("media", "disk") == "disk":
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
    for _, target in items(payload.pop("remove_filesystems", None)):
        zonedoc.drop(root, "filesystem", "directory", target)
    for one in payload.pop("update_filesystems", None) or []:
        zonedoc.replace(root, "filesystem", "directory", one["target"], zonedoc.filesystem_element(one))
    root.children += [zonedoc.filesystem_element(one) for one in payload.pop("add_filesystems", None) or []]


def _pci_devices(root: Element, vm: VM, payload: VM) -> None:
    devices = {device["path"]: device for device in vm.get("pci_devices", ())}
    for _, path in items(payload.pop("remove_pci_devices", None)):
        zonedoc.drop(root, "device", "match", path)
    for change in payload.pop("update_pci_devices", None) or []:
        old = devices.get(change.get("path"))
        if old is not None:
            zonedoc.replace(root, "device", "match", old["path"], zonedoc.pci_element(old | change))
    root.children += [zonedoc.pci_element(one) for one in payload.pop("add_pci_devices", None) or []]


def _hashes(world: World, vm: VM, payload: VM) -> bool:
    values = {name: dict(vm[name]) for name in HASHES}
    for name in HASHES:
        values[name].update(items(payload.get(f"set_{name}")))
        for _, key in items(payload.get(f"remove_{name}")):
            values[name].pop(text(key), None)
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
    local = _local(payload, POOL_KEYS)
    if "quota" in local and vm["brand"] == "bhyve":
        local["refquota"] = local["quota"]
    delegated = _local(payload, DATA_KEYS) if f"{name}/data" in vm.get("datasets", ()) else {}
    pool = open_pool(world.root)
    with pool:
        for dataset, values in ((name, local), (f"{name}/data", delegated)):
            if values:
                pool.set_local(dataset, values)
        changed = guard_as_asked(pool, name, payload) or bool(local or delegated)
    pool.close()
    return changed


def _local(payload: VM, keys: dict[str, str]) -> dict[str, str | None]:
    """What a payload sets on a dataset; None for what goes back to its default."""
    found: dict[str, str | None] = {}
    for key, prop in keys.items():
        if key in payload:
            value = payload[key]
            gone = value is UNDEFINED or (value in (None, "", 0, "none") and key != "quota")
            found[prop] = None if gone else str(int(to_number(value)) * GIB) if key == "quota" else str(value)
    return found


VERBS = {"update": _update}
