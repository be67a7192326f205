from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chunter_nsq.cli.sentences import Names, line, sentence
from chunter_nsq.messages.events import Event
from chunter_nsq.zonestate import created_event, deleted_event, state_event

VM = "5e0c6a2b-0000-4000-8000-000000000001"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["data", "event", "config", "alias", "running", "changes", "error", "x"]), inner
        )
    ),
)
KINDS = [
    *("zone.state", "zone.update", "zone.stopped", "service.changed", "zpool.status", "result", "deadletter"),
    *("host.announce", "host.heartbeat", "host.leaving", "host.dropped", "host.warning", "arc.stats"),
    *("snapshot.completed", "backup.failed"),
]


def wire(event: Event) -> dict[str, object]:
    """The event as it is read from NSQ, as far as it matters here."""
    return {"type": event.type, "subject": event.subject, "time": "2026-01-01T10:00:00.123Z", "data": event.data}


def of(kind: str, data: object, subject: str = "h1") -> dict[str, object]:
    """An event."""
    return {"type": f"chunter.{kind}", "subject": subject, "data": data}


def test_a_line_has_time_topic_subject_and_words():
    """Columns that fit a terminal; a uuid is shortened."""
    expected = "10:00:00.123  zone       5e0c6a2b      is running (was booting)"
    assert expected == line("zone", wire(state_event(VM, "running", "booting", "running")), Names())


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (wire(created_event(VM)), "is here"),
        (wire(deleted_event(VM)), "is gone"),
        (wire(state_event(VM, "unknown", None, "odd")), "is unknown, the platform says odd"),
        (of("zone.update", {"data": {"config": {"alias": "web", "ram": 512}}}), "configuration: alias web, ram 512"),
        (of("zone.stopped", {"data": {"cause": "oom"}}), "stopped by itself: oom"),
        (
            of("service.changed", {"data": {"a": "online"}, "changes": {"a": {"old": "none", "new": "online"}}}),
            "a none -> online",
        ),
        (of("service.changed", {"data": {}, "changes": {"a": {"old": "online", "new": "online"}}}), "a restarted"),
        (
            of("service.changed", {"data": {f"s{n}": "online" for n in range(6)}}),
            "s0 online, s1 online, s2 online, s3 online and 2 more services",
        ),
        (
            of("zpool.status", {"data": {"zones": {"health": "ONLINE", "used": 1, "size": 9}}}),
            "zones ONLINE, 1 of 9 MB used",
        ),
        (
            of("result", {"action": "machine.stop", "status": "failed", "host": "h1", "error": {"message": "why"}}),
            "machine.stop failed on h1: why",
        ),
        (
            of("result", {"action": "a", "status": "progress", "host": "h", "progress": {"phase": "p", "done": 1}}),
            "a p on h",
        ),
        (of("snapshot.completed", {"data": {"action": "completed", "uuid": "s1"}}), "snapshot s1 completed"),
        (of("host.announce", {"data": {"alias": "hv1", "version": "1"}}), "host hv1 is here: version 1"),
        (
            of("host.heartbeat", {"data": {"running": [{}], "queued": 2, "outbox": 3}}),
            "lives: 1 running, 2 queued, 3 to send",
        ),
        (of("host.leaving", {"data": {"alias": "hv1"}}), "host hv1 leaves"),
        (
            of("host.warning", {"data": {"source": "zones", "state": "failing", "message": "m"}}),
            "warning: zones failing: m",
        ),
        (of("host.dropped", {"data": {"topic": "metric", "count": 2}}), "dropped unsent: topic metric, count 2"),
        (
            of("deadletter", {"data": {"topic": "chunter.command", "reason": "r"}}),
            "not understood, from chunter.command: r",
        ),
        (of("arc.stats", {"data": {"l1hits": 5, "more": {}}}), "arc.stats l1hits=5"),
    ],
)
def test_events_in_words(event, words):
    """Each kind has a sentence of its own; others show their plain members."""
    assert words == sentence(event, Names())


def test_names_are_learned():
    """A host's alias and a machine's take the place of their uuids from then on."""
    names = Names()
    assert "5e0c6a2b" == names.short(VM)
    names.learn(of("zone.update", {"data": {"config": {"alias": "web"}}}, VM))
    names.learn(of("host.announce", {"data": {"alias": "hv1"}}, "h1"))
    assert ("web", "hv1", "other") == (names.short(VM), names.short("h1"), names.short("other"))


def test_an_alias_cannot_drive_the_terminal():
    """Control characters in names are shown, not sent."""
    names = Names()
    names.learn(of("zone.update", {"data": {"config": {"alias": "\x1b[2J"}}}, VM))
    assert "\x1b" not in names.short(VM)


@given(st.sampled_from(KINDS), JSON)
def test_any_event_is_one_line(kind, data):
    """No JSON breaks it, whatever members are missing or of another form."""
    names = Names()
    event = of(kind, data)
    names.learn(event)
    assert 1 == len(line("t", event, names).splitlines())
