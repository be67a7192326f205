"""The nics of a payload in the form that is stored: a MAC, ips with prefixes, gateways."""

from __future__ import annotations

import os

from chunter_nsq.smartos.simulator.payload.addresses import (
    AUTOMATIC,
    bits_mask,
    is_cidr4,
    is_netmask,
    mask_bits,
    vrrp_mac,
)
from chunter_nsq.smartos.simulator.payload.javascript import drop, has, put, stringify, text, truthy
from chunter_nsq.smartos.simulator.payload.refusal import Rejected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def random_mac() -> str:
    """An address as vmadm makes them up: the second digit is 2."""
    octets = [f"{os.urandom(1)[0] % 15 + 1:x}2"] + [f"{os.urandom(1)[0] % 255 + 1:02x}" for _ in range(5)]
    return ":".join(octets)


def normalise_added(nics: Any) -> None:
    """Give every new nic a MAC and the names of properties that are used inside."""
    for nic in nics if isinstance(nics, list) else ():
        if not has(nic, "mac"):
            put(nic, "mac", vrrp_mac(nic["vrrp_vrid"]) if has(nic, "vrrp_vrid") else random_mac())
        drop(nic, "index")
        if has(nic, "interface"):
            put(nic, "physical", nic["interface"])
            drop(nic, "interface")
        if has(nic, "primary"):
            if truthy(nic["primary"]):
                put(nic, "primary", True)
            else:
                drop(nic, "primary")


def upgrade_added(nics: list[dict[str, Any]]) -> None:
    """Ip and netmask become ips, gateway becomes gateways.

    Raises:
        Rejected: a mask that is none or is missing.
    """
    for nic in nics:
        upgrade(nic)
    for nic in nics:
        if not has(nic, "ips"):
            put(nic, "ips", [])


def upgrade(nic: dict[str, Any]) -> None:
    """One nic from the old form to the new."""
    if has(nic, "netmask") and not is_netmask(nic["netmask"]):
        raise Rejected(f"Specified netmask value is invalid: {text(nic['netmask'])}")
    if has(nic, "ip"):
        if "ips" not in nic:
            if nic["ip"] in AUTOMATIC:
                nic["ips"] = [nic["ip"]]
            elif "netmask" in nic:
                nic["ips"] = [f"{text(nic['ip'])}/{mask_bits(nic.pop('netmask'))}"]
            else:
                raise Rejected(f"Missing .netmask option for NIC: {stringify(nic)}")
        del nic["ip"]
    if has(nic, "gateway"):
        nic.setdefault("gateways", [nic["gateway"]])
        del nic["gateway"]


def upgrade_updated(nic: dict[str, Any], vm: dict[str, Any]) -> None:
    """A change to a nic that is there: what it leaves out of ip and netmask comes from the nic.

    Raises:
        Rejected: no such nic, or it has not the one IPv4 address that is needed.
    """
    if not has(nic, "mac"):
        raise Rejected("NIC object needs a .mac property to update")
    old = next((one for one in vm.get("nics", ()) if one.get("mac") == nic["mac"]), None)
    if old is None:
        raise Rejected("There is no existing NIC with that mac address")
    if "ips" not in nic:
        if "netmask" in nic and "ip" not in nic:
            nic["ip"] = _known_address(old)[0]
        elif "netmask" not in nic and "ip" in nic and nic["ip"] not in AUTOMATIC:
            mask = _known_address(old)[1]
            if mask is None:
                raise Rejected("Updating IP address of NIC, but there is currently no specified netmask")
            nic["netmask"] = mask
    upgrade(nic)


def _known_address(nic: dict[str, Any]) -> tuple[str, str | None]:
    if "ips" in nic:
        if len(nic["ips"]) == 1 and is_cidr4(nic["ips"][0]):
            address, _, bits = nic["ips"][0].partition("/")
            return address, bits_mask(int(bits))
    elif "ip" in nic:
        return nic["ip"], nic.get("netmask")
    raise Rejected("Need a single existing IPv4 address to update .ip or .netmask")
