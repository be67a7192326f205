"""The host lock: one machine is made on a host at a time, and a controller can hold the place for one.

Theory: work that makes a machine enters for that machine and leaves when it is over; others wait for it in the order
in which they came, however long it takes. Beside that there is a lease, which lock.acquire takes for a machine that
is to be made soon: it lasts 60 seconds from the last time it was asked for. While it lasts only work for that very
machine may enter; work for another one waits, but no longer than 60 seconds, then it is refused. Work that is under
way counts as its machine's lease and renews it; when it is over, whatever became of it, the lease is over too.

Not promised: a lease across a restart of the agent; it is in memory only, and whoever needs it asks again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from chunter_nsq.errors import Locked

LEASE_SECONDS = 60.0
PATIENCE_SECONDS = 60.0


@dataclass(eq=False, slots=True)
class _Turn:
    machine: str
    entered: asyncio.Future[None]
    refused_at: float | None = None  # when its patience with somebody else's lease is over


class HostLock:
    """Times are the event loop's, in seconds."""

    def __init__(self, *, lease_seconds: float = LEASE_SECONDS, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._lease_seconds = lease_seconds
        self._patience_seconds = patience_seconds
        self._leased: str | None = None
        self._lease_until = 0.0
        self._working: _Turn | None = None
        self._waiting: list[_Turn] = []
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def holder(self) -> str | None:
        """The machine that the lock is held for; None when it is free."""
        if self._working is not None:
            return self._working.machine
        return self._leased if self._lease_until > asyncio.get_running_loop().time() else None

    @property
    def seconds_left(self) -> float:
        """How long the lease lasts unless it is renewed; all of it while work is under way, 0 when the lock is free."""
        if self._working is not None:
            return self._lease_seconds
        return max(0.0, self._lease_until - asyncio.get_running_loop().time())

    def acquire(self, machine: str) -> float:
        """Hold the lock for a machine, or go on holding it; for how many seconds.

        Raises:
            Locked: it is held for another one.
        """
        self._check(machine)
        self._leased = machine
        self._lease_until = asyncio.get_running_loop().time() + self._lease_seconds
        self._move()
        return self._lease_seconds

    def release(self, machine: str) -> None:
        """Give the lease up; a lock that is free stays so. Work that is under way goes on.

        Raises:
            Locked: it is held for another machine.
        """
        self._check(machine)
        self._end_lease()
        self._move()

    def _check(self, machine: str) -> None:
        holder = self.holder
        if holder not in (None, machine):
            raise Locked(
                f"The host lock is held for the machine {holder}: try again when it is made, or after"
                f" {self.seconds_left:.0f} s",
                {"holder": holder, "seconds_left": round(self.seconds_left, 1), "working": self._working is not None},
            )

    @asynccontextmanager
    async def held(self, machine: str) -> AsyncIterator[None]:
        """Hold the lock while something is made; waits for its turn.

        Raises:
            Locked: somebody else's lease lasted longer than is waited for.
        """
        turn = _Turn(machine, asyncio.get_running_loop().create_future())
        self._waiting.append(turn)
        self._move()
        try:
            await turn.entered
            yield
        finally:
            if turn in self._waiting:
                self._waiting.remove(turn)
            if self._working is turn:
                self._working = None
                if self._leased == machine:
                    self._end_lease()
            self._move()

    def _end_lease(self) -> None:
        self._leased, self._lease_until = None, 0.0

    def _move(self) -> None:
        """Let in whoever may enter, refuse whoever waited too long, and look again when the next time has come."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        loop = asyncio.get_running_loop()
        if self._working is not None:
            for turn in self._waiting:
                turn.refused_at = None
            return
        holder = self.holder
        for turn in tuple(self._waiting):
            if holder in (None, turn.machine):
                self._enter(turn)
                return
            if turn.refused_at is None:
                turn.refused_at = loop.time() + self._patience_seconds
            if turn.refused_at <= loop.time():
                self._refuse(turn)
        times = [turn.refused_at for turn in self._waiting if turn.refused_at is not None]
        if times:
            self._alarm = loop.call_at(min(*times, self._lease_until, float("inf")), self._move)

    def _enter(self, turn: _Turn) -> None:
        self._waiting.remove(turn)
        self._working = turn
        if self._leased == turn.machine:
            self._lease_until = float("inf")
        if not turn.entered.done():
            turn.entered.set_result(None)

    def _refuse(self, turn: _Turn) -> None:
        self._waiting.remove(turn)
        if turn.entered.done():
            return
        try:
            self._check(turn.machine)
        except Locked as fault:
            turn.entered.set_exception(fault)
