"""VM -> FiFo configuration."""

from __future__ import annotations

import pytest

from chunter_nsq.fifo.config import from_vmadm, to_fifo

GIB = 2**30


def test_vmadm_tells_memory_in_mebibytes():
    """What vmadm prints of a zone: MiB as they are, its time of creation under FiFo's name, no secrets."""
    vm = {
        "zonename": "u",
        "uuid": "u",
        "brand": "joyent-minimal",
        "max_physical_memory": 512,
        "create_timestamp": "2023-11-14T09:12:33.181Z",
        "quota": 10,
        "zonepath": "/zones/u",
        "tags": {},
        "customer_metadata": {"root_authorized_keys": "K", "k": "v"},
        "internal_metadata": {"root_pw": "s", "docker:cmd": "[]", "alias": "spoof", "note": "n"},
    }
    expected = {
        "uuid": "u",
        "type": "zone",
        "ram": 512,
        "created_at": "2023-11-14T09:12:33.181Z",
        "quota": 10,
        "zonepath": "/zones/u",
        "ssh_keys": "K",
        "metadata": {"k": "v"},
        "note": "n",
    }
    assert expected == from_vmadm(vm)


def test_a_guest_has_its_own_memory():
    """A guest's memory is its ram, not what it costs the host."""
    assert {"type": "bhyve", "ram": 1024} == from_vmadm({"brand": "bhyve", "ram": 1024, "max_physical_memory": 2304})


def test_a_zone_configuration_tells_memory_in_bytes():
    """Bytes become MiB, a half goes up, and ram wins where it is told."""
    assert {"ram": 257} == to_fifo({"max_physical_memory": 268959744})
    assert {"ram": 5} == to_fifo({"max_physical_memory": 268959744, "ram": 5})


@pytest.mark.parametrize(
    ("vm", "kind"),
    [
        ({"brand": "joyent"}, {"type": "zone"}),
        ({"brand": "builder"}, {"type": "zone"}),
        ({"brand": "lx"}, {"type": "zone", "zone_type": "lx"}),
        ({"brand": "lx", "docker": True}, {"type": "zone", "zone_type": "docker"}),
        ({"brand": "lx", "docker": False}, {"type": "zone", "zone_type": "lx"}),
        ({"brand": "kvm"}, {"type": "kvm"}),
        ({"brand": "bhyve"}, {"type": "bhyve"}),
        ({"brand": "lipkg"}, {"type": "ipkg"}),
        ({"brand": "jail"}, {"type": "jail"}),
        ({"brand": "never-seen"}, {"type": "never-seen"}),
        ({"brand": None}, {}),
        ({}, {}),
    ],
)
def test_brands_have_types(vm, kind):
    """Every brand has a type, and one FiFo never knew keeps its name."""
    assert kind == to_fifo(vm)


def test_a_zones_quota_is_its_file_system():
    """What a zone's file system uses and has left is its quota, to the nearest GiB."""
    assert 11 == to_fifo({"brand": "lx", "zonepath": "/zones/u", "quota": 1}, (GIB, 9 * GIB + GIB // 2))["quota"]


def test_a_guests_quota_is_its_disks():
    """A guest's quota is the sum of its disks, each to the nearest GiB, whatever its zone root holds."""
    disks = [{"size": 10240}, {"size": 2560}, {}, {"size": "big"}, None]
    vm = {"brand": "kvm", "zonepath": "/zones/u", "quota": 1, "disks": disks}
    assert 13 == to_fifo(vm, (GIB, GIB))["quota"]


def test_no_disks_no_change_of_a_zones_quota():
    """A zone keeps its quota though its list of disks is empty; a guest without disks has none."""
    assert 7 == to_fifo({"brand": "lx", "quota": 7, "disks": []})["quota"]
    assert 0 == to_fifo({"brand": "kvm", "quota": 7, "disks": []})["quota"]


def test_only_keys_are_no_metadata():
    """A guest with root's keys and nothing else has no metadata member."""
    assert {"ssh_keys": "K"} == to_fifo({"customer_metadata": {"root_authorized_keys": "K"}})


def test_the_image_of_a_zone_wins():
    """An own image wins over a disk's, that over the old name."""
    assert "i" == to_fifo({"dataset_uuid": "d", "disks": [{"image_uuid": "k"}], "image_uuid": "i"})["dataset"]
    assert "k" == to_fifo({"dataset_uuid": "d", "disks": [{"image_uuid": "k"}, {}]})["dataset"]
    assert "d" == to_fifo({"dataset_uuid": "d", "disks": []})["dataset"]


def test_nobody_is_no_owner():
    """The nil uuid is left out; an owner is named."""
    assert {} == to_fifo({"owner_uuid": "00000000-0000-0000-0000-000000000000", "owner": "x"})
    assert {"owner": "o", "package": "p", "networks": []} == to_fifo(
        {"owner_uuid": "o", "package_name": "p", "nics": []}
    )


def test_the_result_is_a_copy():
    """Changing the configuration does not change the VM."""
    vm = {"resolvers": ["a"], "nics": [{"ip": "b"}]}
    config = to_fifo(vm)
    config["resolvers"].append("c")
    config["networks"][0]["ip"] = "d"
    assert {"resolvers": ["a"], "nics": [{"ip": "b"}]} == vm
