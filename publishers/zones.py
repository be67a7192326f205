"""The zones of the host: what state they are in, which appeared and which are gone."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Sequence

from chunter_nsq.messages.events import Event, Note
from chunter_nsq.smartos.names import is_uuid
from chunter_nsq.smartos.zoneadm import Zone
from chunter_nsq.tools import Tools
from chunter_nsq.zonestate import SPACE
from publishers.zoneview import BEGUN, ZoneView

log = logging.getLogger(__name__)


class Zones:
    """Lists every second; follows the platform's event stream in between.

    Each batch that is yielded is decided and written without a pause between, so hints and lists never overtake
    each other on their way out.
    """

    name = "zones"

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._view: ZoneView | None = None
        self.is_following = False

    @property
    def interval_seconds(self) -> float:
        """As configured."""
        return self._tools.config().zonemon_interval_seconds

    async def _known(self) -> ZoneView:
        if self._view is None:
            notes = await self._tools.outbox.recall(SPACE)
            begun = await self._tools.outbox.recall(BEGUN.space)
            if self._view is None:
                self._view = ZoneView(notes, is_first=not begun)
        return self._view

    def tell(self, event: Event) -> None:
        """A handler said something of a zone."""
        if self._view is not None:
            for note in event.notes:
                if note.space == SPACE and note.value is not None:
                    self._view.tell(note.key, note.value)

    async def tick(self) -> AsyncIterator[Sequence[Event | Note]]:
        """What the list shows that was not said yet."""
        view = await self._known()
        before = view.hints
        zones = await self._tools.zoneadm.list()
        yield view.listed([(_name(zone), zone.state) for zone in zones], before)

    async def follow(self) -> AsyncIterator[Sequence[Event | Note]]:
        """What the event stream tells, until it ends."""
        view = await self._known()
        inventory = self._tools.inventory
        try:
            async with self._tools.vmadm.events() as lines:
                async for line in lines:
                    document = _document(line)
                    kind, vm = document.get("type"), document.get("vm")
                    if kind == "ready":
                        vms = document.get("vms")
                        inventory.begin(vms.values() if isinstance(vms, dict) else ())
                        self.is_following = True
                    elif kind == "delete":
                        inventory.drop(str(document.get("uuid") or document.get("zonename")))
                    elif isinstance(vm, dict):
                        inventory.put(vm)
                        if events := view.hint(_subject(document), str(vm.get("zone_state", ""))):
                            yield events
        finally:
            self.is_following = False
            inventory.end()


def _name(zone: Zone) -> str:
    return zone.uuid if is_uuid(zone.uuid) else zone.name


def _subject(document: dict[str, object]) -> str:
    uuid = document.get("uuid")
    return uuid if isinstance(uuid, str) and is_uuid(uuid) else str(document.get("zonename"))


def _document(line: bytes) -> dict[str, object]:
    try:
        document = json.loads(line)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        log.warning("zones.unreadable_event", extra={"line": line[:200].decode("utf-8", "replace")})
        return {}
    return document
