"""Payloads that are out of the ordinary, beside VMs that are there."""

from __future__ import annotations

import pytest

from chunter_nsq.smartos.simulator.payload.javascript import Crash
from chunter_nsq.smartos.simulator.payload.normalise import normalise
from chunter_nsq.smartos.simulator.payload.refusal import Rejected
from chunter_nsq.smartos.simulator.payload.surroundings import Surroundings
from chunter_nsq.smartos.simulator.payload.validate import validate

IMAGE = "11111111-1111-4111-8111-111111111111"
DISK = "22222222-2222-4222-8222-222222222222"
OTHER = {"uuid": "o", "state": "running", "zone_state": "running", "nics": [{"mac": "02:08:20:aa:bb:01"}]}
ROUTER = {"uuid": "r", "state": "running", "zone_state": "running", "nics": [{"mac": "02:08:20:aa:bb:02"}]}
ROUTER["nics"][0]["vrrp_vrid"] = 42
CONFLICT = "Conflict detected with another vm"


def created(brand: str = "joyent", **payload: object) -> dict:
    """What create makes of the payload, on a host with two VMs."""
    images = {f"zones/{IMAGE}": {"type": "zone-dataset"}, f"zones/{DISK}": {"type": "zvol", "image_size": 10}}
    around = Surroundings(images=images, nic_tags=[("admin", "normal")], vms=lambda: [OTHER, ROUTER])
    given = {"uuid": "a0000000-0000-4000-8000-000000000001", "brand": brand}
    return normalise(given | ({"image_uuid": IMAGE} if brand == "joyent" else {}) | payload, None, around, [])


def nic(**members: object) -> dict:
    """A nic that would do."""
    return {"nic_tag": "admin", "ips": ["10.0.0.5/24"]} | members


@pytest.mark.parametrize("mac", ["2:8:20:aa:bb:1", "02:08:20:AA:BB:01"])
def test_another_vm_has_the_address_in_whatever_form(mac):
    """Short octets and capitals name the same address."""
    with pytest.raises(Rejected, match=CONFLICT):
        created(nics=[nic(mac=mac)])


def test_a_router_id_as_text_is_the_same():
    """42 and its text are one router id."""
    both = [nic(), nic(ips=["10.0.0.6/24"], vrrp_vrid="42", vrrp_primary_ip="10.0.0.5")]
    with pytest.raises(Rejected, match=CONFLICT):
        created(nics=both)


def test_null_as_an_address_kills_the_program():
    """A MAC of null passes every check until it is looked up."""
    with pytest.raises(Crash, match="reading '0'"):
        created(nics=[nic(mac=None)])


def test_a_list_as_an_address_kills_the_program():
    """An empty list is blank, so no wrong value, until its text is looked up."""
    with pytest.raises(Crash, match=r"str\.split is not a function"):
        created(nics=[nic(mac=[])])


def test_a_list_in_place_of_a_nic_is_told_as_it_is():
    """What was given shows in the message."""
    with pytest.raises(Rejected, match=r"nic_tag option for NIC: \[\]"):
        created(nics=[[]])


def test_null_as_a_tag_kills_the_program():
    """The tag's text is matched, and null has none."""
    with pytest.raises(Crash, match="null \\(reading 'match'\\)"):
        created(nics=[nic(nic_tag=None)])


def test_primary_address_that_is_a_list_belongs_to_no_vm():
    """An empty list is no wrong value, but no address either."""
    with pytest.raises(Rejected, match="vrrp_primary_ip must belong"):
        created(nics=[nic(vrrp_primary_ip=[[]])])


def test_two_disks_in_one_slot_are_told_by_their_paths():
    """The second quotation has no end, as on the platform."""
    disks = [{"size": 10, "model": "virtio", "pci_slot": slot} for slot in ("0:4:0", "4")]
    with pytest.raises(Rejected) as refusal:
        created("bhyve", disks=disks)
    assert 'VM has multiple disks in pci_slot "4": "undefined" and "undefined' == str(refusal.value)


def test_the_boot_rom_is_only_compared_with_images_that_require_something():
    """An image without requirements boots with any ROM."""
    disk = {"boot": True, "model": "virtio", "image_uuid": DISK}
    assert "/opt/rom" == created("bhyve", bootrom="/opt/rom", disks=[disk])["bootrom"]


@pytest.mark.parametrize("blank", ["", " ", "\ufeff", "\u2003"])
def test_what_javascript_takes_for_blank_unsets(blank):
    """A blank number is no wrong value."""
    assert validate({"max_swap": blank}, "update", "joyent", Surroundings()) is None
