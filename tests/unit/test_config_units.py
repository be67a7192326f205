from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chunter_nsq.config import units


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("100ms", 0.1), ("10s", 10.0), ("15m", 900.0), ("1h", 3600.0), ("1d", 86400.0), ("2w", 1209600.0), ("5 s", 5.0)],
)
def test_durations_are_seconds(text, seconds):
    """Every unit of the file gives seconds."""
    assert seconds == units.duration(text)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("0MB", 0),
        ("512B", 512),
        ("64KB", 65536),
        ("5MB", 5242880),
        ("2GB", 2147483648),
        ("1TB", 2**40),
        ("5mb", 5242880),
    ],
)
def test_sizes_are_bytes_by_1024(text, size_bytes):
    """Every unit of the file gives bytes, each 1024 of the one before."""
    assert size_bytes == units.size(text)


@given(st.integers(min_value=0, max_value=10**10))
def test_a_written_duration_reads_back_as_itself(milliseconds):
    """Writing and reading are each other's inverse."""
    seconds = milliseconds / 1000

    assert seconds == units.duration(units.write_duration(seconds))


@given(st.integers(min_value=0, max_value=10**14))
def test_a_written_size_reads_back_as_itself(size_bytes):
    """Writing and reading are each other's inverse."""
    assert size_bytes == units.size(units.write_size(size_bytes))


@pytest.mark.parametrize(
    ("seconds", "text"), [(900.0, "15m"), (90.0, "90s"), (0.1, "100ms"), (86400.0, "1d"), (0, "0s")]
)
def test_durations_are_written_as_short_as_can_be(seconds, text):
    """The largest unit that divides is used."""
    assert text == units.write_duration(seconds)


@pytest.mark.parametrize("text", ["on", "ON", "enabled", "true", "yes"])
def test_flags_that_are_on(text):
    """All words for on."""
    assert units.flag(text) is True


@pytest.mark.parametrize("text", ["off", "Off", "disabled", "false", "no"])
def test_flags_that_are_off(text):
    """All words for off."""
    assert units.flag(text) is False


@pytest.mark.parametrize(
    "text", ["10.0.0.1:4150", "localhost:1", "nsq-1.example.org:65535", "[fd00::1]:4150", "nsq_1:4150"]
)
def test_addresses_that_can_be_connected_to(text):
    """Host names, IPv4 and bracketed IPv6 with a port."""
    assert text == units.address(text)


@pytest.mark.parametrize(
    ("text", "halves"),
    [("10.0.0.1:4150", ("10.0.0.1", 4150)), ("[fd00::1]:1", ("fd00::1", 1)), ("host:65535", ("host", 65535))],
)
def test_an_address_splits_into_host_and_port(text, halves):
    """IPv6 loses its brackets."""
    assert halves == units.split_address(text)


@pytest.mark.parametrize("text", ["10.0.0.1:4161", "http://10.0.0.1:4161", "http://10.0.0.1:4161/"])
def test_http_addresses_lose_scheme_and_slash(text):
    """An nsqlookupd may be named with or without http://."""
    assert units.http_address(text) == "10.0.0.1:4161"


@pytest.mark.parametrize("text", ["off", "no", "disabled"])
def test_a_listener_may_be_off(text):
    """Off is the empty string."""
    assert units.listener(text) == ""


def test_a_listener_may_take_any_free_port():
    """Port 0 is for listening, not for connecting."""
    assert units.listener("127.0.0.1:0") == "127.0.0.1:0"


PARSERS = (
    units.duration,
    units.size,
    units.count,
    units.flag,
    units.address,
    units.ip_address,
    units.ip,
    units.listener,
    units.http_address,
    units.url,
    units.dsn,
    units.topic_prefix,
    units.path,
)


@given(st.sampled_from(PARSERS), st.text(max_size=40))
def test_no_text_makes_a_parser_fail_other_than_by_saying_so(parse, text):
    """Every parser either gives a value or raises ValueError."""
    with contextlib.suppress(ValueError):
        parse(text)
