"""What the tests of the NSQ edge share: settings for a server, an inbox to deliver into, and waiting with a limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from nsq_servers import Nsqd

from chunter_nsq.bus.address import Address
from chunter_nsq.bus.consumer import Consumer, Delivery
from chunter_nsq.bus.producer import Producer
from chunter_nsq.bus.settings import Connection


def connection(*servers: Nsqd, **settings: Any) -> Connection:
    """Short limits, towards these servers."""
    quick = {
        "handshake_timeout_seconds": 1.0,
        "publish_timeout_seconds": 1.0,
        "heartbeat_seconds": 1,
        "lookup_seconds": 0.5,
    }
    addresses = tuple(Address.parse(server.tcp_address) for server in servers)
    return Connection(**{"nsqd": addresses, **quick, **settings})


async def eventually(holds: Callable[[], Any], limit_seconds: float = 10.0) -> float:
    """Seconds until ``holds()`` is true; fails when that takes longer than the limit."""
    begin = time.monotonic()
    while not holds():
        assert time.monotonic() - begin < limit_seconds, f"still not so after {limit_seconds} s"
        await asyncio.sleep(0.02)
    return time.monotonic() - begin


class Inbox:
    """Accepts everything and remembers it."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []

    async def accept(self, delivery: Delivery) -> None:
        """Remembers at once."""
        self.deliveries.append(delivery)

    @property
    def bodies(self) -> list[bytes]:
        """In order of arrival."""
        return [delivery.body for delivery in self.deliveries]

    async def holds(self, count: int, limit_seconds: float = 10.0) -> list[bytes]:
        """The bodies, once there are that many."""
        await eventually(lambda: len(self.deliveries) >= count, limit_seconds)
        return self.bodies


@asynccontextmanager
async def consuming(
    settings: Connection, topic: str, accept: Any, *, channel: str = "c", **options: Any
) -> AsyncIterator[Consumer]:
    """A consumer, ready, and closed at the end."""
    consumer = Consumer(settings, topic, channel, accept, **options)
    await consumer.start()
    try:
        assert await consumer.wait_ready(10)
        yield consumer
    finally:
        await consumer.close(grace_seconds=0.5)


@asynccontextmanager
async def producing(settings: Connection) -> AsyncIterator[Producer]:
    """A producer, ready, and closed at the end."""
    producer = Producer(settings)
    await producer.start()
    try:
        assert await producer.wait_ready(10)
        yield producer
    finally:
        await producer.close()
