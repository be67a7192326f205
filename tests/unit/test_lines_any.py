from __future__ import annotations

import asyncio
import random

from hypothesis import example, given, settings
from hypothesis import strategies as st
from lines_parts import COPY, CREATE, LIMITS, LOOK, STOP, Stage, settle

from chunter_nsq.actions import Lane

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


@settings(max_examples=120)
@given(MOVES, st.integers(0, 2**32))
@example(
    [
        ("add", "a", STOP, 0),
        *[("run", "a", STOP, 0)] * 3,
        ("end", "a", STOP, 0),
        ("run", "a", STOP, 0),
        ("remove", "a", STOP, 0),
    ],
    0,
)
def test_any_life_keeps_order_and_limits_and_loses_no_job(moves, seed):
    """Whatever is added, ended, taken out or resized: order per VM, limits per lane, and no job is lost."""

    async def scenario():
        life = Life(random.Random(seed))  # noqa: S311 - a test's choice
        for count, move in enumerate(moves):
            await life.move(count, *move)
            life.check()
        await life.end()

    asyncio.run(scenario())
