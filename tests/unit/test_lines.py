from __future__ import annotations

import asyncio

import pytest
from core_parts import command
from lines_parts import COPY, CREATE, LIMITS, LOOK, STOP, Stage, settle

from chunter_nsq.actions import Lane
from chunter_nsq.lines import Job, Lines
from chunter_nsq.messages.params import Change


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


async def test_job_that_breaks_is_logged_and_leaves_its_line_alone(caplog):
    """A fault that comes out of a job is in the log at once, and the next job runs."""
    began = []

    async def run(job):
        began.append(job.command.id)
        if len(began) == 1:
            raise KeyError("bug")

    lines = Lines(LIMITS, run)
    for number in range(2):
        lines.add(Job(command(number, uuid="a"), "a"))
    await settle()
    assert (["c0", "c1"], ["lines.job_failed"]) == (began, [record.message for record in caplog.records])


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
