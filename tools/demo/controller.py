"""What a controller does: publishes commands by HTTP, and reads results and events from channels of its own.

The channels are not ephemeral: an nsqd without a memory queue discards what an ephemeral channel cannot take at once.
So they are deleted when the controller goes.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from chunter_nsq.bus.address import Address
from chunter_nsq.bus.consumer import Consumer, Delivery
from chunter_nsq.bus.settings import Connection
from chunter_nsq.client import FINAL
from tools.demo.screen import Screen
from tools.demo.world import Event, World

CHANNEL = "controller"
TOPICS = ("result", "zone", "service", "zpool", "snapshot", "backup", "announce", "deadletter")
PATIENCE_SECONDS = 30.0


class Unexpected(Exception):
    """Something did not come, or came otherwise; the text says what."""


class Controller:
    """Commands go out, what comes back is shown and kept."""

    def __init__(self, world: World, screen: Screen, topics: Sequence[str] = TOPICS) -> None:
        self.world = world
        self.screen = screen
        self.heard: list[Event] = []
        self.sent: list[dict[str, Any]] = []
        self._topics = tuple(topics)
        self._news = asyncio.Condition()
        connection = Connection(nsqd=(Address.parse(f"127.0.0.1:{world.nsqd_tcp}"),), hostname=CHANNEL)
        self._consumers = [Consumer(connection, f"chunter.{topic}", CHANNEL, self._hear) for topic in topics]

    async def __aenter__(self) -> Self:
        """Returns when nothing can be missed any more. Raises Unexpected."""
        for consumer in self._consumers:
            await consumer.start()
        for consumer in self._consumers:
            if not await consumer.wait_ready(PATIENCE_SECONDS):
                raise Unexpected("nsqd did not let the controller subscribe")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for consumer in self._consumers:
            await consumer.close(grace_seconds=0.5)
        if error is None:
            for topic in self._topics:
                await self.world.post(f"/channel/delete?topic=chunter.{topic}&channel={CHANNEL}")

    async def _hear(self, delivery: Delivery) -> None:
        async with self._news:
            event = {**json.loads(delivery.body), "topic": delivery.topic}
            self.heard.append(event)
            self.screen.event(event)
            self._news.notify_all()

    async def send(self, document: Mapping[str, Any], *, remark: str = "") -> str:
        """Publish a command on the topic of all hosts; its id."""
        command = {"id": f"demo-{os.urandom(4).hex()}", "host": self.world.host_id, **document}
        self.sent.append(command)
        self.screen.command(command, remark)
        await self.world.post("/pub?topic=chunter.command", json.dumps(command).encode())
        return str(command["id"])

    async def run(self, action: str, uuid: str | None = None, *, expect: str = "succeeded", **params: Any) -> Event:
        """Send a command and wait for its end; the ``data`` of its final result. Raises Unexpected."""
        document: dict[str, Any] = {"action": action}
        if uuid is not None:
            document["uuid"] = uuid
        if params:
            document["params"] = params
        return await self.result(await self.send(document), expect=expect)

    async def result(self, command: str, *, expect: str = "succeeded", duplicate: bool = False) -> Event:
        """The ``data`` of a command's final result. Raises Unexpected when it is not of the status ``expect``."""

        def is_end(event: Event) -> bool:
            data = event["data"]
            return (data.get("command"), data.get("duplicate")) == (command, duplicate) and data.get("status") in FINAL

        data: Event = (await self.until(is_end, f"the final result of {command}"))["data"]
        if data["status"] != expect:
            error = data.get("error") or {}
            raise Unexpected(f"{data['action']} {data['status']}, not {expect}: {error.get('message') or data}")
        return data

    async def state(self, uuid: str, state: str, *, after: int = 0) -> Event:
        """The event that says that a machine is in a state, among those heard from number ``after`` on."""
        kind = ("chunter.zone.state", uuid, state)
        return await self.until(
            lambda event: (event["type"], event["subject"], event["data"].get("data")) == kind,
            f"the event that {uuid} is {state}",
            after=after,
        )

    async def until(
        self,
        wanted: Callable[[Event], bool],
        words: str,
        *,
        after: int = 0,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> Event:
        """The first event that is wanted, heard already or to come. Raises Unexpected, saying ``words``."""
        looked = after
        try:
            async with asyncio.timeout(patience_seconds), self._news:
                while True:
                    for event in self.heard[looked:]:
                        if wanted(event):
                            return event
                    looked = len(self.heard)
                    await self._news.wait()
        except TimeoutError:
            raise Unexpected(f"{words} did not come within {patience_seconds:.0f} s") from None


def check(is_so: bool, sentence: str) -> None:  # noqa: FBT001 - reads as an assertion
    """Raises Unexpected with the sentence unless it is so."""
    if not is_so:
        raise Unexpected(f"It should be so, and is not: {sentence}")
