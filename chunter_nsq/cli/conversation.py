"""Sending a command and hearing what becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

from chunter_nsq.client import FINAL, Client, Key

SETTLE_SECONDS = 2.0  # so long after the first host that is through, others may begin to answer

Data = Mapping[str, Any]
Told = Callable[[Data], None]


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be sent."""

    action: str
    host: str
    uuid: str | None = None
    params: Mapping[str, Any] | None = None
    id: str | None = None
    reply_to: str | None = None
    key: Key | None = None

    async def send(self, client: Client) -> str:
        """The command's id."""
        return await client.send(
            self.action,
            host=self.host,
            uuid=self.uuid,
            params=self.params,
            id=self.id,
            reply_to=self.reply_to,
            key=self.key,
        )


async def one(client: Client, command: str, timeout_seconds: float, told: Told) -> Data | None:
    """The last result that came in time, final or not; None when nothing did."""
    last: Data | None = None
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_seconds), aclosing(client.follow(command)) as results:
            async for data in results:
                last = data
                told(data)
    return last


async def every(client: Client, command: str, timeout_seconds: float, told: Told) -> list[Data]:
    """The last result of each host.

    Ends when all that answered are through and the first has been for two seconds, or when the time is over.
    """
    last: dict[str, Data] = {}
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_seconds
    settled = deadline
    with suppress(TimeoutError):
        async with asyncio.timeout_at(deadline) as limit, aclosing(client.answers(command)) as results:
            async for data in results:
                host = str(data.get("host"))
                if host in last and is_final(last[host]):
                    continue
                last[host] = data
                told(data)
                if is_final(data):
                    settled = min(settled, loop.time() + SETTLE_SECONDS)
                is_settled = all(is_final(each) for each in last.values())
                limit.reschedule(settled if is_settled else deadline)
    return list(last.values())


def is_final(data: Data) -> bool:
    """Whether nothing more will come."""
    return data.get("status") in FINAL
