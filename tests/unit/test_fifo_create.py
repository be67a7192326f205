"""Package, dataset and configuration -> create payload."""

from __future__ import annotations

import pytest

from chunter_nsq.errors import InvalidMessage, Unsupported
from chunter_nsq.fifo.create import to_vmadm
from chunter_nsq.fifo.facts import HostFacts

HOST = HostFacts(total_memory_mib=16384, now_ms=1_000_000)
PACKAGE = {"uuid": "pk", "ram": 2048, "quota": 20, "cpu_cap": 250}
ZONE = {"type": "zone", "uuid": "img"}
LX = ZONE | {"zone_type": "lx", "kernel_version": "4.3.0"}
DOCKER = LX | {"zone_type": "docker"}
KVM = {"type": "kvm", "uuid": "img", "image_size": 10240}
COMMON = {
    "autoboot": True,
    "cpu_cap": 250,
    "cpu_shares": 128,
    "max_swap": 4096,
    "owner_uuid": "00000000-0000-0000-0000-000000000000",
    "package_name": "pk",
    "resolvers": ["8.8.8.8", "8.8.4.4"],
    "zfs_io_priority": 128,
}


def _paths(refusal):
    return [fault["path"] for fault in refusal.value.details["faults"]]


def test_a_zone_without_wishes():
    """A zone needs no configuration at all."""
    expected = COMMON | {"brand": "joyent", "image_uuid": "img", "max_physical_memory": 2048, "quota": 20}
    assert expected == to_vmadm(PACKAGE, ZONE, None, HOST)


def test_a_kvm_guest_has_two_disks():
    """A kvm guest boots from the image's disk and has one of its quota; CPUs are rounded up."""
    expected = COMMON | {
        "brand": "kvm",
        "ram": 2048,
        "vcpus": 3,
        "max_physical_memory": 3072,
        "disks": [{"boot": True, "image_uuid": "img", "image_size": 10240}, {"boot": False, "size": 20480}],
    }
    assert expected == to_vmadm(PACKAGE, KVM, {}, HOST)


def test_a_bhyve_guest_is_a_kvm_guest_with_its_own_overhead():
    """Bhyve is laid out like kvm; only the brand and what it costs beside its memory differ."""
    kvm, bhyve = to_vmadm(PACKAGE, KVM, {}, HOST), to_vmadm(PACKAGE, KVM | {"type": "bhyve"}, {}, HOST)
    assert kvm | {"brand": "bhyve", "max_physical_memory": 3328} == bhyve


def test_a_data_disk_has_the_names_that_vmadm_knows():
    """Compression and block size of a package go to the data disk, the latter under vmadm's own name."""
    payload = to_vmadm(PACKAGE | {"compression": "lz4", "blocksize": 4096}, KVM, {}, HOST)
    assert {"boot": False, "size": 20480, "compression": "lz4", "block_size": 4096} == payload["disks"][1]


def test_no_quota_no_data_disk():
    """A quota of 0 makes no disk of size 0."""
    assert 1 == len(to_vmadm(PACKAGE | {"quota": 0}, KVM, {}, HOST)["disks"])


def test_a_fractional_quota_is_whole_mebibytes():
    """A quota of two and a half GiB is a disk of a whole number of MiB."""
    assert "2560" == str(to_vmadm(PACKAGE | {"quota": 2.5}, KVM, {}, HOST)["disks"][1]["size"])


def test_a_jail_is_laid_out_as_a_zone():
    """A dataset of type jail gives the payload of a zone."""
    assert to_vmadm(PACKAGE, ZONE, {}, HOST) == to_vmadm(PACKAGE, ZONE | {"type": "jail"}, {}, HOST)


def test_lx_keeps_zone_options_and_drops_the_domain():
    """An lx zone has its kernel version, keeps a zone's options and no dns_domain."""
    payload = to_vmadm(PACKAGE, LX, {"delegate_dataset": False, "dns_domain": "x"}, HOST)
    zone = to_vmadm(PACKAGE, ZONE, {"delegate_dataset": False}, HOST)
    assert zone | {"brand": "lx", "kernel_version": "4.3.0"} == payload


def test_a_container_takes_its_command_from_the_image():
    """Without a command of its own a container gets the image's, as JSON; settings are handed on as they are."""
    host = HostFacts(total_memory_mib=0, now_ms=5, image_config={"Cmd": ("/bin/sh", "-c"), "Entrypoint": None})
    payload = to_vmadm(PACKAGE, DOCKER, {"autoboot": True, "docker": {"env": '["A=b"]'}, "x_pw": "s"}, host)
    expected = {
        "docker:cmd": '["/bin/sh","-c"]',
        "docker:env": '["A=b"]',
        "docker:wait_for_attach": 60005,
        "x_pw": "s",
    }
    assert expected == payload["internal_metadata"]
    assert (False, True, "lx") == (payload["autoboot"], payload["docker"], payload["brand"])


def test_a_containers_own_command_wins():
    """A command in the configuration wins over the image's."""
    host = HostFacts(total_memory_mib=0, now_ms=0, image_config={"Cmd": ["no"]})
    assert "[]" == to_vmadm(PACKAGE, DOCKER, {"docker": {"cmd": "[]"}}, host)["internal_metadata"]["docker:cmd"]


IMAGE = {"Cmd": ["serve"], "Entrypoint": ["/init"], "Env": ["PATH=/bin", "HOME=/srv"], "WorkingDir": "/srv"}


@pytest.mark.parametrize(
    ("settings", "image", "expected"),
    [
        (
            {},
            IMAGE,
            {"cmd": '["serve"]', "entrypoint": '["/init"]', "env": '["PATH=/bin","HOME=/srv"]', "workdir": "/srv"},
        ),
        (
            {"entrypoint": "[]", "workdir": "/", "cmd": '["sh"]'},
            IMAGE,
            {"cmd": '["sh"]', "entrypoint": "[]", "env": '["PATH=/bin","HOME=/srv"]', "workdir": "/"},
        ),
        ({"env": '["HOME=/","A=b=c"]'}, {"Env": IMAGE["Env"]}, {"env": '["PATH=/bin","HOME=/","A=b=c"]'}),
        ({"env": "PATH=/x"}, {"Env": IMAGE["Env"]}, {"env": "PATH=/x"}),
        ({}, {"Cmd": None, "Entrypoint": 7, "Env": [], "WorkingDir": ""}, {"env": "[]"}),
    ],
    ids=["all", "own", "variables", "no environment", "nothing"],
)
def test_what_a_container_leaves_out_its_image_says(settings, image, expected):
    """Entry point, command and environment as JSON, the working directory as it is; the container's own win."""
    host = HostFacts(total_memory_mib=0, now_ms=0, image_config=image)
    internal = to_vmadm(PACKAGE, DOCKER, {"docker": settings}, host)["internal_metadata"]
    del internal["docker:wait_for_attach"]
    assert {f"docker:{key}": value for key, value in expected.items()} == internal


@pytest.mark.parametrize(
    ("marks", "primary"),
    [
        ([None, None], [True, None]),
        ([None, True], [None, True]),
        ([False, False], [True, False]),
        ([None, "true"], [None, "true"]),
        ([], []),
    ],
)
def test_one_nic_is_primary(marks, primary):
    """The first NIC becomes primary only where none is marked, and none is invented."""
    nics = [{"nic_tag": "a"} if mark is None else {"nic_tag": "a", "primary": mark} for mark in marks]
    payload = to_vmadm(PACKAGE, ZONE, {"nics": nics}, HOST)
    assert primary == [nic.get("primary") for nic in payload["nics"]]


def test_metadata_and_secrets_go_their_ways():
    """Keys and metadata are the guest's to read; passwords, note and network map the platform's."""
    config = {
        "ssh_keys": "K",
        "metadata": {"root_authorized_keys": "M", "k": {"deep": 1}},
        "any_pw": "s",
        "pw_any": "no",
        "note": "n",
        "network_map": {"a": "b"},
        "owner": "o",
    }
    payload = to_vmadm(PACKAGE, ZONE, config, HOST)
    assert {"root_authorized_keys": "K", "k": {"deep": 1}} == payload["customer_metadata"]
    assert {"any_pw": "s", "note": "n", "network_map": {"a": "b"}} == payload["internal_metadata"]
    assert "o" == payload["owner_uuid"]


def test_shares_round_a_half_up():
    """A share that lies halfway goes to the greater number."""
    host = HostFacts(total_memory_mib=32768, now_ms=0)
    assert [1, 3] == [to_vmadm(PACKAGE | {"ram": ram}, ZONE, {}, host)["cpu_shares"] for ram in (16, 80)]


def test_given_numbers_win_but_swap_has_a_floor():
    """Shares and swap of a package win over computed ones; swap is never under 256 MiB."""
    given = PACKAGE | {"cpu_shares": 7, "zfs_io_priority": 8, "max_swap": 10}
    payload = to_vmadm(given, ZONE, {}, HOST)
    assert (7, 8, 256) == (payload["cpu_shares"], payload["zfs_io_priority"], payload["max_swap"])


def test_every_fault_is_named_at_once():
    """All that is missing or of the wrong kind is told in one refusal, in order, each with a remedy."""
    with pytest.raises(InvalidMessage) as refusal:
        to_vmadm({"ram": "much", "quota": -1}, {"type": "kvm"}, {"nics": [1], "metadata": []}, HOST)
    expected = [
        "package.ram",
        "package.uuid",
        "package.cpu_cap",
        "package.quota",
        "config.nics",
        "dataset.uuid",
        "dataset.image_size",
        "config.metadata",
    ]
    assert expected == _paths(refusal)
    assert "package.uuid is missing: give the id of the package" in refusal.value.message


@pytest.mark.parametrize("dataset", [LX, DOCKER])
def test_lx_needs_a_kernel_version(dataset):
    """An lx image that does not say its kernel version is refused."""
    with pytest.raises(InvalidMessage) as refusal:
        to_vmadm(PACKAGE, dataset | {"kernel_version": None}, {}, HOST)
    assert ["dataset.kernel_version"] == _paths(refusal)


@pytest.mark.parametrize("value", [True, float("nan"), float("inf"), "1", [], -0.5])
def test_a_number_is_a_number(value):
    """True, text and numbers without end are no memory size."""
    with pytest.raises(InvalidMessage) as refusal:
        to_vmadm(PACKAGE | {"ram": value}, ZONE, {}, HOST)
    assert ["package.ram"] == _paths(refusal)


def test_an_unknown_dataset_type_is_unsupported():
    """A dataset type that no brand stands for is refused with the types there are."""
    with pytest.raises(Unsupported, match=r"dataset\.type is 'xen'; use a dataset of type zone, kvm, bhyve, jail"):
        to_vmadm(PACKAGE, {"type": "xen"}, {}, HOST)


def test_forms_of_the_wrong_kind_are_refused():
    """Lists in place of forms are named, and so is a docker member that is no object."""
    with pytest.raises(InvalidMessage) as refusal:
        to_vmadm([], DOCKER, {"docker": "x"}, HOST)
    assert ["package", "config.docker"] == _paths(refusal)
    with pytest.raises(InvalidMessage) as refusal:
        to_vmadm(None, None, 1, HOST)
    assert ["package", "dataset", "config"] == _paths(refusal)
