"""A stand-in for an agent: reads commands from a real nsqd through the real bus, and answers as it was told to."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from bus_parts import connection
from nsq_servers import Nsqd

from chunter_nsq.bus.consumer import Consumer, Delivery
from chunter_nsq.bus.producer import Producer

HOST = "06d1e1f0-aaaa-4bbb-8ccc-0123456789ab"
ALIAS = "hv1"

Answer = Mapping[str, Any]


class Responder:
    """Answers every command for ``HOST``, ``ALIAS`` or ``*`` with ``script[action]``, one result for each entry.

    An entry is what differs from an empty result; a number in it is a pause in seconds. ``steps`` gives a command's
    entries, and may be replaced.
    """

    def __init__(
        self, producer: Producer, script: Mapping[str, Sequence[Answer | float]], host: str, alias: str
    ) -> None:
        self.commands: list[dict[str, Any]] = []
        self.host = host
        self._alias = alias
        self.steps: Callable[[Mapping[str, Any]], Sequence[Answer | float]] = lambda given: script.get(
            given["action"], ()
        )
        self._producer = producer
        self._sequence = itertools.count(1)

    async def accept(self, delivery: Delivery) -> None:
        """A command."""
        command = json.loads(delivery.body)
        if command["host"] not in ("*", self.host, self._alias):
            return
        self.commands.append(command)
        for step in self.steps(command):
            if isinstance(step, int | float):
                await asyncio.sleep(step)
            else:
                await self.tell(command.get("reply_to", "chunter.result"), self.result(command, step))

    def result(self, command: Mapping[str, Any], step: Answer) -> dict[str, Any]:
        """The data of a result."""
        empty = dict.fromkeys(("result", "error", "progress", "started", "finished"))
        about = {"command": command["id"], "action": command["action"], "uuid": command.get("uuid"), "host": self.host}
        received = "2026-01-01T00:00:00.000Z"
        return {**about, "status": "accepted", **empty, "received": received, "duplicate": False, **step}

    async def tell(
        self, topic: str, data: Mapping[str, Any], kind: str = "chunter.result", subject: str = HOST
    ) -> None:
        """Publishes an event."""
        number = next(self._sequence)
        head = {"specversion": "1.0", "id": f"e.{topic}.{number}", "source": f"chunter/{self.host}", "type": kind}
        when = {"subject": subject, "time": "2026-01-01T10:00:00.123Z", "sequence": str(number), "epoch": "e"}
        await self._producer.publish(topic, [json.dumps({**head, **when, "data": data}).encode()])


@asynccontextmanager
async def responding(
    nsqd: Nsqd, script: Mapping[str, Sequence[Answer | float]], *, host: str = HOST, alias: str = ALIAS, **settings: Any
) -> AsyncIterator[Responder]:
    """A responder whose subscription stands."""
    producer = Producer(connection(nsqd, **settings))
    responder = Responder(producer, script, host, alias)
    consumer = Consumer(connection(nsqd, **settings), "chunter.command", host, responder.accept)
    await producer.start()
    await consumer.start()
    try:
        assert await consumer.wait_ready(10)
        assert await producer.wait_ready(10)
        yield responder
    finally:
        await consumer.close(grace_seconds=0.5)
        await producer.close()
