"""Publishes bytes to one nsqd and knows for each publish whether it was taken.

Responsibilities: what nsqd would close the connection for is refused before it is sent; each command has one time
limit, its wait for a turn included; after a publish without an answer the connection is given up, so that no late
answer is taken for another's, and the next one goes to another nsqd if there is one.

Theory: nsqd answers in order on each connection, so publishes are pipelined, a bounded number of them. The first
address that is connected is used: with a single nsqd up, order is kept for each topic.

Not promised: that OK means durable (nsqd holds messages in memory and loses them when killed), that PublishUncertain
was not published, or that several batches are taken as one: up to 5 MiB are all or nothing, more is sent in turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from chunter_nsq.bus import admin
from chunter_nsq.bus.address import Address
from chunter_nsq.bus.batches import batches, singles
from chunter_nsq.bus.faults import LinkLost, PublishFailed, PublishFault, PublishInvalid, PublishUncertain
from chunter_nsq.bus.link import Link
from chunter_nsq.bus.lookup import Discovery
from chunter_nsq.bus.settings import Connection
from chunter_nsq.bus.writer import Writer

log = logging.getLogger(__name__)

OUTSTANDING = 16  # publishes on their way at once; more wait their turn within their own time limit


@dataclass(frozen=True, slots=True)
class ProducerState:
    """Counts are of messages, ``outstanding`` of publishes; ``last_error`` belongs to an address not connected now."""

    connected: tuple[str, ...]
    outstanding: int
    published: int
    failed: int
    uncertain: int
    last_frame_age_seconds: float | None
    last_error: str | None


class Producer:
    """Made and used on one event loop."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._writer = Writer(connection)
        self._slots = asyncio.Semaphore(OUTSTANDING)
        self._outstanding: set[asyncio.Future[None]] = set()
        self._published = self._failed = self._uncertain = 0

    async def start(self) -> None:
        """Begins to connect and returns at once. Without fixed addresses every nsqd that nsqlookupd knows is used."""
        discovery = None
        if not self._connection.nsqd:
            seconds = self._connection.lookup_seconds
            book = self._connection.book("publish")
            discovery = Discovery(self._connection.lookupd, _nodes, _nothing, interval_seconds=seconds, book=book)
        self._writer.open(discovery)

    async def wait_ready(self, timeout_seconds: float) -> bool:
        """Whether some nsqd can be published to within the time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._writer.any_ready.wait()
        return self._writer.any_ready.is_set()

    async def publish(self, topic: str, bodies: Sequence[bytes]) -> None:
        """Returns after nsqd's OK for all of them; none at all is nothing to do.

        Raises:
            PublishInvalid: the topic, or the one at ``details["body"]``, can never be published.
            PublishFailed: not sent, or refused unread; try again later.
            PublishUncertain: perhaps published, whole or in part.
        With each, ``confirmed`` leading ones surely were published: 0, but for more than 5 MiB or limits of nsqd's own.
        """
        confirmed = 0
        pending = deque(batches(topic, bodies))
        while pending:
            count, command = pending.popleft()
            try:
                await self._publish_one(topic, command)
            except PublishInvalid as fault:
                if count == 1:
                    fault.details["body"] = confirmed
                    raise self._counted(fault, confirmed, len(bodies)) from fault.__cause__
                # nsqd's own limits are narrower than the usual ones: nothing was taken; find the one it will not have
                pending.extendleft(reversed(singles(topic, bodies[confirmed : confirmed + count])))
                await self.wait_ready(self._connection.publish_timeout_seconds)
            except PublishFault as fault:
                raise self._counted(fault, confirmed, len(bodies)) from fault.__cause__
            else:
                confirmed += count
                self._published += count

    async def close(self, *, grace_seconds: float = 2.0) -> None:
        """Waits a while for answers to what was sent, then closes for good; what is left raises PublishUncertain."""
        if self._outstanding:
            await asyncio.wait(self._outstanding, timeout=grace_seconds)
        await self._writer.shut()

    def state(self) -> ProducerState:
        """A snapshot."""
        return ProducerState(
            connected=self._writer.connected(),
            outstanding=len(self._outstanding),
            published=self._published,
            failed=self._failed,
            uncertain=self._uncertain,
            last_frame_age_seconds=self._writer.last_frame_age_seconds(),
            last_error=self._writer.last_error(),
        )

    async def _publish_one(self, topic: str, command: bytes) -> None:
        link: Link | None = None
        seconds = self._connection.publish_timeout_seconds
        try:
            async with asyncio.timeout(seconds), self._slots:
                link = self._usable_link()
                answer = self._writer.post(link, command)
                self._outstanding.add(answer)
                answer.add_done_callback(self._outstanding.discard)
                await answer
        except TimeoutError:
            if link is None:
                raise PublishFailed(f"earlier publishes kept this one waiting for {seconds:g} s") from None
            log.warning("nsq.publish_timeout", extra={"topic": topic, "nsqd": link.name})
            silence = f"nsqd {link.name} did not answer a publish within {seconds:g} s"
            link.fail(LinkLost(silence))
            raise PublishUncertain(silence, {"address": link.name}) from None

    def _usable_link(self) -> Link:
        links = self._writer.links()
        if not links:
            raise PublishFailed(self._writer.last_error() or "no nsqd is connected yet")
        return links[0]

    def _counted(self, fault: PublishFault, confirmed: int, whole: int) -> PublishFault:
        fault.confirmed = confirmed
        if isinstance(fault, PublishUncertain):
            self._uncertain += whole - confirmed
        else:
            self._failed += whole - confirmed
        return fault


async def _nodes(lookupd: str) -> frozenset[Address]:
    return frozenset(node.tcp for node in await admin.lookup_nodes(lookupd))


async def _nothing() -> None:
    """No nsqd is known: the next poll may name one."""
