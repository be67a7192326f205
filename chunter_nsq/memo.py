"""What a command remembers beyond a crash of the agent, in the agent's own records; no keys in it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from chunter_nsq.messages.events import Note, compact

SPACE = "backup"
RECEIVING = "receiving"  # of a memo: datasets that are nobody's once its command has ended
LEFT = "backup.left"  # what ended commands had to leave in stores


class Records(Protocol):
    """Where notes are kept."""

    def put(self, events: Any, /) -> Awaitable[None]:
        """Write notes."""

    async def recall(self, space: str) -> dict[str, str]:
        """Read those of a space."""


def tag(command_id: str) -> str:
    """A short name that nothing but this command makes."""
    return hashlib.sha256(command_id.encode()).hexdigest()[:10]


class Memo:
    """The notes of one command; ``known`` is what there is of them."""

    def __init__(self, records: Records, command_id: str) -> None:
        self.known: dict[str, Any] = {}
        self.command_id = command_id
        self._records = records
        self._prefix = f"{command_id} "
        self._loop = asyncio.get_running_loop()

    async def load(self) -> None:
        """Read what an earlier run of the command left."""
        found = await self._records.recall(SPACE)
        for key, value in found.items():
            if key.startswith(self._prefix):
                self.known[key.removeprefix(self._prefix)] = json.loads(value)

    async def keep(self, name: str, value: Any) -> None:
        """Remember; it is on disk when this returns."""
        self.known[name] = value
        await self._records.put([Note(SPACE, self._prefix + name, compact(value))])

    def keeper(self, name: str) -> Callable[[Any], None]:
        """The same for a thread."""

        def keep(value: Any) -> None:
            asyncio.run_coroutine_threadsafe(self.keep(name, value), self._loop).result()

        return keep

    def forgotten(self) -> tuple[Note, ...]:
        """Notes that forget everything, to be written with the command's end."""
        return tuple(Note(SPACE, self._prefix + name, None) for name in self.known)

    async def forget(self, *, but: str = "") -> None:
        """Forget everything now, ``but`` one note."""
        notes = [Note(SPACE, self._prefix + name, None) for name in self.known if name != but]
        self.known = {name: value for name, value in self.known.items() if name == but}
        if notes:
            await self._records.put(notes)
