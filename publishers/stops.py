"""Why a machine stopped that nobody stopped.

Responsibilities: see every machine that leaves ``running``, leave out those that somebody meant to stop, wait a
moment in case it only reboots, then tell the likely cause with the evidence.

Theory: ``vmadm stop``, whoever types it, takes autoboot off before anything else, and vmadm alone does that; so a
machine that stopped with autoboot as it was when it booted was not stopped by it. Commands of ours are left out too.

Not promised: a word about a stop while the platform's event stream was down and the machine was started again before
it was back; or about a container without autoboot that ended well, since that is how containers end.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chunter_nsq.errors import Fault, NotFound
from chunter_nsq.messages.events import Event
from chunter_nsq.smartos.names import is_uuid
from chunter_nsq.smartos.platformlog import PlatformLog
from chunter_nsq.tools import Tools
from publishers.caphits import CapRecord
from publishers.stopcause import why

_LOOK_SECONDS = 1.0
_REBOOT_SECONDS = 3.0  # between the two halves of a reboot
_STUCK_SECONDS = 60.0
_DOWN = frozenset({"shutting_down", "down", "installed"})
_STOPPING = frozenset(
    {"machine.stop", "machine.reboot", "machine.delete", "machine.store", "machine.create", "backup.restore"}
)


@dataclass(slots=True)
class _Machine:
    boots_by_itself: bool
    is_up: bool = True


@dataclass(slots=True)
class _Stop:
    noticed: float
    installed: float | None = None


class Stops:
    """A queue of machines that went down; each is looked at once when it has settled."""

    name = "stops"
    interval_seconds = _LOOK_SECONDS

    def __init__(self, tools: Tools, caps: CapRecord) -> None:
        self._tools = tools
        self._caps = caps
        self._log = PlatformLog(Path(tools.config().platform_root))
        self._machines: dict[str, _Machine] = {}
        self._stops: dict[str, _Stop] = {}
        tools.inventory.watchers.append(self.saw)

    def saw(self, document: Mapping[str, Any] | None, uuid: str) -> None:
        """A machine was seen as it is now; None when it is gone."""
        if not is_uuid(uuid):
            return
        if document is None:
            self._machines.pop(uuid, None)
            self._stops.pop(uuid, None)
            return
        state = document.get("zone_state")
        known = self._machines.get(uuid)
        if state == "running":
            self._stops.pop(uuid, None)
            if known is None or not known.is_up:
                self._machines[uuid] = _Machine(document.get("autoboot") is not False)
                self._caps.take(uuid)  # of the boot before
        elif known is not None and known.is_up and state in _DOWN:
            known.is_up = False
            if not self._is_meant(known, document, uuid):
                self._stops[uuid] = _Stop(time.monotonic())
        stop = self._stops.get(uuid)
        if stop is not None:
            stop.installed = (stop.installed or time.monotonic()) if state == "installed" else None

    def _is_meant(self, known: _Machine, document: Mapping[str, Any], uuid: str) -> bool:
        if known.boots_by_itself and document.get("autoboot") is False:
            return True
        return any(one["uuid"] == uuid and one["action"] in _STOPPING for one in self._tools.work.running())

    async def tick(self) -> AsyncIterator[Sequence[Event]]:
        """What there is to say of those that have settled; one that cannot be looked at keeps no other waiting."""
        failed: Fault | None = None
        for uuid, stop in list(self._stops.items()):
            if not _is_due(stop, time.monotonic()):
                continue
            try:
                machine = await self._tools.vmadm.get(uuid)
            except NotFound:
                self._stops.pop(uuid, None)
                continue
            except Fault as fault:
                failed = failed or fault
                continue
            if self._stops.get(uuid) is stop and self._is_told(machine, uuid):
                lines = await self._log.last_lines(str(machine.get("zonepath") or ""))
                data = {"event": "why", "data": why(machine, self._caps.take(uuid), lines)}
                yield [Event("zone", "chunter.zone.stopped", uuid, data)]
            if self._stops.get(uuid) is stop:
                del self._stops[uuid]
        if failed is not None:
            raise failed

    def _is_told(self, machine: Mapping[str, Any], uuid: str) -> bool:
        known = self._machines.get(uuid)
        if known is None or machine.get("zone_state") == "running":
            return False
        if known.boots_by_itself:
            return machine.get("autoboot") is not False
        return machine.get("exit_status") != 0


def _is_due(stop: _Stop, now: float) -> bool:
    if stop.installed is not None:
        return now - stop.installed >= _REBOOT_SECONDS
    return now - stop.noticed >= _STUCK_SECONDS
