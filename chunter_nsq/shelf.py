"""What the outbox keeps in the file: topics with their sequences and marks, and the events in their places.

Runs on the database's thread, but for ``mark_sent`` and the two numbers that the loop reads.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from dataclasses import dataclass
from typing import Any

from chunter_nsq.sender import Row

PLACES_PER_TOPIC = 2**40
_CHUNK_ROWS = 500
_ROW_BYTES = 32  # what SQLite adds to a body, roughly


@dataclass(slots=True)
class Topic:
    """A topic as the file has it; ``next`` is the sequence of the next event."""

    number: int
    name: str
    is_essential: bool
    next: int
    sent: int


class Shelf:
    """Topics and events in the file."""

    def __init__(self) -> None:
        self.epoch = ""
        self.stored_bytes = 0
        self.dropped = 0
        self._topics: dict[str, Topic] = {}
        self._fresh: list[tuple[Topic, Row]] = []
        self._before: dict[str, int | None] = {}
        self._bytes_before = 0
        self._marks: dict[int, int] = {}
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
        total = connection.execute("SELECT coalesce(sum(length(body) + ?), 0) FROM events", (_ROW_BYTES,))
        self.stored_bytes = self._bytes_before = total.fetchone()[0]
        return [topic for topic in self._topics.values() if topic.sent < topic.next - 1]

    def topic(self, connection: sqlite3.Connection, name: str, *, is_essential: bool) -> Topic:
        """The topic of that name, made when it is new."""
        topic = self._topics.get(name)
        if topic is None:
            row = connection.execute(
                "INSERT INTO topics (name, essential, next, sent) VALUES (?, ?, 1, 0) RETURNING number",
                (name, is_essential),
            ).fetchone()
            topic = self._topics[name] = Topic(row[0], name, is_essential, 1, 0)
            self._before[name] = None
        return topic

    def add(self, connection: sqlite3.Connection, topic: Topic, now: float, body: bytes) -> None:
        """Put an event into the topic's next place."""
        sequence = topic.next
        self._before.setdefault(topic.name, sequence)
        connection.execute(
            "INSERT INTO events VALUES (?, ?, ?)", (topic.number * PLACES_PER_TOPIC + sequence, now, body)
        )
        topic.next = sequence + 1
        self.stored_bytes += len(body) + _ROW_BYTES
        self._fresh.append((topic, Row(sequence, body)))

    def mark_sent(self, number: int, sequence: int) -> None:
        """Everything of a topic up to ``sequence`` had its OK; from any thread."""
        with self._lock:
            self._marks[number] = sequence

    def settle(self, connection: sqlite3.Connection, limit_bytes: int) -> list[dict[str, Any]]:
        """Write the marks; above the limit make room. What was dropped unsent, a range each."""
        with self._lock:
            marks, self._marks = self._marks, {}
        for number, sequence in marks.items():
            connection.execute("UPDATE topics SET sent = ? WHERE number = ?", (sequence, number))
        for topic in self._topics.values():
            topic.sent = max(topic.sent, marks.get(topic.number, 0))
        if self.stored_bytes <= limit_bytes:
            return []
        target = limit_bytes * 9 // 10
        while self.stored_bytes > target and self._drop_oldest(connection, only_sent=True):
            pass
        ranges: dict[str, dict[str, Any]] = {}
        while self.stored_bytes > target and (gone := self._drop_oldest(connection, only_sent=False)):
            name, first, last, count = gone
            told = ranges.setdefault(name, {"topic": name, "from": first, "count": 0, "reason": "outbox_limit"})
            told["to"] = last
            told["count"] += count
            self.dropped += count
        return list(ranges.values())

    def write_counters(self, connection: sqlite3.Connection) -> None:
        """Write the next sequence of each topic that got an event."""
        for name in self._before:
            topic = self._topics[name]
            connection.execute("UPDATE topics SET next = ? WHERE number = ?", (topic.next, topic.number))

    def committed(self) -> list[tuple[Topic, Row]]:
        """What the group wrote."""
        fresh, self._fresh = self._fresh, []
        self._before = {}
        self._bytes_before = self.stored_bytes
        return fresh

    def rolled_back(self) -> None:
        """As it was before the group; marks are written again with the next one."""
        for name, following in self._before.items():
            if following is None:
                del self._topics[name]
            else:
                self._topics[name].next = following
        self.stored_bytes = self._bytes_before
        self._before = {}
        self._fresh = []
        with self._lock:
            for topic in self._topics.values():
                self._marks.setdefault(topic.number, topic.sent)

    def extent(self, connection: sqlite3.Connection, name: str) -> tuple[int, int]:
        """Number and newest sequence of a topic; (0, 0) when nothing was ever written to it."""
        del connection
        topic = self._topics.get(name)
        return (topic.number, topic.next - 1) if topic else (0, 0)

    def prune(self, connection: sqlite3.Connection, before: float) -> None:
        """Forget sent events that were written ``before`` (epoch seconds)."""
        for topic in self._topics.values():
            while self._drop(connection, topic, topic.sent, before):
                pass

    def _drop_oldest(self, connection: sqlite3.Connection, *, only_sent: bool) -> tuple[str, int, int, int] | None:
        """Drop a chunk from the topic whose oldest event is the oldest of all that may go."""
        oldest: tuple[float, Topic, int] | None = None
        for topic in self._topics.values():
            last = topic.sent if only_sent else (0 if topic.is_essential else topic.next - 1)
            base = topic.number * PLACES_PER_TOPIC
            row = connection.execute(
                "SELECT written FROM events WHERE place > ? AND place <= ? ORDER BY place LIMIT 1", (base, base + last)
            ).fetchone()
            if row is not None and (oldest is None or row[0] < oldest[0]):
                oldest = (row[0], topic, last)
        if oldest is None:
            return None
        _, topic, last = oldest
        gone = self._drop(connection, topic, last, time.time() + 1e9)
        return (topic.name, *gone) if gone else None

    def _drop(
        self, connection: sqlite3.Connection, topic: Topic, last: int, before: float
    ) -> tuple[int, int, int] | None:
        base = topic.number * PLACES_PER_TOPIC
        rows = connection.execute(
            "SELECT place, written, length(body) FROM events WHERE place > ? AND place <= ? ORDER BY place LIMIT ?",
            (base, base + last, _CHUNK_ROWS),
        ).fetchall()
        rows = [row for row in rows if row[1] < before]
        if not rows:
            return None
        connection.execute("DELETE FROM events WHERE place >= ? AND place <= ?", (rows[0][0], rows[-1][0]))
        self.stored_bytes -= sum(size + _ROW_BYTES for _, _, size in rows)
        return rows[0][0] - base, rows[-1][0] - base, len(rows)
