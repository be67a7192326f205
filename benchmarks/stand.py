"""The test stand: a real nsqd that is quick to ask, and an agent on a simulated host."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from nsq_servers import Nsqd, Nsqlookupd
from worlds import Host

from chunter_nsq.bus.address import Address
from chunter_nsq.bus.consumer import Consumer, Delivery
from chunter_nsq.bus.settings import Connection
from chunter_nsq.smartos import simulator

POLL_SECONDS = 0.01
MPUB_COMMANDS = 2000
# Nothing of a run goes to nsqd's disk: it is the clients that are measured.
FLAGS = ("--mem-queue-size=1000000", "--log-level=warn")


class Gauge:
    """An nsqd's HTTP door over one kept connection."""

    def __init__(self, nsqd: Nsqd) -> None:
        self._http = http.client.HTTPConnection(nsqd.host, nsqd.http_port, timeout=10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """The body of a 200."""
        self._http.request(method, path, body)
        answer = self._http.getresponse()
        content = answer.read()
        if answer.status != http.client.OK:
            raise RuntimeError(f"nsqd answered {method} {path}: {answer.status} {content[:200]!r}")
        return content

    def published(self, topic: str) -> int:
        """How many messages the topic ever had."""
        path = f"/stats?format=json&topic={topic}&include_clients=false&include_mem=false"
        topics = json.loads(self.ask("GET", path))["topics"] or ()
        return sum(int(one["message_count"]) for one in topics)

    def wait(self, topic: str, count: int, timeout_seconds: float) -> float:
        """The monotonic moment at which the topic has had that many messages."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            seen = self.published(topic)
            now = time.monotonic()
            if seen >= count:
                return now
            if now > deadline:
                raise TimeoutError(f"{topic} has had {seen} of {count} messages after {timeout_seconds} s")
            time.sleep(POLL_SECONDS)

    def make(self, topic: str, channel: str) -> None:
        """Topic and channel; the channel gets everything from now on."""
        self.ask("POST", f"/topic/create?topic={topic}")
        self.ask("POST", f"/channel/create?topic={topic}&channel={channel}")

    def hold(self, topic: str, channel: str) -> None:
        """Nothing is delivered on the channel until `release`."""
        self.ask("POST", f"/channel/pause?topic={topic}&channel={channel}")

    def release(self, topic: str, channel: str) -> None:
        """Deliver again."""
        self.ask("POST", f"/channel/unpause?topic={topic}&channel={channel}")

    def fill(self, topic: str, bodies: Sequence[bytes]) -> None:
        """Publish many."""
        for start in range(0, len(bodies), MPUB_COMMANDS):
            self.ask("POST", f"/mpub?topic={topic}", b"\n".join(bodies[start : start + MPUB_COMMANDS]))


@contextmanager
def new_nsqd(folder: Path, *flags: str, lookupd: Sequence[Nsqlookupd] = ()) -> Iterator[Nsqd]:
    """An nsqd that keeps all in memory."""
    with Nsqd(folder, (*FLAGS, *flags), lookupd=lookupd) as nsqd:
        yield nsqd


@contextmanager
def agent(folder: Path, nsqd: Nsqd, *, zones: int, settings: Mapping[str, str] | None = None) -> Iterator[Host]:
    """A ready agent on a simulated host, in a fresh folder."""
    host = Host(folder, nsqd, zones=zones, settings={"log.level": "warning", **(settings or {})})
    with running(host):
        yield host


def platform(folder: Path, zones: int, services: int, snapshots: int) -> Path:
    """A simulated host with services and snapshots in each zone."""
    return simulator.create(folder, zones=zones, services=services, snapshots=snapshots)


@contextmanager
def running(host: Host) -> Iterator[Host]:
    """Start the agent of a host and end it."""
    try:
        host.start()
        asyncio.run(host.ready(60))
        yield host
        asyncio.run(host.stop())
    finally:
        host.end()


def drain(nsqd: Nsqd, topic: str, channel: str, count: int, timeout_seconds: float = 60.0) -> list[Delivery]:
    """The next messages of a channel, in order of arrival; fewer when they do not come in time."""

    async def take() -> list[Delivery]:
        found: list[Delivery] = []
        enough = asyncio.Event()

        async def accept(delivery: Delivery) -> None:
            found.append(delivery)
            if len(found) >= count:
                enough.set()

        connection = Connection(nsqd=(Address.parse(nsqd.tcp_address),), hostname="bench")
        consumer = Consumer(connection, topic, channel, accept)
        await consumer.start()
        try:
            async with asyncio.timeout(timeout_seconds):
                await enough.wait()
        except TimeoutError:
            pass
        finally:
            await consumer.close()
        return found

    return asyncio.run(take())


def event_of(delivery: Delivery) -> dict[str, Any]:
    """The document of a message."""
    document: dict[str, Any] = json.loads(delivery.body)
    return document
