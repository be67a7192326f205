"""A VM as the host has it -> FiFo's configuration of it.

Both functions take any JSON object whatever: what makes no sense in it is left out, nothing is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from chunter_nsq.fifo import metadata, sizing
from chunter_nsq.fifo.brands import HARDWARE_BRANDS, NIL_UUID, fifo_type, zone_type

_KEPT = (
    "state",
    "alias",
    "quota",
    "cpu_cap",
    "routes",
    "zfs_io_priority",
    "disk_driver",
    "vcpus",
    "nic_driver",
    "hostname",
    "autoboot",
    "created_at",
    "dns_domain",
    "resolvers",
    "ram",
    "uuid",
    "maintain_resolvers",
    "cpu_shares",
    "max_swap",
    "kernel_version",
    "indestructible_zoneroot",
    "indestructible_delegated",
    "boot_timestamp",
    "datasets",
)
_RENAMED = {"package_name": "package", "nics": "networks", "zonepath": "zonepath", "disks": "disks"}

VM = Mapping[str, Any]


def from_vmadm(vm: VM, zone_root: tuple[int, int] | None = None) -> dict[str, Any]:
    """FiFo's configuration of a VM as ``vmadm get`` prints it: memory in MiB, ``create_timestamp``.

    ``zone_root`` is what the zone's file system uses and has left, bytes; None keeps the quota that vmadm tells.
    """
    memory_mib, created = vm.get("max_physical_memory"), vm.get("create_timestamp")
    view = {key: value for key, value in vm.items() if key != "max_physical_memory"}
    if "ram" not in view and sizing.is_number(memory_mib):
        view["ram"] = memory_mib
    if "created_at" not in view and created is not None:
        view["created_at"] = created
    return to_fifo(view, zone_root)


def to_fifo(vm: VM, zone_root: tuple[int, int] | None = None) -> dict[str, Any]:
    """FiFo's configuration of a VM as its zone configuration has it: ``max_physical_memory`` in bytes.

    The result has ``ram`` in MiB and ``quota`` in GiB. Passwords and other internal metadata never appear in it;
    only ``note`` and ``network_map`` do.
    """
    config = {key: vm[key] for key in _KEPT if key in vm}
    config |= {theirs: vm[ours] for ours, theirs in _RENAMED.items() if ours in vm}
    config |= _kind(vm) | _image(vm) | _memory(vm) | _quota(vm, zone_root)
    if vm.get("owner_uuid") not in (None, NIL_UUID):
        config["owner"] = vm["owner_uuid"]
    return deepcopy(config | metadata.published(vm))


def _kind(vm: VM) -> dict[str, str]:
    brand, kind = vm.get("brand"), {}
    if isinstance(brand, str):
        kind["type"] = fifo_type(brand)
    zone = zone_type(brand, vm.get("docker"))
    if zone is not None:
        kind["zone_type"] = zone
    return kind


def _image(vm: VM) -> dict[str, Any]:
    """The dataset: a zone's own image wins over a disk's, and that over the old ``dataset_uuid``."""
    candidates = [vm.get("dataset_uuid"), *(disk.get("image_uuid") for disk in _disks(vm) or ()), vm.get("image_uuid")]
    named = [candidate for candidate in candidates if candidate is not None]
    return {"dataset": named[-1]} if named else {}


def _memory(vm: VM) -> dict[str, int]:
    memory_bytes = vm.get("max_physical_memory")
    if "ram" in vm or not sizing.is_number(memory_bytes):
        return {}
    return {"ram": sizing.quotient(memory_bytes, sizing.BYTES_PER_MIB)}


def _quota(vm: VM, zone_root: tuple[int, int] | None) -> dict[str, int]:
    """The quota in GiB: a hardware VM's is that of its disks, for its zone root holds only logs."""
    disks, is_zone = _disks(vm), vm.get("brand") not in HARDWARE_BRANDS
    if zone_root is not None and "zonepath" in vm and (disks is None or is_zone):
        return {"quota": sizing.quotient(sum(zone_root), sizing.BYTES_PER_GIB)}
    if disks is None or (is_zone and not disks and "quota" in vm):
        return {}
    sizes = (disk.get("size") for disk in disks)
    return {"quota": sum(sizing.quotient(size, sizing.MIB_PER_GIB) for size in sizes if sizing.is_number(size))}


def _disks(vm: VM) -> Sequence[VM] | None:
    disks = vm.get("disks")
    if not isinstance(disks, list | tuple):
        return None
    return [disk for disk in disks if isinstance(disk, Mapping)]
