"""Takes messages in, runs commands, and sees to it that each gets exactly one end.

Responsibilities: admission (readable, for this host, signed, allowed, in time), idempotency by id, order per VM,
lanes, the host lock, time limits, progress, cancellation, and settling what an earlier agent left unfinished.

Theory: `accept` returns once the command is in the journal, or its refusal in the outbox; only then is the NSQ
message finished. From there on the journal is the truth: work may take hours, and when the agent is killed, `recover`
finds the command without an end. A command that was running is settled by its action's rule: run again with
`resumed` (its handler looks at the host and does what is missing), or reported interrupted. A tool that outlived the
agent is waited for first, so that two never work on one VM.

`accept` raises only when the journal cannot be written: then the message is given back to nsqd. No fault of a
handler leaves this module: each becomes a result.

Not promised: that a command without `expires` runs soon; it waits for its turn however long that takes.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from chunter_nsq.actions import Action, Lane, Recovery
from chunter_nsq.authority import Authority, Late
from chunter_nsq.errors import (
    Cancelled,
    Expired,
    Fault,
    Forbidden,
    Internal,
    Interrupted,
    InvalidState,
    NotAuthorized,
    NotFound,
)
from chunter_nsq.execution import Execution
from chunter_nsq.hostlock import HostLock
from chunter_nsq.journal import Journal, NonceSeen, Outcome, Record
from chunter_nsq.lines import Job, Lines
from chunter_nsq.messages.command import Addressee, Command, Origin, Refused, read, restore
from chunter_nsq.messages.events import Event, Note, timestamp
from chunter_nsq.messages.reading import Unreadable
from chunter_nsq.messages.withheld import without_keys
from chunter_nsq.outbox import Outbox
from chunter_nsq.refusals import dead_letter, refused, rejection

log = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0


class Delivery(Protocol):
    """What the bus hands over."""

    @property
    def body(self) -> bytes:
        """The message itself."""

    @property
    def topic(self) -> str:
        """Where it was read."""

    @property
    def nsqd(self) -> str:
        """Whose it was, host:port."""

    @property
    def message_id(self) -> str:
        """That nsqd's id for it."""

    @property
    def timestamp_ns(self) -> int:
        """When that nsqd took it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many commands of each lane run at a time, how long a machine command may take, how many may wait."""

    lanes: Mapping[Lane, int]
    machine_seconds: float
    queued: int = 10_000


class Dispatcher:
    """See the head of this module."""

    def __init__(  # noqa: PLR0913 - the composition root hands over what it needs
        self,
        *,
        actions: Mapping[str, Action],
        journal: Journal,
        outbox: Outbox,
        addressee: Addressee,
        authority: Authority,
        allows: Callable[[str], bool],
        limits: Limits,
        current: ContextVar[str | None],
        settle_orphans: Callable[[str, float], Any],
        host_lock: HostLock | None = None,
    ) -> None:
        self.actions = actions
        self.authority = authority
        self.limits = limits
        self.allows = allows
        self.ended: Counter[tuple[str, str]] = Counter()
        self._journal = journal
        self._outbox = outbox
        self.addressee = addressee
        self._current = current
        self._jobs: dict[str, Job] = {}
        self._lines = Lines(limits.lanes, self._run, host_lock)
        self.execution = Execution(journal, outbox, self._lines.leave, settle_orphans)
        self.execution.machine_seconds = limits.machine_seconds

    # --- the door

    async def accept(self, delivery: Delivery) -> None:
        """Take a message; returns once what becomes of it is on disk.

        Raises:
            sqlite3.Error: the journal cannot be written; the message is to be given back.
        """
        await self._lines.room(self.limits.queued)
        origin = Origin(delivery.topic, delivery.nsqd, delivery.message_id, delivery.timestamp_ns, delivery.body)
        try:
            command = read(origin, self.actions, self.addressee)
            if command is None:
                return
            nonce = self._admit(command)
        except Unreadable as fault:
            log.warning("command.unreadable", extra={"reason": str(fault), "bytes": len(origin.body)})
            await self._outbox.put([dead_letter(origin, str(fault), self.addressee.host)])
        except Refused as refusal:
            await self._refuse(refusal)
        else:
            await self._take(command, nonce)

    async def _refuse(self, refusal: Refused) -> None:
        """Tell the sender; but a signature that is only too old may be on a command that was taken in time."""
        is_late = isinstance(refusal.fault, Late)
        if is_late and await self._journal.repeat(refusal.id, refusal.action or ""):
            return
        action = refusal.action or ""
        self.ended[action if action in self.actions else "unknown", "rejected"] += 1
        log.warning("command.rejected", extra={"command_id": refusal.id, "reason": refusal.fault.message})
        await self._outbox.put([rejection(refusal, self.addressee.host)])

    def _admit(self, command: Command) -> str | None:
        try:
            if command.action.group is not None and not self.allows(command.action.group):
                raise Forbidden(
                    f"{command.action.name} is switched off on this host; {command.action.group} = on in chunter.conf"
                    " switches it on"
                )
            return self.authority.check(command.document, command.action.name, command.uuid)
        except Fault as fault:
            raise refused(command, fault) from None

    async def _take(self, command: Command, nonce: str | None) -> None:
        about = command.uuid if command.action.names is None else command.action.names(command)
        announce = command.action.lane is not Lane.QUERY and not _is_past(command)
        try:
            if command.action.instant and not _is_past(command):
                await self._answer(command, nonce)
                return
            kept = replace(command, document=without_keys(command.document))
            known = await self._journal.accept(kept, uuid=about, announce=announce, nonce=nonce)
        except NonceSeen:
            fault = NotAuthorized("auth.nonce was used before; sign the command again with a new one")
            await self._refuse(refused(command, fault))
            return
        if known is None:
            self._add(Job(command, about))

    async def _answer(self, command: Command, nonce: str | None) -> None:
        """Run a query that asks nobody, then write it with its end: one commit instead of two."""
        received = time.time()
        token = self._current.set(command.id)
        try:
            outcome, events = await self.execution.outcome(Job(command, command.uuid))
        finally:
            self._current.reset(token)
        if await self._journal.answer(command, outcome, events, received=received, nonce=nonce) is None:
            self.ended[command.action.name, outcome.status] += 1

    def _add(self, job: Job) -> None:
        self._jobs[job.command.id] = job
        self._lines.add(job)

    # --- running

    async def _run(self, job: Job) -> None:
        command = job.command
        token = self._current.set(command.id)
        job.started = time.time()
        events: tuple[Event | Note, ...] = ()
        try:
            if _is_past(command):
                fault = Expired(f"The command was to run before {command.document['expires']}; it was not run")
                outcome = Outcome("expired", fault=fault)
            else:
                outcome, events = await self.execution.outcome(job)
            await self._finish(job, outcome, events)
        except asyncio.CancelledError:
            if not job.is_cancelled:
                raise  # the agent ends; the journal has the command, and the next start settles it
            await self._finish(job, Outcome("cancelled", fault=Cancelled("Ended by command.cancel while it ran")))
        finally:
            self._current.reset(token)
            self._jobs.pop(command.id, None)

    async def _finish(self, job: Job, outcome: Outcome, events: tuple[Event | Note, ...] = ()) -> None:
        """Write the end; a full disk may hold it up, but an end it gets."""
        self.ended[job.command.action.name, outcome.status] += 1
        job.is_settled = True
        if outcome.fault is not None:
            log.info("command.ended", extra={"status": outcome.status, "reason": outcome.fault.message})
        while True:
            try:
                await self._journal.finish(job.command.id, outcome, events)
            except sqlite3.Error:
                log.exception("dispatcher.finish_failed")
                await asyncio.sleep(random.uniform(0, _RETRY_SECONDS))  # noqa: S311 - jitter
            except ValueError:
                log.exception("dispatcher.end_unwritable")
                broken = Internal(f"{job.command.action.name} ended {outcome.status}, but how cannot be written")
                outcome, events = Outcome("failed", fault=broken), ()
            else:
                return

    # --- what other commands and the heartbeat ask

    async def record(self, command_id: str) -> Record:
        """The journal's record of a command.

        Raises:
            NotFound: when this host never saw it, or forgot it.
        """
        record = await self._journal.find(command_id)
        if record is None:
            raise NotFound(f"This host knows no command {command_id}")
        return record

    async def cancellable(self, command_id: str) -> str:
        """What a command that may be ended does now: it is ``queued`` or ``running``.

        Raises:
            NotFound, InvalidState: when there is nothing to end.
        """
        job = self._jobs.get(command_id)
        if job is None:
            record = await self.record(command_id)
            raise InvalidState(f"The command has ended already: {record.status}", {"status": record.status})
        if self._lines.waits(job):
            return "queued"
        if job.is_settled:
            raise InvalidState("The command is just ending; its result comes")
        if job.task is None or not job.command.action.cancellable:
            raise InvalidState(f"{job.command.action.name} is running and cannot be stopped half-way")
        return "running"

    async def cancel(self, command_id: str) -> dict[str, Any]:
        """End a command that waits, or one that runs and may be ended; raises as ``cancellable`` does."""
        was = await self.cancellable(command_id)
        job = self._jobs[command_id]
        if self._lines.remove(job):
            self._jobs.pop(command_id, None)
            await self._finish(job, Outcome("cancelled", fault=Cancelled("Ended by command.cancel before it ran")))
        elif job.task is not None:
            job.is_cancelled = True
            job.task.cancel()
        return {"command": command_id, "was": was}

    def running(self) -> list[dict[str, Any]]:
        """The commands that run, for the heartbeat."""
        return [
            {
                "command": job.command.id,
                "action": job.command.action.name,
                "uuid": job.uuid,
                "started": timestamp(job.started),
            }
            for job in self._jobs.values()
            if job.is_running and job.started is not None and job.command.action.lane is not Lane.QUERY
        ]

    def is_known(self, command_id: str) -> bool:
        """Whether a command waits or runs."""
        return command_id in self._jobs

    def is_put_down(self, command_id: str) -> bool:
        """Whether a command was ended only because the agent ends: the next one goes on with it."""
        job = self._jobs.get(command_id)
        return job is not None and job.is_put_down

    @property
    def queued(self) -> int:
        """How many commands wait or run, queries left out."""
        return self._lines.queued

    def queues(self) -> dict[str, int]:
        """How many commands wait or run in each lane."""
        counts = Counter(job.command.action.lane for job in self._jobs.values())
        return {lane.value: counts[lane] for lane in Lane}

    # --- start and end

    async def recover(self) -> int:
        """Put what an earlier agent left unfinished back into its lines; how many commands there were."""
        left = await self._journal.unfinished()
        for one in left:
            command = restore(one.document, one.record, self.actions)
            if command is None:
                fault = Interrupted("The agent was replaced by a version that does not know this command")
                await self._journal.finish(one.record.id, Outcome("interrupted", fault=fault))
                continue
            job = Job(replace(command, resumed=one.record.started), one.record.uuid)
            if job.command.resumed is not None and command.action.recovery is Recovery.INTERRUPT:
                fault = Interrupted("The agent ended while this ran, and the host does not show how far it came")
                await self._finish(job, Outcome("interrupted", fault=fault))
                continue
            self._add(job)
        return len(left)

    async def drain(self, timeout_seconds: float) -> None:
        """Begin nothing more; let what runs end, and leave to the journal what does not in time."""
        self._lines.stop()
        for job in self._jobs.values():
            if job.command.action.resumable and job.is_running and not (job.is_cancelled or job.is_settled):
                self._put_down(job)
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._lines.finished()
        except TimeoutError:
            log.warning("dispatcher.drain_cut", extra={"running": len(self.running())})
        await self._lines.abandon()

    def _put_down(self, job: Job) -> None:
        """End a command that the next agent goes on with, unless only this one has the keys for it."""
        document = job.command.document
        if job.task is not None and without_keys(document) == document:
            job.is_put_down = True
            job.task.cancel()

    def called(self, alias: str) -> None:
        """The host's alias, once it is known."""
        self.addressee = replace(self.addressee, alias=alias)

    def reload(self, authority: Authority, limits: Limits) -> None:
        """Take up changed keys and limits."""
        self.authority = authority
        self.limits = limits
        self.execution.machine_seconds = limits.machine_seconds
        self._lines.resize(limits.lanes)


def _is_past(command: Command) -> bool:
    return command.expires is not None and command.expires <= datetime.now(UTC)
