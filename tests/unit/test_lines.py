from __future__ import annotations

import asyncio
import random
from collections import defaultdict

import pytest
from core_parts import command, row
from hypothesis import given, settings
from hypothesis import strategies as st

from chunter_nsq.actions import Lane
from chunter_nsq.lines import Job, Lines
from chunter_nsq.messages.params import Change

STOP = row()
LOOK = row("machine.get", Lane.QUERY)
COPY = row("backup.create", Lane.TRANSFER)
CREATE = row("machine.create", exclusive=True)
LIMITS = {Lane.QUERY: 3, Lane.MACHINE: 2, Lane.TRANSFER: 1}


class Stage:
    """Runs jobs until each is let go, and writes down when they began and ended."""

    def __init__(self, limits=None):
        self.lines = Lines({**LIMITS, **(limits or {})}, self.run)
        self.story = []
        self.gates = defaultdict(asyncio.Event)
        self.running = []
        self.jobs = {}

    async def run(self, job):
        """A job's work."""
        name = job.command.id
        self.running.append(name)
        self.story.append(f"{name} began")
        try:
            await self.gates[name].wait()
            self.story.append(f"{name} ended")
        except asyncio.CancelledError:
            self.story.append(f"{name} cancelled")
            raise
        finally:
            self.running.remove(name)

    def add(self, number, uuid, kind=STOP, **members):
        """A job at the end of its line."""
        self.jobs[number] = job = Job(command(number, kind, uuid=uuid, **members), uuid)
        self.lines.add(job)
        return job

    async def let_go(self, *numbers):
        """Let jobs end, and everything happen that follows."""
        for number in numbers:
            self.gates[f"c{number}"].set()
        await settle()


async def settle():
    """Let everything happen that can."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
async def stage():
    """A stage that is left empty."""
    stage = Stage()
    yield stage
    await stage.lines.abandon()


async def test_one_machine_strictly_in_order(stage):
    """The next command of a VM begins when the one before it has ended."""
    for number in range(3):
        stage.add(number, "a")
    await settle()
    assert (["c0"], 3) == (stage.running, stage.lines.queued)
    await stage.let_go(1, 0)
    await stage.let_go(2)
    story = [f"c{number} {what}" for number in range(3) for what in ("began", "ended")]
    assert (story, 0) == (stage.story, stage.lines.queued)


async def test_different_machines_side_by_side_within_their_lane(stage):
    """Two VMs work at once, the third waits for a place; another lane is not held up."""
    for number, uuid in enumerate("abc"):
        stage.add(number, uuid)
    stage.add(3, "d", COPY)
    stage.add(4, "e", COPY)
    await settle()
    assert ["c0", "c1", "c3"] == stage.running
    await stage.let_go(0)
    assert ["c1", "c3", "c2"] == stage.running


async def test_queries_never_wait_for_their_machine(stage):
    """A query of a busy VM runs at once and is not counted as queued."""
    stage.add(0, "a")
    stage.add(1, "a", LOOK)
    await settle()
    assert (["c0", "c1"], 1) == (sorted(stage.running), stage.lines.queued)


async def test_limits_change_while_jobs_wait(stage):
    """More places let waiting jobs in at once."""
    for number, uuid in enumerate("abcd"):
        stage.add(number, uuid)
    await settle()
    stage.lines.resize({Lane.MACHINE: 3})
    await settle()
    assert ["c0", "c1", "c2"] == stage.running


async def test_waiting_for_the_host_lock_takes_no_place(stage):
    """A second create waits for the first, and another VM works meanwhile."""
    stage.add(0, "a", CREATE)
    stage.add(1, "b", CREATE)
    stage.add(2, "c")
    await settle()
    assert ["c0", "c2"] == stage.running
    await stage.let_go(0)
    assert ["c2", "c1"] == stage.running


async def test_dry_run_of_a_create_needs_no_lock(stage):
    """A look does not wait for a create that runs."""
    stage.add(0, "a", CREATE)
    stage.add(1, "b", CREATE, params=Change(dry_run=True))
    await settle()
    assert ["c0", "c1"] == stage.running


async def test_queued_job_is_taken_out(stage):
    """A job that waits behind another is taken out; what comes behind it runs."""
    for number in range(3):
        stage.add(number, "a")
    await settle()
    query = stage.add(7, "x", LOOK)
    assert [True, False, False] == [stage.lines.remove(job) for job in (stage.jobs[1], stage.jobs[0], query)]
    await stage.let_go(0)
    await stage.let_go(2)
    assert ["c0 began", "c7 began", "c0 ended", "c2 began", "c2 ended"] == stage.story
    assert 0 == stage.lines.queued


@pytest.mark.parametrize("kind", [STOP, CREATE], ids=["place in the lane", "host lock"])
async def test_job_that_waits_for_its_turn_is_taken_out_at_once(kind):
    """A job that waits for a place or the host lock is taken out, and its VM's next need not wait for either."""
    stage = Stage({Lane.MACHINE: 1})
    stage.add(0, "a", kind)
    await settle()
    first = stage.add(1, "b", kind)
    stage.add(2, "b", COPY)
    await settle()
    assert stage.lines.remove(first)
    await settle()
    assert ["c0", "c2"] == stage.running
    await stage.let_go(0, 2)
    assert (0, {}) == (stage.lines.queued, stage.lines._lines)


async def test_cancelled_running_job_leaves_its_line_alone(stage):
    """The task of a running job may be cancelled; the next of its VM runs."""
    job = stage.add(0, "a")
    stage.add(1, "a")
    await settle()
    job.task.cancel()
    await settle()
    assert ["c0 began", "c0 cancelled", "c1 began"] == stage.story


async def test_stop_lets_what_runs_end_and_begins_nothing(stage):
    """After a stop running jobs end by themselves and waiting ones stay where they are."""
    for number, uuid in enumerate("aabc"):
        stage.add(number, uuid)
    await settle()
    stage.lines.stop()
    ended = asyncio.create_task(stage.lines.finished())
    await settle()
    assert not ended.done()
    await stage.let_go(0, 2)
    await asyncio.wait_for(ended, 5)
    assert ["c0 began", "c2 began", "c0 ended", "c2 ended"] == stage.story


async def test_abandon_cancels_what_runs(stage):
    """What does not end in time is cancelled, and no task is left."""
    for number, uuid in enumerate("abc"):
        stage.add(number, uuid)
    stage.add(3, "a", LOOK)
    await settle()
    stage.lines.stop()
    await asyncio.wait_for(stage.lines.abandon(), 5)
    assert {"c0 cancelled", "c1 cancelled", "c3 cancelled"} == set(stage.story[3:])
    assert set() == stage.lines._tasks


async def test_job_added_at_the_end_of_its_line_is_not_lost(stage):
    """A job that is added at any moment around the end of the one before it runs."""
    for turns in range(12):
        stage.add(2 * turns, "a")
        await settle()
        stage.gates[f"c{2 * turns}"].set()
        for _ in range(turns):
            await asyncio.sleep(0)
        stage.add(2 * turns + 1, "a")
        await stage.let_go(2 * turns + 1)
        assert f"c{2 * turns + 1} ended" == stage.story[-1]
    assert (0, {}) == (stage.lines.queued, stage.lines._lines)


async def test_room_is_there_once_enough_have_ended_or_were_taken_out(stage):
    """Whoever waits for room goes on as soon as fewer jobs wait, whatever became of the others."""
    for number in range(3):
        stage.add(number, "a")
    room = asyncio.create_task(stage.lines.room(2))
    await settle()
    stage.lines.remove(stage.jobs[1])
    await settle()
    assert not room.done()
    await stage.let_go(0)
    await asyncio.wait_for(room, 1)
    await asyncio.wait_for(stage.lines.room(2), 1)


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "add", "end", "remove", "resize", "run"]),
        st.sampled_from("abc"), st.sampled_from([STOP, STOP, COPY, CREATE, LOOK]), st.integers(0, 99),
    ),
    max_size=50,
)  # fmt: skip


class Life(Stage):
    """A stage on which anything may happen."""

    def __init__(self, chance):
        super().__init__()
        self.chance = chance
        self.removed = set()
        self.limits = dict(LIMITS)

    async def move(self, count, move, uuid, kind, number):
        """One thing happens."""
        if move == "add":
            self.add(count, uuid, kind)
        elif move == "end" and self.running:
            self.gates[self.chance.choice(self.running)].set()
        elif move == "remove" and self.jobs:
            victim = self.chance.choice(list(self.jobs))
            self.removed |= {victim} if self.lines.remove(self.jobs[victim]) else set()
        elif move == "resize":
            self.limits[Lane.MACHINE] = max(self.limits[Lane.MACHINE], 1 + number % 4)
            self.lines.resize({Lane.MACHINE: 1 + number % 4})
        else:
            await asyncio.sleep(0)

    def check(self):
        """What must hold at each moment."""
        running = [self.jobs[int(name[1:])] for name in self.running]
        for lane, limit in self.limits.items():
            assert limit >= sum(job.command.action.lane is lane for job in running)
        assert 1 >= sum(job.command.action.exclusive for job in running)
        working = [job.uuid for job in running if job.command.action is not LOOK]
        assert len(set(working)) == len(working)

    async def end(self):
        """Let everything end, and see that each job had its turn."""
        await self.let_go(*self.jobs)
        for _ in range(100):
            await settle()
        ended = [int(line.split()[0][1:]) for line in self.story if line.endswith("ended")]
        assert sorted(set(self.jobs) - self.removed) == sorted(ended)
        assert (0, {}, set()) == (self.lines.queued, self.lines._lines, self.lines._tasks)
        for uuid in "abc":
            line = [n for n in ended if self.jobs[n].uuid == uuid and self.jobs[n].command.action is not LOOK]
            assert sorted(line) == line


@settings(max_examples=120, deadline=None)
@given(MOVES, st.integers(0, 2**32))
def test_any_life_keeps_order_and_limits_and_loses_no_job(moves, seed):
    """Whatever is added, ended, taken out or resized: order per VM, limits per lane, and no job is lost."""

    async def scenario():
        life = Life(random.Random(seed))  # noqa: S311 - a test's choice
        for count, move in enumerate(moves):
            await life.move(count, *move)
            life.check()
        await life.end()

    asyncio.run(scenario())
