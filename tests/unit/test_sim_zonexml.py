"""Zone documents that are out of the ordinary."""

from __future__ import annotations

import pytest

from chunter_nsq.smartos.simulator.values import numeral
from chunter_nsq.smartos.simulator.zonexml import Unusable, load


def loaded(inner: str, brand: str = "bhyve") -> dict:
    """The object of a zone with these elements."""
    return load(f'<zone name="z" brand="{brand}">{inner}</zone>'.encode())


def attr(name: str, value: str) -> str:
    """One plain property."""
    return f'<attr name="{name}" type="string" value="{value}"/>'


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0x10", 16),
        ("0b11", 3),
        ("-0x10", None),
        ("0x_1", None),
        ("1_0", None),
        (".5", 0.5),
        ("5.", 5),
        ("1e3", 1000),
        ("", 0),
        ("\u00a07\ufeff", 7),
        ("inf", None),
        ("1e400", None),
        ("Infinity", None),
        ("\uff11", None),
        ("18446744073709551615", 18446744073709552000),
    ],
)
def test_numbers_are_read_as_javascript_reads_them(text, number):
    """JavaScript's forms of numbers and no others; null for what is none, or has no end."""
    assert number == loaded(attr("ram", text))["ram"]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (4.76837158203125e-05, "0.0000476837158203125"),
        (1e-7, "1e-7"),
        (1.5e21, "1.5e+21"),
        (1e20, "100000000000000000000"),
        (-0.0, "0"),
        (-12.5, "-12.5"),
        (0, "0"),
    ],
)
def test_numbers_are_written_as_javascript_writes_them(number, text):
    """With an exponent only when there are more than 21 places, or more than six zeros."""
    assert text == numeral(number)


def test_a_value_that_is_not_there_takes_away_what_was():
    """Of a property that is given twice the last one counts, even when it says nothing; a number becomes null."""
    vm = loaded(attr("hostname", "a") + '<attr name="hostname" type="string"/><attr name="ram" type="string"/>')
    assert ("hostname" not in vm, vm["ram"]) == (True, None)


@pytest.mark.parametrize(
    ("name", "said", "code"),
    [
        ("resolvers", "Cannot read properties of undefined (reading 'split')", None),
        ("alias", "The first argument must be of type string", "ERR_INVALID_ARG_TYPE"),
    ],
)
def test_some_values_must_be_there(name, said, code):
    """The platform's program dies of a list or of base64 without a value; faults that follow are not met."""
    with pytest.raises(Unusable, match=r".") as fault:
        loaded(f'<attr name="{name}" type="string"/><broken')
    assert (True, code) == (str(fault.value).startswith(said), fault.value.code)


def test_file_systems_are_ordered_by_their_targets_when_those_are_numbers():
    """Targets that are no numbers stay where they are."""
    inner = "".join(f'<filesystem special="/s" directory="{one}" type="lofs"/>' for one in ("9", "0x5", " 7 "))
    assert ["0x5", " 7 ", "9"] == [one["target"] for one in loaded(inner)["filesystems"]]
    inner = "".join(f'<filesystem special="/s" directory="{one}" type="lofs"/>' for one in ("/b", "/a"))
    assert ["/b", "/a"] == [one["target"] for one in loaded(inner)["filesystems"]]


def test_disks_are_ordered_by_their_number():
    """A name that has none counts as 0; the order of alike ones is kept."""
    paths = ["/z/u/disk10", "/z/u/disk2", "/z/odd", "/z/u-disk0", "/z/mydisk7"]
    inner = "".join(f'<device match="{path}"/>' for path in paths)
    assert ["/z/odd", "/z/u-disk0", "/z/mydisk7", "/z/u/disk2", "/z/u/disk10"] == [
        disk["path"] for disk in loaded(inner)["disks"]
    ]


def test_a_device_that_has_no_end_shows_as_it_stands():
    """A truncated document leaves the device under its place in the document, and makes no disk of it."""
    vm = load(b'<zone name="z" brand="kvm"><device match="/a/disk0"><net-attr name="boot" value="true"/><net')
    assert {"zone.device.match": "/a/disk0", "zone.device.net-attr.boot": "true"} == vm["device"]
    assert [] == vm["disks"]


def test_no_brand_is_told_with_the_zone():
    """The message holds the object as JSON."""
    with pytest.raises(Unusable, match=r'VM missing brand: \{"zonename":"z","max_swap":0\.00000286102294921875\}'):
        load(
            b'<zone name="z"><rctl name="zone.max-swap"><rctl-value priv="privileged" limit="3" action="deny"/></rctl>'
        )
