"""What the outbox keeps in the file: topics with their sequences and marks, and the events in their places.

What a group writes to a topic is one row, or several when it is much: a row costs more than an event in it. Senders
send whole rows, so a mark stands at the end of one, and rows are forgotten whole.

Runs on the database's thread, but for ``mark_sent`` and the numbers that the loop reads. What memory holds is changed
with the group that writes it; ``rolled_back`` puts it back as it was before.

An ephemeral topic (nsqd forgets it with its last reader) is forgotten here too, once all of its events are; else each
reader that makes up a topic for its answers would leave one behind.
"""

from __future__ import annotations

import json
import math
import sqlite3
import threading
from dataclasses import dataclass, field

from chunter_nsq.drops import TYPE as DROPPED
from chunter_nsq.drops import Drops
from chunter_nsq.sender import Row

PLACES_PER_TOPIC = 2**40
ROW_BYTES = 64 * 1024  # a larger row is one event
_OVERHEAD_BYTES = 32  # what SQLite adds to a row, roughly
_CHUNK_ROWS = 500
_EPHEMERAL = "#ephemeral"
# The first rows of a topic; of those that tell what was dropped the body as well, when it is asked for.
_CHUNK = (
    "SELECT place, count, written, length(body), CASE WHEN ? AND instr(body, ?) THEN body END"
    " FROM events WHERE place > ? AND place <= ? ORDER BY place LIMIT ?"
)
_TELLS_DROPS = f'"type":"{DROPPED}"'.encode()


@dataclass(slots=True)
class Topic:
    """A topic as the file has it; ``next`` is the sequence of the next event."""

    number: int
    name: str
    is_essential: bool
    next: int
    sent: int


@dataclass(slots=True)
class _Growing:
    """A row that this group may still add to."""

    topic: Topic
    written: float
    bodies: list[bytes] = field(default_factory=list)
    size: int = 0


class Shelf:
    """Topics and events in the file."""

    def __init__(self) -> None:
        self.epoch = ""
        self.stored_bytes = 0
        self.dropped = 0
        self._topics: dict[str, Topic] = {}
        self._growing: dict[str, _Growing] = {}
        self._fresh: list[tuple[Topic, Row]] = []
        self._before: dict[str, int | None] = {}
        self._bytes_before = 0
        self._dropped_before = 0
        self._forgotten: list[Topic] = []
        self._marks: dict[str, int] = {}
        self._written_marks: dict[str, int] = {}
        self._lock = threading.Lock()

    @property
    def has_marks(self) -> bool:
        """Whether a mark waits to be written."""
        return bool(self._marks)

    def load(self, connection: sqlite3.Connection) -> list[Topic]:
        """Read the file; the topics that have unsent events."""
        (self.epoch,) = connection.execute("SELECT value FROM facts WHERE name = 'epoch'").fetchone()
        for row in connection.execute("SELECT number, name, essential, next, sent FROM topics"):
            number, name, is_essential, following, sent = row
            self._topics[name] = Topic(number, name, bool(is_essential), following, sent)
        total = connection.execute("SELECT coalesce(sum(length(body) + ?), 0) FROM events", (_OVERHEAD_BYTES,))
        self.stored_bytes = self._bytes_before = total.fetchone()[0]
        return [topic for topic in self._topics.values() if topic.sent < topic.next - 1]

    def topic(self, connection: sqlite3.Connection, name: str, *, is_essential: bool) -> Topic:
        """The topic of that name, made when it is new."""
        topic = self._topics.get(name)
        if topic is not None and is_essential and not topic.is_essential:
            # Somebody wants results on a topic of statistics: from here on nothing of it is dropped.
            connection.execute("UPDATE topics SET essential = 1 WHERE number = ?", (topic.number,))
            topic.is_essential = True
        if topic is None:
            row = connection.execute(
                "INSERT INTO topics (name, essential, next, sent) VALUES (?, ?, 1, 0) RETURNING number",
                (name, is_essential),
            ).fetchone()
            topic = self._topics[name] = Topic(row[0], name, is_essential, 1, 0)
            self._before[name] = None
        return topic

    def add(self, connection: sqlite3.Connection, topic: Topic, now: float, body: bytes) -> None:
        """Put an event, which has no line break in it, into the topic's next place."""
        self._before.setdefault(topic.name, topic.next)
        row = self._growing.get(topic.name)
        if row is not None and row.size + len(body) > ROW_BYTES:
            self._store(connection, row)
            row = None
        if row is None:
            row = self._growing[topic.name] = _Growing(topic, now)
        row.bodies.append(body)
        row.size += len(body)
        topic.next += 1

    def _store(self, connection: sqlite3.Connection, row: _Growing) -> None:
        """Write a row, which ends before the topic's next event."""
        topic, last = row.topic, row.topic.next - 1
        body = b"\n".join(row.bodies)
        connection.execute(
            "INSERT INTO events (place, written, body, count) VALUES (?, ?, ?, ?)",
            (topic.number * PLACES_PER_TOPIC + last, row.written, body, len(row.bodies)),
        )
        self.stored_bytes += len(body) + _OVERHEAD_BYTES
        self._fresh.append((topic, Row(last, row.bodies, row.size)))

    def _store_all(self, connection: sqlite3.Connection) -> None:
        for row in self._growing.values():
            self._store(connection, row)
        self._growing = {}

    def mark_sent(self, name: str, sequence: int) -> None:
        """Everything of a topic up to ``sequence`` had its OK; from any thread."""
        with self._lock:
            self._marks[name] = sequence

    def sent(self, name: str) -> int:
        """Everything of a topic up to this sequence had its OK, as far as marks were written."""
        topic = self._topics.get(name)
        return topic.sent if topic else 0

    def settle(self, connection: sqlite3.Connection, limit_bytes: int) -> Drops:
        """Write events and marks; above the limit make room. What was dropped unsent."""
        self._store_all(connection)
        self._write_marks(connection)
        drops = Drops()
        if self.stored_bytes > limit_bytes:
            target = limit_bytes * 9 // 10
            while self.stored_bytes > target and self._drop_oldest(connection, target, None):
                pass
            while self.stored_bytes > target and self._drop_oldest(connection, target, drops):
                pass
        return drops

    def _write_marks(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            self._written_marks, self._marks = self._marks, {}
        for name, sequence in self._written_marks.items():
            topic = self._topics.get(name)
            if topic is not None:
                topic.sent = max(topic.sent, sequence)
                connection.execute("UPDATE topics SET sent = ? WHERE number = ?", (topic.sent, topic.number))

    def finish(self, connection: sqlite3.Connection) -> None:
        """Write what was added since, and the next sequence of each topic that got an event."""
        self._store_all(connection)
        for name in self._before:
            topic = self._topics[name]
            connection.execute("UPDATE topics SET next = ? WHERE number = ?", (topic.next, topic.number))

    def committed(self) -> tuple[list[tuple[Topic, Row]], list[str]]:
        """What the group wrote, and the names of the topics that it forgot."""
        fresh, self._fresh = self._fresh, []
        forgotten, self._forgotten = [topic.name for topic in self._forgotten], []
        self._before = {}
        self._written_marks = {}
        self._bytes_before, self._dropped_before = self.stored_bytes, self.dropped
        return fresh, forgotten

    def rolled_back(self) -> None:
        """As it was before the group; its marks are written again with the next one."""
        for name, following in self._before.items():
            if following is None:
                self._topics.pop(name, None)
            else:
                self._topics[name].next = following
        for topic in self._forgotten:
            self._topics[topic.name] = topic
        self.stored_bytes, self.dropped = self._bytes_before, self._dropped_before
        self._before, self._growing, self._fresh, self._forgotten = {}, {}, [], []
        with self._lock:
            self._marks = {**self._written_marks, **self._marks}
            self._written_marks = {}

    def names(self) -> frozenset[str]:
        """The topics that something was ever written to, those of controllers too."""
        return frozenset(self._topics)

    def extent(self, connection: sqlite3.Connection, name: str) -> tuple[int, int]:
        """Number and newest sequence of a topic; (0, 0) when nothing was ever written to it."""
        del connection
        topic = self._topics.get(name)
        return (topic.number, topic.next - 1) if topic else (0, 0)

    def prune(self, connection: sqlite3.Connection, before: float) -> None:
        """Forget sent events that were written ``before`` (epoch seconds)."""
        for topic in list(self._topics.values()):
            while self._drop(connection, topic, topic.sent, before=before):
                pass
            if topic.name.endswith(_EPHEMERAL) and topic.sent == topic.next - 1:
                self._forget(connection, topic)

    def _forget(self, connection: sqlite3.Connection, topic: Topic) -> None:
        # A mark that waits still would be written to a topic of the same name that is made meanwhile.
        if topic.name not in self._marks and _oldest(connection, topic, topic.next) is None:
            connection.execute("DELETE FROM topics WHERE number = ?", (topic.number,))
            del self._topics[topic.name]
            self._forgotten.append(topic)

    def _drop_oldest(self, connection: sqlite3.Connection, target_bytes: int, drops: Drops | None) -> bool:
        """Drop a chunk from the topic whose oldest event is the oldest of all that may go.

        With ``drops`` unsent statistics may go and are noted there, else only what was sent. Whether there was any.
        """
        candidates: list[tuple[float, int, Topic, int]] = []
        for topic in self._topics.values():
            last = topic.sent if drops is None else (0 if topic.is_essential else topic.next - 1)
            written = _oldest(connection, topic, last)
            if written is not None:
                candidates.append((written, topic.number, topic, last))
        if not candidates:
            return False
        _, _, topic, last = min(candidates)
        return self._drop(connection, topic, last, target_bytes=target_bytes, drops=drops)

    def _drop(
        self,
        connection: sqlite3.Connection,
        topic: Topic,
        last: int,
        *,
        before: float = math.inf,
        target_bytes: int = 0,
        drops: Drops | None = None,
    ) -> bool:
        """Drop the first events up to ``last``, until one is not older or enough is free; whether there was any."""
        base = topic.number * PLACES_PER_TOPIC
        dropped: list[tuple[int, int]] = []
        for place, count, written, size, told in connection.execute(
            _CHUNK, (drops is not None, _TELLS_DROPS, base, base + last, _CHUNK_ROWS)
        ).fetchall():
            if written >= before or self.stored_bytes <= target_bytes:
                break
            dropped.append((place, count))
            self.stored_bytes -= size + _OVERHEAD_BYTES
            if drops is not None and told is not None:
                _tell_again(drops, told)
        if not dropped:
            return False
        (first, count), (last_place, _) = dropped[0], dropped[-1]
        connection.execute("DELETE FROM events WHERE place >= ? AND place <= ?", (first, last_place))
        if drops is not None:
            drops.add(topic.name, first - count + 1 - base, last_place - base)
            self.dropped += sum(count for _, count in dropped)
        return True


def _tell_again(drops: Drops, body: bytes) -> None:
    """Of a dropped row, what its events told that was dropped before."""
    for event in body.split(b"\n"):
        if _TELLS_DROPS in event[:512]:
            drops.add_told(json.loads(event)["data"])


def _oldest(connection: sqlite3.Connection, topic: Topic, last: int) -> float | None:
    """When the first row of a topic that ends by ``last`` was written."""
    base = topic.number * PLACES_PER_TOPIC
    row = connection.execute(
        "SELECT written FROM events WHERE place > ? AND place <= ? ORDER BY place LIMIT 1", (base, base + last)
    ).fetchone()
    return None if row is None else float(row[0])
