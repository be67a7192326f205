"""Asks each publisher on its own period, sooner when it prompts, and follows those that have a stream.

A publisher that fails says so once, is asked less and less often (at most every five minutes), and says once that it
recovered; the others never notice. A batch that a publisher yields is handed to the outbox before anything else runs,
so what was decided together stays in order.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Protocol, cast, runtime_checkable

from tornado.ioloop import PeriodicCallback

from chunter_nsq.errors import Fault
from chunter_nsq.messages.events import Event, Note

log = logging.getLogger(__name__)

Batch = Sequence[Event | Note]
Put = Callable[[Batch], Awaitable[None]]
_JITTER = 0.1
_BACKOFF_LIMIT_SECONDS = 300.0
_FOLLOW_AGAIN_SECONDS = 0.2
_FOLLOW_LIMIT_SECONDS = 30.0
_OUTSTANDING = 1000


@runtime_checkable
class Publisher(Protocol):
    """Something that is asked again and again what there is to tell."""

    name: str

    @property
    def interval_seconds(self) -> float:
        """How often."""

    def tick(self) -> AsyncIterator[Batch]:
        """What there is to tell now."""


@runtime_checkable
class Follower(Protocol):
    """A publisher that also has a stream."""

    def follow(self) -> AsyncIterator[Batch]:
        """What the stream tells, until it ends; that it has begun is told by its first batch, perhaps an empty one."""


@runtime_checkable
class Listener(Protocol):
    """A publisher that wants to know what handlers said of its subject."""

    def tell(self, event: Event) -> None:
        """A handler said this."""


@runtime_checkable
class Prompted(Protocol):
    """A publisher that also knows by itself when there is something to tell."""

    def prompted_by(self, prompt: Callable[[], None]) -> None:
        """Call ``prompt`` to be asked soon."""


@dataclass(slots=True)
class _Health:
    """How a source does; ``missed`` are the whole intervals that passed without it being asked."""

    failures: int = 0
    not_before: float = 0.0
    reason: str = ""
    is_busy: bool = False
    is_prompted: bool = False
    begun: float = 0.0
    late_seconds: float = 0.0
    missed: int = 0
    interval_seconds: float = 0.0

    def begin(self, interval_seconds: float) -> None:
        """It is asked now."""
        now = time.monotonic()
        self.interval_seconds = interval_seconds
        self.late_seconds = self._overdue_seconds(now)
        self.missed += int(self.late_seconds / interval_seconds)
        self.begun = now

    def late(self) -> float:
        """By how many seconds it was asked too late the last time, or is already too late for the next one."""
        return max(self.late_seconds, self._overdue_seconds(time.monotonic()))

    def _overdue_seconds(self, now: float) -> float:
        if not self.begun:
            return 0.0
        longest_seconds = self.interval_seconds * (1 + _JITTER / 2)
        return max(0.0, now - max(self.begun, self.not_before) - longest_seconds)


class Ticker:
    """Runs publishers until it is stopped."""

    def __init__(self, put: Put, host: str, *, steady_seconds: float = 10.0) -> None:
        """A stream that lasts ``steady_seconds`` counts as recovered."""
        self._put = put
        self._host = host
        self._steady_seconds = steady_seconds
        self._callbacks: list[PeriodicCallback] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._health: dict[str, _Health] = {}
        self._busy: set[asyncio.Task[None]] = set()
        self._is_open = True

    def start(self, publishers: Sequence[Publisher]) -> None:
        """Ask each publisher now and then on its period."""
        for publisher in publishers:
            self._health[publisher.name] = _Health()
            self._schedule(publisher)
            self._spawn(self._tick(publisher))
            if isinstance(publisher, Prompted):
                publisher.prompted_by(partial(self._prompt, publisher))
            if isinstance(publisher, Follower):
                self._health[f"{publisher.name} stream"] = _Health()
                self._tasks.append(asyncio.create_task(self._follow(publisher, f"{publisher.name} stream")))

    def reschedule(self, publishers: Sequence[Publisher]) -> None:
        """Take up changed intervals."""
        for callback in self._callbacks:
            callback.stop()
        self._callbacks.clear()
        for publisher in publishers:
            self._schedule(publisher)

    def state(self) -> list[dict[str, object]]:
        """How each source does."""
        return [
            {
                "name": name,
                "state": "failing" if health.failures else "ok",
                "failures": health.failures,
                "late_seconds": round(health.late(), 3),
                "missed": health.missed,
                "interval_seconds": health.interval_seconds,
            }
            for name, health in self._health.items()
        ]

    async def stop(self) -> None:
        """Ask nobody any more and wait for those that are being asked."""
        self._is_open = False
        for callback in self._callbacks:
            callback.stop()
        for task in (*self._tasks, *self._busy):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._busy, return_exceptions=True)

    def _schedule(self, publisher: Publisher) -> None:
        async def tick() -> None:
            await self._tick(publisher)

        callback = PeriodicCallback(tick, publisher.interval_seconds * 1000, jitter=_JITTER)
        callback.start()
        self._callbacks.append(callback)

    def _prompt(self, publisher: Publisher) -> None:
        """Ask between two periods: now, or when the tick that runs is over; however many prompts came meanwhile."""
        health = self._health[publisher.name]
        if health.is_busy:
            health.is_prompted = True
        else:
            self._spawn(self._tick(publisher))

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)

    async def _tick(self, publisher: Publisher) -> None:
        health = self._health[publisher.name]
        # The first tick, or one from before a change of the interval, may still run.
        if not self._is_open or health.is_busy or time.monotonic() < health.not_before:
            return
        health.is_busy = True
        health.begin(publisher.interval_seconds)
        task = asyncio.current_task()
        if task is not None:
            self._busy.add(task)
            task.add_done_callback(self._busy.discard)
        try:
            async with aclosing(cast("AsyncGenerator[Batch]", publisher.tick())) as batches:
                async for batch in batches:
                    if batch:
                        await self._put(batch)
        except Exception as fault:  # noqa: BLE001 - one failing never stops another
            pause = min(publisher.interval_seconds * 2 ** min(health.failures + 1, 16), _BACKOFF_LIMIT_SECONDS)
            await self._failed(publisher.name, fault, pause)
        else:
            await self._recovered(publisher.name)
        finally:
            health.is_busy = False
            if health.is_prompted:
                health.is_prompted = False
                self._spawn(self._tick(publisher))

    async def _follow(self, publisher: Follower, name: str) -> None:
        pause = _FOLLOW_AGAIN_SECONDS
        while True:
            began = time.monotonic()
            try:
                async with aclosing(cast("AsyncGenerator[Batch]", publisher.follow())) as batches:
                    await self._pass_on(batches, name)
                reason: Exception = Fault("the stream ended")
            except Exception as fault:  # noqa: BLE001 - one failing never stops another
                reason = fault
            if time.monotonic() - began >= self._steady_seconds:
                pause = _FOLLOW_AGAIN_SECONDS
            await self._failed(name, reason, 0)
            await asyncio.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - jitter
            pause = min(pause * 2, _FOLLOW_LIMIT_SECONDS)

    async def _pass_on(self, batches: AsyncIterator[Batch], name: str) -> None:
        """Write a stream's batches in order without waiting for each: a storm shares its commits."""
        waiting: deque[asyncio.Future[None]] = deque()
        steady: asyncio.Task[None] | None = None
        try:
            async for batch in batches:
                steady = steady or asyncio.create_task(self._steady(name))
                if batch:
                    waiting.append(asyncio.ensure_future(self._put(batch)))
                while waiting and (waiting[0].done() or len(waiting) > _OUTSTANDING):
                    await waiting.popleft()
        finally:
            await asyncio.gather(*waiting, return_exceptions=True)
            if steady is not None:
                steady.cancel()
                await asyncio.gather(steady, return_exceptions=True)

    async def _steady(self, name: str) -> None:
        """A stream is well again when it has begun and lasts, whether or not it has something to say."""
        await asyncio.sleep(self._steady_seconds)
        await self._recovered(name)

    async def _failed(self, name: str, fault: Exception, pause_seconds: float) -> None:
        health = self._health[name]
        health.failures += 1
        health.not_before = time.monotonic() + pause_seconds
        health.reason = str(fault)
        if health.failures > 1:
            log.info("publisher.failing", extra={"publisher": name, "failures": health.failures})
            return
        is_known = isinstance(fault, Fault)
        log.warning("publisher.failed", extra={"publisher": name, "reason": str(fault)}, exc_info=not is_known)
        await self._warn(name, "failing", fault.as_dict() if isinstance(fault, Fault) else {"message": str(fault)})

    async def _recovered(self, name: str) -> None:
        health = self._health[name]
        if not health.failures:
            return
        failures, health.failures, health.not_before = health.failures, 0, 0.0
        log.warning("publisher.recovered", extra={"publisher": name, "failures": failures})
        await self._warn(name, "recovered", {"failures": failures, "reason": health.reason})

    async def _warn(self, name: str, state: str, details: dict[str, object]) -> None:
        data = {"event": "warning", "data": {"source": name, "state": state, **details}}
        event = Event("announce", "chunter.host.warning", self._host, data)
        try:
            await self._put([event])
        except Exception:
            log.exception("publisher.warning_lost", extra={"publisher": name})
