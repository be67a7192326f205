"""One SQLite file, one thread that writes it, many writers in one commit.

Responsibilities: opens the file (WAL, synchronous=FULL), brings its schema up to date, runs pieces of work in the
order in which they were submitted, and commits whatever came meanwhile together, so that the cost of an fsync is
shared (group commit).

Theory: ``submit`` puts work into a queue; the thread takes all that is there, runs it in one transaction, commits,
and only then are the futures resolved, in order. A piece that raises is undone with the whole group, and the group
is run again in halves, so that only the guilty future fails and the others share few commits. A participant (the
outbox) is told at each commit or rollback what became of what it wrote, on the loop and before the futures of the
group.

Not promised: that work runs once. It may be run again after a rollback, so it touches nothing but its connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

from chunter_nsq.schema import migrate

log = logging.getLogger(__name__)

_T = TypeVar("_T")
Work = Callable[[sqlite3.Connection], _T]
_Entry = tuple[Work[Any], "asyncio.Future[Any]"]
GROUP_LIMIT = 1000


class Participant(Protocol):
    """Keeps state beside the file that must go with its transactions; called on the database's thread."""

    def before_commit(self, connection: sqlite3.Connection) -> None:
        """Write what belongs to the group."""

    def committed(self) -> Callable[[], None] | None:
        """The group is safe; what is returned runs on the loop."""

    def rolled_back(self) -> None:
        """Nothing of the group was written."""


class _Alone:
    """Nobody takes part."""

    def before_commit(self, connection: sqlite3.Connection) -> None:
        """Nothing to write."""

    def committed(self) -> None:
        """Nothing to run."""

    def rolled_back(self) -> None:
        """Nothing to forget."""


class Database:
    """The file and its thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._queue: SimpleQueue[_Entry | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connection: sqlite3.Connection | None = None
        self.participant: Participant = _Alone()
        self.groups = 0
        self.works = 0

    async def open(self) -> None:
        """Open or make the file, readable by its owner only, and start the thread.

        Raises:
            sqlite3.DatabaseError, OSError: when it cannot be opened, is broken, or was written by a newer version; the
                text names the file.
        """
        self._loop = asyncio.get_running_loop()
        self._connection = await asyncio.to_thread(self._connect)
        self._thread = threading.Thread(target=self._serve, name="database", daemon=True)
        self._thread.start()

    def submit(self, work: Work[_T]) -> asyncio.Future[_T]:
        """Run ``work`` in the next group; the future has its answer once the group is on disk.

        Raises:
            sqlite3.ProgrammingError: before `open` and after `close`.
        """
        if self._loop is None or self._thread is None:
            raise sqlite3.ProgrammingError("the database is not open")
        future: asyncio.Future[_T] = self._loop.create_future()
        self._queue.put((work, future))
        return future

    async def close(self) -> None:
        """Finish what was submitted and close the file."""
        if self._thread is None:
            return
        # From here on nothing is submitted: behind the end nobody would run it, and its future would never be done.
        thread, self._thread = self._thread, None
        self._queue.put(None)
        await asyncio.to_thread(thread.join)
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "cache_size=-512"):
                connection.execute(f"PRAGMA {pragma}")
            migrate(connection)
        except sqlite3.Error as fault:
            connection.close()
            raise sqlite3.DatabaseError(f"{self._path}: {fault}") from fault
        return connection

    def _serve(self) -> None:
        while True:
            group, is_last = self._take()
            if group:
                self._run(group)
            if is_last:
                return

    def _take(self) -> tuple[list[_Entry], bool]:
        first = self._queue.get()
        if first is None:
            return [], True
        group = [first]
        with contextlib.suppress(Empty):
            while len(group) < GROUP_LIMIT:
                entry = self._queue.get_nowait()
                if entry is None:
                    return group, True
                group.append(entry)
        return group, False

    def _run(self, group: list[_Entry]) -> None:
        try:
            answers = self._commit(group)
        except Exception as fault:  # noqa: BLE001 - whatever a piece of work raises is its future's
            if len(group) == 1:
                self._settle([(group[0][1], None, fault)], None)
                return
            log.warning("database.group_undone", extra={"size": len(group), "reason": str(fault)})
            half = len(group) // 2
            self._run(group[:half])
            self._run(group[half:])
            return
        told = self.participant.committed()
        self.groups += 1
        self.works += len(group)
        self._settle(
            [(future, answer, None) for (_, future), answer in zip(group, answers, strict=True)],
            told,
        )

    def _commit(self, group: list[_Entry]) -> list[Any]:
        connection = self._connection
        if connection is None:
            raise sqlite3.ProgrammingError("the database is closed")
        try:
            connection.execute("BEGIN IMMEDIATE")
            answers = [work(connection) for work, _ in group]
            self.participant.before_commit(connection)
            connection.execute("COMMIT")
        except BaseException:
            self.participant.rolled_back()
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return answers

    def _settle(
        self,
        settled: list[tuple[asyncio.Future[Any], Any, Exception | None]],
        told: Callable[[], None] | None,
    ) -> None:
        def resolve() -> None:
            if told is not None:
                told()
            for future, answer, fault in settled:
                if future.done():
                    continue
                if fault is None:
                    future.set_result(answer)
                else:
                    future.set_exception(fault)

        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(resolve)
