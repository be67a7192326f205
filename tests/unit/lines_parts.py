"""A stage on which jobs run until they are let go."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from core_parts import command, row

from chunter_nsq.actions import Lane
from chunter_nsq.lines import Job, Lines

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
