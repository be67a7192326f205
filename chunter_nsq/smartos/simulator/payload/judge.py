"""Whether vmadm takes a create payload on this host, and the VM it becomes."""

from __future__ import annotations

from chunter_nsq.smartos.simulator.host import images, nic_tags
from chunter_nsq.smartos.simulator.machine import Machines
from chunter_nsq.smartos.simulator.payload.defaults import HVM, fill, finish_nic, random_mac
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.values import compact
from chunter_nsq.smartos.simulator.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def prepare_create(payload: dict[str, Any], root: str) -> dict[str, Any]:
    """The VM that ``vmadm create`` will make of the payload.

    Raises:
        Refused: with vmadm's words.
    """
    vm = fill(payload)
    brand, uuid = vm["brand"], vm["uuid"]
    installed = images(root)
    bad, missing = [], []
    if brand not in HVM:
        if "image_uuid" not in vm:
            missing.append("image_uuid")
        elif f"{vm['zpool']}/{vm['image_uuid']}" not in installed:
            bad.append("image_uuid")
    for at, disk in enumerate(vm.get("disks", ())):
        manifest = installed.get(f"{vm['zpool']}/{disk.get('image_uuid')}")
        if "image_uuid" in disk and manifest is None:
            bad.append(f"disks.{at}.image_uuid")
        elif manifest is not None:
            disk.setdefault("image_size", manifest.get("image_size"))
    if brand == "lx" and "kernel_version" not in vm:
        missing.append("kernel_version")
    if bad:
        raise Refused(f"Invalid value(s) for: {','.join(bad)}")
    if missing:
        raise Refused(f"Missing required properties: {','.join(missing)}")
    others = Machines(World(root)).all()
    if any(uuid == other["uuid"] for other in others):
        raise Refused(f"VM with UUID {uuid} already exists")
    vm["zonename"] = vm.get("zonename", uuid)
    _nics(vm, root, others)
    _disks(vm)
    if vm.pop("delegate_dataset", False):
        vm["datasets"] = [f"{vm['zpool']}/{vm['zonename']}/data"]
    return vm


def _nics(vm: dict[str, Any], root: str, others: list[dict[str, Any]]) -> None:
    known = {tag.name for tag in nic_tags(root)}
    taken = [nic for other in others for nic in other["nics"]]
    nics = []
    for at, given in enumerate(vm.get("nics", ())):
        nic = finish_nic(given)
        nic.setdefault("interface", f"{'eth' if vm['brand'] == 'lx' else 'net'}{at}")
        nic.setdefault("mac", random_mac())
        if "nic_tag" not in nic:
            raise Refused(f"invalid or missing .nic_tag option for NIC: {compact(given)}")
        if nic["nic_tag"] not in known:
            raise Refused(f'Invalid nic tag "{nic["nic_tag"]}"')
        for other in taken:
            same_net = (other.get("nic_tag"), other.get("vlan_id", 0)) == (nic["nic_tag"], nic.get("vlan_id", 0))
            if other["mac"] == nic["mac"] or (
                same_net and other.get("ip") == nic.get("ip") and nic.get("ip") != "dhcp"
            ):
                raise Refused("Conflict detected with another vm, please check the MAC, IP, and VRID")
        if vm["brand"] in HVM and "model" not in nic:
            if "nic_driver" not in vm:
                raise Refused(f"missing .model option for NIC: {compact(given)}")
            nic["model"] = vm["nic_driver"]
        nics.append(nic)
    if nics and not any(nic.get("primary") for nic in nics):
        nics[0]["primary"] = True
    vm["nics"] = nics


def _disks(vm: dict[str, Any]) -> None:
    separator = "-" if vm["brand"] == "kvm" else "/"
    for at, disk in enumerate(vm.get("disks", ())):
        disk.setdefault("path", f"/dev/zvol/rdsk/{vm['zpool']}/{vm['zonename']}{separator}disk{at}")
        disk.setdefault("media", "disk")
        if "model" not in disk:
            if "disk_driver" not in vm:
                raise Refused(f"missing .model option for disk: {compact(disk)}")
            disk["model"] = vm["disk_driver"]
        if vm["brand"] == "bhyve":
            import uuid  # noqa: PLC0415 - only new bhyve disks need one

            disk.setdefault("pci_slot", f"0:4:{at}")
            disk.setdefault("uuid", str(uuid.uuid4()))
