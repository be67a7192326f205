"""Where each property of a VM lives in its zone's document, and how its text is read.

Both directions go by these tables: :mod:`zonexml` reads, :mod:`zonedoc` writes.
"""

from __future__ import annotations

from chunter_nsq.smartos.simulator.values import (
    boolean,
    comma_numbers,
    commas,
    counted,
    mebibytes,
    unbase64,
    words,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


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
    **_named(NUMBERS, counted),
    **_named(ENCODED, unbase64),
    "dataset-uuid": ("image_uuid", text),
    "vm-version": ("v", counted),
    "resolvers": ("resolvers", commas),
    "internal-metadata-namespaces": ("internal_metadata_namespaces", commas),
}
# rctl name -> property, reader, the action it is written with
RCTLS: dict[str, tuple[str, Callable[[str], Any], str]] = {
    "zone.cpu-shares": ("cpu_shares", counted, "none"),
    "zone.zfs-io-priority": ("zfs_io_priority", counted, "none"),
    "zone.cpu-cap": ("cpu_cap", counted, "deny"),
    "zone.max-lwps": ("max_lwps", counted, "deny"),
    "zone.max-msg-ids": ("max_msg_ids", counted, "deny"),
    "zone.max-sem-ids": ("max_sem_ids", counted, "deny"),
    "zone.max-shm-ids": ("max_shm_ids", counted, "deny"),
    "zone.max-shm-memory": ("max_shm_memory", mebibytes, "deny"),
    "zone.max-physical-memory": ("max_physical_memory", mebibytes, "deny"),
    "zone.max-locked-memory": ("max_locked_memory", mebibytes, "deny"),
    "zone.max-swap": ("max_swap", mebibytes, "deny"),
}
NETWORK: dict[str, Reader] = {
    "physical": ("interface", text),
    "mac-addr": ("mac", text),
    "vlan-id": ("vlan_id", counted),
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
    **{name: (name, counted) for name in ("mtu", "vrrp_vrid")},
    "blocked_outgoing_ports": ("blocked_outgoing_ports", comma_numbers),
}
DEVICE: dict[str, Reader] = {
    "zone.device.match": ("path", text),
    "zone.device.net-attr.boot": ("boot", boolean),
    "zone.device.net-attr.guest-block-size": ("guest_block_size", text),
    "zone.device.net-attr.image-name": ("image_name", text),
    "zone.device.net-attr.image-size": ("image_size", counted),
    "zone.device.net-attr.image-uuid": ("image_uuid", text),
    "zone.device.net-attr.media": ("media", text),
    "zone.device.net-attr.model": ("model", text),
    "zone.device.net-attr.notrim": ("notrim", boolean),
    "zone.device.net-attr.pci-slot": ("pci_slot", text),
    "zone.device.net-attr.uuid": ("uuid", text),
}
FILESYSTEM: dict[str, Reader] = {
    "raw": ("raw", text),
    "special": ("source", text),
    "directory": ("target", text),
    "type": ("type", text),
}
