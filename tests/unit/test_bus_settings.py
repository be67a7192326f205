from __future__ import annotations

import pytest

from chunter_nsq.bus.address import Address
from chunter_nsq.bus.settings import Connection

NSQD = (Address("127.0.0.1", 4150),)


def test_secret_is_not_shown():
    """The AUTH secret stays out of repr, and so out of logs."""
    assert "s3cret" not in repr(Connection(nsqd=NSQD, auth_secret="s3cret"))


def test_silence_is_two_heartbeats_and_five_seconds():
    """The watchdog's limit follows from the heartbeat."""
    assert Connection(nsqd=NSQD, heartbeat_seconds=30).silence_seconds == 65.0


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"lookupd": ("nonsense",)},
        {"nsqd": NSQD, "heartbeat_seconds": 0},
        {"nsqd": NSQD, "heartbeat_seconds": 61},
        {"nsqd": NSQD, "message_timeout_seconds": 0.5},
        {"nsqd": NSQD, "publish_timeout_seconds": 0},
    ],
)
def test_impossible_settings_are_refused(settings):
    """No address at all, or a number that nsqd would refuse, fails before anything connects."""
    with pytest.raises(ValueError, match=r"nsqd|host:port|seconds"):
        Connection(**settings)
