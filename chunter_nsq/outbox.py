"""The one way out: events are written first, sent second, and kept a while.

Responsibilities: gives each event its epoch, id and a sequence that is gapless per topic; writes it in the
transaction of whatever made it true; sends each topic's events in order, many at a time; forgets an event only
when nsqd said OK to it and its retention is over, or when space runs out.

Theory: `write` runs on the database's thread inside somebody's transaction; what a transaction writes to a topic is a
row of the file, however many events that are. Once that is committed the rows are queued to the topic's sender on the
loop. A sender takes what there is, publishes it, and moves the topic's mark `sent`; the mark is written with the next
commit, at the latest after a second. After a crash everything behind the mark is sent again with the same ids. A sender
that falls behind reads on from the file, so memory stays bounded.

Space: above `limit_bytes` the oldest sent events go first, then the oldest unsent statistics, and a
chunter.host.dropped event tells the range; when such an event is dropped itself, the next one tells its range too.
Events of essential topics and results are never dropped unsent.

Not promised: that an event arrives once. nsqd's OK can be lost, and nsqd can lose what it said OK to: sequences
show a gap, and `replay` fills it. Nor that what is dropped for space never arrives: what memory holds is sent still.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from chunter_nsq.database import Database
from chunter_nsq.drops import TYPE as DROPPED
from chunter_nsq.messages.events import SIZE_LIMIT_BYTES, Event, Note, encode, timestamp
from chunter_nsq.notes import Notes
from chunter_nsq.sender import Publish, Row, Sender
from chunter_nsq.shelf import PLACES_PER_TOPIC, Shelf, Topic

log = logging.getLogger(__name__)

_PRUNE_SECONDS = 60.0
_MARK_SECONDS = 1.0
_LOAD_EVENTS = 500
_LOAD_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class OutboxState:
    """How the outbox does: events that wait, their bytes on disk with the kept ones, events dropped for space."""

    waiting: int
    stored_bytes: int
    dropped: int
    is_sending: bool


class EventTooLarge(ValueError):
    """An event over what NSQ carries; its text names the topic and the size."""


class Outbox:
    """Takes part in the database's transactions, and runs one sender for each topic that has something to say."""

    def __init__(
        self, database: Database, *, prefix: str, host: str, limit_bytes: int, retention_seconds: float
    ) -> None:
        """``listener``, when it is set, is shown the topic and the bytes of each event that is safe on disk."""
        self.limit_bytes = limit_bytes
        self.retention_seconds = retention_seconds
        self._database = database
        self._prefix = prefix
        self._host = host
        self._shelf = Shelf()
        self._notes = Notes()
        self._senders: dict[str, Sender] = {}
        self._publish: Publish | None = None
        self._permanent: type[Exception] = EventTooLarge
        self._keeper: asyncio.Task[None] | None = None
        self.listener: Callable[[str, bytes], None] | None = None
        database.participant = self

    @property
    def epoch(self) -> str:
        """Names this journal; a fresh one has another."""
        return self._shelf.epoch

    async def open(self) -> None:
        """Read the marks; what was not sent waits for `attach`."""
        waiting = await self._database.submit(self._shelf.load)
        for topic in waiting:
            self._sender(topic).wake_for(topic.next - 1)

    def attach(self, publish: Publish, permanent: type[Exception]) -> None:
        """Begin to send; ``permanent`` is what `publish` raises for what no retry can mend."""
        self._publish = publish
        self._permanent = permanent
        for sender in self._senders.values():
            sender.start(publish, permanent)
        self._keeper = asyncio.create_task(self._keep(), name="outbox keeper")

    def put(self, events: Sequence[Event | Note]) -> asyncio.Future[None]:
        """Write events and notes in order; the future is done when they are on disk."""
        return self._database.submit(lambda connection: self.write(connection, events))

    def write(self, connection: sqlite3.Connection, events: Sequence[Event | Note]) -> None:
        """Write events inside a transaction; on the database's thread.

        Raises:
            EventTooLarge: when one does not fit an NSQ message.
        """
        now = time.time()
        stamp = timestamp(now)
        for event in events:
            if isinstance(event, Note):
                self._notes.add(event)
                continue
            name = event.topic if event.absolute else f"{self._prefix}.{event.topic}"
            topic = self._shelf.topic(connection, name, is_essential=event.essential)
            body = encode(event, host=self._host, epoch=self._shelf.epoch, topic=name, sequence=topic.next, time=stamp)
            if len(body) > SIZE_LIMIT_BYTES:
                raise EventTooLarge(f"an event of {len(body)} bytes for {name}; NSQ carries {SIZE_LIMIT_BYTES}")
            self._shelf.add(connection, topic, now, body)
            for note in event.notes:
                self._notes.add(note)

    async def recall(self, space: str) -> dict[str, str]:
        """What was remembered in ``space`` with the events written so far."""
        return await self._database.submit(lambda connection: self._notes.recall(connection, space))

    async def recall_keys(self, space: str) -> set[str]:
        """What something was remembered of in ``space``."""
        return await self._database.submit(lambda connection: self._notes.recall_keys(connection, space))

    async def recall_some(self, space: str, keys: Collection[str]) -> dict[str, str]:
        """What was remembered in ``space`` of these."""
        return await self._database.submit(lambda connection: self._notes.recall_some(connection, space, keys))

    async def topics(self) -> frozenset[str]:
        """The topics that something was ever written to."""
        return await self._database.submit(lambda _: self._shelf.names())

    async def replay(self, topic: str, first: int, last: int | None) -> int:
        """Publish events ``first`` to ``last`` of a topic again as they were; how many there were."""
        if self._publish is None:
            return 0
        number, end = await self._database.submit(lambda connection: self._shelf.extent(connection, topic))
        stop = end if last is None else min(last, end)
        count, after = 0, first - 1
        while after < stop:
            rows = await self._load(number, after, stop, _LOAD_EVENTS)
            if not rows:
                break
            bodies = [body for row in rows for body in row.bodies]
            await self._publish(topic, bodies)
            count += len(bodies)
            after = rows[-1].last
        return count

    async def prune(self) -> None:
        """Forget sent events whose retention is over; done every minute by itself."""
        before = time.time() - self.retention_seconds
        await self._database.submit(lambda connection: self._shelf.prune(connection, before))
        self._rest()

    async def flush(self, timeout_seconds: float) -> bool:
        """Wait until everything written is sent; False when time is up first."""
        try:
            async with asyncio.timeout(timeout_seconds):
                for sender in list(self._senders.values()):
                    await sender.idle()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """End the senders and write the marks; what was not sent stays in the file."""
        self._publish = None
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        await asyncio.gather(*(sender.close() for sender in self._senders.values()))
        await self._database.submit(lambda _: None)

    def state(self) -> OutboxState:
        """How it does now."""
        return OutboxState(
            waiting=sum(sender.waiting for sender in self._senders.values()),
            stored_bytes=self._shelf.stored_bytes,
            dropped=self._shelf.dropped,
            is_sending=self._publish is not None,
        )

    # Participant of the database: on its thread.

    def before_commit(self, connection: sqlite3.Connection) -> None:
        """Write notes, marks and counters, and make room."""
        drops = self._shelf.settle(connection, self.limit_bytes)
        self.write(connection, [Event("announce", DROPPED, self._host, data) for data in drops.data()])
        self._shelf.finish(connection)
        self._notes.write(connection)

    def committed(self) -> Callable[[], None] | None:
        """Queue what was written to its senders."""
        fresh, forgotten = self._shelf.committed()
        return (lambda: self._deliver(fresh, forgotten)) if fresh or forgotten else None

    def rolled_back(self) -> None:
        """Take back the sequences and the notes."""
        self._shelf.rolled_back()
        self._notes.rolled_back()

    # On the loop.

    def _deliver(self, fresh: list[tuple[Topic, Row]], forgotten: list[str]) -> None:
        for name in forgotten:
            self._senders.pop(name, None)
        listener = self.listener
        for topic, row in fresh:
            self._sender(topic).offer(row)
            if listener is not None:
                for body in row.bodies:
                    listener(topic.name, body)

    def _sender(self, topic: Topic) -> Sender:
        sender = self._senders.get(topic.name)
        if sender is None:
            number = topic.number

            async def load(after: int, stop: int, count: int) -> list[Row]:
                return await self._load(number, after, stop, count)

            def mark(sequence: int) -> None:
                self._shelf.mark_sent(topic.name, sequence)

            sender = self._senders[topic.name] = Sender(topic.name, topic.sent, load, mark)
            if self._publish is not None:
                sender.start(self._publish, self._permanent)
        return sender

    async def _load(self, number: int, after: int, stop: int, count: int) -> list[Row]:
        """Some of the events behind ``after`` up to ``stop``: about ``count``, and no more than memory can bear."""
        base = number * PLACES_PER_TOPIC

        def work(connection: sqlite3.Connection) -> list[Row]:
            rows: list[Row] = []
            events = size = 0
            for place, body in connection.execute(
                "SELECT place, body FROM events WHERE place > ? AND place < ? ORDER BY place",
                (base + after, base + PLACES_PER_TOPIC),
            ):
                row = Row(place - base, body.split(b"\n"), len(body))
                if row.first > stop or events >= count or size >= _LOAD_BYTES:
                    break
                rows.append(row.between(after, stop))
                events += len(row.bodies)
                size += row.size
            return rows

        return await self._database.submit(work)

    async def _keep(self) -> None:
        pruned = time.monotonic()
        while True:
            await asyncio.sleep(_MARK_SECONDS)
            try:
                if time.monotonic() - pruned >= _PRUNE_SECONDS:
                    pruned = time.monotonic()
                    await self.prune()
                elif self._shelf.has_marks:
                    await self._database.submit(lambda _: None)
            except sqlite3.Error:
                log.exception("outbox.keeping_failed")

    def _rest(self) -> None:
        """Let go of senders that have nothing to do and whose mark is written."""
        for name, sender in list(self._senders.items()):
            if not sender.waiting and sender.sent == self._shelf.sent(name):
                del self._senders[name]
