"""Runs a handler: passes on what it yields, tells how far it is, keeps its time, and turns faults into outcomes.

Progress is told when a handler says something, once a second at most, and every five seconds whether or not it does.
A handler that is cancelled raises CancelledError out of here; what that means is the dispatcher's to say.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, cast

from chunter_nsq.actions import Done, Lane, Leave, Progress
from chunter_nsq.errors import Fault, Internal, Interrupted, ToolTimeout, Unsupported
from chunter_nsq.journal import Journal, Outcome
from chunter_nsq.lines import Job
from chunter_nsq.messages.command import Command
from chunter_nsq.messages.events import SIZE_LIMIT_BYTES, Event, Note, compact
from chunter_nsq.outbox import Outbox

log = logging.getLogger(__name__)

PULSE_SECONDS = 5.0
_TELL_SECONDS = 1.0
_MARGIN_SECONDS = 120.0  # each tool has machine_seconds of its own; what a handler does around it has this
_QUERY_SECONDS = 60.0
_RESULT_BYTES = SIZE_LIMIT_BYTES - 8192
_SAID_CHARACTERS = 64 * 1024  # of a program's output, in one progress; at most six bytes each on the wire


class Execution:
    """``leave`` takes a job out of its line; ``settle_orphans`` waits for tools of an earlier agent."""

    def __init__(
        self,
        journal: Journal,
        outbox: Outbox,
        leave: Callable[[Job, Any], Awaitable[None]],
        settle_orphans: Callable[[str, float], Awaitable[None]],
    ) -> None:
        self.tools: Any = None
        self.machine_seconds = 600.0
        self.listeners: list[Callable[[Event], None]] = []
        self._journal = journal
        self._outbox = outbox
        self._leave = leave
        self._settle_orphans = settle_orphans

    async def outcome(self, job: Job) -> tuple[Outcome, tuple[Event | Note, ...]]:
        """Run a job's handler; how it ended, and the events that are true with that. Never raises a fault."""
        try:
            done = await self._perform(job)
            size = len(compact(done.result))
        except Fault as fault:
            status = "interrupted" if isinstance(fault, Interrupted) else "failed"
            return Outcome(status, fault=fault), ()
        except sqlite3.Error:
            log.exception("execution.journal_failed")
            return Outcome("failed", fault=Internal("The agent's journal could not be written; see its log")), ()
        except Exception:
            log.exception("execution.handler_failed", extra={"action": job.command.action.name})
            broken = Internal(f"{job.command.action.name} failed in the agent itself; its log has the command's id")
            return Outcome("failed", fault=broken), ()
        if size > _RESULT_BYTES:
            large = Unsupported(
                f"The answer has {size} bytes and NSQ carries {SIZE_LIMIT_BYTES}: ask for fewer fields", {"bytes": size}
            )
            return Outcome("failed", fault=large), done.events
        return Outcome("succeeded", result=done.result), done.events

    async def _perform(self, job: Job) -> Done:
        command = job.command
        if job.refusal is not None:
            raise job.refusal
        if command.action.lane is Lane.QUERY:
            return await self._consume(job, _QUERY_SECONDS)
        await self._journal.begin(command.id)
        if command.resumed is not None:
            await self._settle_orphans(command.id, self.machine_seconds)
        job.progress_since = job.progress_told = time.monotonic()
        pulse = asyncio.create_task(self._pulse(job), name=f"pulse {command.id}")
        is_limited = command.action.limited and command.action.lane is Lane.MACHINE
        limit = self.machine_seconds + _MARGIN_SECONDS if is_limited else None
        try:
            return await self._consume(job, limit)
        finally:
            pulse.cancel()
            await asyncio.gather(pulse, return_exceptions=True)

    async def _consume(self, job: Job, limit_seconds: float | None) -> Done:
        """All that a handler yields, up to its result."""
        stream = job.command.action.run(self.tools, _about(job))
        try:
            async with asyncio.timeout(limit_seconds) as limit, aclosing(cast("Any", stream)):
                async for step in stream:
                    if isinstance(step, Done):
                        return step
                    if isinstance(step, Progress):
                        await self._note(job, step)
                    elif isinstance(step, Leave):
                        await self._leave(job, step.ground)
                    else:
                        written = self._outbox.put([step])
                        for listener in self.listeners:
                            listener(step)
                        await written
        except TimeoutError:
            if limit.expired():
                raise ToolTimeout(
                    f"{job.command.action.name} did not end within {limit_seconds:.0f} s; what ran was stopped",
                    {"timeout_seconds": limit_seconds},
                ) from None
            raise
        raise Internal(f"{job.command.action.name} ended without a result")

    async def _note(self, job: Job, progress: Progress) -> None:
        if progress.phase != job.progress.phase:
            job.progress_since = time.monotonic()
        # what was said since the last telling is told with the next one
        stdout, stderr = job.progress.stdout + progress.stdout, job.progress.stderr + progress.stderr
        job.progress = replace(progress, stdout=stdout[-_SAID_CHARACTERS:], stderr=stderr[-_SAID_CHARACTERS:])
        if time.monotonic() - job.progress_told >= _TELL_SECONDS:
            await self._tell(job)

    async def _pulse(self, job: Job) -> None:
        while True:
            await asyncio.sleep(max(0.05, job.progress_told + PULSE_SECONDS - time.monotonic()))
            if time.monotonic() - job.progress_told >= PULSE_SECONDS:
                await self._tell(job)

    async def _tell(self, job: Job) -> None:
        now = time.monotonic()
        job.progress_told = now
        progress, passed = job.progress, max(now - job.progress_since, 1e-3)
        rate = progress.done / passed if progress.done else None
        left = None if progress.total is None or not rate else max(progress.total - progress.done, 0) / rate
        told = {
            "phase": progress.phase,
            "done": progress.done,
            "total": progress.total,
            "rate": None if rate is None else round(rate, 1),
            "eta_seconds": None if left is None else round(left, 1),
        }
        said = {name: text for name, text in (("stdout", progress.stdout), ("stderr", progress.stderr)) if text}
        job.progress = replace(progress, stdout="", stderr="")
        await self._journal.progress(job.command.id, told | said)


def _about(job: Job) -> Command:
    """The command with the uuid that it is about."""
    return job.command if job.uuid == job.command.uuid else replace(job.command, uuid=job.uuid)
