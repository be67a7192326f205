from __future__ import annotations

import pytest

from chunter_nsq.bus.address import Address


@pytest.mark.parametrize("text", ["127.0.0.1:4150", "nsqd.example:1", "[::1]:4150", "[fe80::1%net0]:65535"])
def test_address_text_survives_parsing(text):
    """What parse reads, str gives back."""
    assert text == str(Address.parse(text))


def test_v6_host_has_no_brackets():
    """Brackets belong to the text, not to the host."""
    assert Address("::1", 4150) == Address.parse("[::1]:4150")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host",
        ":4150",
        "host:",
        "host:0",
        "host:65536",
        "::1:4150",
        "a b:1",
        "host:1\n",
        "http://h:1",
        "h:-1",
        "u@h:1",
    ],
)
def test_address_that_is_none_is_refused(text):
    """Anything but host:port with a real port is a ValueError."""
    with pytest.raises(ValueError, match="host"):
        Address.parse(text)
