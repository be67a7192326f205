"""What commands left behind that have ended, put in order: holds, datasets beside machines, half images, uploads.

Theory: a command notes what it makes before it makes it, and its notes go with its end. So notes of a command that is
not under way any more are of one that could not clean up: of an agent that was killed and whose successor did not know
the command, or of a store that was away. They are worked off beside everything else, at the start and again whenever
there is more or time has passed; nobody waits for it.

Not promised: anything about datasets that a swap has moved already; what is where then is in the log, for people.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections.abc import Callable
from typing import Any

from chunter_nsq.backup.disks import tops
from chunter_nsq.backup.holds import Holds
from chunter_nsq.backup.means import Backups
from chunter_nsq.errors import Fault
from chunter_nsq.memo import LEFT, RECEIVING, SPACE, Records
from chunter_nsq.messages.events import Note
from chunter_nsq.smartos.zfs import Zfs

log = logging.getLogger(__name__)

_FIRST_SECONDS = 2.0
_LONGEST_SECONDS = 600.0
_FILE = "file "


class Sweeping:
    """``is_known`` says of a command's id whether it, or what it began, is under way."""

    def __init__(self, records: Records, zfs: Zfs, backups: Backups, is_known: Callable[[str], bool]) -> None:
        self._records = records
        self._zfs = zfs
        self._backups = backups
        self._is_known = is_known
        self._told: set[str] = set()

    async def run(self) -> None:
        """Until it is cancelled."""
        pause_seconds = _FIRST_SECONDS
        while True:
            self._backups.news.clear()
            try:
                done = await self.once()
            except sqlite3.Error:
                log.exception("backup.sweep_failed")
                done = False
            pause_seconds = _LONGEST_SECONDS if done else pause_seconds
            try:
                async with asyncio.timeout(pause_seconds):
                    await self._backups.news.wait()
            except TimeoutError:
                pause_seconds = min(2 * pause_seconds, _LONGEST_SECONDS)
            else:
                pause_seconds = _FIRST_SECONDS

    async def once(self) -> bool:
        """Put in order what can be now; whether nothing is left."""
        done = True
        for command_id, memo in (await self._strays()).items():
            done = await self._settle(command_id, memo) and done
        if await self._records.recall(LEFT):
            done = await self._backups.leftovers.sweep() and done
        return done

    async def _strays(self) -> dict[str, dict[str, Any]]:
        """Notes of commands that are not under way; read twice, since one may just be ending."""
        known = await self._notes()
        if not any(not self._is_known(one) for one in known):
            return {}
        ended = [one for one in known if not self._is_known(one)]
        again = await self._notes()
        return {one: again[one] for one in ended if one in again}

    async def _notes(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for key, value in (await self._records.recall(SPACE)).items():
            command_id, _, name = key.partition(" ")
            found.setdefault(command_id, {})[name] = json.loads(value)
        return found

    async def _settle(self, command_id: str, memo: dict[str, Any]) -> bool:
        if "swap" in memo:
            if command_id not in self._told:
                self._told.add(command_id)
                log.error("backup.swap_unsettled", extra={"command": command_id, "exchange": memo["swap"]})
            return True
        holds = Holds(self._zfs, command_id)
        holds.adopt(memo.get("holds", ()))
        done = await holds.release()
        for name in tops(memo.get(RECEIVING, ())):
            try:
                await self._backups.datasets.discard(name)
            except Fault as fault:
                log.warning("backup.received_left", extra={"dataset": name, "reason": fault.message})
                done = False
        if not done:
            return False
        states = [value for name, value in memo.items() if name.startswith(_FILE)]
        if states:
            from chunter_nsq.storage.state import UploadState  # noqa: PLC0415 - loaded when first used

            await self._backups.leftovers.keep(memo.get("store"), [UploadState.from_dict(one) for one in states])
        await self._records.put([Note(SPACE, f"{command_id} {name}", None) for name in memo])
        log.warning("backup.stray_settled", extra={"command": command_id, "notes": sorted(memo)})
        return True
