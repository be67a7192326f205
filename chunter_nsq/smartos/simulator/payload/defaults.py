"""What vmadm fills into a create payload that does not say."""

from __future__ import annotations

import ipaddress
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NOBODY = "00000000-0000-0000-0000-000000000000"
HVM = ("kvm", "bhyve")
HVM_PRIVILEGES = "default,-file_link_any,-net_access,-proc_fork,-proc_info,-proc_session"
OVERHEAD_MIB = {"kvm": 1024, "bhyve": 1280}


def fill(payload: dict[str, Any]) -> dict[str, Any]:
    """The payload with every default in place."""
    vm = dict(payload)
    brand = vm.setdefault("brand", "joyent")
    vm.setdefault("owner_uuid", NOBODY)
    vm.setdefault("autoboot", True)
    vm.setdefault("zpool", "zones")
    if brand not in HVM:
        vm.setdefault("dns_domain", "local")
    vm["cpu_shares"] = min(int(vm.get("cpu_shares", 100)), 65535)
    vm.setdefault("zfs_io_priority", 100)
    vm.setdefault("max_lwps", 2000)
    _memory(vm, brand)
    for name in ("max_msg_ids", "max_sem_ids", "max_shm_ids"):
        vm.setdefault(name, 4096)
    if brand in HVM:
        vm.setdefault("vcpus", 1)
    vm.setdefault("limit_priv", HVM_PRIVILEGES if brand in HVM else "default")
    vm.setdefault("quota", 1 if brand == "bhyve" else 10)
    vm.setdefault("billing_id", NOBODY)
    if brand == "bhyve":
        vm.setdefault("com1", "/dev/zconsole")
        vm.setdefault("com2", "socket,/tmp/vm.ttyb")
    if brand in HVM:
        vm.setdefault("zlog_mode", "g--")
        vm.setdefault("zlog_name", "platform.log")
    return vm


def _memory(vm: dict[str, Any], brand: str) -> None:
    if brand in HVM:
        vm.setdefault("ram", 256)
        vm.setdefault("max_physical_memory", vm["ram"] + OVERHEAD_MIB[brand])
    else:
        vm.setdefault("max_physical_memory", vm.get("ram", 256))
        vm.pop("ram", None)
    physical = vm["max_physical_memory"]
    vm.setdefault("max_locked_memory", physical)
    vm.setdefault("max_swap", max(physical, 256))
    vm.setdefault("max_shm_memory", physical)
    if brand not in HVM:
        vm.setdefault("tmpfs", physical)


def random_mac() -> str:
    """A locally administered address as vmadm makes them."""
    octets = bytearray(os.urandom(6))
    octets[0] = (octets[0] & 0xF0) | 0x02
    return ":".join(f"{octet:02x}" for octet in octets)


def finish_nic(nic: dict[str, Any]) -> dict[str, Any]:
    """Old and new forms of addresses and gateways beside each other, as they are stored."""
    nic = dict(nic)
    if "ips" in nic and "ip" not in nic:
        first = str(nic["ips"][0])
        nic["ip"] = first.partition("/")[0]
    if "ip" in nic and "ips" not in nic:
        nic["ips"] = [nic["ip"] if nic["ip"] in ("dhcp", "addrconf") else f"{nic['ip']}/{_bits(nic)}"]
    if "ips" in nic and "netmask" not in nic and "/" in str(nic["ips"][0]) and ":" not in str(nic["ips"][0]):
        nic["netmask"] = str(ipaddress.ip_interface(nic["ips"][0]).netmask)
    if "gateways" in nic and nic["gateways"] and "gateway" not in nic:
        nic["gateway"] = nic["gateways"][0]
    if "gateway" in nic and "gateways" not in nic:
        nic["gateways"] = [nic["gateway"]]
    return nic


def _bits(nic: dict[str, Any]) -> int:
    mask = nic.get("netmask", "255.255.255.0")
    return sum(int(part).bit_count() for part in str(mask).split("."))
