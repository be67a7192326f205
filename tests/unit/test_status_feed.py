"""What those who watch the page are told of events."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chunter_nsq.status.feed import Feed, short

EXAMPLES = json.loads((Path(__file__).parents[2] / "docs" / "examples.json").read_text())["events"]


@pytest.mark.parametrize("kind", EXAMPLES)
def test_every_kind_of_event_has_a_short_form(kind):
    """Whatever an agent publishes can be told on one line."""
    told = short("topic", EXAMPLES[kind])
    assert kind.removeprefix("chunter.") == told["type"]
    assert "\n" not in told["says"]
    assert {"id", "time", "topic", "type", "subject", "says"} == set(told)


def test_statistics_and_heartbeats_are_counted_only():
    """They say how things are, many times a minute."""
    told = []
    feed = Feed("chunter", told.append)
    feed.take("chunter.metric", b"not even read")
    feed.take("chunter.announce", b'{"type": "chunter.host.heartbeat"}')
    feed.take("chunter.metric", b"")
    assert ([], {"metric": 2, "announce": 1}, {}) == (told, feed.counted(), feed.counted())


def test_an_event_that_cannot_be_told_harms_nobody(caplog):
    """The outbox goes on; the log says which topic it was."""
    told = []
    Feed("chunter", told.append).take("chunter.zone", b'{"type": "chunter.zone.state", "data": {}}')
    assert ([], ["status.event_untold"]) == (told, [record.getMessage() for record in caplog.records])
