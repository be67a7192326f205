"""One topic's events on their way out: in order, many at a time, again until nsqd says OK."""

from __future__ import annotations

import asyncio
import logging
import random
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

log = logging.getLogger(__name__)

Publish = Callable[[str, Sequence[bytes]], Awaitable[None]]
_QUEUE_EVENTS = 5000
_QUEUE_BYTES = 2**20
_GROUP_EVENTS = 400
_GROUP_BYTES = 2**20
_RETRY_SECONDS = 0.1
_RETRY_LIMIT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Row:
    """Events of a topic that were written together: the sequence of the last, the bytes of each, and of all."""

    last: int
    bodies: Sequence[bytes]
    size: int

    @property
    def first(self) -> int:
        """The sequence of the first."""
        return self.last - len(self.bodies) + 1

    def between(self, after: int, stop: int) -> Row:
        """Those of its events that stand behind ``after``, up to ``stop``."""
        bodies = self.bodies[max(0, after + 1 - self.first) : stop + 1 - self.first]
        return Row(min(self.last, stop), bodies, sum(map(len, bodies)))


class Sender:
    """Sends rows whole, in the order of their sequences; those that memory has no room for are read from the file."""

    def __init__(
        self,
        topic: str,
        sent: int,
        load: Callable[[int, int, int], Awaitable[list[Row]]],
        mark: Callable[[int], None],
    ) -> None:
        self._topic = topic
        self._sent = sent
        self._newest = sent
        self._queued = sent
        self._load = load
        self._mark = mark
        self._rows: deque[Row] = deque()
        self._events = 0
        self._bytes = 0
        self._work: Callable[[], asyncio.Task[None]] | None = None
        self._task: asyncio.Task[None] | None = None
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def sent(self) -> int:
        """Everything up to this sequence had its OK."""
        return self._sent

    @property
    def waiting(self) -> int:
        """How many events are not sent yet."""
        return self._newest - self._sent

    @property
    def queued_events(self) -> int:
        """How many events memory holds."""
        return self._events

    def offer(self, row: Row) -> None:
        """A row that was just written."""
        has_room = self._events + len(row.bodies) <= _QUEUE_EVENTS and self._bytes < _QUEUE_BYTES
        if has_room and self._queued == row.first - 1:
            self._take(row)
        self.wake_for(row.last)

    def wake_for(self, newest: int) -> None:
        """There are events up to ``newest`` to send."""
        self._newest = max(self._newest, newest)
        if self._newest > self._sent:
            self._idle.clear()
            if self._task is None and self._work is not None:
                self._task = self._work()

    def start(self, publish: Publish, permanent: type[Exception]) -> None:
        """Begin to send."""
        self._work = lambda: asyncio.create_task(self._run(publish, permanent), name=f"sender {self._topic}")
        self.wake_for(self._newest)

    async def idle(self) -> None:
        """Wait until everything offered is sent."""
        await self._idle.wait()

    async def close(self) -> None:
        """Stop at once."""
        self._work = None
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _take(self, row: Row) -> None:
        self._rows.append(row)
        self._events += len(row.bodies)
        self._bytes += row.size
        self._queued = row.last

    async def _run(self, publish: Publish, permanent: type[Exception]) -> None:
        try:
            while self._newest > self._sent:
                newest = self._newest
                try:
                    group = await self._group(newest)
                except sqlite3.Error:
                    log.exception("outbox.unreadable", extra={"topic": self._topic})
                    await asyncio.sleep(_RETRY_LIMIT_SECONDS)
                    continue
                if group:
                    await self._send(group[0].first, [body for row in group for body in row.bodies], publish, permanent)
                    self._sent = group[-1].last
                else:
                    self._sent = self._queued = newest  # the rest was dropped for space
                self._mark(self._sent)
            self._idle.set()
        finally:
            self._task = None

    async def _group(self, newest: int) -> list[Row]:
        if not self._rows:
            # Nothing is offered into the queue meanwhile: what is offered now is not next to what was queued last.
            for row in await self._load(self._sent, newest, _GROUP_EVENTS):
                self._take(row)
        group: list[Row] = []
        events = size = 0
        while self._rows and (not group or self._goes_with(group[-1], events, size)):
            row = self._rows.popleft()
            group.append(row)
            events += len(row.bodies)
            size += row.size
        self._events -= events
        self._bytes -= size
        return group

    def _goes_with(self, before: Row, events: int, size: int) -> bool:
        """Whether the next row follows the one before without a gap, and a group of that size has room for it."""
        row = self._rows[0]
        has_room = events + len(row.bodies) <= _GROUP_EVENTS and size + row.size < _GROUP_BYTES
        return has_room and row.first == before.last + 1

    async def _send(self, first: int, bodies: Sequence[bytes], publish: Publish, permanent: type[Exception]) -> None:
        pause = _RETRY_SECONDS
        while True:
            try:
                await publish(self._topic, bodies)
            except permanent as fault:
                await self._send_parts(first, bodies, publish, permanent, fault)
                return
            except Exception as fault:  # noqa: BLE001 - whatever the edge says, what is written must go out
                log.info("outbox.retry", extra={"topic": self._topic, "reason": str(fault)})
                await asyncio.sleep(random.uniform(0, pause))  # noqa: S311 - jitter
                pause = min(pause * 2, _RETRY_LIMIT_SECONDS)
            else:
                return

    async def _send_parts(
        self, first: int, bodies: Sequence[bytes], publish: Publish, permanent: type[Exception], fault: Exception
    ) -> None:
        """One event that is refused for good must not take those beside it along."""
        if len(bodies) == 1:
            log.error("outbox.refused", extra={"topic": self._topic, "sequence": first, "reason": str(fault)})
            return
        half = len(bodies) // 2
        await self._send(first, bodies[:half], publish, permanent)
        await self._send(first + half, bodies[half:], publish, permanent)
