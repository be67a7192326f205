"""What vmadm fills into a create payload that does not say."""

from __future__ import annotations

from chunter_nsq.smartos.simulator.payload.javascript import Crash, has, items, put, to_number
from chunter_nsq.smartos.simulator.payload.memory import fix_memory
from chunter_nsq.smartos.simulator.payload.table import BRANDS, allowed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NOBODY = "00000000-0000-0000-0000-000000000000"
MOST_SHARES = 65535


def apply_defaults(payload: dict[str, Any]) -> None:
    """Fill in; the order is the platform's.

    Raises:
        Crash: the brand is unknown, or a disk or nic is null.
    """
    payload.setdefault("owner_uuid", NOBODY)
    payload.setdefault("autoboot", True)
    payload.setdefault("brand", "joyent")
    payload.setdefault("zpool", "zones")
    payload.setdefault("dns_domain", "local")
    if to_number(payload.setdefault("cpu_shares", 100)) > MOST_SHARES:
        payload["cpu_shares"] = MOST_SHARES
    payload.setdefault("zfs_io_priority", 100)
    payload.setdefault("max_lwps", 2000)
    payload.setdefault("ram", 256)
    brand = payload["brand"]
    if not isinstance(brand, str) or brand not in BRANDS:
        raise Crash("Cannot read properties of undefined (reading 'features')")
    fix_memory(payload, {}, brand)
    if allowed("vcpus", brand):
        payload.setdefault("vcpus", 1)
    if BRANDS[brand].get("use_tmpfs"):
        _tmpfs(payload)
    payload.setdefault("limit_priv", list(BRANDS[brand].get("limit_priv", ("default",))))
    payload.setdefault("quota", 1 if brand == "bhyve" else 10)
    payload.setdefault("billing_id", NOBODY)
    for disk in _members(payload, "disks"):
        if not has(disk, "model") and "disk_driver" in payload:
            put(disk, "model", payload["disk_driver"])
        if not has(disk, "media"):
            put(disk, "media", "disk")
    for nic in _members(payload, "nics"):
        if not has(nic, "model") and "nic_driver" in payload:
            put(nic, "model", payload["nic_driver"])


def _tmpfs(payload: dict[str, Any]) -> None:
    physical = payload["max_physical_memory"]
    if "tmpfs" not in payload or to_number(payload["tmpfs"]) > to_number(physical):
        payload["tmpfs"] = physical


def _members(payload: dict[str, Any], name: str) -> list[Any]:
    return [one for _, one in items(payload.get(f"add_{name}", payload.get(name)))]
