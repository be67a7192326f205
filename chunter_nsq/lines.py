"""Where commands wait: one line for each VM, served in order, and lanes with so many places at a time."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from chunter_nsq.actions import Lane, Progress
from chunter_nsq.errors import Locked
from chunter_nsq.ground import Ground, is_pulled_away
from chunter_nsq.hostlock import HostLock
from chunter_nsq.messages.command import Command
from chunter_nsq.slots import Slots

log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Job:
    """A command on its way through; ``uuid`` is the VM that it is about, even one that it will make.

    ``refusal`` is why it cannot be run after all, found while it waited. ``gone`` is set when those behind it need not
    wait for it any more; ``ground`` is what it stands on when it left before its end.
    """

    command: Command
    uuid: str | None
    task: asyncio.Task[None] | None = None
    started: float | None = None
    is_running: bool = False
    is_cancelled: bool = False
    is_put_down: bool = False
    is_settled: bool = False
    refusal: Locked | None = None
    progress: Progress = field(default_factory=lambda: Progress("running"))
    progress_since: float = 0.0
    progress_told: float = 0.0
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    place: AsyncExitStack = field(default_factory=AsyncExitStack)
    ground: Ground | None = None


class Lines:
    """Runs jobs: of one VM strictly in order, of different VMs side by side, queries at once."""

    def __init__(
        self, limits: Mapping[Lane, int], run: Callable[[Job], Awaitable[None]], host_lock: HostLock | None = None
    ) -> None:
        self._lanes = {lane: Slots(limit) for lane, limit in limits.items()}
        self._run = run
        self._lines: dict[str, deque[Job]] = {}
        self._away: dict[str, list[Job]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._host_lock = host_lock or HostLock()
        self._is_open = True
        self._shorter = asyncio.Event()
        self.queued = 0

    async def room(self, limit: int) -> None:
        """Wait until fewer than ``limit`` jobs wait or run, queries left out."""
        while self.queued >= limit:
            self._shorter.clear()
            await self._shorter.wait()

    def add(self, job: Job) -> None:
        """Put a job at the end of its line."""
        if job.command.action.lane is Lane.QUERY:
            job.task = self._spawn(self._serve(job))
            return
        self.queued += 1
        key = job.uuid or "host"
        line = self._lines.get(key)
        if line is not None:
            line.append(job)
            return
        self._lines[key] = deque([job])
        self._spawn(self._work(key))

    def waits(self, job: Job) -> bool:
        """Whether a job stands in its line and does not run yet."""
        return not job.is_running and not job.is_settled and job in self._lines.get(job.uuid or "host", ())

    def remove(self, job: Job) -> bool:
        """Take a job that does not run yet out of its line; what comes behind it waits for it no longer."""
        if not self.waits(job):
            return False
        job.is_settled = True
        if job.task is not None:
            job.task.cancel()  # it waits for the host lock or for a place in its lane
        return True

    async def leave(self, job: Job, ground: Ground) -> None:
        """Let a running job out of its line and into the transfer lane, whose place it waits for."""
        if job.ground is not None:
            return
        job.ground = ground
        self._away.setdefault(job.uuid or "host", []).append(job)
        job.gone.set()
        await job.place.aclose()
        await job.place.enter_async_context(self._lanes[Lane.TRANSFER])

    def resize(self, limits: Mapping[Lane, int]) -> None:
        """Change how many jobs of each lane run at a time."""
        for lane, limit in limits.items():
            self._lanes[lane].resize(limit)

    def stop(self) -> None:
        """Begin no further job; what waits is in the journal."""
        self._is_open = False

    async def finished(self) -> None:
        """Wait until nothing runs, after `stop`."""
        running = {task for task in self._tasks if task is not asyncio.current_task()}
        if running:
            await asyncio.wait(running)

    async def abandon(self) -> None:
        """Cancel what still runs and wait for it."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.error("lines.job_failed", exc_info=fault)

    async def _work(self, key: str) -> None:
        line = self._lines[key]
        try:
            while line and self._is_open:
                job = line[0]
                if not job.is_settled:
                    # a task of its own, so that cancelling the job leaves the line alone
                    job.task = self._spawn(self._serve(job))
                    job.task.add_done_callback(lambda _, gone=job.gone: gone.set())  # type: ignore[misc] # mypy does not infer it
                    await job.gone.wait()
                if job.ground is not None and job.task is not None and not job.task.done():
                    job.task.add_done_callback(lambda _: self._count_off())
                else:
                    self._count_off()
                line.popleft()
        finally:
            if self._lines.get(key) is line:
                del self._lines[key]

    def _count_off(self) -> None:
        self.queued -= 1
        self._shorter.set()

    async def _serve(self, job: Job) -> None:
        """Run a job within its lane; the host lock comes first, so that waiting for it takes no place."""
        await self._wait_for_those_away(job)
        async with AsyncExitStack() as stack:
            if job.command.action.exclusive and not job.command.dry_run:
                try:
                    await stack.enter_async_context(self._host_lock.held(job.uuid or "host"))
                except Locked as fault:
                    job.refusal = fault
            await self._enter(job)

    async def _wait_for_those_away(self, job: Job) -> None:
        """For what would lose its ground to this job; with ``force`` it is cancelled, when that can be done."""
        for other in tuple(self._away.get(job.uuid or "host", ())):
            if other.ground is None or other.task is None or other.task.done():
                continue
            if is_pulled_away(other.ground, job.command.action.name, job.command.params):
                is_forced = getattr(job.command.params, "force", False) and other.command.action.cancellable
                if is_forced and not other.is_settled:
                    other.is_cancelled = True
                    other.task.cancel()
                await asyncio.wait({other.task})

    async def _enter(self, job: Job) -> None:
        async with job.place:
            await job.place.enter_async_context(self._lanes[job.command.action.first_lane])
            if not self._is_open and job.command.action.lane is not Lane.QUERY:
                return
            if job.is_settled:
                return
            job.is_running = True
            try:
                await self._run(job)
            finally:
                job.is_running = False
                job.is_settled = True  # it stands in its line a moment longer
                self._forget(job)

    def _forget(self, job: Job) -> None:
        away = self._away.get(job.uuid or "host", [])
        if job in away:
            away.remove(job)
            if not away:
                del self._away[job.uuid or "host"]
