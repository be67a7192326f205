"""Whether a payload makes sense: in itself, with the VM as it is, and with the rest of the host."""

from __future__ import annotations

from chunter_nsq.smartos.simulator.payload.check_disks import COMPRESSIONS, check_disks, valid_record
from chunter_nsq.smartos.simulator.payload.check_nics import NicCheck
from chunter_nsq.smartos.simulator.payload.check_routes import check_routes
from chunter_nsq.smartos.simulator.payload.javascript import UNDEFINED, member, text, to_number
from chunter_nsq.smartos.simulator.payload.refusal import Rejected
from chunter_nsq.smartos.simulator.payload.table import BRANDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from chunter_nsq.smartos.simulator.payload.surroundings import Surroundings

LISTS = [
    f"{verb}_{name}" for name in ("nics", "disks", "filesystems", "pci_devices") for verb in ("add", "update", "remove")
]
VGAS = ("cirrus", "std", "vmware", "qxl", "xenfb")
LEAST_SWAP_MIB = 256
LONGEST_PASSWORD = 8
DEFAULT_RECORD = 131072


def check_payload(payload: dict[str, Any], vm: dict[str, Any] | None, brand: str, around: Surroundings) -> None:
    """Refuse what cannot be; small corrections are made in place.

    Raises:
        Rejected: with vmadm's words.
        Crash: its program would die.
    """
    for name in LISTS:
        if name in payload and not isinstance(payload[name], list):
            raise Rejected(f"{name} must be an array.")
    if vm is None:
        _check_new_memory(payload)
    else:
        _check_state(payload, vm)
        if BRANDS[brand].get("least_overhead_mib"):
            _check_memory(payload, vm)
    check_disks(payload, vm, brand)
    nics = NicCheck(vm)
    nics.check(payload, brand)
    if "vga" in payload and payload["vga"] not in VGAS:
        raise Rejected(f'Invalid VGA type: "{text(payload["vga"])}", supported types are: {",".join(VGAS)}')
    check_routes(payload, vm, nics.ordered)
    _check_rest(payload)
    port = payload.get("vnc_port")
    nics.check_conflicts(around, port if port is not None and to_number(port) > 0 else None)


def _check_new_memory(payload: dict[str, Any]) -> None:
    physical = to_number(payload["max_physical_memory"])
    if to_number(payload["max_locked_memory"]) > physical:
        raise Rejected("max_locked_memory must be <= max_physical_memory")
    if to_number(payload["max_swap"]) < physical:
        raise Rejected("max_swap must be >= max_physical_memory")


def _check_state(payload: dict[str, Any], vm: dict[str, Any]) -> None:
    at_rest = vm["state"] == "stopped" or (vm["state"] == "provisioning" and vm["zone_state"] == "installed")
    now = f"currently: {vm['state']} ({vm['zone_state']})"
    if ("add_disks" in payload or "remove_disks" in payload) and not at_rest:
        raise Rejected(f'updates to disks are only allowed when state is "stopped", {now}')
    live = {"compression", "path", "refreservation"}
    if not at_rest and any(set(disk) - live for disk in payload.get("update_disks", ())):
        raise Rejected(f'at least one specified update to disks is only allowed when state is "stopped", {now}')
    if vm["state"] != "stopped" and any(f"{verb}_pci_devices" in payload for verb in ("add", "update", "remove")):
        raise Rejected(f'updates to pci_devices are only allowed when state is "stopped", {now}')


def _check_memory(payload: dict[str, Any], vm: dict[str, Any]) -> None:
    ram = payload.get("ram", vm.get("ram", UNDEFINED))
    for name in ("max_physical_memory", "max_locked_memory", "max_swap"):
        if name in payload and to_number(payload[name]) < to_number(ram):
            raise Rejected(f"vm.{name} ({text(payload[name])}) cannot be lower than vm.ram ({text(ram)})")
    if "max_swap" in payload and to_number(payload["max_swap"]) < LEAST_SWAP_MIB:
        raise Rejected(f"vm.max_swap ({text(payload['max_swap'])}) cannot be lower than {LEAST_SWAP_MIB}MiB")


def _check_rest(payload: dict[str, Any]) -> None:
    _check_password(payload)
    _check_records(payload)
    for name in ("zfs_root_compression", "zfs_data_compression"):
        if name in payload and payload[name] not in COMPRESSIONS:
            known = ", ".join(COMPRESSIONS)
            raise Rejected(f"invalid compression type for {text(payload[name])}, must be one of: {known}", twice=True)
    for name in ("zfs_filesystem_limit", "zfs_snapshot_limit"):
        if name in payload:
            if payload[name] is UNDEFINED:
                payload[name] = "none"
            elif not to_number(payload[name]) >= 0:
                shown = text(payload[name])
                raise Rejected(f"invalid {name} ({shown}), must be a number >= 0 (or '' to disable)")


def _check_password(payload: dict[str, Any]) -> None:
    if "vnc_password" in payload and to_number(member(payload["vnc_password"], "length")) > LONGEST_PASSWORD:
        raise Rejected("VNC password is too long, maximum length is 8 characters.")


def _check_records(payload: dict[str, Any]) -> None:
    for name in ("zfs_root_recsize", "zfs_data_recsize"):
        if name not in payload:
            continue
        if payload[name] in (0, "") and payload[name] is not False:
            payload[name] = DEFAULT_RECORD
        elif not valid_record(payload[name]):
            shown = text(payload[name])
            raise Rejected(f"invalid {name} ({shown}), must be 512-131072 and a power of 2. (0 to disable)")
