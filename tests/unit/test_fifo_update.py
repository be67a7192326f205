"""Configuration and package -> update payload."""

from __future__ import annotations

import pytest

from chunter_nsq.errors import InvalidMessage, Unsupported
from chunter_nsq.fifo.facts import HostFacts
from chunter_nsq.fifo.update import create_update

HOST = HostFacts(total_memory_mib=16384, now_ms=0)
PACKAGE = {"uuid": "pk", "ram": 2048, "quota": 20, "cpu_cap": 250}
OF_PACKAGE = {"package_name": "pk", "cpu_shares": 128, "zfs_io_priority": 256, "max_swap": 4096, "cpu_cap": 250}
ROOT_DISK = {"boot": True, "media": "disk", "path": "/d0"}
CD = {"boot": False, "media": "cdrom", "path": "/cd"}
DATA_DISK = {"boot": False, "media": "disk", "path": "/d1"}


def test_a_configuration_alone():
    """Only what can be changed gets through; metadata is set, never replaced."""
    config = {
        "alias": "a",
        "resolvers": [],
        "ram": 1,
        "network_map": {},
        "metadata": {"k": 1},
        "ssh_keys": "K",
        "note": "n",
        "root_pw": "s",
        "owner": "o",
    }
    expected = {
        "alias": "a",
        "resolvers": [],
        "owner_uuid": "o",
        "set_customer_metadata": {"k": 1, "root_authorized_keys": "K"},
        "set_internal_metadata": {"note": "n", "root_pw": "s"},
    }
    assert expected == create_update({}, None, config, HOST)


def test_nothing_to_change():
    """Neither configuration nor package: an empty payload."""
    assert {} == create_update({"brand": "kvm"}, None, None, HOST)


def test_added_nics_have_a_model():
    """A NIC without a model gets virtio; one with a model keeps it."""
    payload = create_update({}, None, {"add_nics": [{"nic_tag": "a"}, {"model": "e1000"}]}, HOST)
    assert [{"model": "virtio", "nic_tag": "a"}, {"model": "e1000"}] == payload["add_nics"]


@pytest.mark.parametrize("brand", ["joyent", "joyent-minimal", "lx", "sngl", "builder"])
def test_a_package_resizes_a_zone(brand):
    """A package changes memory, quota and compression of every kind of zone, and wins over the configuration."""
    expected = OF_PACKAGE | {
        "max_physical_memory": 2048,
        "quota": 20,
        "zfs_root_compression": "off",
        "zfs_data_compression": "off",
    }
    assert expected == create_update({"brand": brand}, PACKAGE, {"max_swap": 1}, HOST)


@pytest.mark.parametrize(("brand", "memory"), [("kvm", 3072), ("bhyve", 3328)])
def test_a_package_resizes_a_guest(brand, memory):
    """A package changes memory, CPUs and the data disk of a guest; root disk and CD are left alone."""
    expected = OF_PACKAGE | {
        "ram": 2048,
        "vcpus": 3,
        "max_physical_memory": memory,
        "update_disks": [{"path": "/d1", "size": 20480}],
    }
    assert expected == create_update({"brand": brand, "disks": [ROOT_DISK, CD, DATA_DISK]}, PACKAGE, {}, HOST)


@pytest.mark.parametrize("disks", [None, [], [ROOT_DISK, CD], "x", [1], [{"boot": False}]])
def test_no_data_disk_none_resized(disks):
    """A guest without a data disk is resized without one."""
    assert "update_disks" not in create_update({"brand": "kvm", "disks": disks}, PACKAGE, {}, HOST)


def test_no_quota_leaves_the_data_disk():
    """A package of quota 0 does not make a disk of size 0."""
    assert "update_disks" not in create_update({"brand": "kvm", "disks": [DATA_DISK]}, PACKAGE | {"quota": 0}, {}, HOST)


def test_a_guest_needs_a_cap_and_a_zone_does_not():
    """The CPUs of a guest follow from the cap; a zone may go without."""
    capless = {"uuid": "pk", "ram": 1, "quota": 1}
    with pytest.raises(InvalidMessage, match=r"package\.cpu_cap is missing"):
        create_update({"brand": "kvm"}, capless, {}, HOST)
    assert "cpu_cap" not in create_update({"brand": "lx"}, capless, {}, HOST)


@pytest.mark.parametrize("brand", ["jail", "ipkg", "xen", None, []])
def test_no_package_for_a_foreign_brand(brand):
    """A VM of a brand that has no packages is not resized, but can be changed."""
    with pytest.raises(Unsupported, match="takes no package; update it without one"):
        create_update({"brand": brand}, PACKAGE, {}, HOST)
    assert {"alias": "a"} == create_update({"brand": brand}, None, {"alias": "a"}, HOST)


def test_faults_of_configuration_and_package_together():
    """What is wrong in both forms is told at once."""
    with pytest.raises(InvalidMessage) as refusal:
        create_update({}, {"uuid": "pk", "quota": 1}, {"add_nics": {}, "metadata": "m"}, HOST)
    paths = [fault["path"] for fault in refusal.value.details["faults"]]
    assert ["config.add_nics", "config.metadata", "package.ram"] == paths
