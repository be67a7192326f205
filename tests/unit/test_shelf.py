from __future__ import annotations

import asyncio
import json
import sqlite3

import pytest
from core_parts import Nsqd, opened_outbox, told
from hypothesis import given, settings
from hypothesis import strategies as st

from chunter_nsq.messages.events import compact
from chunter_nsq.schema import STEPS, migrate
from chunter_nsq.shelf import ROW_BYTES, Shelf

LIMIT = 10_000
DAY = 86400.0


@pytest.fixture
def connection():
    """A fresh journal in memory."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    yield connection
    connection.close()


@pytest.fixture
def shelf(connection):
    """A shelf that has read the journal."""
    shelf = Shelf()
    shelf.load(connection)
    return shelf


def add(shelf, connection, name, count=1, *, size=100, now=1.0, essential=False):
    """A group that writes events; they become one row."""
    for _ in range(count):
        topic = shelf.topic(connection, name, is_essential=essential)
        shelf.add(connection, topic, now, b"x" * size)


def write(shelf, connection, name, count=1, **event):
    """A group that writes events, each into a row of its own."""
    for _ in range(count):
        add(shelf, connection, name, **event)
        shelf.finish(connection)


def commit(shelf, connection, limit=10**9):
    """End a group as the outbox does; what was dropped unsent."""
    dropped = [data["data"] for data in shelf.settle(connection, limit).data()]
    shelf.finish(connection)
    shelf.committed()
    return dropped


def kept(connection, name):
    """The sequences of a topic that the file has."""
    (number,) = connection.execute("SELECT number FROM topics WHERE name = ?", (name,)).fetchone()
    rows = connection.execute("SELECT place % (1 << 40), count FROM events WHERE place >> 40 = ? ORDER BY 1", (number,))
    return [sequence for last, count in rows for sequence in range(last - count + 1, last + 1)]


def true_bytes(connection):
    """What the events in the file weigh."""
    return connection.execute("SELECT coalesce(sum(length(body) + 32), 0) FROM events").fetchone()[0]


def test_sequences_are_gapless_per_topic(shelf, connection):
    """Each topic counts for itself from 1."""
    for name in ("a", "b", "a", "a", "b"):
        write(shelf, connection, name)
    commit(shelf, connection)
    assert ([1, 2, 3], [1, 2]) == (kept(connection, "a"), kept(connection, "b"))


def test_load_finds_what_was_not_sent(shelf, connection):
    """A shelf that reads the file again knows counters, marks and bytes, and names the topics that wait."""
    write(shelf, connection, "a", 3)
    write(shelf, connection, "b", 2)
    commit(shelf, connection)
    shelf.mark_sent("a", 2)
    shelf.mark_sent("b", 2)
    commit(shelf, connection)
    other = Shelf()
    waiting = other.load(connection)
    assert [("a", 4, 2)] == [(topic.name, topic.next, topic.sent) for topic in waiting]
    assert (shelf.epoch, true_bytes(connection)) == (other.epoch, other.stored_bytes)


def test_events_of_an_older_journal_are_rows_of_one():
    """What version 1 wrote is loaded, counted and dropped like the rest."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(f"{STEPS[0].forth}PRAGMA user_version=1;")
    connection.execute("INSERT INTO topics VALUES (1, 'a', 0, 4, 1)")
    connection.executemany("INSERT INTO events VALUES (?, 1.0, ?)", [((1 << 40) + n, b"x" * 100) for n in (1, 2, 3)])
    migrate(connection)
    shelf = Shelf()
    assert ["a"] == [topic.name for topic in shelf.load(connection)]
    write(shelf, connection, "a")
    assert [("a", 2, 2)] == [(one["topic"], one["from"], one["to"]) for one in commit(shelf, connection, 300)]
    assert ([3, 4], true_bytes(connection)) == (kept(connection, "a"), shelf.stored_bytes)
    connection.close()


def test_oldest_sent_events_go_first(shelf, connection):
    """Above the limit sent events go, oldest first, and nobody is told of it."""
    write(shelf, connection, "a", 60, now=1.0)
    write(shelf, connection, "zone", 30, now=2.0, essential=True)
    commit(shelf, connection)
    shelf.mark_sent("a", 60)
    dropped = commit(shelf, connection, LIMIT)
    assert ([], 30) == (dropped, len(kept(connection, "zone")))
    assert 9_000 >= shelf.stored_bytes > 9_000 - 132


def test_unsent_statistics_go_next_with_their_exact_range(shelf, connection):
    """When no sent event is left the oldest unsent statistics go, just enough of them, and the range is told."""
    write(shelf, connection, "arc", 40, now=1.0)
    write(shelf, connection, "metric", 40, now=2.0)
    write(shelf, connection, "zone", 40, now=0.0, essential=True)
    dropped = commit(shelf, connection, LIMIT)
    told_of = [(one["topic"], one["from"], one["to"], one["count"]) for one in dropped]
    assert [("arc", 1, 40, 40), ("metric", 1, 12, 12)] == told_of
    assert ([], list(range(13, 41)), 40) == (
        kept(connection, "arc"), kept(connection, "metric"), len(kept(connection, "zone")),
    )  # fmt: skip
    assert (52, true_bytes(connection)) == (shelf.dropped, shelf.stored_bytes)


def test_large_events_are_not_dropped_by_the_dozen(shelf, connection):
    """Of few large events no more go than the limit asks for."""
    write(shelf, connection, "metric", 12, size=1000)
    dropped = commit(shelf, connection, LIMIT)
    assert [("metric", 1, 4)] == [(one["topic"], one["from"], one["to"]) for one in dropped]


def test_essential_events_are_never_dropped_unsent(shelf, connection):
    """However small the limit, what tells of something that happened stays."""
    write(shelf, connection, "zone", 50, essential=True)
    assert [] == commit(shelf, connection, 10)
    assert 50 == len(kept(connection, "zone"))


def test_topic_becomes_essential_when_results_are_sent_to_it(shelf, connection):
    """A topic of statistics that somebody has results sent to is not dropped from any more, after a restart neither."""
    write(shelf, connection, "metric", 5)
    write(shelf, connection, "metric", 1, essential=True)
    assert [] == commit(shelf, connection, 10)
    again = Shelf()
    again.load(connection)
    assert [] == commit(again, connection, 10)
    assert 6 == len(kept(connection, "metric"))


def test_what_a_group_writes_to_a_topic_is_one_row(shelf, connection):
    """However the topics take turns; what would make a row too large goes into the next, a large event alone."""
    for _ in range(3):
        add(shelf, connection, "a")
        add(shelf, connection, "b")
    commit(shelf, connection)
    for size in (ROW_BYTES - 10, 10, 1, ROW_BYTES + 1, 1):
        add(shelf, connection, "c", size=size)
    commit(shelf, connection)
    rows = connection.execute("SELECT name, count FROM events JOIN topics ON number = place >> 40 ORDER BY place")
    assert [("a", 3), ("b", 3), ("c", 2), ("c", 1), ("c", 1), ("c", 1)] == rows.fetchall()
    assert [1, 2, 3, 4, 5] == kept(connection, "c")


def test_rows_are_dropped_whole(shelf, connection):
    """The range that is told has the sequences of all events of a row, and those are counted."""
    for _ in range(10):
        add(shelf, connection, "metric", 10, size=200)
        commit(shelf, connection)
    dropped = commit(shelf, connection, LIMIT)
    assert [("metric", 1, 60, 60)] == [(one["topic"], one["from"], one["to"], one["count"]) for one in dropped]
    assert (60, true_bytes(connection)) == (shelf.dropped, shelf.stored_bytes)
    assert list(range(61, 101)) == kept(connection, "metric")


def test_a_dropped_row_tells_all_that_its_events_told(shelf, connection):
    """The ranges that stood in the middle of it are told again, beside its own."""
    topic = shelf.topic(connection, "announce", is_essential=False)
    for number in (1, 7):
        told = {"topic": "arc", "from": number, "to": number + 1}
        event = {"type": "chunter.host.dropped", "data": {"event": "dropped", "data": told}}
        shelf.add(connection, topic, 1.0, compact(event).encode())
        shelf.add(connection, topic, 1.0, b"x" * 100)
    commit(shelf, connection)
    dropped = [(one["topic"], one["from"], one["to"]) for one in commit(shelf, connection, 10)]
    assert [("announce", 1, 4), ("arc", 1, 2), ("arc", 7, 8)] == dropped


def test_prune_leaves_a_row_that_is_sent_in_part(shelf, connection):
    """It is forgotten whole or not at all."""
    add(shelf, connection, "a", 4)
    commit(shelf, connection)
    shelf.mark_sent("a", 3)
    commit(shelf, connection)
    shelf.prune(connection, 40.0)
    commit(shelf, connection)
    assert [1, 2, 3, 4] == kept(connection, "a")


def test_prune_forgets_only_sent_and_old(shelf, connection):
    """Retention takes events that were sent and are older than it."""
    write(shelf, connection, "a", 4, now=1.0)
    write(shelf, connection, "a", 4, now=50.0)
    write(shelf, connection, "b", 4, now=1.0)
    commit(shelf, connection)
    shelf.mark_sent("a", 6)
    commit(shelf, connection)
    shelf.prune(connection, 40.0)
    commit(shelf, connection)
    assert ([5, 6, 7, 8], [1, 2, 3, 4]) == (kept(connection, "a"), kept(connection, "b"))
    assert true_bytes(connection) == shelf.stored_bytes


def test_prune_after_the_clock_stepped_back_keeps_count(shelf, connection):
    """Events from before a clock step stay until they are old by the clock, and bytes are counted right."""
    for now in (10.0, 1000.0, 20.0):
        write(shelf, connection, "a", now=now)
    commit(shelf, connection)
    shelf.mark_sent("a", 3)
    commit(shelf, connection)
    shelf.prune(connection, 100.0)
    commit(shelf, connection)
    assert ([2, 3], true_bytes(connection)) == (kept(connection, "a"), shelf.stored_bytes)


def test_ephemeral_topic_is_forgotten_with_its_last_event(shelf, connection):
    """A topic that nsqd forgets is forgotten here once nothing of it is kept; a lasting one is not."""
    for name in ("answers.7#ephemeral", "answers.8#ephemeral", "answers"):
        write(shelf, connection, name, 2)
    commit(shelf, connection)
    shelf.mark_sent("answers.7#ephemeral", 2)
    shelf.mark_sent("answers.8#ephemeral", 1)
    shelf.mark_sent("answers", 2)
    commit(shelf, connection)
    shelf.prune(connection, 2.0)
    commit(shelf, connection)
    names = [name for (name,) in connection.execute("SELECT name FROM topics ORDER BY name")]
    assert ["answers", "answers.8#ephemeral"] == names
    assert (0, 0) == shelf.extent(connection, "answers.7#ephemeral")


def test_rollback_brings_a_forgotten_topic_back(shelf, connection):
    """When the group that forgot a topic is undone, its count goes on."""
    write(shelf, connection, "t#ephemeral", 2)
    commit(shelf, connection)
    shelf.mark_sent("t#ephemeral", 2)
    commit(shelf, connection)
    connection.execute("BEGIN")
    shelf.prune(connection, 2.0)
    write(shelf, connection, "t#ephemeral", 1)
    connection.execute("ROLLBACK")
    shelf.rolled_back()
    write(shelf, connection, "t#ephemeral", 1)
    commit(shelf, connection)
    assert [1, 2, 3] == kept(connection, "t#ephemeral")


GROUPS = st.lists(
    st.tuples(
        st.lists(st.tuples(st.sampled_from(["a", "zone", "c#ephemeral"]), st.integers(1, 5)), max_size=4),
        st.dictionaries(st.sampled_from(["a", "zone", "c#ephemeral"]), st.integers(1, 6), max_size=2),
        st.booleans(),
        st.booleans(),
    ),
    max_size=12,
)


@settings(max_examples=150)
@given(GROUPS)
def test_memory_and_file_agree_whatever_is_undone(groups):
    """After any groups, undone or not, with marks and pruning, memory says what the file says, without gaps."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    shelf = Shelf()
    shelf.load(connection)
    sent = {}
    for events, marks, is_pruned, is_undone in groups:
        connection.execute("BEGIN")
        if is_pruned:
            shelf.prune(connection, DAY)
        for name, count in events:
            add(shelf, connection, name, count, essential=name == "zone")
        for name, step in marks.items():
            _, newest = shelf.extent(connection, name)
            committed = connection.execute("SELECT next - 1 FROM topics WHERE name = ?", (name,)).fetchone()
            if committed is not None and newest:
                sent[name] = min(committed[0], step)
                shelf.mark_sent(name, max(sent[name], shelf.sent(name)))
        shelf.settle(connection, 600)
        shelf.finish(connection)
        if is_undone:
            connection.execute("ROLLBACK")
            shelf.rolled_back()
        else:
            connection.execute("COMMIT")
            shelf.committed()
        assert true_bytes(connection) == shelf.stored_bytes
    connection.execute("BEGIN")
    commit(shelf, connection)
    connection.execute("COMMIT")
    other = Shelf()
    other.load(connection)
    assert other._topics == shelf._topics
    for name in shelf._topics:
        places = kept(connection, name)
        assert places == list(range(places[0], places[0] + len(places))) if places else True
    connection.close()


async def test_rolled_back_group_leaves_sequences_right(tmp_path):
    """Events of work that failed take no sequence, in old topics and in new ones."""
    nsqd = Nsqd()
    async with opened_outbox(tmp_path / "db", nsqd) as outbox:
        await outbox.put([told(number=0)])

        def fail(connection):
            outbox.write(connection, [told(number=99), told("fresh", 99)])
            raise KeyError("mine")

        futures = []
        for number in range(1, 40):
            futures.append(outbox.put([told(number=number), told("fresh", number)]))
            if number % 10 == 0:
                futures.append(outbox._database.submit(fail))
        answers = await asyncio.gather(*futures, return_exceptions=True)
        assert await outbox.flush(5)
    assert 3 == sum(isinstance(answer, KeyError) for answer in answers)
    assert (list(range(1, 41)), list(range(1, 40))) == (
        nsqd.sequences("chunter.zone"), nsqd.sequences("chunter.fresh"),
    )  # fmt: skip
    assert 99 not in {json.loads(body)["data"]["number"] for _, body in nsqd.taken}
