"""Facts about the simulated machine: memory, CPUs, platform stamp, links; made once, read by many tools."""

from __future__ import annotations

from chunter_nsq.smartos.simulator import jsontext
from chunter_nsq.smartos.simulator.files import names, read_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PLACE = "var/simulator/host.json"
USBKEY = "usbkey/config"
REAL = "host:"  # begins what names a pool of this machine
STANDARD: dict[str, Any] = {
    "hostname": "smartos01",
    "server_uuid": "44454c4c-5800-1043-8031-b4c04f305931",
    "platform": "20240321T000640Z",
    "boot_time": 1709650042,
    "memory_mib": 130934,
    "cpu_type": "Intel(R) Xeon(R) CPU E5-2670 0 @ 2.60GHz",
    "cpu_virtualization": "vmx",
    "cpu_sockets": 2,
    "cpu_cores": 16,
    "cpu_threads": 32,
    "pool": "zones",
    "pool_size_bytes": 2992 * 2**30,
    "phys": [
        {"link": "igb0", "mac": "00:25:90:c0:0d:f2", "state": "up", "speed": 1000},
        {"link": "igb1", "mac": "00:25:90:c0:0d:f3", "state": "up", "speed": 1000},
        {"link": "igb2", "mac": "00:25:90:c0:0d:f4", "state": "unknown", "speed": 0},
        {"link": "igb3", "mac": "00:25:90:c0:0d:f5", "state": "unknown", "speed": 0},
    ],
}
CONFIG = """\
#
# Configuration of this host, read at boot.
#
admin_nic=0:25:90:c0:d:f2
admin_ip=10.0.0.11
admin_netmask=255.255.255.0
admin_gateway=10.0.0.11
headnode_default_gateway=10.0.0.1
external_nic=0:25:90:c0:d:f3
external0_ip=dhcp
external0_vlan_id=0
etherstub=stub0
dns_resolvers=8.8.8.8,8.8.4.4
dns_domain=local
ntp_hosts=pool.ntp.org
hostname=smartos01
root_shadow='$6$simulated$notarealpasswordhash'
default_keymap=us
"""


def facts(root: str) -> dict[str, Any]:
    """What the machine is, with what ``create`` was told about it."""
    content = read_bytes(f"{root}/{PLACE}")
    told: dict[str, Any] = jsontext.loads(content) if content else {}
    return STANDARD | told


def is_real(root: str) -> bool:
    """Whether the machine's datasets are real ones, in a pool of this machine."""
    return str(facts(root).get("zfs", "simulated")).startswith(REAL)


def usbkey(root: str) -> dict[str, str]:
    """The boot configuration as it stands now."""
    text = (read_bytes(f"{root}/{USBKEY}") or b"").decode("utf-8", "replace")
    found: dict[str, str] = {}
    for raw in text.splitlines():
        key, equals, value = raw.strip().partition("=")
        if equals and not key.startswith("#"):
            found[key] = value.strip().strip("'\"")
    return found


class NicTag:
    """A NIC tag of the host: its MAC as written in the configuration, its link, and its kind."""

    __slots__ = ("kind", "link", "mac", "name")

    def __init__(self, name: str, mac: str, link: str, kind: str) -> None:
        self.name = name
        self.mac = mac
        self.link = link
        self.kind = kind


def nic_tags(root: str) -> list[NicTag]:
    """Tags of the configuration in its order, then etherstubs sorted."""
    config = usbkey(root)
    links = {one["mac"]: one["link"] for one in facts(root)["phys"]}
    tags = []
    for key, value in config.items():
        if not key.endswith("_nic"):
            continue
        if value.count(":") == 5:  # noqa: PLR2004 - a MAC address
            mac = padded(value)
            tags.append(NicTag(key[:-4], mac, links.get(mac, "-"), "normal"))
        else:
            members = config.get(f"{value}_aggr", "")
            tags.append(NicTag(key[:-4], padded(members.split(",")[0]) if members else "-", value, "aggr"))
    stubs = sorted(name for name in config.get("etherstub", "").split(",") if name)
    return tags + [NicTag(name, "-", "-", "etherstub") for name in stubs]


def padded(mac: str) -> str:
    """A MAC address with two digits in each octet."""
    return ":".join(part.zfill(2) for part in mac.lower().split(":"))


def trimmed(mac: str) -> str:
    """A MAC address without leading zeros, as dladm and zonecfg have it."""
    return ":".join(part.lstrip("0") or "0" for part in mac.lower().split(":"))


def images(root: str) -> dict[str, dict[str, Any]]:
    """Manifests of the installed images by ``pool/uuid``."""
    found: dict[str, dict[str, Any]] = {}
    folder = f"{root}/var/imgadm/images"
    for name in names(folder):
        if name.endswith(".json"):
            record = jsontext.loads(read_bytes(f"{folder}/{name}") or b"{}")
            found[f"{record.get('zpool', 'zones')}/{record['manifest']['uuid']}"] = record["manifest"]
    return found
