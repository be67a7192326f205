"""Asks every nsqlookupd, again and again, which nsqd there are; keeps the last good answer of each, also on disk."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable

from chunter_nsq.bus.address import Address
from chunter_nsq.bus.addressbook import AddressBook
from chunter_nsq.bus.faults import NsqFault

log = logging.getLogger(__name__)

EAGER_SECONDS = 1.0  # between polls as long as nothing has been found
JITTER = 0.1

_chance = random.SystemRandom()


class Discovery:
    """``ask(lookupd)`` gives the addresses that one nsqlookupd names; a failing one counts with what it said last.

    One that has said nothing yet counts with what ``book`` holds of an earlier time.
    ``absent()`` is called when all of them answered and none named any, at most once in an interval.
    """

    def __init__(
        self,
        lookupd: tuple[str, ...],
        ask: Callable[[str], Awaitable[frozenset[Address]]],
        absent: Callable[[], Awaitable[None]],
        *,
        interval_seconds: float,
        book: AddressBook | None = None,
    ) -> None:
        self._lookupd = lookupd
        self._ask = ask
        self._absent = absent
        self._interval_seconds = interval_seconds
        self._book = book
        self._booked: frozenset[Address] = frozenset()
        self._known: dict[str, frozenset[Address]] = {}
        self._failing: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def last_error(self) -> str | None:
        """Of an nsqlookupd that does not answer now."""
        return next(iter(self._failing.values()), None)

    def start(self, found: Callable[[frozenset[Address]], Awaitable[None]]) -> None:
        """The first poll begins at once; ``found`` takes each round's merged answer."""
        self._task = asyncio.get_running_loop().create_task(self._run(found), name="nsqlookupd")

    async def stop(self) -> None:
        """Ends polling for good."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def poll(self) -> frozenset[Address]:
        """Asks all of them side by side and merges."""
        await asyncio.gather(*(self._poll_one(lookupd) for lookupd in self._lookupd))
        return frozenset().union(*self._known.values())

    async def _run(self, found: Callable[[frozenset[Address]], Awaitable[None]]) -> None:
        eager = min(EAGER_SECONDS, self._interval_seconds)
        absent_at = -math.inf
        while True:
            addresses = await self.poll()
            try:
                await found(addresses)
                await self._enter(addresses)
                if not addresses and not self._failing and time.monotonic() - absent_at >= self._interval_seconds:
                    absent_at = time.monotonic()
                    await self._absent()
            except Exception:
                log.exception("nsq.discovery_failed")
            pause = self._interval_seconds if addresses else eager
            await asyncio.sleep(pause * _chance.uniform(1 - JITTER, 1 + JITTER))

    async def _enter(self, addresses: frozenset[Address]) -> None:
        """Into the book goes what all of them say; that nobody knows any may be a restart of theirs."""
        if self._book is None or self._failing or not addresses or addresses == self._booked:
            return
        await asyncio.to_thread(self._book.write, addresses)
        self._booked = addresses

    async def _poll_one(self, lookupd: str) -> None:
        try:
            self._known[lookupd] = await self._ask(lookupd)
        except NsqFault as fault:
            if lookupd not in self._failing:
                log.warning("nsq.lookupd_unreachable", extra={"lookupd": lookupd, "reason": fault.message})
            self._failing[lookupd] = fault.message
            if self._book is not None and lookupd not in self._known:
                self._known[lookupd] = await asyncio.to_thread(self._book.read)
        else:
            if self._failing.pop(lookupd, None) is not None:
                log.info("nsq.lookupd_back", extra={"lookupd": lookupd})
