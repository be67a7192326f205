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
import base64
import hashlib
import logging
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import aclosing
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol, cast

from chunter_nsq.actions import Action, Done, Lane, Leave, Progress, Recovery
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
    ToolTimeout,
    Unsupported,
)
from chunter_nsq.hostlock import HostLock
from chunter_nsq.journal import Journal, NonceSeen, Outcome, Record
from chunter_nsq.lines import Job, Lines
from chunter_nsq.messages.command import Addressee, Command, Origin, Refused, read, restore
from chunter_nsq.messages.events import SIZE_LIMIT_BYTES, Event, compact, timestamp
from chunter_nsq.messages.reading import Unreadable
from chunter_nsq.messages.withheld import without_keys
from chunter_nsq.outbox import Outbox

log = logging.getLogger(__name__)

PULSE_SECONDS = 5.0
_TELL_SECONDS = 1.0
_RETRY_SECONDS = 1.0
_MARGIN_SECONDS = 120.0  # each tool has machine_seconds of its own; what a handler does around it has this
_QUERY_SECONDS = 60.0
_DEADLETTER_BYTES = 512 * 1024
_RESULT_BYTES = SIZE_LIMIT_BYTES - 8192
_SAID_CHARACTERS = 64 * 1024  # of a program's output, in one progress; at most six bytes each on the wire


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
        self.tools: Any = None
        self.listeners: list[Callable[[Event], None]] = []
        self.ended: Counter[tuple[str, str]] = Counter()
        self._journal = journal
        self._outbox = outbox
        self.addressee = addressee
        self._current = current
        self._settle_orphans = settle_orphans
        self._jobs: dict[str, Job] = {}
        self._lines = Lines(limits.lanes, self._run, host_lock)

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
            await self._outbox.put([self._dead_letter(origin, str(fault))])
        except Refused as refused:
            await self._refuse(refused)
        else:
            await self._take(command, nonce)

    async def _refuse(self, refused: Refused) -> None:
        """Tell the sender; but a signature that is only too old may be on a command that was taken in time."""
        is_late = isinstance(refused.fault, Late)
        if not (is_late and await self._journal.repeat(refused.id, refused.action or "")):
            await self._outbox.put([self._rejection(refused)])

    def _admit(self, command: Command) -> str | None:
        try:
            if command.action.group is not None and not self.allows(command.action.group):
                raise Forbidden(
                    f"{command.action.name} is switched off on this host; {command.action.group} = on in chunter.conf"
                    " switches it on"
                )
            return self.authority.check(command.document, command.action.name, command.uuid)
        except Fault as fault:
            raise _refused(command, fault) from None

    async def _take(self, command: Command, nonce: str | None) -> None:
        about = command.uuid if command.action.names is None else command.action.names(command)
        announce = command.action.lane is not Lane.QUERY and not _is_past(command)
        kept = replace(command, document=without_keys(command.document))
        try:
            if command.action.instant and not _is_past(command):
                await self._answer(kept, nonce)
                return
            known = await self._journal.accept(kept, uuid=about, announce=announce, nonce=nonce)
        except NonceSeen:
            fault = NotAuthorized("auth.nonce was used before; sign the command again with a new one")
            await self._outbox.put([self._rejection(_refused(command, fault))])
            return
        if known is None:
            self._add(Job(command, about))

    async def _answer(self, command: Command, nonce: str | None) -> None:
        """Run a query that asks nobody, then write it with its end: one commit instead of two."""
        received = time.time()
        token = self._current.set(command.id)
        try:
            outcome, events = await self._outcome(Job(command, command.uuid))
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
        events: tuple[Event, ...] = ()
        try:
            if _is_past(command):
                fault = Expired(f"The command was to run before {command.expires}; it was not run")
                outcome = Outcome("expired", fault=fault)
            else:
                outcome, events = await self._outcome(job)
            await self._finish(job, outcome, events)
        except asyncio.CancelledError:
            if not job.is_cancelled:
                raise  # the agent ends; the journal has the command, and the next start settles it
            await self._finish(job, Outcome("cancelled", fault=Cancelled("Ended by command.cancel while it ran")))
        finally:
            self._current.reset(token)
            self._jobs.pop(command.id, None)

    async def _outcome(self, job: Job) -> tuple[Outcome, tuple[Event, ...]]:
        try:
            done = await self._perform(job)
            size = len(compact(done.result))
        except Fault as fault:
            status = "interrupted" if isinstance(fault, Interrupted) else "failed"
            return Outcome(status, fault=fault), ()
        except sqlite3.Error:
            log.exception("dispatcher.journal_failed")
            return Outcome("failed", fault=Internal("The agent's journal could not be written; see its log")), ()
        except Exception:
            log.exception("dispatcher.handler_failed", extra={"action": job.command.action.name})
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
            await self._settle_orphans(command.id, self.limits.machine_seconds)
        job.progress_since = job.progress_told = time.monotonic()
        pulse = asyncio.create_task(self._pulse(job), name=f"pulse {command.id}")
        is_limited = command.action.limited and command.action.lane is Lane.MACHINE
        limit = self.limits.machine_seconds + _MARGIN_SECONDS if is_limited else None
        try:
            return await self._consume(job, limit)
        finally:
            pulse.cancel()
            await asyncio.gather(pulse, return_exceptions=True)

    async def _consume(self, job: Job, limit_seconds: float | None) -> Done:
        """All that a handler yields, up to its result."""
        stream = job.command.action.run(self.tools, replace_uuid(job))
        try:
            async with asyncio.timeout(limit_seconds) as limit, aclosing(cast("Any", stream)):
                async for step in stream:
                    if isinstance(step, Done):
                        return step
                    if isinstance(step, Progress):
                        await self._note(job, step)
                    elif isinstance(step, Leave):
                        await self._lines.leave(job, step.ground)
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

    async def _finish(self, job: Job, outcome: Outcome, events: tuple[Event, ...] = ()) -> None:
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

    async def cancel(self, command_id: str) -> dict[str, Any]:
        """End a command that waits, or one that runs and may be ended.

        Raises:
            NotFound, InvalidState: when there is nothing to end.
        """
        job = self._jobs.get(command_id)
        if job is None:
            record = await self.record(command_id)
            raise InvalidState(f"The command has ended already: {record.status}", {"status": record.status})
        if self._lines.remove(job):
            self._jobs.pop(command_id, None)
            await self._finish(job, Outcome("cancelled", fault=Cancelled("Ended by command.cancel before it ran")))
            return {"command": command_id, "was": "queued"}
        if job.is_settled:
            raise InvalidState("The command is just ending; its result comes")
        if job.task is None or not job.command.action.cancellable:
            raise InvalidState(f"{job.command.action.name} is running and cannot be stopped half-way")
        job.is_cancelled = True
        job.task.cancel()
        return {"command": command_id, "was": "running"}

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

    @property
    def queued(self) -> int:
        """How many commands wait or run, queries left out."""
        return self._lines.queued

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
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._lines.finished()
        except TimeoutError:
            log.warning("dispatcher.drain_cut", extra={"running": len(self.running())})
        await self._lines.abandon()

    def called(self, alias: str) -> None:
        """The host's alias, once it is known."""
        self.addressee = replace(self.addressee, alias=alias)

    def reload(self, authority: Authority, limits: Limits) -> None:
        """Take up changed keys and limits."""
        self.authority = authority
        self.limits = limits
        self._lines.resize(limits.lanes)

    # --- messages about messages

    def _dead_letter(self, origin: Origin, reason: str) -> Event:
        kept = origin.body[:_DEADLETTER_BYTES]
        try:
            text, encoding = kept.decode("utf-8"), "utf-8"
        except UnicodeDecodeError:
            text, encoding = "", "base64"
        if encoding == "base64" or len(compact(text)) > _RESULT_BYTES:
            text, encoding = base64.b64encode(kept).decode("ascii"), "base64"
        data = {
            "event": "deadletter",
            "data": {
                "reason": reason,
                "topic": origin.topic,
                "nsqd": origin.nsqd,
                "message_id": origin.message_id,
                "encoding": encoding,
                "body": text,
                "bytes": len(origin.body),
                "truncated": len(kept) < len(origin.body),
                "sha256": hashlib.sha256(origin.body).hexdigest(),
            },
        }
        log.warning("command.unreadable", extra={"reason": reason, "bytes": len(origin.body)})
        return Event("deadletter", "chunter.deadletter", self.addressee.host, data)

    def _rejection(self, refused: Refused) -> Event:
        now = time.time()
        action = refused.action or ""
        self.ended[action if action in self.actions else "unknown", "rejected"] += 1
        log.warning("command.rejected", extra={"command_id": refused.id, "reason": refused.fault.message})
        record = Record(
            refused.id, refused.action or "", refused.uuid, refused.reply_to, None,
            "rejected", None, refused.fault.as_dict(), None, now, None, now,
        )  # fmt: skip
        return record.event(self.addressee.host)


def replace_uuid(job: Job) -> Command:
    """The command with the uuid that it is about."""
    return job.command if job.uuid == job.command.uuid else replace(job.command, uuid=job.uuid)


def _is_past(command: Command) -> bool:
    return command.expires is not None and command.expires <= datetime.now(UTC)


def _refused(command: Command, fault: Fault) -> Refused:
    return Refused(command.id, command.action.name, command.uuid, command.reply_to, fault)
