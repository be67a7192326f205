"""Whose events a zone's are: a machine's zone has its uuid for a name, a zone made by hand may not."""

from __future__ import annotations

import time
from collections.abc import Iterable

from chunter_nsq.smartos.names import is_uuid
from chunter_nsq.tools import Tools

_REFRESH_SECONDS = 60.0
GLOBAL = "global"


class ZoneNames:
    """Asks for the zones at most once a minute, since only those made by hand need it."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._uuids: dict[str, str] = {}
        self._asked: float | None = None

    async def refresh(self) -> None:
        """Learn the names of zones made by hand, when that was long ago."""
        now = time.monotonic()
        if self._asked is not None and now - self._asked < _REFRESH_SECONDS:
            return
        zones = await self._tools.zoneadm.list()
        self._asked = now
        self._uuids = {zone.name: zone.uuid for zone in zones if not is_uuid(zone.name)}

    async def know(self, names: Iterable[str]) -> None:
        """Ask at once when one of these is made by hand and not known."""
        if any(name not in self._uuids and name != GLOBAL and not is_uuid(name) for name in names):
            self._asked = None
            await self.refresh()

    def by_hand(self) -> tuple[str, ...]:
        """The names that are no uuids."""
        return tuple(sorted(self._uuids))

    def subject(self, name: str) -> str:
        """The uuid of a zone, or its name when it has none; the host's id for the global zone."""
        if name == GLOBAL:
            return self._tools.host.id
        uuid = self._uuids.get(name)
        return uuid if uuid and is_uuid(uuid) else name
