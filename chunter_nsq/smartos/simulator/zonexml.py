"""A zone's document as a VM object: the part of ``vmadm get`` that comes from ``etc/zones/<zone>.xml``.

The tables say where each property lives and how its text is read; they serve the writing side as well.
"""

from __future__ import annotations

from chunter_nsq.smartos.simulator.values import (
    boolean,
    comma_numbers,
    commas,
    compact,
    mebibytes,
    number,
    unbase64,
    words,
)
from chunter_nsq.smartos.simulator.xmltree import Element, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Unusable(ValueError):
    """The document is XML, but no zone that the platform could load."""


def text(value: str) -> str:
    """As it stands."""
    return value


Reader = tuple[str, "Callable[[str], Any]"]

ROOT: dict[str, Reader] = {
    "name": ("zonename", text),
    "autoboot": ("autoboot", boolean),
    "brand": ("brand", text),
    "limitpriv": ("limit_priv", text),
    "fs-allowed": ("fs_allowed", text),
}
PLAIN = words(
    "bhyve-extra-opts billing-id boot bootrom com1 com2 cpu-type create-timestamp default-gateway "
    "disk-driver dns-domain failed hostname init-name kernel-version nic-driver owner-uuid package-name "
    "package-version vga zlog-name zlog-mode transition"
)
BOOLEANS = words(
    "app-svc-dependent archive-on-delete do-not-inventory docker firewall-enabled maintain-resolvers "
    "provisioning restart-init vm-autoboot"
)
NUMBERS = words("flexible-disk-size ram spice-port tmpfs vcpus virtio-txburst virtio-txtimer vnc-port zlog-max-size")
ENCODED = words("alias qemu-extra-opts qemu-opts spice-opts spice-password vnc-password")


def _named(names: list[str], reader: Callable[[str], Any]) -> dict[str, Reader]:
    return {name: (name.replace("-", "_"), reader) for name in names}


ATTRS: dict[str, Reader] = {
    **_named(PLAIN, text),
    **_named(BOOLEANS, boolean),
    **_named(NUMBERS, number),
    **_named(ENCODED, unbase64),
    "dataset-uuid": ("image_uuid", text),
    "vm-version": ("v", number),
    "resolvers": ("resolvers", commas),
    "internal-metadata-namespaces": ("internal_metadata_namespaces", commas),
}
# rctl name -> property, reader, the action it is written with
RCTLS: dict[str, tuple[str, Callable[[str], Any], str]] = {
    "zone.cpu-shares": ("cpu_shares", number, "none"),
    "zone.zfs-io-priority": ("zfs_io_priority", number, "none"),
    "zone.cpu-cap": ("cpu_cap", number, "deny"),
    "zone.max-lwps": ("max_lwps", number, "deny"),
    "zone.max-msg-ids": ("max_msg_ids", number, "deny"),
    "zone.max-sem-ids": ("max_sem_ids", number, "deny"),
    "zone.max-shm-ids": ("max_shm_ids", number, "deny"),
    "zone.max-shm-memory": ("max_shm_memory", mebibytes, "deny"),
    "zone.max-physical-memory": ("max_physical_memory", mebibytes, "deny"),
    "zone.max-locked-memory": ("max_locked_memory", mebibytes, "deny"),
    "zone.max-swap": ("max_swap", mebibytes, "deny"),
}
NETWORK: dict[str, Reader] = {
    "physical": ("interface", text),
    "mac-addr": ("mac", text),
    "vlan-id": ("vlan_id", number),
    "global-nic": ("nic_tag", text),
}
NETWORK_ATTRS: dict[str, Reader] = {
    **{
        name: (name, boolean)
        for name in words(
            "allow_dhcp_spoofing allow_ip_spoofing allow_mac_spoofing allow_restricted_traffic "
            "allow_unfiltered_promisc dhcp_server primary"
        )
    },
    **{name: (name, commas) for name in ("allowed_ips", "allowed_dhcp_cids", "gateways", "ips")},
    **{name: (name, text) for name in ("gateway", "ip", "model", "netmask", "network_uuid", "vrrp_primary_ip")},
    **{name: (name, number) for name in ("mtu", "vrrp_vrid")},
    "blocked_outgoing_ports": ("blocked_outgoing_ports", comma_numbers),
}
DEVICE_ATTRS: dict[str, Reader] = {
    "boot": ("boot", boolean),
    "guest-block-size": ("guest_block_size", text),
    "image-size": ("image_size", number),
    "image-uuid": ("image_uuid", text),
    "media": ("media", text),
    "model": ("model", text),
    "notrim": ("notrim", boolean),
    "pci-slot": ("pci_slot", text),
    "uuid": ("uuid", text),
}
FILESYSTEM: dict[str, Reader] = {
    "raw": ("raw", text),
    "special": ("source", text),
    "directory": ("target", text),
    "type": ("type", text),
}
HVM_BRANDS = ("kvm", "bhyve")


def load(document: bytes) -> dict[str, Any]:
    """The object made of the XML alone, in the platform's order of keys.

    Raises:
        Malformed: no XML.
        Unusable: no brand.
    """
    vm: dict[str, Any] = {}
    root = parse(document)
    if root.tag == "zone":
        _read(vm, ROOT, root.attributes)
        for element in root.children:
            _take(vm, element)
    if not vm.get("brand"):
        raise Unusable(f"VM missing brand: {compact(vm)}")
    _finish(vm)
    return vm


def _take(vm: dict[str, Any], element: Element) -> None:
    attributes = element.attributes
    if element.tag == "attr":
        _read(vm, ATTRS, {attributes.get("name", ""): attributes.get("value", "")})
    elif element.tag == "rctl":
        _take_rctl(vm, element)
    elif element.tag == "dataset":
        vm.setdefault("datasets", []).append(attributes.get("name"))
    elif element.tag == "network":
        vm.setdefault("nics", []).append(_item(element, NETWORK, NETWORK_ATTRS))
    elif element.tag == "device":
        vm["device"] = None
        device = _item(element, {"match": ("path", text)}, DEVICE_ATTRS)
        vm.setdefault("pci_devices" if device.get("model") == "passthru" else "disks", []).append(device)
    elif element.tag == "filesystem":
        filesystem = _item(element, FILESYSTEM, {})
        options = [option.attributes.get("name") for option in element.all("fsoption")]
        vm.setdefault("filesystems", []).append(filesystem | ({"options": options} if options else {}))


def _take_rctl(vm: dict[str, Any], element: Element) -> None:
    known = RCTLS.get(element.attributes.get("name", ""))
    for value in element.all("rctl-value"):
        privilege, action = value.attributes.get("priv"), value.attributes.get("action")
        if known and privilege == "privileged" and action == known[2]:
            vm[known[0]] = known[1](value.attributes.get("limit", ""))


def _item(element: Element, table: dict[str, Reader], attrs: dict[str, Reader]) -> dict[str, Any]:
    item: dict[str, Any] = {}
    _read(item, table, element.attributes)
    for child in element.all("net-attr"):
        _read(item, attrs, {child.attributes.get("name", ""): child.attributes.get("value", "")})
    return item


def _read(target: dict[str, Any], table: dict[str, Reader], attributes: dict[str, str]) -> None:
    for name, value in attributes.items():
        if name in table:
            key, reader = table[name]
            target[key] = reader(value)


def _finish(vm: dict[str, Any]) -> None:
    vm.setdefault("nics", [])
    if vm["brand"] in HVM_BRANDS:
        vm.setdefault("disks", [])
    if vm["brand"] == "kvm":
        autoboot = vm.pop("vm_autoboot", None)
        if autoboot is None:
            vm.pop("autoboot", None)
        else:
            vm["autoboot"] = autoboot
    parts = str(vm.get("transition", "")).rstrip().split(":")
    if len(parts) == 3:  # noqa: PLR2004 - state, target, expiry
        del vm["transition"]
        vm["state"], vm["transition_to"], vm["transition_expire"] = parts[0], parts[1], number(parts[2])
    for key, field, marks in (("disks", "path", ("-disk", "/disk")), ("nics", "interface", ("net",))):
        if key in vm:
            vm[key].sort(key=lambda item, field=field, marks=marks: _position(str(item.get(field, "")), marks))


def _position(name: str, marks: tuple[str, ...]) -> int:
    """The number at the end of the name after one of the marks, else 0."""
    stem = name.rstrip("0123456789")
    digits = name[len(stem) :]
    if not digits or not any(stem.endswith(mark) for mark in marks):
        return 0
    return 0 if marks == ("net",) and stem != "net" else int(digits)
