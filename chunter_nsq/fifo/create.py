"""Package, dataset and configuration -> the payload of ``vmadm create``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from chunter_nsq.errors import Unsupported
from chunter_nsq.fifo import metadata
from chunter_nsq.fifo.brands import HARDWARE_BRANDS, NIL_UUID
from chunter_nsq.fifo.docker import container
from chunter_nsq.fifo.facts import HostFacts
from chunter_nsq.fifo.inspection import Inspection
from chunter_nsq.fifo.package import Package, read

DATASET_TYPES = ("zone", "kvm", "bhyve", "jail")

_OF_EVERY_VM = ("uuid", "alias", "hostname", "routes", "resolvers", "autoboot", "indestructible_zoneroot")
_OF_ZONES = ("delegate_dataset", "indestructible_delegated", "maintain_resolvers")
_DRIVERS = ("nic_driver", "disk_driver")
_TRUE_TO_VMADM = (True, "1", "true")

Form = Mapping[str, Any]


def to_vmadm(package: Form | None, dataset: Form | None, config: Form | None, host: HostFacts) -> dict[str, Any]:
    """The payload that creates a VM as FiFo describes it.

    Args:
        package: what the VM may use; see :func:`chunter_nsq.fifo.package.read`, ``cpu_cap`` is needed.
        dataset: ``uuid``, ``type`` and, by type, ``zone_type``, ``kernel_version``, ``image_size`` (MiB), drivers.
        config: the owner's wishes; members unknown here are left out.
        host: facts of the host the VM is made for.

    Raises:
        InvalidMessage: members are missing or of the wrong kind; ``details.faults`` has all of them.
        Unsupported: no such dataset type can be created here.
    """
    inspection = Inspection("lay out the VM")
    size = read(inspection, package, cap_needed=True)
    image = inspection.form(dataset, "dataset")
    wishes = {} if config is None else inspection.form(config, "config")
    layout = _hardware if _type(inspection, image) in HARDWARE_BRANDS else _zone
    payload = _of_every_vm(inspection, size, image, wishes, host) | layout(inspection, size, image, wishes, host)
    inspection.optional_object(wishes, "config.metadata")
    inspection.refuse()
    return payload | _metadata(payload, wishes)


def _type(inspection: Inspection, dataset: Form) -> Any:
    kind = inspection.present(dataset, "dataset.type", f"give one of {', '.join(DATASET_TYPES)}")
    if kind is None or kind in DATASET_TYPES:
        return kind
    raise Unsupported(
        f"cannot lay out the VM: dataset.type is {kind!r}; use a dataset of type {', '.join(DATASET_TYPES)}",
        {"path": "dataset.type", "value": kind},
    )


def _of_every_vm(inspection: Inspection, size: Package, image: Form, config: Form, host: HostFacts) -> dict[str, Any]:
    payload = {
        "autoboot": True,
        "resolvers": list(host.resolvers),
        "owner_uuid": NIL_UUID if config.get("owner") is None else config["owner"],
        "package_name": size.uuid,
        "cpu_cap": size.cpu_cap_percent,
        "max_swap": size.swap_mib(),
    }
    payload |= size.shares(host.total_memory_mib) | _chosen(config, _OF_EVERY_VM) | _chosen(image, _DRIVERS)
    nics = inspection.optional_objects(config, "config.nics")
    return payload if nics is None else payload | {"nics": _with_primary(nics)}


def _zone(inspection: Inspection, size: Package, image: Form, config: Form, host: HostFacts) -> dict[str, Any]:
    payload = {
        "brand": "joyent",
        "image_uuid": inspection.present(image, "dataset.uuid", "give the id of the image"),
        "max_physical_memory": size.ram_mib,
        "quota": size.quota_gib,
    }
    if size.compression is not None:
        payload |= {"zfs_root_compression": size.compression, "zfs_data_compression": size.compression}
    payload |= _chosen(config, _OF_ZONES)
    if image.get("zone_type") in ("lx", "docker"):
        payload |= _lx(inspection, image)
    if image.get("zone_type") == "docker":
        payload |= container(inspection.optional_object(config, "config.docker") or {}, host)
    return payload


def _lx(inspection: Inspection, image: Form) -> dict[str, Any]:
    remedy = "give the Linux version that the image expects, such as 3.13.0"
    return {"brand": "lx", "kernel_version": inspection.present(image, "dataset.kernel_version", remedy)}


def _hardware(inspection: Inspection, size: Package, image: Form, _: Form, host: HostFacts) -> dict[str, Any]:
    boot_disk = {
        "boot": True,
        "image_uuid": inspection.present(image, "dataset.uuid", "give the id of the image"),
        "image_size": inspection.present(image, "dataset.image_size", "give the size of the image in MiB"),
    }
    disks = {"brand": image["type"], "disks": [boot_disk, *_data_disks(size)]}
    return disks | size.guest(host.overhead_mib(image["type"]))


def _data_disks(size: Package) -> Sequence[dict[str, Any]]:
    """The disk beside the image's; none without a quota, since vmadm makes no disk without a size."""
    if not size.quota_gib:
        return ()
    properties = {"compression": size.compression, "block_size": size.block_size_bytes}
    given = {key: value for key, value in properties.items() if value is not None}
    return ({"boot": False, "size": size.disk_mib()} | given,)


def _with_primary(nics: Sequence[Form]) -> list[dict[str, Any]]:
    """The NICs, the first one primary where none is marked: vmadm wants exactly one."""
    copies = [deepcopy(dict(nic)) for nic in nics]
    if copies and not any(nic.get("primary") in _TRUE_TO_VMADM for nic in copies):
        copies[0]["primary"] = True
    return copies


def _metadata(payload: Form, config: Form) -> dict[str, Any]:
    customer = metadata.customer(config)
    internal = payload.get("internal_metadata", {}) | metadata.internal(config, "note", "network_map")
    found = {} if customer is None else {"customer_metadata": customer}
    return found | {"internal_metadata": internal} if internal else found


def _chosen(form: Form, keys: Sequence[str]) -> dict[str, Any]:
    return {key: deepcopy(form[key]) for key in keys if form.get(key) is not None}
