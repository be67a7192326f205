"""A payload as vmadm works with it: types put right, defaults filled in, what does not belong dropped."""

from __future__ import annotations

import math

from chunter_nsq.smartos.simulator.payload.check import check_payload
from chunter_nsq.smartos.simulator.payload.defaults import apply_defaults
from chunter_nsq.smartos.simulator.payload.disks import normalise_disks
from chunter_nsq.smartos.simulator.payload.javascript import UNDEFINED, Crash, drop, is_number, items, to_number, truthy
from chunter_nsq.smartos.simulator.payload.memory import fix_memory
from chunter_nsq.smartos.simulator.payload.nics import normalise_added, upgrade_added, upgrade_updated
from chunter_nsq.smartos.simulator.payload.refusal import Rejected
from chunter_nsq.smartos.simulator.payload.table import BRANDS, PROPERTIES, allowed
from chunter_nsq.smartos.simulator.payload.validate import validate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from chunter_nsq.smartos.simulator.payload.surroundings import Surroundings

COMPOUND = ("disks", "nics", "filesystems", "pci_devices")


def normalise(
    payload: dict[str, Any], vm: dict[str, Any] | None, around: Surroundings, dropped: list[str]
) -> dict[str, Any]:
    """The payload, changed in place and returned; nics, disks and the like appear as ``add_nics`` ...

    Args:
        payload: create's when ``vm`` is None, else update's.
        vm: the VM as it is.
        around: the host.
        dropped: takes the names that do not belong and were left out.

    Raises:
        Rejected: with vmadm's words.
        Crash: its program would die.
    """
    _fix_types(payload)
    if payload.get("quota") is UNDEFINED:
        payload["quota"] = 0
    if vm is None:
        apply_defaults(payload)
        if "create_only" in payload:
            raise Crash("Cannot read properties of undefined (reading 'transition')")
    else:
        fix_memory(payload, vm, vm["brand"])
    brand = vm["brand"] if vm is not None else payload["brand"]
    action = "create" if vm is None else "update"
    _old_image(payload, brand)
    if truthy(payload.get("docker")):
        _docker(payload, vm, brand, around)
    _drop(payload, validate(payload, action, brand, around), dropped)
    if payload.get("zonename", UNDEFINED) is UNDEFINED:
        payload["zonename"] = payload.get("uuid", UNDEFINED)
    _rename(payload)
    _data_properties(payload, vm or {})
    _upgrade(payload, vm, brand, around)
    _booleans(payload)
    if "zfs_storage_pool_name" in payload and "zpool" not in payload:
        payload["zpool"] = payload.pop("zfs_storage_pool_name")
    if action == "create" and "image_uuid" not in payload:
        for name in ("spice_opts", "spice_password", "spice_port"):
            payload.pop(name, None)
    check_payload(payload, vm, brand, around)
    return payload


def _upgrade(payload: dict[str, Any], vm: dict[str, Any] | None, brand: str, around: Surroundings) -> None:
    """Disks and nics in the forms that are stored."""
    normalise_added(payload.get("add_nics"))
    if "add_disks" in payload:
        normalise_disks(payload["add_disks"], vm, brand, around)
    if "add_nics" in payload:
        upgrade_added(payload["add_nics"])
    for nic in payload.get("update_nics", ()):
        upgrade_updated(nic, vm or {})


def _fix_types(payload: dict[str, Any]) -> None:
    for name, value in payload.items():
        kind = PROPERTIES[name].type if name in PROPERTIES else ""
        if kind == "integer":
            if value is None or value == "":
                payload[name] = UNDEFINED
                continue
            number = to_number(value)
            if math.isnan(number):
                raise Rejected(f"Invalid value for {name}: null:number")
            payload[name] = number
        elif kind == "list" and isinstance(value, str):
            payload[name] = [part for part in value.split(",") if part]


def _old_image(payload: dict[str, Any], brand: str) -> None:
    given = [name for name in ("dataset_uuid", "zone_dataset_uuid") if name in payload]
    if "image_uuid" not in payload and any(allowed(name, brand) for name in given):
        payload["image_uuid"] = payload[given[0]]
        payload.pop("dataset_uuid", None)


def _docker(payload: dict[str, Any], vm: dict[str, Any] | None, brand: str, around: Surroundings) -> None:
    known = vm or {}
    if "docker" not in known.get("internal_metadata_namespaces", ()):
        if "internal_metadata_namespaces" not in payload:
            payload["internal_metadata_namespaces"] = ["docker"]
        elif "docker" not in payload["internal_metadata_namespaces"]:
            payload["internal_metadata_namespaces"].append("docker")
    if known.get("restart_init") is not False and payload.get("restart_init") is not False:
        payload["restart_init"] = False
    init = BRANDS[brand].get("dockerinit")
    if init and not truthy(known.get("init_name")) and not truthy(payload.get("init_name")):
        payload["init_name"] = init
    key = "internal_metadata" if vm is None else "set_internal_metadata"
    if (known.get("internal_metadata") or {}).get("docker:id"):
        return
    uuid = known.get("uuid") or payload["uuid"]
    identity = (uuid + around.fresh_uuid()).replace("-", "")
    if not truthy(payload.get(key)):
        payload[key] = {"docker:id": identity}
    elif isinstance(payload[key], dict) and not truthy(payload[key].get("docker:id")):
        payload[key]["docker:id"] = identity


def _drop(payload: dict[str, Any], errors: dict[str, Any] | None, dropped: list[str]) -> None:
    if errors is None:
        return
    if errors["bad_values"]:
        raise Rejected(f"Invalid value(s) for: {','.join(errors['bad_values'])}")
    if errors["missing_properties"]:
        raise Rejected(f"Missing required properties: {','.join(errors['missing_properties'])}")
    for name in errors["bad_properties"]:
        if name:
            dropped.append(name)
        compound, star, member = name.partition(".*.")
        if star and compound in COMPOUND:
            lists = [items(payload.get(prefix + compound)) for prefix in ("", "add_", "update_")]
            for one in (one for found in lists for _, one in found):
                drop(one, member)
        payload.pop(name, None)


def _rename(payload: dict[str, Any]) -> None:
    for name in ("disks", "nics", "filesystems", "pci_devices"):
        if name in payload:
            if f"add_{name}" in payload:
                raise Rejected(f'Cannot specify both "{name}" and "add_{name}"')
            payload[f"add_{name}"] = payload.pop(name)


def _data_properties(payload: dict[str, Any], vm: dict[str, Any]) -> None:
    for name, default in (("compression", "off"), ("recsize", 131072)):
        if f"zfs_root_{name}" in payload and f"zfs_data_{name}" not in payload:
            payload[f"zfs_data_{name}"] = vm.get(f"zfs_data_{name}", default)


def _booleans(payload: dict[str, Any]) -> None:
    for name, value in payload.items():
        if name not in PROPERTIES or PROPERTIES[name].type != "boolean" or isinstance(value, bool):
            continue
        if value in ("true", "1") or (is_number(value) and value == 1):
            payload[name] = True
        elif value in ("false", "0") or (is_number(value) and value == 0):
            payload[name] = False
