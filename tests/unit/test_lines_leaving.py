"""Jobs that leave their line and go on beside it."""

from __future__ import annotations

import pytest
from core_parts import row
from lines_parts import Stage, settle

from chunter_nsq.actions import Lane
from chunter_nsq.ground import Ground
from chunter_nsq.messages.backup_params import BackupDelete
from chunter_nsq.messages.params import SnapshotNamed

MAKE = row("backup.create", Lane.TRANSFER, leaves=True, cancellable=True)
START = row("machine.start")
DELETE = row("machine.delete")
DROP = row("snapshot.delete", form=SnapshotNamed)
REMOVE = row("backup.delete", form=BackupDelete)


@pytest.fixture
async def stage():
    """A stage that is left empty."""
    stage = Stage()
    yield stage
    await stage.lines.abandon()


async def test_those_behind_go_on(stage):
    """When a job has left, the next of its VM begins; it still counts until its own end."""
    job = stage.add(0, "a", MAKE)
    stage.add(1, "a", START)
    await settle()
    assert ["c0"] == stage.running
    await stage.lines.leave(job, Ground("one"))
    await settle()
    assert (["c0", "c1"], 2) == (stage.running, stage.lines.queued)
    await stage.let_go(1, 0)
    assert ([], 0) == (stage.running, stage.lines.queued)


async def test_it_waits_for_a_transfer_only_after_it_has_left(stage):
    """Snapshots are made at once, however many transfers run; the upload takes its turn."""
    jobs = [stage.add(number, uuid, MAKE) for number, uuid in enumerate("abc")]
    await settle()
    assert ["c0", "c1"] == stage.running  # the machine lane's two places
    await stage.lines.leave(jobs[0], Ground("one"))
    await settle()
    assert ["c0", "c1", "c2"] == stage.running


async def test_what_pulls_the_ground_away_waits(stage):
    """A deletion waits for a job that left; others behind it wait for the deletion, as ever."""
    job = stage.add(0, "a", MAKE)
    await settle()
    await stage.lines.leave(job, Ground("one"))
    stage.add(1, "a", DROP, params=SnapshotNamed("other"))
    stage.add(2, "a", DELETE)
    stage.add(3, "a", START)
    await stage.let_go(1)
    assert ["c0"] == stage.running
    await stage.let_go(0)
    assert ["c2"] == stage.running
    await stage.let_go(2)
    assert ["c3"] == stage.running


async def test_force_cancels_it(stage):
    """With force a job that left is cancelled instead of waited for."""
    job = stage.add(0, "a", MAKE)
    await settle()
    await stage.lines.leave(job, Ground("one"))
    stage.add(1, "a", REMOVE, params=BackupDelete("one", force=True))
    await settle()

    assert (True, ["c1"]) == (job.is_cancelled, stage.running)
    assert "c0 cancelled" in stage.story


async def test_a_waiting_job_can_be_taken_out(stage):
    """A job that waits for one that left can be removed; what comes behind it begins."""
    job = stage.add(0, "a", MAKE)
    await settle()
    await stage.lines.leave(job, Ground("one"))
    waiting = stage.add(1, "a", DELETE)
    stage.add(2, "a", START)
    await settle()
    assert stage.lines.remove(waiting)
    await settle()
    assert ["c0", "c2"] == stage.running
