from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from chunter_nsq.messages.events import Event
from chunter_nsq.zonestate import SPACE, announced
from publishers.zoneview import BEGUN, ZoneView

A, B = "zone-a", "zone-b"


def view(notes=None, *, is_first=False):
    """A view that remembers ``notes``."""
    return ZoneView(notes or {}, is_first=is_first)


def brief(events):
    """What events say in short."""
    return [
        (event.subject, event.data["data"] if event.type == "chunter.zone.state" else event.data["event"])
        for event in events
        if isinstance(event, Event)
    ]


def test_first_list_tells_states_and_no_creations():
    """Zones that were there before the agent are not told as created; the beginning is remembered."""
    one = view(is_first=True)
    events = one.listed([(A, "running"), (B, "installed")], 0)
    assert ([(A, "running"), (B, "stopped")], BEGUN) == (brief(events), events[-1])


def test_hint_is_told_at_once_and_not_again_by_the_list():
    """What a hint told the list does not repeat."""
    one = view({A: "stopped"})
    assert [(A, "booting")] == brief(one.hint(A, "ready"))
    assert [] == brief(one.hint(A, "booting"))
    assert [] == brief(one.listed([(A, "ready")], one.hints))


def test_list_asked_for_before_a_hint_is_not_believed():
    """A list that may be older than a hint says nothing of that zone, but of the others."""
    one = view({A: "stopped", B: "stopped"})
    before = one.hints
    one.hint(A, "running")
    assert [(B, "running")] == brief(one.listed([(A, "installed"), (B, "running")], before))
    assert [(A, "stopped")] == brief(one.listed([(A, "installed"), (B, "running")], one.hints))


def test_zone_that_appears_and_goes_is_told():
    """A zone that only the list shows is created, one that it shows no more is deleted and forgotten."""
    one = view()
    assert [(A, "create"), (A, "booting")] == brief(one.listed([(A, "ready")], 0))
    events = one.listed([], one.hints)
    assert ([(A, "delete")], (SPACE, A, None)) == (
        brief(events), (events[0].notes[0].space, events[0].notes[0].key, events[0].notes[0].value),
    )  # fmt: skip
    assert [] == one.listed([], one.hints)


def test_deletion_waits_when_a_hint_came_after_the_list_was_asked_for():
    """A zone that a newer hint speaks of is not told as gone by an older list."""
    one = view()
    before = one.hints
    one.hint(A, "running")
    assert [] == one.listed([], before)
    assert [(A, "delete")] == brief(one.listed([], one.hints))


def test_zone_that_is_being_made_keeps_what_the_handler_said_as_previous():
    """A state that a handler told is the previous one of what the list shows next."""
    one = view()
    one.tell(A, "creating")
    events = one.listed([(A, "running")], 0)
    assert ([(A, "create"), (A, "running")], "creating") == (brief(events), events[1].data["previous"])


def test_before_the_first_list_hints_tell_nothing():
    """What comes and goes before the very first list is not told; what that list shows was there before us."""
    one = view(is_first=True)
    assert [] == [*one.hint(A, "running"), *one.hint_gone(A), *one.hint(A, "running")]
    assert [(A, "running")] == brief(one.listed([(A, "running")], 0))
    assert [(B, "create"), (B, "running")] == brief(one.hint(B, "running"))


def test_unmapped_states_are_unknown_in_a_list_and_ignored_as_hints():
    """A state without a mapping is told as unknown with its own word once the list shows it; a hint of it is not."""
    one = view({A: "running"})
    assert [] == one.hint(A, "strange")
    events = one.listed([(A, "strange")], one.hints)
    assert ([(A, "unknown")], "strange") == (brief(events), events[0].data["zone_state"])


def test_list_does_not_overtake_the_stream():
    """While the stream is followed the list alone is believed the second time; a hint in between takes its place."""
    one = view({A: "running"})
    assert [] == brief(one.listed([(A, "installed")], one.hints, is_followed=True))
    assert [(A, "shutting_down")] == brief(one.hint(A, "shutting_down"))
    assert [] == brief(one.listed([(A, "installed")], one.hints, is_followed=True))
    assert [(A, "stopped")] == brief(one.listed([(A, "installed")], one.hints, is_followed=True))
    assert [] == brief(one.listed([], one.hints, is_followed=True))
    assert [(A, "delete")] == brief(one.hint_gone(A))
    assert [] == brief(one.listed([], one.hints, is_followed=True))


def test_each_event_is_counted_by_what_found_it():
    """What a hint told and what only the list found are apart; at the first list nothing is found."""
    one = view(is_first=True)
    one.listed([(A, "running")], 0)
    assert {"stream": 0, "list": 0} == one.counts.as_dict()
    one.hint(A, "installed")
    one.listed([(A, "running"), (B, "running")], one.hints)
    one.hint_gone(B)
    assert {"stream": 2, "list": 3} == one.counts.as_dict()


RAW = ["running", "installed", "ready", "shutting_down", "down", "strange", None]
MOVES = st.lists(
    st.tuples(
        st.sampled_from(["host", "host", "hint", "hint", "lose", "again", "ask", "answer", "restart", "crash", "make"]),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(RAW),
    ),
    max_size=60,
)


class World:
    """A host, hints on their way in any order, a list that takes its time, and what was written."""

    def __init__(self, seed):
        self.chance = random.Random(seed)  # noqa: S311 - a test's choice
        self.host = {"a": "running"}
        self.hints = []
        self.asked = None
        self.written = []
        self.notes = {}
        self.made = set()
        self.has_begun = False
        self.view = view(is_first=True)

    def write(self, batch):
        """A batch and its notes reach the disk."""
        for one in batch:
            if one == BEGUN:
                self.has_begun = True
                continue
            self.written.append(one)
            for note in one.notes:
                if note.value is None:
                    self.notes.pop(note.key, None)
                else:
                    self.notes[note.key] = note.value

    def start(self):
        """An agent starts with what is on disk."""
        self.asked = None
        self.view = view(self.notes, is_first=not self.has_begun)

    def move(self, what, uuid, raw):
        """One thing happens."""
        if what == "host":
            self.change(uuid, raw)
        elif what in {"hint", "lose", "again"} and self.hints:
            place = self.chance.randrange(len(self.hints))
            hint = self.hints[place] if what == "again" else self.hints.pop(place)
            if what != "lose":
                self.write(self.view.hint_gone(hint[0]) if hint[1] is None else self.view.hint(*hint))
        elif what == "ask" and self.asked is None:
            self.asked = (sorted(self.host.items()), self.view.hints)
        elif what == "answer" and self.asked is not None:
            zones, before = self.asked
            self.asked = None
            self.write(self.view.listed(zones, before, is_followed=self.chance.random() < 0.5))
        elif what == "crash" and self.asked is not None:
            self.view.listed(*self.asked)  # decided, but not written
            self.start()
        elif what == "restart":
            self.start()
        elif what == "make" and uuid not in self.made | self.notes.keys() | self.host.keys():
            self.made.add(uuid)
            event = announced(uuid, "creating")
            self.write([event])
            self.view.tell(uuid, "creating")

    def change(self, uuid, raw):
        """The host changes, and says so."""
        if raw is None:
            self.host.pop(uuid, None)
            self.hints.extend([(uuid, "configured"), (uuid, None)])
        else:
            self.host[uuid] = raw
            self.hints.append((uuid, raw))

    def end(self):
        """A list that is asked for after everything."""
        self.move("answer", "", None)
        is_followed = self.chance.random() < 0.5
        for _ in range(2 if is_followed else 1):
            self.write(self.view.listed(sorted(self.host.items()), self.view.hints, is_followed=is_followed))


@settings(max_examples=400)
@given(MOVES, st.integers(0, 2**32))
def test_any_life_ends_with_what_the_host_is(moves, seed):
    """Hints late, lost, doubled or stale, slow lists and restarts: the last list makes what was said true."""
    world = World(seed)
    for move in moves:
        world.move(*move)
    world.end()
    said = {}
    for event in world.written:
        if event.type == "chunter.zone.deleted":
            said.pop(event.subject, None)
        elif event.type == "chunter.zone.state":
            said[event.subject] = event.data
    told = {uuid: data["zone_state"] for uuid, data in said.items() if data["data"] != "creating"}
    public = view().listed
    expected = {event.subject: event.data["data"] for event in public(sorted(world.host.items()), 0)[1::2]}
    assert expected == {uuid: said[uuid]["data"] for uuid in told}
    for uuid in "abc":
        story = [
            (event.type.rpartition(".")[2], event.data.get("data")) for event in world.written if event.subject == uuid
        ]
        assert [] == [one for one, then in pairwise(story) if one == then]
        lives = [kind for kind, _ in story if kind in {"created", "deleted"}]
        assert [] == [one for one, then in pairwise(lives) if one == then]
    assert [] == world.view.listed(sorted(world.host.items()), world.view.hints)


@settings(max_examples=200)
@given(MOVES, st.integers(0, 2**32))
def test_each_state_tells_the_one_before_it(moves, seed):
    """``previous`` is what was told last of that zone, across restarts too; what a handler said a restart forgets."""
    world, last = World(seed), {}
    for move in moves:
        world.move(*move)
    world.end()
    for event in world.written:
        if event.type == "chunter.zone.deleted":
            last.pop(event.subject, None)
        elif event.type == "chunter.zone.state":
            known = last.get(event.subject)
            assert event.data["previous"] in ({known, None} if known == "creating" else {known})
            last[event.subject] = event.data["data"]
