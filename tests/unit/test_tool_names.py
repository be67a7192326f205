from __future__ import annotations

import pytest

from chunter_nsq.errors import InvalidMessage
from chunter_nsq.smartos import names

UUID = "dc5cbce7-798a-4bc9-bdc5-61b4be00a22e"


@pytest.mark.parametrize(
    ("grammar", "good"),
    [
        (names.is_uuid, UUID),
        (names.is_snapshot, "vmsnap-s1"),
        (names.is_snapshot, "2024-05-01T09:00:00.000Z_a"),
        (names.is_snapshot, "x" * 128),
        (names.is_dataset, "zones"),
        (names.is_dataset, f"zones/{UUID}/data"),
        (names.is_dataset, f"zones/{UUID}-disk0"),
        (names.is_dataset, "zones/..hidden"),
        (names.is_dataset_snapshot, f"zones/{UUID}/disk0@s1"),
        (names.is_fmri, "svc:/network/ssh:default"),
        (names.is_fmri, "network/ssh:default"),
        (names.is_fmri, "svc:/system/boot-archive"),
        (names.is_fmri, "lrc:/etc/rc2_d/S20sysetup"),
        (names.is_zonename, "global"),
        (names.is_zonename, UUID),
        (names.is_zonename, "a" * 63),
        (names.is_property, "org.smartos:server_uuid"),
        (names.is_host_path, "/images/a..b-1.iso"),
    ],
)
def test_good_names(grammar, good: str):
    """A good name is accepted, and only without anything behind it."""
    assert grammar(good)
    assert not grammar(good + "\n")
    assert not grammar(good + " ")


@pytest.mark.parametrize(
    ("grammar", "bad"),
    [
        (names.is_uuid, ""),
        (names.is_uuid, UUID.upper()),
        (names.is_uuid, "-" + UUID[1:]),
        (names.is_uuid, UUID.replace("-", "")),
        (names.is_uuid, UUID + "0"),
        (names.is_snapshot, ""),
        (names.is_snapshot, "-r"),
        (names.is_snapshot, "a@b"),
        (names.is_snapshot, "a/b"),
        (names.is_snapshot, "a,b"),
        (names.is_snapshot, "é"),
        (names.is_snapshot, "x" * 129),
        (names.is_dataset, "-r"),
        (names.is_dataset, "/zones"),
        (names.is_dataset, "zones/"),
        (names.is_dataset, "zones//a"),
        (names.is_dataset, "zones/../rpool"),
        (names.is_dataset, "zones/."),
        (names.is_dataset, "zones/a@b"),
        (names.is_dataset, "zones/-r"),
        (names.is_dataset, "z" * 256),
        (names.is_dataset_snapshot, "zones/a"),
        (names.is_dataset_snapshot, "zones/a@"),
        (names.is_dataset_snapshot, "zones/a@-r"),
        (names.is_dataset_snapshot, "zones/a@b@c"),
        (names.is_dataset_snapshot, "zones/..@b"),
        (names.is_fmri, "-s"),
        (names.is_fmri, "svc:/"),
        (names.is_fmri, "svc:/a//b"),
        (names.is_fmri, "svc:/a*"),
        (names.is_fmri, "svc:/a;b"),
        (names.is_zonename, "-z"),
        (names.is_zonename, "a b"),
        (names.is_zonename, "a" * 64),
        (names.is_property, "-p"),
        (names.is_property, "a,b"),
        (names.is_host_path, "images/a.iso"),
        (names.is_host_path, "/a/../b"),
        (names.is_host_path, "/a/.."),
        (names.is_host_path, "/a,ide"),
        (names.is_host_path, "/a b"),
    ],
)
def test_bad_names(grammar, bad: str):
    """A name that could be taken for an option, a path or another name is not accepted."""
    assert not grammar(bad)


def test_refusal_of_a_name():
    """A bad name is shown, cut, with what it should have been."""
    with pytest.raises(InvalidMessage) as raised:
        names.checked_dataset("-r" * 200)

    assert raised.value.message.endswith("is not a dataset's name; nothing was started")
    assert raised.value.details["expected"] == "a dataset's name"
    assert len(raised.value.details["value"]) == 80


@pytest.mark.parametrize("value", [None, 3, ["a"], {}])
def test_names_that_are_no_text(value):
    """What is not even text is refused like a bad name."""
    with pytest.raises(InvalidMessage):
        names.checked_uuid(value)
