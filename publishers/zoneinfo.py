"""What the hypervisors of running kvm and bhyve machines tell (VNC, block devices), once after each boot."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from chunter_nsq.errors import Fault, NotFound, Unsupported
from chunter_nsq.messages.events import Event
from chunter_nsq.tools import Tools

BRANDS = frozenset({"kvm", "bhyve"})
_LOOK_SECONDS = 1.0
_TRIES = 10


class ZoneInfo:
    """A queue of machines that booted; each is asked until it answers, ten times at most."""

    name = "zoneinfo"
    interval_seconds = _LOOK_SECONDS

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._wanted: dict[str, int] = {}

    def booted(self, uuid: str) -> None:
        """A machine is running."""
        self._wanted[uuid] = _TRIES

    async def tick(self) -> AsyncIterator[Sequence[Event]]:
        """The answers that are there now."""
        for uuid in list(self._wanted):
            try:
                info = await self._tools.vmadm.info(uuid)
            except (NotFound, Unsupported):
                self._wanted.pop(uuid, None)
            except Fault:
                left = self._wanted[uuid] = self._wanted.get(uuid, 1) - 1
                if left <= 0:
                    self._wanted.pop(uuid)
                    raise
            else:
                self._wanted.pop(uuid, None)
                yield [Event("zone", "chunter.zone.info", uuid, {"event": "info", "data": info})]
