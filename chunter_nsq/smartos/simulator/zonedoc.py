"""Properties written into a zone's document: the other direction of :mod:`zonexml`."""

from __future__ import annotations

from chunter_nsq.smartos.simulator import zonetable
from chunter_nsq.smartos.simulator.values import base64, words
from chunter_nsq.smartos.simulator.xmltree import Element

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

MIB = 2**20
ATTR_OF = {key: name for name, (key, _) in zonetable.ATTRS.items()}
RCTL_OF = {key: (name, action) for name, (key, _, action) in zonetable.RCTLS.items()}
ROOT_OF = {"autoboot": "autoboot", "limit_priv": "limitpriv", "fs_allowed": "fs-allowed", "brand": "brand"}
MEMORY = frozenset({"max_physical_memory", "max_locked_memory", "max_swap", "max_shm_memory"})
ENCODED = frozenset(name.replace("-", "_") for name in zonetable.ENCODED)
BOOLEANS = frozenset(name.replace("-", "_") for name in zonetable.BOOLEANS)
# The order in which a new zone gets its properties.
ORDER = words(
    "v create_timestamp transition image_uuid cpu_shares limit_priv max_lwps max_msg_ids max_sem_ids "
    "max_shm_ids max_shm_memory zfs_io_priority autoboot max_physical_memory max_locked_memory max_swap "
    "billing_id owner_uuid package_name package_version cpu_cap tmpfs hostname dns_domain default_gateway"
)
NETWORK_ORDER = words(
    "gateway gateways netmask network_uuid ip ips model dhcp_server allow_dhcp_spoofing "
    "blocked_outgoing_ports allow_ip_spoofing allow_mac_spoofing allow_restricted_traffic "
    "allow_unfiltered_promisc allowed_ips allowed_dhcp_cids mtu vrrp_vrid vrrp_primary_ip primary"
)
DEVICE_ORDER = words("boot model media size image-size image-uuid image-name uuid pci-slot notrim guest-block-size")


def new(vm: dict[str, Any], debugid: int) -> Element:
    """A document for a VM object: nics, disks, filesystems and datasets included."""
    name = vm["zonename"]
    attributes = {"name": name, "zonepath": vm.get("zonepath", f"/zones/{name}"), "autoboot": "false"}
    attributes |= {"brand": vm["brand"], "ip-type": "exclusive", "limitpriv": "default", "debugid": str(debugid)}
    root = Element("zone", attributes)
    keys = [key for key in ORDER if key in vm] + [key for key in vm if key not in ORDER]
    for key in keys:
        set_property(root, key, vm[key])
    for dataset in vm.get("datasets", ()):
        root.children.append(Element("dataset", {"name": dataset}))
    root.children += [filesystem_element(one) for one in vm.get("filesystems", ())]
    root.children += [device_element(one) for one in vm.get("disks", ())]
    root.children += [pci_element(one) for one in vm.get("pci_devices", ())]
    root.children += [network_element(one) for one in vm.get("nics", ())]
    return root


def set_property(root: Element, key: str, value: Any) -> None:
    """Set, change or take away (None, an empty text) one plain property; other keys are left alone."""
    if key == "autoboot" and root.attributes.get("brand") == "kvm":
        set_attr(root, "vm-autoboot", _text(key, value))
    elif key in ROOT_OF:
        if value in (None, "") and key != "autoboot":
            root.attributes.pop(ROOT_OF[key], None)
        else:
            root.attributes[ROOT_OF[key]] = _text(key, value)
    elif key in RCTL_OF:
        set_rctl(root, key, value)
    elif key in ATTR_OF:
        gone = value in (None, "") or (key in BOOLEANS and value is (key == "restart_init"))
        set_attr(root, ATTR_OF[key], None if gone else _text(key, value))


def set_attr(root: Element, name: str, value: str | None) -> None:
    """Set an attr element's value, or take the element away."""
    old = root.named("attr", name)
    if value is None:
        root.children = [child for child in root.children if not _is_named(child, "attr", name)]
    elif old is not None:
        old.attributes["value"] = value
    else:
        root.children.append(Element("attr", {"name": name, "type": "string", "value": value}))


def set_rctl(root: Element, key: str, value: Any) -> None:
    """Set a resource control, or take it away."""
    name, action = RCTL_OF[key]
    root_children = [child for child in root.children if not _is_named(child, "rctl", name)]
    gone = value in (None, "") or (value == 0 and key != "cpu_shares")
    if gone:
        root.children = root_children
        return
    limit = str(round(value * MIB)) if key in MEMORY else str(value)
    setting = Element("rctl-value", {"priv": "privileged", "limit": limit, "action": action})
    old = root.named("rctl", name)
    if old is not None:
        old.children = [setting]
    else:
        root.children.append(Element("rctl", {"name": name}, setting))


def network_element(nic: dict[str, Any]) -> Element:
    """A nic of a VM object as the XML has it."""
    attributes = {"physical": str(nic.get("interface", "")), "mac-addr": str(nic.get("mac", ""))}
    if nic.get("vlan_id"):
        attributes["vlan-id"] = str(nic["vlan_id"])
    if nic.get("nic_tag"):
        attributes["global-nic"] = str(nic["nic_tag"])
    return Element("network", attributes, *_net_attrs((name, nic.get(name)) for name in NETWORK_ORDER))


def device_element(disk: dict[str, Any]) -> Element:
    """A disk of a VM object as the XML has it."""
    known = ((name, disk.get(name.replace("-", "_"))) for name in DEVICE_ORDER)
    return Element("device", {"match": str(disk.get("path", ""))}, *_net_attrs(known, keep_false=("boot",)))


def pci_element(device: dict[str, Any]) -> Element:
    """A passed-through device as the XML has it."""
    values = (("model", "passthru"), ("pci-slot", device.get("pci_slot")))
    return Element("device", {"match": str(device.get("path", ""))}, *_net_attrs(values))


def filesystem_element(filesystem: dict[str, Any]) -> Element:
    """A file system of a VM object as the XML has it."""
    attributes = {"special": str(filesystem.get("source", ""))}
    if filesystem.get("raw"):
        attributes["raw"] = str(filesystem["raw"])
    attributes |= {"directory": str(filesystem.get("target", "")), "type": str(filesystem.get("type", "lofs"))}
    options = filesystem.get("options") or []
    return Element("filesystem", attributes, *(Element("fsoption", {"name": str(one)}) for one in options))


def drop(root: Element, tag: str, attribute: str, value: str) -> None:
    """Take away the elements whose attribute has this value."""
    root.children = [
        child for child in root.children if not (child.tag == tag and child.attributes.get(attribute) == value)
    ]


def replace(root: Element, tag: str, attribute: str, value: str, fresh: Element) -> None:
    """Put a fresh element where the one with this attribute's value stands."""
    for place, child in enumerate(root.children):
        if child.tag == tag and child.attributes.get(attribute) == value:
            root.children[place] = fresh


def _net_attrs(values: Iterable[tuple[str, Any]], keep_false: tuple[str, ...] = ()) -> list[Element]:
    found = []
    for name, value in values:
        if value is None or value in ("", []) or (value is False and name not in keep_false):
            continue
        found.append(Element("net-attr", {"name": name, "value": _text(name, value)}))
    return found


def _text(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(str(one) for one in value)
    if key in ENCODED:
        return base64(str(value))
    return str(value)


def _is_named(child: Element, tag: str, name: str) -> bool:
    return child.tag == tag and child.attributes.get("name") == name
