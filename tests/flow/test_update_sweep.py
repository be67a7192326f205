"""Every property in the platform's own table, for each brand: updated and shown, or told to have been ignored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from worlds import BASE_IMAGE, Ears, Host

from chunter_nsq.fifo.update import CHANGEABLE
from chunter_nsq.smartos.ignored import FLAT, KNOWN_BY
from chunter_nsq.smartos.simulator.payload.table import PROPERTIES, Property

UBUNTU, CENTOS = "63d6e664-3f1f-11e8-aef6-a3120cf8dd9d", "462d1d03-8457-e134-a408-cf9ea2b9be96"
SOMEBODY = "b9f1e4aa-0d8b-4a9e-93e1-0f3a1c1c4d10"
UUIDS = {
    brand: f"00000000-0000-4000-8000-00000000000{number}"
    for number, brand in enumerate(("joyent", "joyent-minimal", "lx", "kvm", "bhyve"))
}
HVM = ("kvm", "bhyve")
# A value of each type, and where a property has a grammar of its own, one of that; each is other than a new VM's.
ANY: dict[str, Any] = {
    "string": "changed", "boolean": True, "list": ["foo"], "flat-object": {"k": "v"}, "uuid": SOMEBODY,
    "zpool": "zones",
}  # fmt: skip
PARTICULAR: dict[str, Any] = {
    "billing_id": SOMEBODY, "owner_uuid": SOMEBODY, "max_swap": 4096, "brand": "builder", "boot": "order=d",
    "bootrom": "uefi", "disk_driver": "ide", "nic_driver": "e1000", "fs_allowed": ["ufs"], "kernel_version": "4.4.0",
    "limit_priv": ["default", "dtrace_user"], "resolvers": ["9.9.9.9"], "restart_init": False, "vga": "qxl",
    "vnc_password": "secret", "zfs_root_compression": "gzip", "zfs_data_compression": "gzip",
    "zfs_root_recsize": 65536, "zfs_data_recsize": 65536, "zonename": "other", "datasets": ["zones/x"],
    "nics.*.allowed_ips": ["10.9.9.9"], "nics.*.allowed_dhcp_cids": ["0x0102"], "nics.*.blocked_outgoing_ports": [25],
    "nics.*.gateway": "10.0.9.2", "nics.*.gateways": ["10.0.9.3"], "nics.*.interface": "net7",
    "nics.*.ip": "10.0.9.60", "nics.*.ips": ["10.0.9.50/24"], "nics.*.netmask": "255.255.255.128",
    "nics.*.model": "e1000", "nics.*.mtu": 1500, "nics.*.nic_tag": "external", "nics.*.vlan_id": 7,
    "nics.*.vrrp_vrid": 3, "nics.*.vrrp_primary_ip": "10.0.9.60", "disks.*.model": "virtio", "disks.*.media": "disk",
    "disks.*.compression": "gzip", "disks.*.guest_block_size": "512/4096", "disks.*.pci_slot": "0:5:0",
    "disks.*.size": 200, "disks.*.refreservation": 150, "filesystems.*.type": "lofs", "filesystems.*.source": "/opt",
    "filesystems.*.options": ["ro"], "pci_devices.*.pci_slot": "0:9:0",
}  # fmt: skip
ONE: dict[str, dict[str, Any]] = {
    "filesystems": {"source": "/tmp", "target": "/mnt", "type": "lofs"},
    "pci_devices": {"path": "/devices/pci0/pci8086", "pci_slot": "0:8:0"},
}
# Members that say the same in an older form have an update of their own, those of another kind of NIC a NIC.
OLDER, VRRP = {"ip", "netmask", "gateway"}, {"vrrp_vrid", "vrrp_primary_ip"}
# The uuid is the command's own; docker leaves an id in the metadata even where it is dropped.
TRACES = {"uuid", "docker"}
# Of a machine without a delegated dataset.
NOWHERE = {"indestructible_delegated"}


def value(one: Property, number: int) -> Any:
    """What a property is set to; numbers differ between machines, since some must not be shared."""
    if one.name == "image_uuid":
        return UBUNTU if list(UUIDS)[number] == "lx" else BASE_IMAGE  # any other is refused, and not just ignored
    if one.type == "integer" and one.name not in PARTICULAR:
        return max(one.minimum or 0, 300) + number
    return PARTICULAR.get(one.name, ANY.get(one.type))


def rows(brand: str, *, updatable: bool, of: str = "") -> Iterator[Property]:
    """The table's rows that a brand can, or cannot, update: of the machine, or of the members of a list."""
    for one in PROPERTIES.values():
        what, dot, _ = one.name.partition(".*.")
        is_meant = what == of if dot else not of and one.type != "object-array"
        is_verb = one.name.startswith(("set_", "remove_"))
        if is_meant and not is_verb and updatable is ("update" in one.allowed.get(brand, ())):
            yield one


def machine(brand: str) -> dict[str, Any]:
    """A payload that makes a stopped machine of a brand, with all that can be changed of it."""
    number = list(UUIDS).index(brand)
    nic = {"nic_tag": "admin", "ips": [f"10.0.1{number}.20/24"], "mac": f"90:b8:d0:00:00:0{number}"}
    payload = {"brand": brand, "alias": brand, "autoboot": False, "nics": [nic]}
    if brand in HVM:
        nic["model"] = "virtio"
        disks = [{"image_uuid": CENTOS, "boot": True, "model": "virtio"}, {"size": 100, "model": "virtio"}]
        return {**payload, "ram": 512, "vcpus": 1, "disks": disks}
    image = {"image_uuid": UBUNTU, "kernel_version": "4.3.0"} if brand == "lx" else {"image_uuid": BASE_IMAGE}
    return {**payload, **image, "delegate_dataset": True, "max_physical_memory": 512}


def text(shown: Any) -> Any:
    """Lists that vmadm keeps as words are written with commas."""
    return ",".join(map(str, shown)) if isinstance(shown, list) else shown


class Fleet:
    """A machine of each brand on one host, and what is typed and sent about them."""

    def __init__(self, ears: Ears, host: Host) -> None:
        self._ears = ears
        self._host = host

    async def make(self) -> None:
        """Make them all."""
        for brand, uuid in UUIDS.items():
            done = await self._ears.result(self._host.send("machine.create", uuid, params={"payload": machine(brand)}))
            assert "succeeded" == done["status"], done

    def get(self, brand: str) -> dict[str, Any]:
        """A machine as vmadm has it."""
        return json.loads(self._host.tool("vmadm", "get", UUIDS[brand]).stdout)

    async def update(self, brand: str, **params: Any) -> set[str]:
        """Change a machine; what is told to have been ignored."""
        done = await self._ears.result(self._host.send("machine.update", UUIDS[brand], params=params))
        assert "succeeded" == done["status"], (brand, done["error"])
        return set(done["result"]["ignored"])


@pytest.fixture
async def fleet(ears: Ears, host: Host) -> Fleet:
    """All machines, made."""
    one = Fleet(ears, host)
    await one.make()
    return one


async def test_every_property(fleet: Fleet) -> None:
    """What a brand can update vmadm shows afterwards; what it cannot stays as it was, and is told by name."""
    for number, brand in enumerate(UUIDS):
        can = {one.name: value(one, number) for one in rows(brand, updatable=True)}
        ignored = await fleet.update(brand, payload=can)
        assert (NOWHERE if brand in HVM else set()) == ignored, brand
        after = fleet.get(brand)
        more = {"internal_metadata_namespaces": ["foo", "docker"]} if "docker" in can else {}
        wanted = {name: text({**can, **more}[name]) for name in can if name not in ignored}
        memory = {name for name in wanted if name.startswith("max_") and number in (3, 4)}  # no less than the guest's
        assert wanted == {name: text(after.get(name)) for name in wanted} | {name: wanted[name] for name in memory}
        cannot = {one.name: value(one, number) for one in rows(brand, updatable=False) if one.name not in TRACES}
        as_it_is = {name for name, given in cannot.items() if after.get(name) == given}
        assert set(cannot) - as_it_is == await fleet.update(brand, payload=cannot), brand
        assert after == fleet.get(brand) | {"last_modified": after["last_modified"]}, brand


@pytest.mark.thorough
async def test_every_member_of_every_list(fleet: Fleet) -> None:
    """NICs, disks, file systems and devices are added, changed in every member, and removed, where a brand has them."""
    for number, brand in enumerate(UUIDS):
        for what, known_by in KNOWN_BY.items():
            if "update" not in PROPERTIES[f"update_{what}"].allowed.get(brand, ()):
                continue
            if what in ONE:
                await fleet.update(brand, payload={f"add_{what}": [ONE[what]]})
            name = fleet.get(brand)[what][-1][known_by]
            members = {one.name.partition(".*.")[2]: value(one, number) for one in rows(brand, updatable=True, of=what)}
            members.pop(known_by, None)
            for change in apart(members):
                ignored = await fleet.update(brand, payload={f"update_{what}": [{known_by: name, **change}]})
                shown = next(one for one in fleet.get(brand)[what] if one[known_by] == name)
                change.pop("dangerous_allow_shrink", None)  # says how, and is nothing of a disk
                assert (set(), change) == (ignored, {key: shown.get(key) for key in change}), (brand, what)
            if set(members) >= VRRP:
                await shared_address(fleet, brand, {key: members[key] for key in VRRP})
            await fleet.update(brand, payload={f"remove_{what}": [name]})
            assert name not in [one[known_by] for one in fleet.get(brand).get(what, ())], (brand, what)


def apart(members: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The members in changes that can be made at once."""
    for group in (set(members) - OLDER - VRRP, set(members) & OLDER):
        if group:
            yield {name: members[name] for name in sorted(group)}


async def shared_address(fleet: Fleet, brand: str, members: dict[str, Any]) -> None:
    """A NIC with VRRP comes, whose MAC vmadm makes of its number, and goes."""
    nic = {"nic_tag": "admin", "ips": ["10.0.9.99/24"], **members} | ({"model": "virtio"} if brand in HVM else {})
    await fleet.update(brand, payload={"add_nics": [nic]})
    shown = next(one for one in fleet.get(brand)["nics"] if "vrrp_vrid" in one)
    assert members == {key: shown[key] for key in members}
    assert set() == await fleet.update(brand, payload={"remove_nics": [shown["mac"]]})


@pytest.mark.thorough
async def test_flat_objects(fleet: Fleet) -> None:
    """Tags, metadata and routes are set and removed key by key, for every brand."""
    for brand in UUIDS:
        given = {"10.9.9.0/24": "10.0.0.1"}
        wanted = {f"set_{what}": given if what == "routes" else {"one": "1", "two": True} for what in FLAT}
        assert set() == await fleet.update(brand, payload=wanted)
        shown = fleet.get(brand)
        assert all(wanted[f"set_{what}"].items() <= shown[what].items() for what in FLAT), brand
        gone = {f"remove_{what}": list(wanted[f"set_{what}"])[:1] for what in FLAT}
        assert set() == await fleet.update(brand, payload=gone)
        assert not any(gone[f"remove_{what}"][0] in fleet.get(brand)[what] for what in FLAT), brand


@pytest.mark.thorough
async def test_every_member_that_fifo_knows(fleet: Fleet) -> None:
    """What FiFo's form may change is changed by it as by a payload, for every brand that can."""
    for number, brand in enumerate(UUIDS):
        config = {one.name: value(one, number) for one in rows(brand, updatable=True) if one.name in CHANGEABLE}
        routes = {"set_routes": {"10.9.9.0/24": "10.0.0.1"}}
        others = {"owner": SOMEBODY, "metadata": {"role": "web"}, "add_nics": [{"nic_tag": "admin", "ips": ["dhcp"]}]}
        ignored = await fleet.update(brand, config={**config, **routes, **others})
        assert (NOWHERE if brand in HVM else set()) == ignored, brand
        after = fleet.get(brand)
        assert {name: config[name] for name in config if name not in NOWHERE} == {
            name: after.get(name) for name in config if name not in NOWHERE
        }
        assert (SOMEBODY, "web", routes["set_routes"]) == (
            after["owner_uuid"], after["customer_metadata"]["role"], after["routes"],
        )  # fmt: skip
        (old, new) = after["nics"]
        change = {"update_nics": [{"mac": old["mac"], "vlan_id": 9}], "remove_nics": [new["mac"]]}
        assert set() == await fleet.update(brand, config={**change, "remove_routes": list(routes["set_routes"])})
        after = fleet.get(brand)
        assert ([9], {}) == ([nic["vlan_id"] for nic in after["nics"]], after["routes"])
