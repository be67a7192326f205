from __future__ import annotations

import asyncio
import json
import random

import pytest
from core_parts import HOST, Nsqd, Refusal, opened_outbox, told

from chunter_nsq.messages.events import SIZE_LIMIT_BYTES, Event, Note
from chunter_nsq.outbox import EventTooLarge


@pytest.fixture
def path(tmp_path):
    """A file that is not there yet."""
    return tmp_path / "chunter.db"


def count(outbox):
    """How many events the file has."""
    return outbox._database.submit(lambda c: c.execute("SELECT coalesce(sum(count), 0) FROM events").fetchone()[0])


async def test_event_is_a_cloudevent_on_one_line(path):
    """What arrives is a CloudEvent with the host's source, the topic's sequence, and an id made of both."""
    nsqd = Nsqd()
    async with opened_outbox(path, nsqd) as outbox:
        await outbox.put([Event("zone", "chunter.zone.state", "vm", {"event": "state", "data": "ü\n"})])
        assert await outbox.flush(5)
        epoch = outbox.epoch
    [(topic, body)] = nsqd.taken
    event = json.loads(body)
    del event["time"]
    expected = {
        "specversion": "1.0", "id": f"{epoch}.chunter.zone.1", "source": f"chunter/{HOST}",
        "type": "chunter.zone.state", "subject": "vm", "datacontenttype": "application/json",
        "sequence": "1", "epoch": epoch, "data": {"event": "state", "data": "ü\n"},
    }  # fmt: skip
    assert ("chunter.zone", expected, False) == (topic, event, b"\n" in body)


async def test_concurrent_puts_keep_the_order_of_each_topic(path):
    """Many writers at once: each topic arrives in the order of its puts, without a gap."""
    nsqd = Nsqd()
    nsqd.faults = [random.choice([None, OSError("perhaps sent")]) for _ in range(20)]  # noqa: S311 - a test's choice
    async with opened_outbox(path, nsqd) as outbox:

        async def writer(topic):
            for number in range(100):
                await outbox.put([told(topic, number)])

        await asyncio.gather(*(writer(topic) for topic in ("zone", "service", "arc", "backup")))
        assert await outbox.flush(10)
    for topic in ("zone", "service", "arc", "backup"):
        name = f"chunter.{topic}"
        numbers = [json.loads(body)["data"]["number"] for one, body in nsqd.taken if one == name]
        assert (list(range(100)), list(range(1, 101))) == (numbers, nsqd.sequences(name))


async def test_reply_topic_is_used_as_it_is(path):
    """A reply_to gets no prefix and a sequence of its own."""
    nsqd = Nsqd()
    async with opened_outbox(path, nsqd) as outbox:
        await outbox.put([told("mine#ephemeral", absolute=True), told("mine#ephemeral", absolute=True)])
        assert await outbox.flush(5)
    assert [1, 2] == nsqd.sequences("mine#ephemeral")


async def test_slow_publisher_and_fifty_thousand_events(path):
    """Memory stays bounded whatever waits, and all of it arrives in order."""
    nsqd = Nsqd()
    async with opened_outbox(path) as outbox:
        for _ in range(100):
            await outbox.put([told(size=100)] * 500)
        held = max(sender.queued_events for sender in outbox._senders.values())
        assert (50_000, True) == (outbox.state().waiting, held <= 5000)

        async def slow(topic, bodies):
            await asyncio.sleep(0.001)
            await nsqd.publish(topic, bodies)

        outbox.attach(slow, Refusal)
        await outbox.put([told()] * 500)
        assert await outbox.flush(30)
    assert list(range(1, 50_501)) == nsqd.sequences("chunter.zone")


async def test_restart_sends_what_was_not_sent(path):
    """What was written without a nsqd goes out after a restart, once, and numbering goes on."""
    async with opened_outbox(path) as outbox:
        await outbox.put([told(number=n) for n in range(700)])
    first, second = Nsqd(), Nsqd()
    async with opened_outbox(path, first) as outbox:
        assert await outbox.flush(5)
    async with opened_outbox(path, second) as outbox:
        await outbox.put([told()])
        assert await outbox.flush(5)
    assert (list(range(1, 701)), [701]) == (first.sequences("chunter.zone"), second.sequences("chunter.zone"))


async def test_too_large_event_fails_its_put_alone(path):
    """An event over what NSQ carries is refused with its size; it takes no sequence."""
    nsqd = Nsqd()
    async with opened_outbox(path, nsqd) as outbox:
        puts = [outbox.put([told()]), outbox.put([told(size=SIZE_LIMIT_BYTES)]), outbox.put([told()])]
        answers = await asyncio.gather(*puts, return_exceptions=True)
        assert await outbox.flush(5)
    assert [type(None), EventTooLarge, type(None)] == [type(answer) for answer in answers]
    assert [1, 2] == nsqd.sequences("chunter.zone")


async def test_replay_publishes_exactly_the_range_with_the_same_bytes(path):
    """A range is published again as it was, however many pieces it is read in."""
    nsqd = Nsqd()
    async with opened_outbox(path, nsqd) as outbox:
        await outbox.put([told(number=n, size=5000) for n in range(900)])
        await outbox.put([told("arc")])
        assert await outbox.flush(5)
        original, nsqd.taken = [one for one in nsqd.taken if one[0] == "chunter.zone"], []
        assert 600 == await outbox.replay("chunter.zone", 201, 800)
        assert original[200:800] == nsqd.taken
        nsqd.taken = []
        assert 10 == await outbox.replay("chunter.zone", 891, None)
        assert original[890:900] == nsqd.taken
        ranges = [("chunter.zone", 901, None), ("chunter.zone", 5, 4), ("chunter.none", 1, None)]
        assert [0, 0, 0] == [await outbox.replay(*one) for one in ranges]


async def test_replay_leaves_out_what_is_not_kept_any_more(path):
    """Of a range whose beginning was pruned the rest is published, and the count says so."""
    nsqd = Nsqd()
    async with opened_outbox(path, nsqd) as outbox:
        for _ in range(10):
            await outbox.put([told()])
        assert await outbox.flush(5)
        await outbox._database.submit(lambda c: c.execute("DELETE FROM events WHERE place % 1099511627776 <= 4"))
        assert 6 == await outbox.replay("chunter.zone", 1, 10)


async def test_retention_prunes_what_was_sent(path):
    """After its retention a sent event is forgotten, an unsent one is not; numbering goes on."""
    nsqd = Nsqd()
    async with opened_outbox(path, nsqd, retention_seconds=0.0) as outbox:
        await outbox.put([told() for _ in range(1200)])
        assert await outbox.flush(5)
        await outbox.prune()  # the marks are written with it
        await outbox.prune()
        assert (0, 0) == (await count(outbox), outbox.state().stored_bytes)
        outbox._senders.clear()
        await outbox.put([told()])
        assert await outbox.flush(5)
    assert list(range(1, 1202)) == nsqd.sequences("chunter.zone")


async def test_answers_to_a_thousand_ephemeral_topics_leave_nothing_behind(path):
    """Readers that each make up a topic for their answer leave neither rows nor senders behind."""
    nsqd = Nsqd()
    async with opened_outbox(path, nsqd, retention_seconds=0.0) as outbox:
        await asyncio.gather(*(outbox.put([told(f"r{n}#ephemeral", absolute=True)]) for n in range(1000)))
        assert await outbox.flush(10)
        for _ in range(2):
            await outbox.prune()
        topics = await outbox._database.submit(lambda c: c.execute("SELECT count(*) FROM topics").fetchone()[0])
        assert (0, 0, 0) == (topics, len(outbox._senders), await count(outbox))
        await outbox.put([told("r7#ephemeral", absolute=True)])
        assert await outbox.flush(5)
    assert [1, 1] == nsqd.sequences("r7#ephemeral")


async def test_resting_sender_takes_up_where_it_left(path):
    """A topic whose sender was let go of sends its next event once and nothing again."""
    nsqd = Nsqd()
    async with opened_outbox(path, nsqd) as outbox:
        for number in range(5):
            await outbox.put([told(number=number)])
            assert await outbox.flush(5)
            await outbox.prune()
    assert [1, 2, 3, 4, 5] == nsqd.sequences("chunter.zone")


async def test_full_outbox_drops_statistics_and_tells_the_ranges(path):
    """Above the limit unsent statistics go, oldest first; a dropped event tells each range; zones and results stay."""
    nsqd = Nsqd()
    async with opened_outbox(path, limit_bytes=100_000) as outbox:
        for number in range(60):
            await outbox.put([told("metric", number, size=1000), told("zone", number, size=1000)])
        await outbox.put([told("my.results", 0, size=1000, absolute=True)])
        outbox._senders.clear()  # as after a restart: nothing in memory
    async with opened_outbox(path, nsqd, limit_bytes=100_000) as outbox:
        assert await outbox.flush(5)
    drops = [json.loads(body)["data"]["data"] for _, body in nsqd.taken if b"chunter.host.dropped" in body]
    for topic, newest in (("chunter.metric", 60), ("chunter.announce", max(nsqd.sequences("chunter.announce")))):
        in_ranges = {n for one in drops if one["topic"] == topic for n in range(one["from"], one["to"] + 1)}
        assert set(range(1, newest + 1)) - set(nsqd.sequences(topic)) == in_ranges
    assert ([one["count"] for one in drops], True) == ([one["to"] - one["from"] + 1 for one in drops], bool(drops))
    assert (list(range(1, 61)), [1]) == (nsqd.sequences("chunter.zone"), nsqd.sequences("my.results"))


async def test_notes_are_written_with_their_event_and_forgotten(path):
    """What an event remembers is there after a restart; None forgets; a put that fails remembers nothing."""
    noted = Event("zone", "t", "vm", {}, notes=(Note("zone", "vm", "running"), Note("other", "x", "y")))
    async with opened_outbox(path) as outbox:
        await outbox.put([noted, Note("zone", "gone", "stopped"), Note("zone", "gone", None)])
        with pytest.raises(EventTooLarge):
            await outbox.put([Note("zone", "vm", "wrong"), told(size=SIZE_LIMIT_BYTES)])
    async with opened_outbox(path) as outbox:
        assert ({"vm": "running"}, {"x": "y"}) == (await outbox.recall("zone"), await outbox.recall("other"))
        assert ({"vm"}, set()) == (await outbox.recall_keys("zone"), await outbox.recall_keys("nothing"))
        await outbox.put([Note("zone", "vm2", "stopped")])
        assert {"vm2": "stopped"} == await outbox.recall_some("zone", ["vm2", "gone"])


async def test_flush_says_when_time_is_up(path):
    """Without a nsqd a flush gives up in time and says so; with nothing to send it is done at once."""
    async with opened_outbox(path) as outbox:
        assert await outbox.flush(0.01)
        await outbox.put([told()])
        assert not await outbox.flush(0.05)


async def test_close_while_publishing_sends_again_after_restart(path):
    """A publish that the end cut off counts as not sent; nothing is begun after the end."""
    began, nsqd = asyncio.Event(), Nsqd()

    async def never(_topic, _bodies):
        began.set()
        await asyncio.Event().wait()

    async with opened_outbox(path) as outbox:
        outbox.attach(never, Refusal)
        await outbox.put([told()])
        await began.wait()
        await asyncio.wait_for(outbox.close(), 5)
        await outbox.put([told("fresh")])
        await asyncio.sleep(0)
        assert [] == [task for task in asyncio.all_tasks() if task.get_name().startswith("sender")]
    async with opened_outbox(path, nsqd) as outbox:
        assert await outbox.flush(5)
    assert ([1], [1]) == (nsqd.sequences("chunter.zone"), nsqd.sequences("chunter.fresh"))


async def test_marks_reach_the_file_by_themselves(path):
    """Without another event the mark is written within about a second."""
    nsqd = Nsqd()
    async with opened_outbox(path, nsqd) as outbox:
        await outbox.put([told()])
        assert await outbox.flush(5)

        async def mark():
            return await outbox._database.submit(lambda c: c.execute("SELECT sent FROM topics").fetchone()[0])

        async with asyncio.timeout(5):
            while await mark() != 1:
                await asyncio.sleep(0.02)
