"""The zones of the host: what state they are in, which appeared and which are gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from chunter_nsq.errors import ToolFailed, ToolTimeout
from chunter_nsq.messages.events import Event, Note
from chunter_nsq.smartos.lines import Lines
from chunter_nsq.smartos.names import is_uuid
from chunter_nsq.smartos.vmadm import events_argv, parse_event
from chunter_nsq.smartos.zoneadm import Zone
from chunter_nsq.tools import Tools
from chunter_nsq.zonestate import SPACE, STORED
from publishers.configs import SPACE as CONFIGS
from publishers.configs import Configs
from publishers.zoneinfo import BRANDS, ZoneInfo
from publishers.zoneview import BEGUN, Counts, ZoneView

log = logging.getLogger(__name__)

_AT_ONCE = 20
_READY_SECONDS = 300.0  # a machine that is very busy may take long; the list tells meanwhile


class Zones:
    """Lists every second; follows the platform's event stream in between.

    Each batch that is yielded is decided and written without a pause between, so hints and lists never overtake
    each other on their way out.
    """

    name = "zones"

    def __init__(self, tools: Tools, info: ZoneInfo) -> None:
        self._tools = tools
        self._info = info
        self._view: ZoneView | None = None
        self._configs: Configs | None = None
        self._settled: tuple[ZoneView, int, tuple[Zone, ...]] | None = None
        self.counts = Counts()
        self.is_following = False

    @property
    def interval_seconds(self) -> float:
        """As configured."""
        return self._tools.config().zonemon_interval_seconds

    async def _known(self) -> ZoneView:
        if self._view is None:
            notes = await self._tools.outbox.recall(SPACE)
            begun = await self._tools.outbox.recall(BEGUN.space)
            stored = self._tools.inventory.stored
            stored.update(await self._tools.outbox.recall(STORED))
            if self._view is None:
                self._view = ZoneView(notes, is_first=not begun, counts=self.counts, stored=stored)
        return self._view

    def tell(self, event: Event) -> None:
        """A handler said something of a zone."""
        if self._view is not None and event.type == "chunter.zone.state":
            self._view.tell(event.subject, str(event.data["data"]))

    async def tick(self) -> AsyncIterator[Sequence[Event | Note]]:
        """What the list shows that was not said yet."""
        view = await self._known()
        before = view.hints
        zones = await self._tools.zoneadm.list()
        if view is not self._view:
            return  # it was forgotten meanwhile, and the next tick has a fresh one
        if self._settled is not None and self._settled == (view, view.hints, zones):
            return  # the very same list again, no hint in between: nothing to say, as before
        named = [(_name(zone), zone.state) for zone in zones]
        events = view.listed(named, before, is_followed=self.is_following)
        self._settled = (view, view.hints, zones) if view.is_settled and not events else None
        self._info.hear(events, {_name(zone) for zone in zones if zone.brand in BRANDS})
        try:
            yield events
        except GeneratorExit:
            self._forget()
            raise

    async def follow(self) -> AsyncIterator[Sequence[Event | Note]]:
        """What the event stream tells, until it ends."""
        try:
            async with self._tools.vmadm.events() as lines:
                async for line in self._begun(lines):
                    event = parse_event(line)
                    if event is None:
                        log.warning("zones.unreadable_event", extra={"line": line[:200].decode("utf-8", "replace")})
                    elif event["type"] == "ready":
                        async for batch in self._begin(event):
                            yield batch
                    elif batch := self._take(await self._known(), await self._told_configs(), event):
                        yield batch
                raise ended(lines.exit_status, lines.stderr)
        except GeneratorExit:
            self._forget()
            raise
        finally:
            self.is_following = False
            self._tools.inventory.end()

    async def _begun(self, lines: Lines) -> AsyncIterator[bytes]:
        """The lines of a stream whose first one does not keep us waiting, as one does that hangs."""
        seconds = min(_READY_SECONDS, self._tools.vmadm.timeout_seconds)
        try:
            async with asyncio.timeout(seconds):
                first = await anext(lines, None)
        except TimeoutError:
            raise ToolTimeout(
                f"The platform's event stream did not begin within {seconds:g} s",
                {"argv": list(events_argv()), "timeout_seconds": seconds},
            ) from None
        if first is not None:
            yield first
        async for line in lines:
            yield line

    def _forget(self) -> None:
        """A batch was not written: what was decided with it does not count, the notes of the journal do."""
        self._view = None
        self._configs = None

    async def _told_configs(self) -> Configs:
        if self._configs is None:
            notes = await self._tools.outbox.recall(CONFIGS)
            if self._configs is None:
                self._configs = Configs(notes)
        return self._configs

    async def _begin(self, event: dict[str, Any]) -> AsyncIterator[Sequence[Event | Note]]:
        """All machines as the stream begins; a thousand of them are looked at without holding up the loop."""
        yield ()
        vms = event.get("vms")
        machines = list(vms.values()) if isinstance(vms, dict) else []
        self._tools.inventory.begin(machines)
        self.is_following = True
        for number, machine in enumerate(machines):
            if events := (await self._told_configs()).seen(machine):
                yield events
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)

    def _take(self, view: ZoneView, configs: Configs, event: dict[str, Any]) -> Sequence[Event | Note]:
        """What there is to tell after an event of the stream."""
        vm, subject = event.get("vm"), _subject(event)
        if event["type"] == "delete":
            self._tools.inventory.drop(subject)
            return [*view.hint_gone(subject), *configs.gone(subject)]
        if not isinstance(vm, dict):
            return ()
        self._tools.inventory.put(vm)
        events = view.hint(subject, str(vm.get("zone_state", "")))
        self._info.hear(events, (subject,) if vm.get("brand") in BRANDS else ())
        return [*events, *configs.seen(vm, event.get("changes"))]


def ended(exit_status: int | None, stderr: str) -> ToolFailed:
    """The stream's end, which is never meant: it is begun anew."""
    return ToolFailed(
        "The platform's event stream ended; it is begun anew, and the list tells what it missed",
        {"argv": list(events_argv()), "exit_status": exit_status, "stderr": stderr[-2000:]},
    )


def _name(zone: Zone) -> str:
    return zone.uuid if is_uuid(zone.uuid) else zone.name


def _subject(document: Mapping[str, Any]) -> str:
    uuid = document.get("uuid")
    return uuid if isinstance(uuid, str) and is_uuid(uuid) else str(document.get("zonename"))
