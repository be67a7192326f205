"""Every command and what became of it, and the nonces of signed ones."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chunter_nsq.database import Database
from chunter_nsq.errors import Fault
from chunter_nsq.messages.command import Command
from chunter_nsq.messages.events import Event, Note, compact, timestamp
from chunter_nsq.outbox import Outbox

_COLUMNS = "id, action, uuid, reply_to, traceparent, status, result, error, progress, received, started, finished"
_NONCE_SECONDS = 3600.0
RECORD_SECONDS = 7 * 86400.0
RECORD_LIMIT = 100_000
RECORD_BYTES = 256 * 2**20
# The newest record that does not fit any more when records are kept from the newest on.
_BEYOND = """
SELECT max(place) FROM (
    SELECT place, sum(length(coalesce(result, '')) + length(coalesce(error, ''))) OVER (ORDER BY place DESC) AS total
    FROM commands
) WHERE total > ?
"""


@dataclass(frozen=True, slots=True)
class Record:
    """A command as the journal has it; times are epoch seconds."""

    id: str
    action: str
    uuid: str | None
    reply_to: str | None
    traceparent: str | None
    status: str
    result: Any
    error: Any
    progress: Any
    received: float
    started: float | None
    finished: float | None

    def event(self, host: str, *, duplicate: bool = False) -> Event:
        """The record as a result message."""
        data = {
            "command": self.id,
            "action": self.action,
            "uuid": self.uuid,
            "host": host,
            "status": self.status,
            "result": self.result,
            "error": self.error,
            "progress": self.progress,
            "received": timestamp(self.received),
            "started": None if self.started is None else timestamp(self.started),
            "finished": None if self.finished is None else timestamp(self.finished),
            "duplicate": duplicate,
        }
        return Event(
            self.reply_to or "result",
            "chunter.result",
            self.uuid or host,
            data,
            traceparent=self.traceparent,
            absolute=self.reply_to is not None,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    status: str
    result: dict[str, Any] | None = None
    fault: Fault | None = None

    @property
    def error(self) -> dict[str, Any] | None:
        """The ``error`` member of a result."""
        return None if self.fault is None else self.fault.as_dict()


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A command that was accepted and has no end."""

    document: dict[str, Any]
    record: Record


class Journal:
    """Commands in the database; each change is written together with the message that tells of it."""

    def __init__(self, database: Database, outbox: Outbox, host: str) -> None:
        self._database = database
        self._outbox = outbox
        self._host = host

    def accept(
        self, command: Command, *, uuid: str | None, announce: bool, nonce: str | None = None
    ) -> asyncio.Future[Record | None]:
        """Write a new command and, with ``announce``, the message that it is accepted.

        Returns:
            None for a new command. For one whose id is known its record, which is published again.

        Raises:
            NonceSeen: when ``nonce`` was used by another command.
        """
        now = time.time()

        fresh = Record(
            command.id, command.action.name, uuid, command.reply_to, command.traceparent,
            "accepted", None, None, None, now, None, None,
        )  # fmt: skip
        document = {name: value for name, value in command.document.items() if name != "auth"}
        events = [fresh.event(self._host)] if announce else []
        return self._database.submit(lambda connection: self._enter(connection, fresh, document, nonce, events))

    def answer(
        self,
        command: Command,
        outcome: Outcome,
        events: Sequence[Event | Note],
        *,
        received: float,
        nonce: str | None = None,
    ) -> asyncio.Future[Record | None]:
        """Write a command and its end at once, for a query that was answered already; else as `accept`."""
        ended = Record(
            command.id, command.action.name, command.uuid, command.reply_to, command.traceparent,
            outcome.status, outcome.result, outcome.error, None, received, None, time.time(),
        )  # fmt: skip
        told = [*events, ended.event(self._host)]
        return self._database.submit(lambda connection: self._enter(connection, ended, None, nonce, told))

    def _enter(
        self,
        connection: sqlite3.Connection,
        fresh: Record,
        document: dict[str, Any] | None,
        nonce: str | None,
        events: Sequence[Event | Note],
    ) -> Record | None:
        """Write a new record and what is told of it; a known command is told again instead."""
        entered = connection.execute(
            "INSERT INTO commands (id, action, uuid, reply_to, traceparent, document, status, result, error, received,"
            " finished) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
            (
                fresh.id, fresh.action, fresh.uuid, fresh.reply_to, fresh.traceparent,
                "" if document is None else compact(document), fresh.status, _text(fresh.result), _text(fresh.error),
                fresh.received, fresh.finished,
            ),
        )  # fmt: skip
        known = _find(connection, fresh.id) if not entered.rowcount else None
        if known is not None:
            self._outbox.write(connection, [known.event(self._host, duplicate=True)])
            return known
        if nonce is not None:
            _use(connection, nonce, fresh.received)
        self._outbox.write(connection, events)
        return None

    def repeat(self, command_id: str, action: str) -> asyncio.Future[bool]:
        """Publish the record of a known command of that action again; False when there is none."""

        def work(connection: sqlite3.Connection) -> bool:
            known = _find(connection, command_id)
            if known is None or known.action != action:
                return False
            self._outbox.write(connection, [known.event(self._host, duplicate=True)])
            return True

        return self._database.submit(work)

    def begin(self, command_id: str) -> asyncio.Future[None]:
        """Write that a command runs now."""
        return self._update(command_id, "started = coalesce(started, ?)", (time.time(),))

    def progress(self, command_id: str, progress: dict[str, Any]) -> asyncio.Future[None]:
        """Write and publish how far a command is; nothing once it has ended."""

        def work(connection: sqlite3.Connection) -> None:
            changed = connection.execute(
                "UPDATE commands SET status = 'progress', progress = ? WHERE id = ? AND finished IS NULL",
                (compact(progress), command_id),
            )
            record = _find(connection, command_id) if changed.rowcount else None
            if record is not None:
                self._outbox.write(connection, [record.event(self._host)])

        return self._database.submit(work)

    def finish(self, command_id: str, outcome: Outcome, events: Sequence[Event | Note] = ()) -> asyncio.Future[None]:
        """Write how a command ended with the events that are true with it, and publish all of that.

        The first end counts: of a command that has ended nothing is written or published. The message as it came is
        forgotten: it may hold passwords.
        """
        now = time.time()

        def work(connection: sqlite3.Connection) -> None:
            changed = connection.execute(
                "UPDATE commands SET status = ?, result = ?, error = ?, progress = NULL, document = '',"
                " finished = ? WHERE id = ? AND finished IS NULL",
                (outcome.status, _text(outcome.result), _text(outcome.error), now, command_id),
            )
            record = _find(connection, command_id) if changed.rowcount else None
            if record is not None:
                self._outbox.write(connection, [*events, record.event(self._host)])

        return self._database.submit(work)

    def find(self, command_id: str) -> asyncio.Future[Record | None]:
        """The record of a command."""
        return self._database.submit(lambda connection: _find(connection, command_id))

    def unfinished(self) -> asyncio.Future[list[Unfinished]]:
        """Accepted commands that have no end, in their order of acceptance."""

        def work(connection: sqlite3.Connection) -> list[Unfinished]:
            rows = connection.execute(
                f"SELECT document, {_COLUMNS} FROM commands WHERE finished IS NULL ORDER BY place"  # noqa: S608 - constant
            ).fetchall()
            return [Unfinished(json.loads(row[0]), _record(row[1:])) for row in rows]

        return self._database.submit(work)

    def prune(self) -> asyncio.Future[None]:
        """Forget old nonces, and records of ended commands that are old, too many or too large together."""
        now = time.time()

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM nonces WHERE seen < ?", (now - _NONCE_SECONDS,))
            connection.execute(
                "DELETE FROM commands WHERE finished IS NOT NULL AND (finished < ? OR place <= "
                "(SELECT max(place) FROM commands) - ?)",
                (now - RECORD_SECONDS, RECORD_LIMIT),
            )
            connection.execute(
                f"DELETE FROM commands WHERE finished IS NOT NULL AND place <= ({_BEYOND})",  # noqa: S608 - constant
                (RECORD_BYTES,),
            )

        return self._database.submit(work)

    def _update(self, command_id: str, change: str, values: tuple[Any, ...]) -> asyncio.Future[None]:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute(f"UPDATE commands SET {change} WHERE id = ?", (*values, command_id))  # noqa: S608 - constants

        return self._database.submit(work)


class NonceSeen(Exception):
    """A signed command with a nonce that another one used."""


def _use(connection: sqlite3.Connection, nonce: str, now: float) -> None:
    try:
        connection.execute("INSERT INTO nonces VALUES (?, ?)", (nonce, now))
    except sqlite3.IntegrityError:
        raise NonceSeen(nonce) from None


def _find(connection: sqlite3.Connection, command_id: str) -> Record | None:
    row = connection.execute(f"SELECT {_COLUMNS} FROM commands WHERE id = ?", (command_id,)).fetchone()  # noqa: S608 - constant
    return None if row is None else _record(row)


def _record(row: Sequence[Any]) -> Record:
    command_id, action, uuid, reply_to, traceparent, status, result, error, progress, received, started, finished = row
    return Record(
        command_id, action, uuid, reply_to, traceparent, status,
        _document(result), _document(error), _document(progress), received, started, finished,
    )  # fmt: skip


def _document(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _text(document: dict[str, Any] | None) -> str | None:
    return None if document is None else compact(document)
