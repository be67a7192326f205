"""The services of the global zone and of every zone: which appeared, changed, were started again or are gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from chunter_nsq.messages.events import Event
from chunter_nsq.smartos.refusal import UnreadableOutput
from chunter_nsq.smartos.svcs import Svcs
from chunter_nsq.tools import Tools
from publishers.serviceview import SPACE, ServiceView
from publishers.zonenames import ZoneNames

_BATCH_EVENTS = 8  # of ten kilobytes each when a zone is told whole


class Services:
    """One process a tick for the whole host."""

    name = "services"

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._svcs = Svcs(tools.runner)
        self._names = ZoneNames(tools)
        self._view: ServiceView | None = None

    @property
    def interval_seconds(self) -> float:
        """As configured."""
        return self._tools.config().update_services_interval_seconds

    async def tick(self) -> AsyncIterator[Sequence[Event]]:
        """What the listing shows that was not told yet; what could not be written is found again the next time."""
        if self._view is None:
            self._view = ServiceView(await self._tools.outbox.recall(SPACE), self._names.subject)
        view = self._view
        listing = await self._svcs.listing(view.blocks)
        fresh = listing.blocks.keys() - view.blocks.keys()
        await self._names.know(zone.decode("latin-1") for zone in fresh)
        self._view = None
        odd: UnreadableOutput | None = None
        batch: list[Event] = []
        try:
            for events in view.listed(listing):
                batch += events
                if len(batch) >= _BATCH_EVENTS:
                    yield batch
                    batch = []
                await asyncio.sleep(0)
        except UnreadableOutput as fault:
            odd = fault
        yield batch
        self._view = view
        if odd is not None:
            raise odd
