"""What `chunter top` makes of events."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from chunter_nsq.cli.board import SILENT_SECONDS, Board
from chunter_nsq.cli.top import view

EXAMPLES = json.loads((Path(__file__).parents[2] / "docs" / "examples.json").read_text())["events"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)

MEMBERS = (
    "running", "queued", "outbox", "lag_seconds", "alias", "version", "resources", "source", "state", "message",
    "total-memory", "free-memory", "machines",
)  # fmt: skip


def event(kind, data, subject="h", host="h"):
    """As a host publishes it."""
    return {"type": f"chunter.{kind}", "source": f"chunter/{host}", "subject": subject, "data": {"data": data}}


def shown(board, now=0.0):
    """The lines of the terminal."""
    console = Console(width=120, record=True, highlight=False)
    with console.capture() as capture:
        console.print(view(board, now))
    return capture.get()


def test_a_host_is_shown_with_its_memory_and_machines():
    """From its announcement, its memory and the states of its zones."""
    board = Board()
    board.take("announce", event("host.announce", {"alias": "hv1", "version": "1.2", "resources": {}}))
    board.take("memory", event("memory.update", {"total-memory": 8192, "free-memory": 1024}))
    for uuid, state in (("a", "running"), ("b", "running"), ("c", "stopped"), ("d", "running")):
        board.take("zone", event("zone.state", state, uuid))
    board.take("zone", event("zone.deleted", None, "d"))
    assert {"running": 2, "stopped": 1} == board.machines("h")
    text = shown(board)
    assert ["hv1", "known", "1024", "8192", "3", "0", "0", "0", "0", "1.2"] == text.splitlines()[-1].split()
    assert "1 host; 2 running, 1 stopped" in text


def test_answers_count_as_events_do():
    """A host that is asked needs no event to be shown; its list replaces what was known."""
    board = Board()
    board.take("zone", event("zone.state", "running", "gone"))
    board.answered({"host": "h", "result": {"alias": "hv1", "version": "1", "simulated": True}})
    board.answered({"host": "h", "result": {"machines": [{"uuid": "a", "alias": "web", "state": "running"}]}})
    board.answered({"host": "h", "result": None})
    assert {"running": 1} == board.machines()
    assert "1 sim" in shown(board)


def test_what_runs_and_what_warns_is_listed():
    """With the machine's name; a warning goes when it recovered, a host that left runs nothing."""
    board = Board()
    board.answered({"host": "h", "result": {"machines": [{"uuid": "a", "alias": "web", "state": "running"}]}})
    running = [{"command": "c1", "action": "machine.stop", "uuid": "a", "started": "2026-11-22T10:00:01.000Z"}]
    beat = {"running": running, "queued": 1, "outbox": 2, "lag_seconds": 1.5}
    board.take("announce", event("host.heartbeat", beat))
    board.take("announce", event("host.warning", {"source": "zpools", "state": "failing", "message": "no zpool"}))
    text = shown(board)
    assert ["c1", "machine.stop", "web", "h", "10:00:01"] in [line.split() for line in text.splitlines()]
    assert "zpools failing: no zpool" in text
    board.take("announce", event("host.warning", {"source": "zpools", "state": "recovered"}))
    board.take("announce", event("host.leaving", {"host": "h", "alias": "hv1"}))
    text = shown(board)
    assert ("c1" in text, "zpools" in text, "left" in text) == (False, False, True)


def test_a_host_that_is_not_heard_is_silent():
    """After three heartbeats that did not come."""
    board = Board()
    board.take("announce", event("host.heartbeat", {}))
    row = board.hosts["h"]
    assert ["alive", "silent"] == [row.state(row.heard_at + seconds) for seconds in (1, SILENT_SECONDS + 1)]


def test_rates_are_counted_from_look_to_look():
    """Each topic's own."""
    board = Board()
    for _ in range(3):
        board.take("zone", {})
    rates = board.rates()
    assert (["zone"], True, {}) == (list(rates), rates["zone"] > 0, board.rates())


@pytest.mark.parametrize("kind", EXAMPLES)
def test_every_kind_of_event_is_taken(kind):
    """Whatever an agent publishes."""
    board = Board()
    board.take("topic", EXAMPLES[kind])
    assert "hosts" in shown(board) or "1 host" in shown(board)


@given(st.sampled_from(sorted(EXAMPLES)), JSON, st.dictionaries(st.sampled_from(MEMBERS), JSON))
def test_odd_events_are_no_fault(kind, subject, odd):
    """Nor are markup and control characters: they are shown as text."""
    board = Board()
    board.take("[red]\x1b", {"type": kind, "source": "chunter/[bold]h", "subject": subject, "data": {"data": odd}})
    board.answered({"host": subject, "result": odd})
    assert "\x1b" not in shown(board)
