from __future__ import annotations

import json
import time

from command_parts import ACTIONS, HOST, ME, OWN, SHARED, VM, decoded, origin, refused, unreadable
from hypothesis import given, settings
from hypothesis import strategies as st

from chunter_nsq.messages.command import Refused, read
from chunter_nsq.messages.events import SIZE_LIMIT_BYTES, compact
from chunter_nsq.messages.reading import Unreadable


def test_numbers_beyond_all_bounds_are_unreadable():
    """1e999 is no number that JSON can be written with again."""
    assert unreadable(b'{"action":"host.ping","auth":{"x":1e999}}')


def test_refusal_of_a_mebibyte_of_faults_can_be_published():
    """However many faults there are, the refusal fits into one message."""
    body = {"action": "host.ping", **{f"m{number}": 1 for number in range(20_000)}}
    assert SIZE_LIMIT_BYTES // 2 > len(compact(refused(body).fault.as_dict()))


def test_duplicate_among_many_members_is_found_quickly():
    """A large object with a member twice does not hold up the agent."""
    members = ",".join(f'"m{number}":1' for number in range(8000))
    began = time.process_time()
    assert "stands twice" in unreadable(("{" + members + ',"m7999":2}').encode())
    assert 0.3 > time.process_time() - began


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
NAMES = st.sampled_from(["id", "action", "uuid", "params", "host", "reply_to", "expires", "traceparent", "auth"])
VALUES = JSON | st.sampled_from([*ACTIONS, VM, HOST, "*", "gz-1", "2026-11-22T10:00:00Z", {"force": True}])
MESSAGES = st.dictionaries(NAMES | st.text(max_size=5), VALUES, max_size=9)


def outcome(body, topic):
    """One of the four things that a message can be; everything else is an error of ours."""
    try:
        found = read(origin(body, topic), ACTIONS, ME)
    except Unreadable as fault:
        return str(fault)
    except Refused as one:
        return compact({"id": one.id, "uuid": one.uuid, "error": one.fault.as_dict()})
    return found and compact(dict(found.document))


@settings(max_examples=200)
@given(
    st.binary() | st.text().map(str.encode) | JSON.map(lambda one: json.dumps(one).encode()),
    st.sampled_from([OWN, SHARED]),
)
def test_any_bytes_are_one_of_four_things(body, topic):
    """Whatever arrives is unreadable, refused, for others or a command; nothing else is ever raised."""
    outcome(body, topic)


@settings(max_examples=250)
@given(MESSAGES, st.sampled_from([OWN, SHARED]))
def test_any_object_is_one_of_four_things(message, topic):
    """The same of objects that look like commands, lone surrogates and odd names included."""
    outcome(json.dumps(message).encode(), topic)


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(["force", "timeout", "dry_run"]), JSON, max_size=3))
def test_accepted_params_are_of_their_types(params):
    """What passes is exactly what the form says."""
    try:
        found = decoded({"action": "machine.stop", "uuid": VM, "params": params})
    except (Refused, Unreadable):
        return
    kinds = (type(found.params.force), type(found.params.timeout), type(found.params.dry_run))
    assert kinds[0] is bool is kinds[2]
    assert kinds[1] in {int, type(None)}
