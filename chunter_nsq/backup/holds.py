"""Snapshots that must not go while they are read: held by ZFS, by a name that is the command's own."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from chunter_nsq.errors import AlreadyExists, Fault, NotFound
from chunter_nsq.memo import tag
from chunter_nsq.smartos.zfs import Zfs

log = logging.getLogger(__name__)


class Holds:
    """The holds of one command; an earlier run of it may have made them."""

    def __init__(self, zfs: Zfs, command_id: str) -> None:
        self.tag = f"chunter-{tag(command_id)}"
        self._zfs = zfs
        self._held: list[str] = []

    async def take(self, snapshots: Iterable[str]) -> None:
        """Hold them; raises NotFound."""
        for name in snapshots:
            self._held.append(name)
            try:
                await self._zfs.hold(name, self.tag)
            except AlreadyExists:
                log.info("backup.held_already", extra={"snapshot": name})

    def adopt(self, snapshots: Iterable[str]) -> None:
        """Those that an earlier run of the command may have made are let go of with the others."""
        self._held += [name for name in snapshots if name not in self._held]

    async def release(self) -> bool:
        """Let go of all; whether that could be done. What could not is in the log."""
        done = True
        while self._held:
            name = self._held.pop()
            try:
                await self._zfs.release(name, self.tag)
            except NotFound:
                continue
            except Fault as fault:
                log.warning("backup.hold_left", extra={"snapshot": name, "tag": self.tag, "why": fault.message})
                done = False
        return done
