from __future__ import annotations

import pytest

from chunter_nsq.bus.batches import batches, singles
from chunter_nsq.bus.faults import PublishInvalid
from chunter_nsq.bus.names import BODY_BYTES, MESSAGE_BYTES, valid_name


@pytest.mark.parametrize(
    "name", ["a", "chunter.command.host-1_x", "a#ephemeral", "x" * 64, "y" * 54 + "#ephemeral", "."]
)
def test_good_name_is_taken(name):
    """The names nsqd takes are taken."""
    assert valid_name(name)


@pytest.mark.parametrize(
    "name", ["", "x" * 65, "y" * 55 + "#ephemeral", "a b", "a/b", "a:b", "ä", "a\n", "a#other", "#ephemeral"]
)
def test_bad_name_is_refused(name):
    """The names nsqd refuses, and the one with a newline that pynsq lets through, are refused."""
    assert not valid_name(name)


def test_one_body_is_a_pub():
    """PUB, topic, size, body."""
    assert [(1, b"PUB t\n\x00\x00\x00\x03abc")] == batches("t", [b"abc"])


def test_several_bodies_are_one_mpub():
    """MPUB, topic, size of all, count, and each with its size."""
    expected = b"MPUB t\n\x00\x00\x00\x0f\x00\x00\x00\x02\x00\x00\x00\x01a\x00\x00\x00\x02bb"
    assert [(2, expected)] == batches("t", [b"a", b"bb"])


def test_no_body_is_no_command():
    """Nothing to publish is nothing to send."""
    assert [] == batches("t", [])


def test_batches_stay_within_the_limit_of_nsqd():
    """Eleven bodies of half a MiB need two MPUBs; no body of a command exceeds 5 MiB, and none is missing."""
    made = batches("t", [b"x" * (MESSAGE_BYTES // 2)] * 11)
    assert [9, 2] == [count for count, _ in made]
    assert all(len(command) - len(b"MPUB t\n") - 4 <= BODY_BYTES for _, command in made)


def test_singles_are_a_pub_for_each():
    """Each body alone, in order."""
    assert [(1, b"PUB t\n\x00\x00\x00\x01a"), (1, b"PUB t\n\x00\x00\x00\x01b")] == singles("t", [b"a", b"b"])


@pytest.mark.parametrize("body", [b"", b"x" * (MESSAGE_BYTES + 1), "text", None, bytearray(b"x")])
def test_bad_body_is_refused_with_its_place(body):
    """An empty, oversized or non-bytes body stops the whole publish, and says which one it was."""
    with pytest.raises(PublishInvalid) as caught:
        batches("t", [b"good", body])
    assert {"body": 1} == caught.value.details
    assert not caught.value.transient


@pytest.mark.parametrize("topic", ["", "good bad", "a\nPUB b", "x" * 65])
def test_bad_topic_is_refused(topic):
    """A topic that nsqd would split or refuse never reaches it."""
    with pytest.raises(PublishInvalid, match="topic"):
        batches(topic, [b"x"])
