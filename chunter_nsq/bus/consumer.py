"""Receives messages of one topic and channel, and answers each with what became of it.

Responsibilities: every message goes to ``accept``, in order of arrival, many at once. ``accept`` returned: FIN.
``accept`` raised: the traceback is logged, and REQ with a delay, without backing off from the others. A message is
never dropped after some number of attempts. What is in flight stands in a table of ours, one for each connection.

Theory: in-flight messages live in nsqd's memory only, and FIN has no reply. So ``accept`` is to make a message durable
and return; it is not to do the work. ``close`` tells nsqd to send no more, lets running ``accept`` calls answer for a
while, gives the rest back at once for another consumer, and closes for good.

Connections are kept by Keepers (watchdog, jittered reconnect). Subscribing creates topic and channel on an nsqd; those
known through nsqlookupd get both over HTTP as long as nobody has the topic.

Not promised: no duplicates (a connection lost before its FIN, a time limit of nsqd passed, a restart of nsqd; nsqd
counts them in ``attempts``), and no order across messages that had to come twice or across several nsqd.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from chunter_nsq.bus import admin
from chunter_nsq.bus.address import Address
from chunter_nsq.bus.faults import NsqFault
from chunter_nsq.bus.link import Link
from chunter_nsq.bus.lookup import Discovery
from chunter_nsq.bus.names import checked_name
from chunter_nsq.bus.reader import Reader
from chunter_nsq.bus.settings import Connection

log = logging.getLogger(__name__)

LATE_SECONDS = 0.02  # a message that nsqd was sending while it confirmed CLS

CANCEL_SECONDS = 2.0

IN_FLIGHT = 250  # a message in hand takes 3 KB of memory; twice as many are hardly answered sooner

_HEAD = struct.Struct(">qH16s")  # time in ns, attempts, id


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as it came. ``message_id`` is unique only within one topic of one ``nsqd`` ("host:port")."""

    body: bytes
    topic: str
    nsqd: str
    message_id: str
    timestamp_ns: int
    attempts: int


@dataclass(frozen=True, slots=True)
class ConsumerState:
    """``last_error`` belongs to an address that is not connected now; the age is None without a connection."""

    connected: tuple[str, ...]
    in_flight: int
    received: int
    finished: int
    requeued: int
    last_frame_age_seconds: float | None
    last_error: str | None


class Consumer:
    """Made and used on one event loop. ``accept`` may be a coroutine function or one that returns a future (faster)."""

    def __init__(
        self,
        connection: Connection,
        topic: str,
        channel: str,
        accept: Callable[[Delivery], Awaitable[None]],
        *,
        max_in_flight: int = IN_FLIGHT,
        requeue_seconds: float = 5.0,
    ) -> None:
        self._connection = connection
        self._topic = checked_name("topic", topic)
        self._channel = checked_name("channel", channel)
        self._accept = accept
        self._requeue_ms = int(requeue_seconds * 1000)
        self._taking = True
        self._running: set[asyncio.Future[None]] = set()  # those of lost connections too
        self._received = self._finished = self._requeued = 0
        self._reader = Reader(connection, topic, channel, self._deliver, max_in_flight=max_in_flight)

    async def start(self) -> None:
        """Begins to connect and returns at once; connections come and go in the background until ``close``."""
        discovery = None
        if self._connection.lookupd:
            seconds = self._connection.lookup_seconds
            book = self._connection.book(self._topic)
            discovery = Discovery(
                self._connection.lookupd, self._ask, self._create, interval_seconds=seconds, book=book
            )
        self._reader.open(discovery)

    async def wait_ready(self, timeout_seconds: float) -> bool:
        """Whether some nsqd has confirmed the subscription within the time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._reader.any_ready.wait()
        return self._reader.any_ready.is_set()

    async def pause(self) -> None:
        """Takes no more; what arrives all the same is given back. What was accepted is still answered."""
        self._taking = False
        self._reader.pause()

    async def resume(self) -> None:
        """Takes messages again after ``pause``."""
        self._taking = True
        self._reader.resume()

    async def close(self, *, grace_seconds: float = 2.0) -> None:
        """Closes for good; unanswered messages are back at nsqd when this returns. May be called twice."""
        await self.pause()
        self._reader.retire()
        self._reader.close_channel()
        links = self._reader.links()
        waiting = [*self._running, *(link.dry for link in links)]
        if waiting:
            await asyncio.wait(waiting, timeout=grace_seconds)
            await asyncio.sleep(LATE_SECONDS)
        for link in links:
            self._give_back(link)
        await asyncio.gather(*(link.part() for link in links))
        await self._reader.shut()
        await self._end_running()

    def state(self) -> ConsumerState:
        """A snapshot."""
        return ConsumerState(
            connected=self._reader.connected(),
            in_flight=sum(len(link.held) for link in self._reader.conns.values()),
            received=self._received,
            finished=self._finished,
            requeued=self._requeued,
            last_frame_age_seconds=self._reader.last_frame_age_seconds(),
            last_error=self._reader.last_error(),
        )

    def _deliver(self, link: Link, frame: bytes) -> None:
        timestamp_ns, attempts, message_id = _HEAD.unpack_from(frame)
        if not self._taking:
            self._requeue(link, message_id, 0)
            return
        self._received += 1
        body = frame[_HEAD.size :]
        delivery = Delivery(body, self._topic, link.name, message_id.decode("ascii"), timestamp_ns, attempts)
        try:
            answer = asyncio.ensure_future(self._accept(delivery))
        except Exception as error:  # noqa: BLE001 - it is logged with its traceback by _refuse
            self._refuse(link, message_id, error)
            return
        link.held[message_id] = answer
        self._running.add(answer)
        answer.add_done_callback(functools.partial(self._answered, link, message_id))

    def _answered(self, link: Link, message_id: bytes, answer: asyncio.Future[None]) -> None:
        error = asyncio.CancelledError("accept was cancelled") if answer.cancelled() else answer.exception()
        self._running.discard(answer)
        if link.held.get(message_id) is not answer:
            return  # given back, or delivered once more, in the meantime
        del link.held[message_id]
        if error is not None:
            self._refuse(link, message_id, error)
        elif link.closed.done():
            log.info("nsq.answer_lost", extra=self._where(link, message_id))
        else:
            self._finished += 1
            link.finish(message_id)

    def _refuse(self, link: Link, message_id: bytes, error: BaseException) -> None:
        log.error("nsq.accept_failed", exc_info=error, extra=self._where(link, message_id))
        self._requeue(link, message_id, self._requeue_ms)

    def _where(self, link: Link, message_id: bytes) -> dict[str, str]:
        return {"topic": self._topic, "nsqd": link.name, "message_id": message_id.decode("ascii", "replace")}

    def _requeue(self, link: Link, message_id: bytes, delay_ms: int) -> None:
        self._requeued += 1
        link.requeue(message_id, delay_ms)

    def _give_back(self, link: Link) -> None:
        for message_id in link.held:
            self._requeue(link, message_id, 0)
        link.held.clear()

    async def _end_running(self) -> None:
        """Ends our own tasks; a future of somebody else's is let be."""
        tasks = [answer for answer in self._running if isinstance(answer, asyncio.Task)]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CANCEL_SECONDS)

    async def _ask(self, lookupd: str) -> frozenset[Address]:
        return frozenset(node.tcp for node in await admin.lookup_producers(lookupd, self._topic))

    async def _create(self) -> None:
        """Nobody has the topic: make it everywhere, so that a subscription can stand before the first message."""
        for lookupd in self._connection.lookupd:
            with contextlib.suppress(NsqFault):  # what has no open HTTP door is found once somebody publishes there
                for node in await admin.lookup_nodes(lookupd):
                    if node.http is not None:
                        await admin.create_topic_channel(node.http, self._topic, self._channel)
