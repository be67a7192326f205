from __future__ import annotations

import asyncio
import random
import sqlite3

import pytest
from core_parts import Nsqd, Refusal
from hypothesis import given, settings
from hypothesis import strategies as st

from chunter_nsq import sender as sender_module
from chunter_nsq.sender import Row, Sender


class File:
    """Rows on disk, of which some may be dropped; reading takes a moment."""

    def __init__(self):
        self.rows = {}
        self.marks = []
        self.faults = []
        self.pause_seconds = 0.0

    async def load(self, after, stop, count):
        """The rows behind ``after``, as the file has them when it is asked."""
        if self.faults:
            raise self.faults.pop()
        found = [self.rows[n] for n in sorted(self.rows) if after < n <= stop][:count]
        await asyncio.sleep(self.pause_seconds)
        return found

    def write(self, sequence, size=1):
        """A row that is written."""
        self.rows[sequence] = row = Row(sequence, [str(sequence).encode().rjust(size)], size)
        return row


def numbers(nsqd):
    """The sequences that were taken."""
    return [int(body) for _, body in nsqd.taken]


@pytest.fixture
def file():
    """An empty file."""
    return File()


@pytest.fixture
async def sender(file):
    """A sender from sequence 1 on."""
    sender = Sender("t", 0, file.load, file.marks.append)
    yield sender
    await sender.close()


async def test_rows_go_out_in_order_and_are_marked(file, sender):
    """What is offered is sent in order, and the mark is the last of it."""
    nsqd = Nsqd()
    sender.start(nsqd.publish, Refusal)
    for n in range(1, 1001):
        sender.offer(file.write(n))
    await asyncio.wait_for(sender.idle(), 5)
    assert (list(range(1, 1001)), 1000, 0) == (numbers(nsqd), file.marks[-1], sender.waiting)


async def test_faults_are_retried_with_the_same_rows(file, sender):
    """A publish that failed or is uncertain is tried again; order holds."""
    nsqd = Nsqd()
    nsqd.faults = [OSError("perhaps"), None, OSError("no"), OSError("no")]
    sender.start(nsqd.publish, Refusal)
    for n in range(1, 801):
        sender.offer(file.write(n))
    await asyncio.wait_for(sender.idle(), 5)
    assert list(range(1, 801)) == numbers(nsqd)


async def test_only_the_refused_row_is_skipped(file, sender, caplog):
    """One row that can never be published is skipped and logged; those beside it arrive, in order."""
    nsqd = Nsqd()

    async def picky(topic, bodies):
        if b"123" in bodies:
            raise Refusal("too large")
        await nsqd.publish(topic, bodies)

    sender.start(picky, Refusal)
    for n in range(1, 401):
        sender.offer(file.write(n))
    await asyncio.wait_for(sender.idle(), 5)
    assert [n for n in range(1, 401) if n != 123] == numbers(nsqd)
    assert [123] == [record.sequence for record in caplog.records if record.message == "outbox.refused"]


async def test_queue_is_bounded_in_events(file, sender):
    """What waits in memory is bounded; the rest is read from the file, and all of it arrives in order."""
    nsqd = Nsqd()
    for n in range(1, 20_001):
        sender.offer(file.write(n))
    assert sender_module._QUEUE_EVENTS >= sender.queued_events
    sender.start(nsqd.publish, Refusal)
    await asyncio.wait_for(sender.idle(), 10)
    assert list(range(1, 20_001)) == numbers(nsqd)


async def test_queue_is_bounded_in_bytes(file, sender):
    """Large rows fill the queue sooner."""
    for n in range(1, 101):
        sender.offer(file.write(n, size=100_000))
    assert sender_module._QUEUE_BYTES + 100_000 >= sender.queued_events * 100_000


async def test_queue_is_used_again_after_catching_up(file, sender):
    """Once the file was read to its end, offered rows are queued again."""
    nsqd = Nsqd()
    for n in range(1, 6001):
        sender.offer(file.write(n))
    sender.start(nsqd.publish, Refusal)
    await asyncio.wait_for(sender.idle(), 10)
    file.faults = [AssertionError("the file was read")]
    sender.offer(file.write(6001))
    await asyncio.wait_for(sender.idle(), 5)
    assert 6001 == len(numbers(nsqd))


async def test_file_that_cannot_be_read_is_tried_again(file, sender, monkeypatch):
    """A journal that cannot be read for a moment holds events up; no further event is needed to go on."""
    monkeypatch.setattr(sender_module, "_RETRY_LIMIT_SECONDS", 0.01)
    nsqd = Nsqd()
    for n in range(1, 6):
        file.write(n)
    file.faults = [sqlite3.OperationalError("disk I/O error")]
    sender.start(nsqd.publish, Refusal)
    sender.wake_for(5)
    await asyncio.wait_for(sender.idle(), 5)
    assert [1, 2, 3, 4, 5] == numbers(nsqd)


async def test_dropped_rows_are_passed_over(file, sender):
    """Rows that were dropped from the file are not waited for."""
    nsqd = Nsqd()
    for n in range(1, 11):
        file.write(n)
    for n in (1, 2, 3, 9, 10):
        del file.rows[n]
    sender.start(nsqd.publish, Refusal)
    sender.wake_for(10)
    await asyncio.wait_for(sender.idle(), 5)
    assert ([4, 5, 6, 7, 8], 10) == (numbers(nsqd), file.marks[-1])


async def test_rows_go_in_groups_of_bounded_bytes(file, sender):
    """A publish carries about 1 MiB at most, one row at least."""
    sizes = []

    async def publish(_topic, bodies):
        sizes.append(sum(map(len, bodies)))

    for n in range(1, 11):
        sender.offer(file.write(n, size=400_000))
    sender.start(publish, Refusal)
    await asyncio.wait_for(sender.idle(), 5)
    assert (4_000_000, True) == (sum(sizes), max(sizes) <= 2**20)


async def test_close_while_publishing_leaves_the_mark(file, sender):
    """A publish that is cut off counts as not sent."""
    began = asyncio.Event()

    async def never(_topic, _bodies):
        began.set()
        await asyncio.Event().wait()

    sender.start(never, Refusal)
    sender.offer(file.write(1))
    await began.wait()
    await asyncio.wait_for(sender.close(), 5)
    assert ([], 1) == (file.marks, sender.waiting)


STEPS = st.lists(
    st.tuples(st.integers(1, 60), st.sampled_from(["yield", "pause", "drop", "fault", "run"])), max_size=25
)


@settings(max_examples=60)
@given(STEPS, st.integers(0, 2**32))
def test_any_interleaving_keeps_order_and_loses_only_what_was_dropped(steps, seed):
    """Offers while loading, while publishing, with faults and drops: each kept row arrives, in order, once."""

    async def scenario():
        file, nsqd, chance = File(), Nsqd(), random.Random(seed)  # noqa: S311 - a test's choice
        file.pause_seconds = 0.0001
        sender = Sender("t", 0, file.load, file.marks.append)

        async def publish(topic, bodies):
            await asyncio.sleep(chance.choice([0, 0, 0.0002]))
            if chance.random() < 0.05:
                raise Refusal("not this time")
            await nsqd.publish(topic, bodies)

        sender.start(publish, ZeroDivisionError)
        newest, dropped = 0, set()
        for count, then in steps:
            for _ in range(count):
                newest += 1
                sender.offer(file.write(newest))
            if then == "drop":
                gone = sorted(file.rows)[: count // 2]
                dropped |= set(gone)
                for sequence in gone:
                    del file.rows[sequence]
            await asyncio.sleep({"pause": 0.0005, "run": 0.002}.get(then, 0))
        await asyncio.wait_for(sender.idle(), 10)
        await sender.close()
        return newest, dropped, numbers(nsqd)

    limits = sender_module._QUEUE_EVENTS, sender_module._GROUP_EVENTS, sender_module._RETRY_SECONDS
    sender_module._QUEUE_EVENTS, sender_module._GROUP_EVENTS, sender_module._RETRY_SECONDS = 40, 7, 0.0005
    try:
        newest, dropped, arrived = asyncio.run(scenario())
    finally:
        sender_module._QUEUE_EVENTS, sender_module._GROUP_EVENTS, sender_module._RETRY_SECONDS = limits
    assert sorted(set(arrived)) == arrived
    assert set() == set(range(1, newest + 1)) - set(arrived) - dropped
