"""Whether nsqd itself is well: on a full disk it may say OK to what it drops, and only its HTTP door tells."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from chunter_nsq.bus import admin, doors
from chunter_nsq.bus.faults import NsqFault
from chunter_nsq.bus.settings import Connection


class NsqdIll(NsqFault):
    """An nsqd answers, and says that something is wrong with it."""


class Condition:
    """Asks each nsqd whose door is found; ``named`` are doors from the configuration."""

    def __init__(self, connection: Connection, named: Sequence[str]) -> None:
        self._connection = connection
        self._named = tuple(named)

    async def check(self) -> None:
        """Returns when nobody complains; an nsqd that is gone does not.

        Raises:
            NsqdIll: the first complaint, in nsqd's words.
        """
        found = await doors.find(self._connection, self._named)
        await asyncio.gather(*map(_asked, found.open))


async def _asked(door: str) -> None:
    try:
        await admin.ping(door)
    except admin.Unanswered as fault:
        if "status" in fault.details:
            raise NsqdIll(f"nsqd is ill, and what it says OK to may be lost: {fault.message}", fault.details) from fault
