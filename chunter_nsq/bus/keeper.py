"""Keeps one connection to one nsqd alive: opens, watches, closes, waits, opens again.

Responsibilities: a time limit for the handshake; a watchdog on the monotonic clock for a connection that fell silent
(a hung nsqd, a cable, a firewall that forgot); full jitter between attempts, so that a thousand agents do not come back
as one; one line in the log for each change, however many attempts it takes.

The whole life is one coroutine in one task. Whatever ends the task, cancelling included, closes the link first, so
nothing can reconnect after ``stop``.

Not promised: that the nsqd is worth the effort. After a refusal (TLS, AUTH, a limit) attempts come rarely, but go on:
certificates and secrets are mended while we run.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable

from chunter_nsq.bus.address import Address
from chunter_nsq.bus.faults import LinkLost, LinkRefused
from chunter_nsq.bus.link import Link
from chunter_nsq.bus.settings import Connection

log = logging.getLogger(__name__)

REFUSED_SECONDS = 15.0  # the longest wait after a refusal
STEADY_SECONDS = 5.0  # a link that lived this long was no flapping
SECOND_LOOK_SECONDS = 0.2  # frames may be waiting behind a busy loop

_chance = random.SystemRandom()


class Keeper:
    """One address, one task; ``make`` builds the (unopened) link of each attempt."""

    def __init__(self, address: Address, connection: Connection, make: Callable[[Address], Link], purpose: str) -> None:
        self.address = address
        self.link: Link | None = None
        self.last_error: str | None = None
        self._connection = connection
        self._make = make
        self._where = {"nsqd": str(address), "purpose": purpose}
        self._attempts = 0
        self._retired = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"nsqd {address}")

    def retire(self) -> None:
        """Opens nothing again once this connection has ended."""
        self._retired.set()

    async def stop(self) -> None:
        """Closes for good."""
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _run(self) -> None:
        while not self._retired.is_set():
            fault = await self._live()
            if not self._retired.is_set():
                self._tell(fault)
                await asyncio.sleep(self._pause_seconds(fault))

    async def _live(self) -> LinkLost:
        """One connection from beginning to end; why it ended."""
        self._attempts += 1
        link = self.link = self._make(self.address)
        opened_at = None
        try:
            async with asyncio.timeout(self._connection.handshake_timeout_seconds):
                await link.open()
            opened_at = time.monotonic()
            self._greeted()
            await self._watch(link)
        except LinkLost as fault:
            link.fail(fault)
        except TimeoutError:
            limit = self._connection.handshake_timeout_seconds
            link.fail(LinkLost(f"nsqd {self.address} did not shake hands within {limit:g} s"))
        except OSError as error:
            link.fail(LinkLost(f"nsqd {self.address} cannot be reached: {error}"))
        except Exception as error:
            log.exception("nsq.link_broken", extra=self._where)
            link.fail(LinkLost(f"the connection to nsqd {self.address} broke: {error}"))
        finally:
            link.close()
        if opened_at is not None and time.monotonic() - opened_at > STEADY_SECONDS:
            self._attempts = 0
        return link.fault or LinkLost(f"the connection to nsqd {self.address} ended")

    async def _watch(self, link: Link) -> None:
        limit = self._connection.silence_seconds
        while not link.closed.done():
            left = limit - link.silent_seconds()
            if left <= 0:
                await asyncio.wait({link.closed}, timeout=SECOND_LOOK_SECONDS)
                if link.silent_seconds() > limit:
                    raise LinkLost(f"nsqd {self.address} has been silent for {link.silent_seconds():.1f} s")
            else:
                await asyncio.wait({link.closed}, timeout=left)

    def _pause_seconds(self, fault: LinkLost) -> float:
        longest = REFUSED_SECONDS if isinstance(fault, LinkRefused) else self._connection.longest_reconnect_seconds
        ceiling = min(longest, self._connection.reconnect_seconds * 2.0 ** min(self._attempts, 10))
        return _chance.uniform(0.0, ceiling)

    def _greeted(self) -> None:
        self.last_error = None
        log.info("nsq.connected", extra=self._where)

    def _tell(self, fault: LinkLost) -> None:
        level = logging.DEBUG if fault.message == self.last_error else logging.WARNING
        self.last_error = fault.message
        log.log(level, "nsq.disconnected", extra={**self._where, "reason": fault.message})
