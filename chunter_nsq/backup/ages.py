"""How old each machine's last good backup is, and the last look that found one whole; remembered beyond the agent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from chunter_nsq.memo import Records
from chunter_nsq.messages.events import Note, compact

SPACE = "backup.ages"


class Ages:
    """Times are epoch seconds. What is to be remembered comes as a note, to be written with the end of a command."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._known: dict[str, dict[str, Any]] = {}

    async def load(self) -> None:
        """What earlier agents knew."""
        self._known = {vm: json.loads(value) for vm, value in (await self._records.recall(SPACE)).items()}

    @property
    def backups(self) -> Mapping[str, float]:
        """By machine, when its newest good backup was finished."""
        return {vm: float(one["at"]) for vm, one in self._known.items() if "at" in one}

    @property
    def verifications(self) -> Mapping[tuple[str, str], float]:
        """By machine and level, when a backup of it was last found good."""
        return {
            (vm, level): float(at) for vm, one in self._known.items() for level, at in one.get("verified", {}).items()
        }

    def newest(self, vm: str) -> str | None:
        """The snapshot of the newest good backup that is known."""
        return self._known.get(vm, {}).get("snapshot")

    def made(self, vm: str, snapshot: str, at: float) -> Note:
        """There is a backup of that time."""
        return self._keep(vm, snapshot=snapshot, at=at)

    def proved(self, vm: str, level: str, at: float) -> Note:
        """A backup was found good."""
        return self._keep(vm, verified={**self._known.get(vm, {}).get("verified", {}), level: at})

    def forget(self, vm: str) -> Note:
        """There is no backup of that machine any more."""
        self._known.pop(vm, None)
        return Note(SPACE, vm, None)

    def _keep(self, vm: str, **changed: Any) -> Note:
        known = self._known[vm] = {**self._known.get(vm, {}), **changed}
        return Note(SPACE, vm, compact(known))
