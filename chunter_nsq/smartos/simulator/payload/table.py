"""Every property that a vmadm payload may hold: its type, and for which brands and actions it is allowed.

A row is ``name type grants [min= max= as= check= need=]``. Brands are letters (j joyent, m joyent-minimal, b builder,
l lx, k kvm, h bhyve), actions as well (c create, u update, r receive, a add, for members of lists). ``as`` says that
members are checked like those of another property, ``need`` where the property is required.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BRAND_LETTERS = {"j": "joyent", "m": "joyent-minimal", "b": "builder", "l": "lx", "k": "kvm", "h": "bhyve"}
ACTION_LETTERS = {"c": "create", "u": "update", "r": "receive", "a": "add"}
TABLE = """
add_disks object-array kh=u as=disks
add_filesystems object-array jmblk=u as=filesystems
add_nics object-array jmblkh=u as=nics
add_pci_devices object-array h=cru as=pci_devices
alias string jmblkh=cru
archive_on_delete boolean jmblkh=cru
autoboot boolean jmblkh=cru
bhyve_extra_opts string h=cru
billing_id string jmblkh=cru
boot string kh=cru
bootrom string h=cru
brand string jmblkh=cr need=jmblk=cr
com1 string h=cru
com2 string h=cru
cpu_cap integer jmblkh=cru min=0
cpu_shares integer jmblkh=cru min=0
cpu_type string k=cru
create_only boolean jmblkh=r
create_timestamp string jmblkh=r
customer_metadata flat-object jmblkh=cr
dataset_uuid uuid jmbl=cr
datasets list jmblkh=r
delegate_dataset boolean jmbl=cr
disks object-array kh=cr
disks.*.block_size integer kh=a min=0
disks.*.boot boolean kh=au
disks.*.compression string kh=au
disks.*.dangerous_allow_shrink boolean h=u
disks.*.guest_block_size string h=au check=sectors
disks.*.image_name string k=au
disks.*.image_size integer kh=a min=0
disks.*.image_uuid uuid kh=a
disks.*.media string kh=au
disks.*.model string kh=au
disks.*.nocreate boolean kh=a
disks.*.notrim boolean h=au
disks.*.path string kh=au
disks.*.pci_slot string h=au
disks.*.refreservation integer kh=au min=0
disks.*.size integer k=a,h=au min=0
disks.*.uuid uuid h=au
disks.*.zfs_filesystem string kh=r
disks.*.zpool string kh=a
disk_driver string kh=cru
do_not_inventory boolean jmblkh=cru
docker boolean ml=cru
dns_domain string jmbl=cru
filesystems object-array jmbl=cr
filesystems.*.options list jmbl=au
filesystems.*.raw string jmbl=au
filesystems.*.source string jmbl=au
filesystems.*.target string jmbl=au
filesystems.*.type string jmbl=au
firewall_enabled boolean jmblkh=cru
flexible_disk_size integer h=cru min=0
fs_allowed list jmbl=cru
hostname string jmblkh=cru
image_uuid uuid jmblkh=cr need=jmbl=cr
indestructible_delegated boolean jmblkh=cru
indestructible_zoneroot boolean jmblkh=cru
init_name string jmbl=cru
internal_metadata flat-object jmblkh=cr
internal_metadata_namespaces list jmblkh=cru check=attr
kernel_version string l=cru need=l=cr
limit_priv list jmblkh=cru
maintain_resolvers boolean jmbl=cru
max_locked_memory integer jmblkh=cru min=0
max_lwps integer jmblkh=cru min=0
max_msg_ids integer jmblkh=cru min=0
max_physical_memory integer jmblkh=cru min=0
max_sem_ids integer jmblkh=cru min=0
max_shm_ids integer jmblkh=cru min=0
max_shm_memory integer jmblkh=cru min=0
max_swap integer jmblkh=cru min=256
mdata_exec_timeout integer jmbl=c min=0
nic_driver string kh=cru
nics object-array jmblkh=cr
nics.*.allow_dhcp_spoofing boolean jmblkh=au
nics.*.allow_ip_spoofing boolean jmblkh=au
nics.*.allow_mac_spoofing boolean jmblkh=au
nics.*.allow_restricted_traffic boolean jmblkh=au
nics.*.allow_unfiltered_promisc boolean kh=au
nics.*.allowed_ips list jmblkh=au
nics.*.allowed_dhcp_cids list jmblk=au check=cid
nics.*.blocked_outgoing_ports list jmblkh=au
nics.*.dhcp_server boolean jmblkh=au
nics.*.gateway string jmblkh=au
nics.*.gateways list jmblkh=au
nics.*.interface string jmblkh=au
nics.*.ip string jmblkh=au
nics.*.ips list jmblkh=au
nics.*.mac string jmblkh=au check=mac
nics.*.model string kh=au
nics.*.mtu integer jmblkh=au min=576 max=9000
nics.*.netmask string jmblkh=au
nics.*.network_uuid uuid jmblkh=au
nics.*.nic_tag string jmblkh=au
nics.*.primary boolean jmblkh=au
nics.*.vlan_id integer jmblkh=au min=0 max=4095
nics.*.vrrp_vrid integer jmblkh=au min=0 max=255
nics.*.vrrp_primary_ip string jmblkh=au
nowait boolean jmbl=cr
owner_uuid string jmblkh=cru
package_name string jmblk=cru
package_version string jmblk=cru
pci_devices object-array h=cru
pci_devices.*.path string h=au
pci_devices.*.pci_slot string h=au
qemu_extra_opts string k=cru
qemu_opts string k=cru
quota integer jmblkh=cru min=0
ram integer jmblkh=cru min=0
remove_customer_metadata list jmblkh=u
remove_disks list kh=u
remove_filesystems list jmblkh=u
remove_internal_metadata list jmblkh=u
remove_nics list jmblkh=u
remove_pci_devices list h=u
remove_routes list jmblkh=u
remove_tags list jmblkh=u
resolvers list jmblkh=cru check=resolver
restart_init boolean jmbl=cru
routes flat-object jmblkh=cr
set_routes flat-object jmblkh=u
set_tags flat-object jmblkh=u
set_customer_metadata flat-object jmblkh=u
set_internal_metadata flat-object jmblkh=u
spice_opts string k=cru
spice_password string k=cru
spice_port integer k=cru min=-1
tags flat-object jmblkh=cr
transition flat-object jmblkh=r
tmpfs integer jmbl=cru min=0
update_disks object-array kh=u as=disks
update_filesystems object-array jmblk=u as=filesystems
update_nics object-array jmblkh=u as=nics
update_pci_devices object-array h=u as=pci_devices
uuid uuid jmblkh=cr
v integer jmblkh=r min=0
vcpus integer kh=cru min=1
virtio_txburst integer k=cru min=0
virtio_txtimer integer k=cru min=0
vga string k=cru
vnc_password string kh=cru
vnc_port integer kh=cru min=-1
zfs_data_compression string jmbl=cru
zfs_data_recsize integer jmbl=cru min=0
zfs_filesystem string jmblkh=r
zfs_filesystem_limit integer jmblkh=cru min=0
zfs_root_compression string jmblkh=cru
zfs_root_recsize integer jmblkh=cru min=0
zfs_io_priority integer jmblkh=cru min=0
zlog_max_size integer jmbl=cru min=0 max=9223372036854776000
zone_dataset_uuid uuid kh=cr
zonename string jmblkh=cr
zfs_snapshot_limit integer jmblkh=cru min=0
zfs_storage_pool_name zpool jmblk=cr
zpool zpool jmblkh=cr
"""


class Property:
    """One row: what a value must be like, and who may give it."""

    __slots__ = ("allowed", "check", "check_as", "maximum", "minimum", "name", "required", "type")

    def __init__(self, row: str) -> None:
        self.name, self.type, grants, *extras = row.split()
        self.allowed = _grants(grants)
        options = dict(extra.split("=", 1) for extra in extras)
        self.minimum = int(options["min"]) if "min" in options else None
        self.maximum = int(options["max"]) if "max" in options else None
        self.check_as = options.get("as")
        self.check = options.get("check")
        self.required = _grants(options.get("need", "-"))


def _grants(text: str) -> dict[str, frozenset[str]]:
    found = {}
    for grant in text.split(",") if text != "-" else ():
        brands, _, actions = grant.partition("=")
        for letter in brands:
            found[BRAND_LETTERS[letter]] = frozenset(ACTION_LETTERS[action] for action in actions)
    return found


PROPERTIES: dict[str, Property] = {row.split()[0]: Property(row) for row in TABLE.splitlines() if row}

_OS: dict[str, Any] = {"type": "OS", "use_tmpfs": True, "image_types": ("zone-dataset",)}
_HVM_PRIVILEGES = ("default", "-file_link_any", "-net_access", "-proc_fork", "-proc_info", "-proc_session")
BRANDS: dict[str, dict[str, Any]] = {
    "bhyve": {
        "type": "BHYVE", "overhead_mib": 1280, "least_overhead_mib": 256, "limit_priv": _HVM_PRIVILEGES,
        "model_required": True, "disk_models": ("virtio", "ahci", "nvme"),
    },
    "builder": _OS,
    "joyent": _OS,
    "joyent-minimal": _OS | {"dockerinit": "/usr/vm/sbin/dockerinit"},
    "kvm": {
        "type": "KVM", "overhead_mib": 1024, "least_overhead_mib": 256, "limit_priv": _HVM_PRIVILEGES,
        "model_required": True, "disk_models": ("virtio", "scsi", "ide"), "image_types": ("zone-dataset",),
    },
    "lx": {
        "type": "LX", "use_tmpfs": True, "dockerinit": "/native/usr/vm/sbin/dockerinit", "interface_prefix": "eth",
        "image_types": ("docker", "lx-dataset"),
    },
}  # fmt: skip


def allowed(name: str, brand: str) -> bool:
    """Whether the brand knows the property at all."""
    return name in PROPERTIES and brand in PROPERTIES[name].allowed
