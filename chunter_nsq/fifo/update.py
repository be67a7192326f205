"""Configuration, and perhaps a package -> the payload of ``vmadm update``."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from chunter_nsq.errors import Unsupported
from chunter_nsq.fifo import metadata
from chunter_nsq.fifo.brands import HARDWARE_BRANDS, ZONE_BRANDS
from chunter_nsq.fifo.facts import HostFacts
from chunter_nsq.fifo.inspection import Inspection
from chunter_nsq.fifo.package import Package, read

CHANGEABLE = (
    "resolvers",
    "hostname",
    "alias",
    "remove_nics",
    "add_nics",
    "update_nics",
    "autoboot",
    "max_swap",
    "set_routes",
    "remove_routes",
    "maintain_resolvers",
    "indestructible_zoneroot",
    "indestructible_delegated",
)
_NIC_MODEL = "virtio"
_IO_SHARES_PER_CPU_SHARE = 2
_COMPRESSION = "off"

Form = Mapping[str, Any]


def create_update(vm: Form, package: Form | None, config: Form | None, host: HostFacts) -> dict[str, Any]:
    """The payload that changes a VM as FiFo asks.

    Args:
        vm: the VM as it is; its ``brand`` (joyent when absent) and ``disks`` decide what a package changes.
        package: a new package, see :func:`chunter_nsq.fifo.package.read`; None leaves the size as it is.
        config: members to change; those unknown here are left out, and a package's numbers win over them.
        host: facts of the host the VM runs on.

    Raises:
        InvalidMessage: members are missing or of the wrong kind; ``details.faults`` has all of them.
        Unsupported: a VM of this brand cannot be resized here.
    """
    inspection = Inspection("lay out the update")
    wishes = {} if config is None else inspection.form(config, "config")
    payload = _of_config(inspection, wishes)
    if package is not None:
        payload |= _of_package(inspection, vm, package, host)
    inspection.refuse()
    return payload | _metadata(wishes)


def _of_config(inspection: Inspection, config: Form) -> dict[str, Any]:
    payload = {key: deepcopy(config[key]) for key in CHANGEABLE if key in config}
    if config.get("owner") is not None:
        payload["owner_uuid"] = config["owner"]
    nics = inspection.optional_objects(config, "config.add_nics")
    if nics is not None:
        payload["add_nics"] = [{"model": _NIC_MODEL} | deepcopy(dict(nic)) for nic in nics]
    inspection.optional_object(config, "config.metadata")
    return payload


def _metadata(config: Form) -> dict[str, Any]:
    changes = {"set_customer_metadata": metadata.customer(config)}
    changes["set_internal_metadata"] = metadata.internal(config, "note") or None
    return {key: value for key, value in changes.items() if value is not None}


def _of_package(inspection: Inspection, vm: Form, package: Form, host: HostFacts) -> dict[str, Any]:
    brand = vm.get("brand", "joyent")
    if brand not in HARDWARE_BRANDS and brand not in ZONE_BRANDS:
        raise Unsupported(
            f"cannot lay out the update: a VM of brand {brand!r} takes no package; update it without one",
            {"path": "brand", "value": brand},
        )
    size = read(inspection, package, cap_needed=brand in HARDWARE_BRANDS)
    payload = size.shares(host.total_memory_mib, io_factor=_IO_SHARES_PER_CPU_SHARE)
    payload |= {"package_name": size.uuid, "max_swap": size.swap_mib()}
    if size.cpu_cap_percent is not None:
        payload["cpu_cap"] = size.cpu_cap_percent
    if brand in HARDWARE_BRANDS:
        return payload | size.guest(host.overhead_mib(brand)) | _data_disk(vm, size)
    return payload | _zone(size)


def _zone(size: Package) -> dict[str, Any]:
    compression = _COMPRESSION if size.compression is None else size.compression
    return {
        "max_physical_memory": size.ram_mib,
        "quota": size.quota_gib,
        "zfs_root_compression": compression,
        "zfs_data_compression": compression,
    }


def _data_disk(vm: Form, size: Package) -> dict[str, Any]:
    path = _path_of_data_disk(vm)
    if path is None or not size.quota_gib:
        return {}
    return {"update_disks": [{"path": path, "size": size.disk_mib()}]}


def _path_of_data_disk(vm: Form) -> str | None:
    """The first disk that is not booted from; one without ``media`` is a disk of an old VM, not a CD."""
    disks = vm.get("disks")
    for disk in disks if isinstance(disks, list | tuple) else ():
        if isinstance(disk, Mapping) and disk.get("media", "disk") == "disk" and disk.get("boot") is False:
            path = disk.get("path")
            return path if isinstance(path, str) else None
    return None
