from __future__ import annotations

import pytest
from command_parts import ACTIONS, HOST, ME, OWN, SHARED, VM, decoded, faults, origin, refused

from chunter_nsq.journal import Record
from chunter_nsq.messages.command import Addressee, read, restore


@pytest.mark.parametrize(
    ("topic", "host", "is_mine"),
    [
        (SHARED, HOST, True), (SHARED, "gz-1", True), (SHARED, "*", True), (SHARED, ["other", "gz-1"], True),
        (SHARED, "other", False), (SHARED, ["other"], False), (SHARED, [], False), (SHARED, "", False),
        (SHARED, None, False),
        (SHARED, 5, False), (SHARED, "GZ-1", False), (SHARED, "gz-*", False), (SHARED, [[HOST]], False),
        (OWN, HOST, True), (OWN, "gz-1", True), (OWN, "*", True),
    ],
)  # fmt: skip
def test_host_decides_whom_a_command_is_for(topic, host, is_mine):
    """On the shared topic a command for another host is passed over silently; id, alias, * and lists count."""
    assert is_mine == (decoded({"action": "host.ping", "host": host}, topic) is not None)


def test_shared_topic_without_host_is_for_nobody():
    """A command that names no host runs nowhere, not everywhere."""
    assert decoded({"action": "host.ping"}, SHARED) is None


def test_faulty_command_for_another_host_is_passed_over():
    """Only the host that is meant refuses a faulty command."""
    assert decoded({"action": 5, "host": "other", "x": 1}, SHARED) is None


def test_wrong_host_on_the_own_topic_is_refused():
    """A command that says it is for another host does not run here."""
    assert ["$.host"] == list(faults({"action": "host.ping", "host": "other"}))


def test_host_without_alias_is_not_called_by_an_empty_name():
    """Before the alias is known nobody can be meant by it."""
    nameless = Addressee(HOST, "", "chunter")
    assert read(origin({"action": "host.ping", "host": ""}, SHARED), ACTIONS, nameless) is None


@pytest.mark.parametrize(
    "topic",
    [
        SHARED,
        OWN,
        "chunter.command.other",
        "",
        "a b",
        "x" * 65,
        "a\n",
        "ü",
        "a#b",
        "#ephemeral",
        "../x",
        5,
        ["a"],
        "a;b",
    ],
    ids=repr,
)
def test_reply_topics_that_cannot_be_are_refused(topic):
    """A reply goes to a valid topic, and never where commands are read; a refusal does not go there either."""
    one = refused({"action": "host.ping", "reply_to": topic})
    assert (["$.reply_to"], None) == ([fault["path"] for fault in one.fault.details["faults"]], one.reply_to)


@pytest.mark.parametrize("topic", ["a", "chunter.result", "x" * 64, "my-results_1.x#ephemeral", "chunter.commands"])
def test_reply_topics_that_can_be_are_taken(topic):
    """Valid topics that no host reads commands from are taken."""
    assert topic == decoded({"action": "host.ping", "reply_to": topic}).reply_to


def test_refusal_can_be_found_by_its_sender():
    """A refusal keeps id, action, uuid and reply_to as far as they are good themselves."""
    one = refused({"id": "c1", "action": "machine.stop", "uuid": VM, "reply_to": "mine", "params": {"x": 1}})
    assert ("c1", "machine.stop", VM, "mine") == (one.id, one.action, one.uuid, one.reply_to)


def test_derived_ids_stay_across_redelivery_and_differ_otherwise():
    """The same message has the same id each time; another place, number, time or body has another."""
    body = {"action": "host.ping"}
    others = [
        origin(body, nsqd="10.0.0.2:4150"), origin(body, message_id="0e"), origin(body, timestamp_ns=8),
        origin(body, topic="chunter.command"), origin({"action": "host.ping", "id": None}),
        origin(b'{"action": "host.ping" }'),
    ]  # fmt: skip
    first = origin(body).derived_id()
    assert (first, 7) == (read(origin(body), ACTIONS, ME).id, len({first, *(one.derived_id() for one in others)}))


@pytest.mark.parametrize("members", [{"params": {"force": True}}, {}, {"expires": "2026-11-22T10:00:00Z", "host": "*"}])
def test_journalled_command_comes_back_as_it_was(members):
    """What is read from the journal again is the command that was accepted."""
    command = decoded({"id": "c1", "action": "machine.stop", "uuid": VM, **members})
    record = Record("c1", "machine.stop", VM, None, None, "accepted", None, None, None, 0.0, None, None)
    assert command == restore(dict(command.document), record, ACTIONS)


@pytest.mark.parametrize("document", [{"action": "machine.stop", "uuid": VM, "params": {"new": 1}}, {"action": "gone"}])
def test_journalled_command_of_another_version_is_told_apart(document):
    """What this version cannot read any more is None, not an error."""
    record = Record("c1", document["action"], VM, None, None, "accepted", None, None, None, 0.0, None, None)
    assert restore(document, record, ACTIONS) is None
