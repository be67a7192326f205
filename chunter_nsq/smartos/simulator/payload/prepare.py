"""From a payload that vmadm takes to the VM it makes: where pure verdicts meet the host as it is."""

from __future__ import annotations

from chunter_nsq.smartos.simulator.host import facts, images, nic_tags
from chunter_nsq.smartos.simulator.machine import Machines
from chunter_nsq.smartos.simulator.payload.addresses import bits_mask, is_cidr4, is_ipv4, vrrp_mac
from chunter_nsq.smartos.simulator.payload.javascript import UNDEFINED, Crash, truthy
from chunter_nsq.smartos.simulator.payload.normalise import normalise
from chunter_nsq.smartos.simulator.payload.refusal import Rejected
from chunter_nsq.smartos.simulator.payload.surroundings import Surroundings
from chunter_nsq.smartos.simulator.payload.table import BRANDS
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    VM = dict[str, Any]

ABORTED = 134
HVM = ("kvm", "bhyve")


def surroundings(root: str) -> Surroundings:
    """The host below a root, as verdicts need it."""
    return Surroundings(
        zpools=(facts(root)["pool"],),
        images=images(root),
        nic_tags=[(tag.name, tag.kind) for tag in nic_tags(root)],
        vms=lambda: Machines(World(root)).all(),
    )


def prepare_create(payload: VM, root: str) -> VM:
    """The VM that ``vmadm create`` makes of the payload.

    Raises:
        Refused: with vmadm's words, or as its program dies.
    """
    around = surroundings(root)
    if World(root).zone(str(payload["uuid"])) is not None:
        raise Refused(f"VM with UUID {payload['uuid']} already exists")
    vm = _normalised(payload, None, around)
    brand = vm["brand"]
    for name in ("nics", "disks", "filesystems", "pci_devices"):
        if f"add_{name}" in vm:
            vm[name] = vm.pop(f"add_{name}")
    vm = {key: value for key, value in vm.items() if value is not UNDEFINED}
    if brand not in HVM:
        vm.pop("ram", None)
    if brand == "bhyve":
        if "com1" not in vm and "com2" not in vm:
            vm |= {"com1": "/dev/zconsole", "com2": "socket,/tmp/vm.ttyb"}
        vm |= {"zlog_mode": "g--", "zlog_name": "platform.log"}
    _finish_nics(vm)
    _finish_disks(vm)
    if vm.pop("delegate_dataset", False):
        vm["datasets"] = [f"{vm['zpool']}/{vm['zonename']}/data"]
    return vm


def prepare_update(payload: VM, vm: VM, root: str) -> VM:
    """What ``vmadm update`` works with; ``vm`` is the VM as it is.

    Raises:
        Refused: with vmadm's words, or as its program dies.
    """
    return _normalised(payload, vm, surroundings(root))


def _normalised(payload: VM, vm: VM | None, around: Surroundings) -> VM:
    try:
        return normalise(payload, vm, around, [])
    except Rejected as refusal:
        raise Refused(refusal.text) from refusal
    except Crash as crash:
        raise Refused(f"TypeError: {crash}\n    at normalizePayload (/usr/vm/node_modules/VM.js)", ABORTED) from crash


def _finish_nics(vm: VM) -> None:
    nics = [stored_nic(nic) for nic in vm.get("nics", ())]
    place_nics(nics, vm["brand"], set())
    if nics and not any(nic.get("primary") for nic in nics):
        nics[0]["primary"] = True
    vm["nics"] = nics


def place_nics(nics: list[VM], brand: str, used: set[str]) -> None:
    """Give each nic without one the next free interface."""
    prefix = BRANDS[brand].get("interface_prefix", "net")
    for nic in nics:
        if "interface" not in nic:
            nic["interface"] = next(f"{prefix}{at}" for at in range(len(used) + 1) if f"{prefix}{at}" not in used)
        used.add(nic["interface"])


def stored_nic(given: VM) -> VM:
    """A nic as it is kept: old forms of address and gateway beside the new ones."""
    nic = {key: value for key, value in given.items() if value is not UNDEFINED and value not in ("", [], None)}
    if "physical" in nic:
        nic["interface"] = nic.pop("physical")
    if "vrrp_vrid" in nic:
        nic["mac"] = vrrp_mac(nic["vrrp_vrid"])
    for key in ("ip", "netmask", "gateway"):
        if f"{key}s" in nic or (key == "netmask" and "ips" in nic):
            nic.pop(key, None)
    first = next((ip for ip in nic.get("ips", ()) if ip == "dhcp" or is_cidr4(ip)), None)
    if first is not None:
        address, slash, bits = first.partition("/")
        nic["ip"] = address
        if slash:
            nic["netmask"] = bits_mask(int(bits))
    gateway = next((one for one in nic.get("gateways", ()) if is_ipv4(one)), None)
    if gateway is not None:
        nic["gateway"] = gateway
    return nic


def _finish_disks(vm: VM) -> None:
    place_disks(vm.get("disks", ()), vm, set())
    for disk in vm.get("disks", ()):
        if not truthy(disk.get("size", disk.get("image_size"))) and disk.get("media") == "disk":
            raise Refused(f"FATAL: createVolume({disk}): has no size or image_size")


def place_disks(disks: Any, vm: VM, used: set[str]) -> None:
    """Give each disk without one the next free path."""
    separator = "-" if vm["brand"] == "kvm" else "/"
    stem = f"/dev/zvol/rdsk/{vm['zpool']}/{vm['zonename']}{separator}disk"
    for disk in disks:
        if "path" not in disk:
            disk["path"] = next(f"{stem}{at}" for at in range(len(used) + 1) if f"{stem}{at}" not in used)
        used.add(disk["path"])
