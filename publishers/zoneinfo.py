"""What the hypervisors of running kvm and bhyve machines tell (VNC, block devices), once after each boot."""

from __future__ import annotations

from collections.abc import AsyncIterator, Container, Iterable, Sequence

from chunter_nsq.errors import Fault, InvalidState, NotFound, Unsupported
from chunter_nsq.messages.events import Event, Note
from chunter_nsq.tools import Tools

BRANDS = frozenset({"kvm", "bhyve"})
_LOOK_SECONDS = 1.0
_TRIES = 10


class ZoneInfo:
    """A queue of machines that booted; each is asked until it answers, and does not wait for another's answer.

    A hypervisor may need a moment: that it does not answer counts as a fault from the tenth time on.
    """

    name = "zoneinfo"
    interval_seconds = _LOOK_SECONDS

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._wanted: dict[str, int] = {}

    def booted(self, uuid: str) -> None:
        """A machine is running."""
        self._wanted[uuid] = _TRIES

    def hear(self, events: Iterable[Event | Note], machines: Container[str]) -> None:
        """What is told of zones; ``machines`` are those with a hypervisor."""
        for event in events:
            if isinstance(event, Event) and event.data.get("data") == "running" and event.subject in machines:
                self.booted(event.subject)

    async def tick(self) -> AsyncIterator[Sequence[Event]]:
        """The answers that are there now."""
        overdue: Fault | None = None
        for uuid in list(self._wanted):
            try:
                info = await self._tools.vmadm.info(uuid)
            except (NotFound, Unsupported):
                del self._wanted[uuid]
            except Fault as fault:
                self._wanted[uuid] -= 1
                if self._wanted[uuid] > 0:
                    continue
                if isinstance(fault, InvalidState):  # it runs no more
                    del self._wanted[uuid]
                else:
                    overdue = overdue or fault
            else:
                del self._wanted[uuid]
                yield [Event("zone", "chunter.zone.info", uuid, {"event": "info", "data": info})]
        if overdue is not None:
            raise overdue
