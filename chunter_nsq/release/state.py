"""What became of an update: a file that the updater writes, and the agents before and after it read.

``var/update/wanted.json`` is what a command asked for, ``state.json`` how far it is, and ``lock`` is held by whoever
updates.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

UPDATED, CURRENT, REFUSED, RETURNED, LOST = "updated", "current", "refused", "returned", "lost"
FINAL = frozenset({UPDATED, CURRENT, REFUSED, RETURNED, LOST})
WATCHING = "watching"


class Busy(Exception):
    """Another update runs."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a command asked for; without a version the newest of the channel, without a channel the installed one's."""

    command: str
    version: str | None = None
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class State:
    """How far an update is.

    ``phase``: looking, fetching, installing, watching; then updated, current (nothing is newer), refused (nothing was
    replaced), returned (the earlier version runs again) or lost (not even that does). ``back`` is the folder of the
    version before. ``code`` and ``details`` are those of the fault that ``reason`` tells in words.
    """

    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    command: str = ""
    from_version: str = ""
    to_version: str = ""
    phase: str = "looking"
    back: str = ""
    restarted: float = 0.0
    reason: str = ""
    code: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    since: float = field(default_factory=time.time)

    @property
    def is_final(self) -> bool:
        """Whether it is over."""
        return self.phase in FINAL

    def become(self, phase: str, **changed: Any) -> State:
        """The same update, further on."""
        return dataclasses.replace(self, phase=phase, since=time.time(), **changed)


class Updates:
    """The files of one tree."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._wanted = folder / "wanted.json"
        self._state = folder / "state.json"
        self._lock = folder / "lock"

    def want(self, wanted: Wanted) -> None:
        """Leave a request for the updater."""
        self._write(self._wanted, dataclasses.asdict(wanted))

    def wanted(self) -> Wanted | None:
        """The request that was left, if any."""
        found = _read(self._wanted)
        return None if found is None else Wanted(**found)

    def granted(self) -> None:
        """The request is seen to."""
        self._wanted.unlink(missing_ok=True)

    def state(self) -> State | None:
        """How far the last update is; None when there never was one."""
        found = _read(self._state)
        return None if found is None else State(**found)

    def write(self, state: State) -> None:
        """Say how far it is."""
        self._write(self._state, dataclasses.asdict(state))

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Be the one who updates. Raises Busy."""
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise Busy(f"another update runs on this host; {self._state} says how far it is") from None
        finally:
            os.close(descriptor)

    def is_busy(self) -> bool:
        """Whether somebody updates now."""
        try:
            with self.held():
                return False
        except Busy:
            return True

    def _write(self, file: Path, told: dict[str, Any]) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(".new")
        with draft.open("w") as text:
            json.dump(told, text, indent=1)
            text.flush()
            os.fsync(text.fileno())
        draft.replace(file)


def _read(file: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    return found
