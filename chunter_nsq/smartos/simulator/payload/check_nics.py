"""Whether the nics that a payload adds, changes and removes go together, with each other and with other VMs."""

from __future__ import annotations

import re

from chunter_nsq.smartos.simulator.payload import addresses
from chunter_nsq.smartos.simulator.payload.javascript import (
    Crash,
    among,
    has,
    items,
    member,
    of_text,
    put,
    stringify,
    text,
    to_number,
    truthy,
)
from chunter_nsq.smartos.simulator.payload.refusal import Rejected
from chunter_nsq.smartos.simulator.payload.table import BRANDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from chunter_nsq.smartos.simulator.payload.surroundings import Surroundings

    Nic = dict[str, Any]

MOST_IPS, MOST_CLIENT_IDS, LONGEST_CLIENT_IDS, MOST_ADDRESSES = 20, 20, 1024, 32
LEAST_MTU = 1500


class NicCheck:
    """The nics as they will be, and what was met on the way there."""

    def __init__(self, vm: dict[str, Any] | None) -> None:
        self._vm = vm
        self.ordered: list[Nic] = []
        self._by_mac: dict[str, Nic] = {}
        self._known_ips: list[Any] = []
        self._known_macs: list[Any] = []
        self._known_vrids: list[Any] = []
        self._primary_ips: list[Any] = []
        self._macs: list[Any] = []
        self._ips: list[tuple[Any, Nic]] = []
        self._vrids: list[Any] = []
        self._changed: list[Nic] = []
        self._primaries = 0

    def check(self, payload: dict[str, Any], brand: str) -> None:
        """Refuse what does not go together.

        Raises:
            Rejected: with vmadm's words.
        """
        self._know(payload)
        for field in ("add_nics", "update_nics"):
            for nic in payload.get(field, ()):
                self._take(field, nic, brand)
        self._remove(payload.get("remove_nics"))
        self._check_result()
        if self._primaries > 1:
            raise Rejected("payload specifies more than 1 primary NIC")

    def _know(self, payload: dict[str, Any]) -> None:
        changes = {text(nic["mac"]): nic for nic in payload.get("update_nics", ()) if has(nic, "mac")}
        for known in (self._vm or {}).get("nics", ()):
            nic = dict(known)
            mac = text(nic["mac"] if "mac" in nic else addresses.vrrp_mac(nic.get("vrrp_vrid")))
            if mac not in self._by_mac:
                self._by_mac[mac] = nic
                self.ordered.append(nic)
            if "ips" not in changes.get(mac, {}):
                self._known_ips += [ip for ip in nic.get("ips", ()) if ip not in addresses.AUTOMATIC]
            self._known_macs.append(nic.get("mac"))
            if "vrrp_vrid" in nic:
                self._known_vrids.append(nic["vrrp_vrid"])
            if "vrrp_primary_ip" in nic:
                self._primary_ips.append(nic["vrrp_primary_ip"])

    def _take(self, field: str, nic: Nic, brand: str) -> None:
        adding = field == "add_nics"
        self._take_identity(nic, adding=adding)
        if has(nic, "primary"):
            if nic["primary"] is not True:
                raise Rejected(f"invalid value for NIC's primary flag: {text(nic['primary'])} (must be true)")
            self._primaries += 1
        self._changed.append(nic)
        for _, gateway in items(nic["gateways"] if has(nic, "gateways") else None):
            if not addresses.is_ipv4(gateway):
                raise Rejected(f"Static gateways must be IPv4 addresses: {text(gateway)}")
        if has(nic, "ips"):
            self._take_ips(nic)
        if adding and has(nic, "vrrp_vrid") and nic.get("mac") != addresses.vrrp_mac(nic["vrrp_vrid"]):
            raise Rejected("Cannot set both mac and vrrp_vrid")
        if has(nic, "vrrp_primary_ip"):
            self._primary_ips.append(nic["vrrp_primary_ip"])
        if adding:
            self._check_added(nic, brand)
        else:
            self._check_updated(nic)
        self._merge(nic)
        _check_lists(nic)

    def _take_identity(self, nic: Nic, *, adding: bool) -> None:
        if has(nic, "vrrp_vrid"):
            if among(nic["vrrp_vrid"], self._known_vrids + self._vrids):
                raise Rejected(f"Cannot add multiple NICs with the same VRID: {text(nic['vrrp_vrid'])}")
            self._vrids.append(nic["vrrp_vrid"])
        if adding and has(nic, "mac"):
            if among(nic["mac"], self._macs + self._known_macs):
                raise Rejected(f"Cannot add multiple NICs with the same MAC: {text(nic['mac'])}")
            self._macs.append(nic["mac"])

    def _take_ips(self, nic: Nic) -> None:
        count = to_number(member(nic["ips"], "length"))
        if count > MOST_IPS:
            raise Rejected(f"nic.*.ips contains {text(count)} addresses, but is limited to 20")
        for _, ip in items(nic["ips"]):
            if ip in addresses.AUTOMATIC:
                continue
            if not addresses.is_cidr(ip):
                raise Rejected(f"Invalid IP for NIC: {stringify(nic)}")
            if ip in self._known_ips or any(ip == other for other, _ in self._ips):
                raise Rejected(f"Cannot add multiple NICs with the same IP: {ip}")
            self._ips.append((ip, nic))

    def _check_added(self, nic: Nic, brand: str) -> None:
        if BRANDS[brand].get("model_required") and _is_nothing(member(nic, "model")):
            vm = self._vm or {}
            if "nic_driver" in vm:
                put(nic, "model", vm["nic_driver"])
            elif vm.get("nics") and truthy(vm["nics"][0].get("model")):
                put(nic, "model", vm["nics"][0]["model"])
            else:
                raise Rejected(f"missing .model option for NIC: {stringify(nic)}")
        if not has(nic, "nic_tag") or not _tag_matches(nic["nic_tag"], r"[a-zA-Z0-9_/]+"):
            raise Rejected(f"invalid or missing .nic_tag option for NIC: {stringify(nic)}")

    @staticmethod
    def _check_updated(nic: Nic) -> None:
        if "model" in nic and _is_nothing(nic["model"]):
            raise Rejected(f"invalid .model option for NIC: {stringify(nic)}")
        if "nic_tag" in nic and not _tag_matches(nic["nic_tag"], r"[a-zA-Z0-9_]+"):
            raise Rejected(f"invalid .nic_tag option for NIC: {stringify(nic)}")

    def _merge(self, nic: Nic) -> None:
        if "mac" not in nic and "vrrp_vrid" not in nic:
            return
        mac = text(nic["mac"] if "mac" in nic else addresses.vrrp_mac(nic["vrrp_vrid"]))
        if mac in self._by_mac:
            self._by_mac[mac].update(nic)
        else:
            self._by_mac[mac] = nic
            self.ordered.append(nic)

    def _remove(self, macs: Any) -> None:
        for _, mac in items(macs):
            nic = self._by_mac.pop(text(mac), None)
            if nic is None:
                continue
            for _, ip in items(nic.get("ips")):
                place = next((at for at, (other, _) in enumerate(self._ips) if other == ip), None)
                if place is not None:
                    del self._ips[place]
                if ip in self._known_ips:
                    self._known_ips.remove(ip)
            place = next((at for at, other in enumerate(self.ordered) if other.get("mac") == mac), None)
            if place is not None:
                del self.ordered[place]

    def _check_result(self) -> None:
        for nic in self._by_mac.values():
            ips = [ip for _, ip in items(nic.get("ips"))]
            if "vrrp_vrid" in nic:
                if any(among(_bare(ip), self._primary_ips) for ip in ips):
                    raise Rejected("Cannot set vrrp_primary_ip to the IP of a VRRP nic")
                if "vrrp_primary_ip" not in nic:
                    raise Rejected("vrrp_vrid set but not vrrp_primary_ip")
            count = len(items(nic.get("allowed_ips"))) + ("vrrp_primary_ip" in nic) + len(ips)
            if count > MOST_ADDRESSES:
                raise Rejected("More than 32 IPs cannot be associated with a NIC")
        if self._by_mac and all("vrrp_vrid" in nic for nic in self._by_mac.values()):
            raise Rejected("VM cannot contain only VRRP nics")
        mine = [_bare(ip) for ip in [*self._known_ips, *(ip for ip, _ in self._ips)]]
        if not all(among(ip, mine) for ip in self._primary_ips):
            raise Rejected("vrrp_primary_ip must belong to the same VM")

    def check_conflicts(self, around: Surroundings, vnc_port: Any) -> None:
        """Refuse what another VM has, and tags that the host has not."""
        if (self._macs or self._ips or self._vrids or vnc_port) and any(
            self._conflicts(vm, vnc_port) for vm in around.vms()
        ):
            raise Rejected("Conflict detected with another vm, please check the MAC, IP, and VRID")
        tags = [nic["nic_tag"] for nic in self._changed if "nic_tag" in nic]
        unknown = [f'Invalid nic tag "{tag}"' for tag in tags if not around.knows_tag(tag)]
        if unknown:
            raise Rejected("\n".join(unknown))
        self._check_mtus(around)

    def _conflicts(self, vm: dict[str, Any], vnc_port: Any) -> bool:
        if vm.get("state") == "failed" and vm.get("zone_state") != "running":
            return False
        for other in vm.get("nics", ()):
            for ip, nic in self._ips:
                place = (other.get("nic_tag"), other.get("vlan_id"))
                if place == (nic.get("nic_tag"), nic.get("vlan_id")) and ip in other.get("ips", ()):
                    return True
            if any(addresses.padded(mac) == other.get("mac") for mac in self._macs):
                return True
            if any("vrrp_vrid" in other and text(other["vrrp_vrid"]) == _named(vrid) for vrid in self._vrids):
                return True
        return bool(vm.get("vnc_port")) and bool(vnc_port) and vm["vnc_port"] == vnc_port

    def _check_mtus(self, around: Surroundings) -> None:
        smallest: dict[str, tuple[int, Nic]] = {}
        for at, nic in enumerate(self._changed):
            if "nic_tag" in nic and "mtu" in nic:
                least = smallest.get(nic["nic_tag"])
                if least is None or to_number(nic["mtu"]) < to_number(least[1]["mtu"]):
                    smallest[nic["nic_tag"]] = (at, nic)
        faults = [
            f"nic {smallest[tag][0]} ({text(smallest[tag][1].get('mac'))}): MTU is below the supported MTU (1500) "
            f'of nic tag "{tag}"'
            for tag, kind in around.nic_tags
            if tag in smallest and kind == "normal" and to_number(smallest[tag][1]["mtu"]) < LEAST_MTU
        ]
        if faults:
            raise Rejected("\n".join(faults))


def _named(vrid: Any) -> str:
    """How other VMs are looked up by a router id; vmadm dies of null."""
    member(vrid, "0")
    return text(vrid)


def _is_nothing(model: Any) -> bool:
    return not truthy(model) or model in ("undefined", [])


def _tag_matches(tag: Any, pattern: str) -> bool:
    return re.fullmatch(pattern, of_text(tag, "match", "n.nic_tag")) is not None


def _check_lists(nic: Nic) -> None:
    if "allowed_ips" in nic:
        try:
            addresses.check_allowed_ips(nic["allowed_ips"])
        except (addresses.Unacceptable, Crash) as fault:
            raise Rejected(str(fault)) from fault
    if "allowed_dhcp_cids" in nic:
        count = to_number(member(nic["allowed_dhcp_cids"], "length"))
        if count > MOST_CLIENT_IDS:
            raise Rejected(f"nics.*.allowed_dhcp_cids contains {text(count)} Client Identifiers, but is limited to 20")
        if len(addresses.join(nic["allowed_dhcp_cids"])) >= LONGEST_CLIENT_IDS:
            raise Rejected("nics.*.allowed_dhcp_cids contains too many long Client Identifiers")


def _bare(ip: Any) -> Any:
    parts = str(ip).split("/")
    return parts[0] if len(parts) == 2 else ip  # noqa: PLR2004 - an address and a prefix
