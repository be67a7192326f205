from __future__ import annotations

import json
import math

import pytest
from core_parts import HOST
from hypothesis import given
from hypothesis import strategies as st

from chunter_nsq.messages.events import Event, Written, compact, encode, timestamp

VM = "0a1b2c3d-0000-4000-8000-000000000001"


def encoded(event, **place):
    """An event's bytes at some place."""
    at = {"host": HOST, "epoch": "e1", "topic": "chunter.zone", "sequence": 7, "time": timestamp(0)}
    return encode(event, **(at | place))


def test_event_is_structured_cloudevents_json():
    """The envelope has the members of CloudEvents 1.0 and ours beside them, the data is the Howl message."""
    event = Event("zone", "chunter.zone.state", VM, {"event": "state", "data": "running"}, traceparent="00-a-b-01")
    expected = {
        "specversion": "1.0", "id": "e1.chunter.zone.7", "source": f"chunter/{HOST}", "type": "chunter.zone.state",
        "subject": VM, "time": "1970-01-01T00:00:00.000Z", "datacontenttype": "application/json", "sequence": "7",
        "epoch": "e1", "traceparent": "00-a-b-01", "data": {"event": "state", "data": "running"},
    }  # fmt: skip
    assert expected == json.loads(encoded(event))


def test_a_written_message_is_taken_as_it_is():
    """Its text stands in the envelope, and to who looks into it it is the mapping that it says."""
    message = {"event": "cpu", "data": {"usage": 3, "cap": None}}
    event = Event("metric", "chunter.metric.cpu", VM, Written('{"event":"cpu","data":{"usage":3.0,"cap":null}}'))
    assert encoded(event).endswith(b',"data":{"event":"cpu","data":{"usage":3.0,"cap":null}}}')
    assert (message, ["event", "data"], 2) == (event.data, list(event.data), len(event.data))
    assert (message["data"], None) == (event.data.get("data"), event.data.get("other"))


def test_traceparent_is_left_out_when_there_is_none():
    """Without a trace there is no member for it."""
    assert "traceparent" not in json.loads(encoded(Event("zone", "t", VM, {})))


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_lacks_are_refused(number):
    """Nobody is sent what is not JSON."""
    with pytest.raises(ValueError, match="JSON compliant"):
        encoded(Event("zone", "t", VM, {"n": number}))


@pytest.mark.parametrize("topic", ["result", "zone", "service", "snapshot", "backup", "deadletter"])
def test_what_happened_is_essential(topic):
    """Events that tell what happened may never be dropped."""
    assert Event(topic, "t", VM, {}).essential


@pytest.mark.parametrize("topic", ["arc", "memory", "zpool", "metric", "announce"])
def test_how_things_are_is_not_essential(topic):
    """Events that tell how things are may be dropped for space, unless somebody asked for them by reply_to."""
    assert (False, True) == (Event(topic, "t", VM, {}).essential, Event(topic, "t", VM, {}, absolute=True).essential)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1.5, "1970-01-01T00:00:01.500Z"),
        (1795332694.9999, "2026-11-22T07:31:34.999Z"),
        (1795332694.9999999, "2026-11-22T07:31:35.000Z"),
        (1795332694.017, "2026-11-22T07:31:34.017Z"),
    ],
)
def test_times_are_utc_with_milliseconds(seconds, text):
    """RFC 3339, cut to milliseconds."""
    assert text == timestamp(seconds)


TEXT = st.text()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(TEXT, JSON, max_size=4), TEXT)
def test_whatever_is_told_is_one_line_of_ascii_json(data, subject):
    """Any data and subject arrive as they were, on one line that no terminal trips over."""
    body = encoded(Event("zone", "t", subject, data))
    assert (subject, json.loads(compact(data))) == (json.loads(body)["subject"], json.loads(body)["data"])
    assert [] == [byte for byte in body if byte < 0x20 or byte > 0x7E]
