from __future__ import annotations

import asyncio
import sqlite3

import pytest
from core_parts import HOST, told

from chunter_nsq.errors import ToolFailed
from chunter_nsq.ticker import Ticker


class Source:
    """A publisher that tells numbers; ``faults`` come first, one at each tick."""

    def __init__(self, name, interval_seconds=0.02, faults=()):
        self.name = name
        self.interval_seconds = interval_seconds
        self.faults = list(faults)
        self.ticks = self.inside = self.most = 0
        self.pause_seconds = 0.0
        self.door = asyncio.Event()
        self.door.set()

    async def tick(self):
        """Two batches."""
        self.ticks += 1
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await asyncio.sleep(self.pause_seconds)
            await self.door.wait()
            if self.faults:
                raise self.faults.pop(0)
            for half in range(2):
                yield [told(self.name, 2 * self.ticks + half), told(self.name, -1)]
        finally:
            self.inside -= 1


class Stream(Source):
    """A publisher with a stream; ``lives`` say how long each lasts before it breaks, less than 0 without a word."""

    def __init__(self, name, lives):
        super().__init__(name, 60.0)
        self.lives = list(lives)

    async def follow(self):
        """One batch, then silence, then the end."""
        seconds = self.lives.pop(0) if self.lives else 60.0
        if seconds == 0:
            raise ToolFailed("vmadm events ended with 1")
        if seconds > 0:
            yield [told("stream", 1)]
        await asyncio.sleep(abs(seconds))


class Prompter(Source):
    """A publisher that can prompt."""

    def prompted_by(self, prompt):
        """Remember how."""
        self.prompt = prompt


class Out:
    """Where batches are put."""

    def __init__(self):
        self.batches = []
        self.faults = []

    async def put(self, batch):
        """Take a batch."""
        if self.faults:
            raise self.faults.pop(0)
        self.batches.append(list(batch))
        await asyncio.sleep(0)

    def warnings(self):
        """Source and state of each warning."""
        events = [batch[0] for batch in self.batches if batch[0].type == "chunter.host.warning"]
        return [(event.data["data"]["source"], event.data["data"]["state"]) for event in events]

    def count(self, topic):
        """How many batches a source had."""
        return sum(batch[0].topic == topic for batch in self.batches)


@pytest.fixture
def out():
    """Takes batches."""
    return Out()


@pytest.fixture
async def ticker(out):
    """A ticker that is stopped at the end."""
    ticker = Ticker(out.put, HOST, steady_seconds=0.05)
    yield ticker
    await ticker.stop()


async def until(condition):
    """Wait for something that must come."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.002)


async def test_first_tick_comes_at_once_and_then_periodically(ticker, out):
    """Nobody waits a whole period for the first news."""
    slow, quick = Source("slow", 60.0), Source("quick", 0.01)
    ticker.start([slow, quick])
    await until(lambda: out.count("slow") == 2 and out.count("quick") >= 6)
    assert 1 == slow.ticks


async def test_failing_publisher_stops_no_other(ticker, out):
    """One that always fails leaves the others their pace."""
    bad, good = Source("bad", 0.01, [ToolFailed("no")] * 1000), Source("good", 0.01)
    ticker.start([bad, good])
    await until(lambda: good.ticks >= 10)
    states = {one["name"]: one["state"] for one in ticker.state()}
    assert ({"bad": "failing", "good": "ok"}, 0) == (states, out.count("bad"))


@pytest.mark.parametrize(
    "fault", [ToolFailed("zpool ended with 1", {"exit_status": 1}), KeyError("bug"), sqlite3.Error()]
)
async def test_one_warning_then_one_recovery(ticker, out, fault):
    """However often it fails in a row there is one warning, and one word when it is well again."""
    source = Source("zpools", 0.01, [fault] * 3)
    ticker.start([source])
    await until(lambda: len(out.warnings()) == 2)
    await until(lambda: source.ticks >= 8)
    assert [("zpools", "failing"), ("zpools", "recovered")] == out.warnings()


async def test_warning_tells_code_and_reason(ticker, out):
    """The warning has what the fault said, in the host's name."""
    ticker.start([Source("zpools", 60.0, [ToolFailed("zpool ended with 1", {"exit_status": 1})])])
    await until(out.warnings)
    event = out.batches[0][0]
    expected = {
        "source": "zpools", "state": "failing", "code": "tool_failed", "message": "zpool ended with 1",
        "details": {"exit_status": 1},
    }  # fmt: skip
    assert ("announce", HOST, {"event": "warning", "data": expected}) == (event.topic, event.subject, event.data)


async def test_failing_publisher_is_asked_less_and_less(ticker):
    """Pauses double: in the time of thirty periods a failing publisher is asked a handful of times."""
    bad, good = Source("bad", 0.01, [ToolFailed("no")] * 1000), Source("good", 0.01)
    ticker.start([bad, good])
    await until(lambda: good.ticks >= 30)
    assert 2 <= bad.ticks <= 10


async def test_ticks_never_overlap(ticker):
    """A tick that takes longer than its period delays the next, the first one and a changed period included."""
    source = Source("slow", 0.01)
    source.pause_seconds = 0.05
    ticker.start([source])
    await asyncio.sleep(0.06)
    ticker.reschedule([source])
    await until(lambda: source.ticks >= 4)
    assert 1 == source.most


async def test_lateness_is_told_while_it_grows(ticker):
    """A tick that does not end makes the next one late at once; the whole periods that passed are counted then."""
    source = Source("slow", 0.02)
    ticker.start([source])
    await until(lambda: source.ticks >= 3)
    source.door.clear()
    await until(lambda: source.inside and ticker.state()[0]["late_seconds"] >= 0.1)
    missed = ticker.state()[0]["missed"]
    source.door.set()
    await until(lambda: ticker.state()[0]["missed"] >= missed + 5)


async def test_who_is_asked_less_is_not_late(ticker):
    """The pauses after a failure are meant."""
    bad, good = Source("bad", 0.05, [ToolFailed("no")] * 1000), Source("good", 0.01)
    ticker.start([bad, good])
    await until(lambda: bad.ticks >= 3)
    assert 0 == ticker.state()[0]["missed"]


async def test_a_prompt_is_answered_between_two_periods(ticker):
    """At once, and prompts that come during a tick are answered by one tick after it."""
    source = Prompter("memory", 60.0)
    ticker.start([source])
    await until(lambda: source.ticks == 1 and not source.inside)
    source.prompt()
    await until(lambda: source.ticks == 2)
    source.door.clear()
    source.prompt()
    await until(lambda: source.inside)
    for _ in range(5):
        source.prompt()
    source.door.set()
    await until(lambda: source.ticks == 4 and not source.inside)
    assert 1 == source.most


async def test_a_prompt_is_no_way_around_a_pause(ticker, out):
    """Who failed is asked again when its pause is over, prompts or not."""
    source = Prompter("memory", 60.0, [ToolFailed("no")])
    ticker.start([source])
    await until(out.warnings)
    source.prompt()
    await asyncio.sleep(0.02)
    assert 1 == source.ticks


async def test_changed_interval_is_taken_up(ticker):
    """After a reschedule the new period counts."""
    source = Source("zones", 60.0)
    ticker.start([source])
    await until(lambda: source.ticks == 1)
    source.interval_seconds = 0.01
    ticker.reschedule([source])
    await until(lambda: source.ticks >= 4)


async def test_put_that_fails_is_the_publishers_failure(ticker, out):
    """A journal that cannot be written is told once it can."""
    out.faults = [sqlite3.OperationalError("disk full")]
    source = Source("zones", 0.01)
    ticker.start([source])
    await until(lambda: len(out.warnings()) == 2)
    assert [("zones", "failing"), ("zones", "recovered")] == out.warnings()


async def test_lost_warning_stops_nothing(ticker, out):
    """When not even the warning can be written, the publisher is asked again all the same."""
    out.faults = [sqlite3.OperationalError("disk full")] * 2
    source = Source("zones", 0.01)
    ticker.start([source])
    await until(lambda: out.count("zones") >= 2)


async def test_stop_leaves_no_task(out):
    """After a stop nothing runs and nobody is asked any more, not even those that were in the middle."""
    before = asyncio.all_tasks()
    ticker, source, stream = Ticker(out.put, HOST), Source("slow", 0.01), Stream("zones", [])
    source.pause_seconds = 60.0
    ticker.start([source, stream])
    await until(lambda: source.inside and out.count("stream"))
    await asyncio.wait_for(ticker.stop(), 5)
    await asyncio.sleep(0)
    assert (before, 0) == (asyncio.all_tasks(), source.inside)
    ticks = source.ticks
    await asyncio.sleep(0.05)
    assert ticks == source.ticks


async def test_batches_are_put_whole(ticker, out):
    """What a publisher decided together is put together, beside others that do the same."""
    sources = [Source(name, 0.005) for name in ("a", "b", "c")]
    ticker.start(sources)
    await until(lambda: all(source.ticks >= 5 for source in sources))
    assert {(2, 1)} == {(len(batch), len({event.topic for event in batch})) for batch in out.batches}
    for source in sources:
        numbers = [batch[0].data["number"] for batch in out.batches if batch[0].topic == source.name]
        assert sorted(numbers) == numbers


async def test_stream_is_followed_again_after_it_ended(ticker, out):
    """A stream that ends is begun again; there is one warning for any number of short lives."""
    ticker.start([Stream("zones", [0.001, 0, 0.001, 60.0])])
    await until(lambda: out.count("stream") == 3)
    assert [("zones stream", "failing")] == out.warnings()[:2]


async def test_a_stream_that_never_began_is_not_well(ticker, out):
    """However long one hangs before its first word, there is no recovery until another one speaks."""
    ticker.start([Stream("zones", [0.001, -0.2, 60.0])])
    await until(lambda: ticker.state()[1]["failures"] == 2)
    assert [("zones stream", "failing")] == out.warnings()
    await until(lambda: len(out.warnings()) == 2)
    assert [("zones stream", "failing"), ("zones stream", "recovered")] == out.warnings()


async def test_quiet_stream_counts_as_recovered_while_it_lasts(ticker, out):
    """A stream that lasts is well again at once, even when it has nothing to tell."""
    ticker.start([Stream("zones", [0.001, 60.0])])
    await until(lambda: len(out.warnings()) == 2)
    assert [("zones stream", "failing"), ("zones stream", "recovered")] == out.warnings()
    assert {"ok"} == {one["state"] for one in ticker.state()}
