"""Which machines' configuration changed since it was told last."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from chunter_nsq.fifo.config import from_vmadm
from chunter_nsq.messages.events import Event, Note, compact

SPACE = "config"
# What changes by itself with the state, which events of its own tell.
_VOLATILE = frozenset(
    {
        "state", "zone_state", "zoneid", "pid", "boot_timestamp", "exit_status", "exit_timestamp", "init_restarts",
        "last_modified", "transition_to", "transition_expire", "snapshots", "never_booted",
    }
)  # fmt: skip


class Configs:
    """Remembers a digest of each machine's configuration."""

    def __init__(self, notes: Mapping[str, str]) -> None:
        self._digests = dict(notes)

    def seen(self, machine: Mapping[str, Any], changes: Iterable[Any] | None = None) -> list[Event]:
        """A chunter.zone.update when the configuration is another one than was told.

        Args:
            machine: As ``vmadm get`` prints it.
            changes: What the event stream says changed, to spare looking where only the state did.
        """
        if changes is not None and not any(_is_lasting(change) for change in changes):
            return []
        uuid = machine.get("uuid")
        if not isinstance(uuid, str):
            return []
        config = from_vmadm(machine)
        lasting = {name: value for name, value in config.items() if name not in _VOLATILE}
        digest = hashlib.sha1(compact(lasting).encode(), usedforsecurity=False).hexdigest()[:16]
        if self._digests.get(uuid) == digest:
            return []
        self._digests[uuid] = digest
        data = {"event": "update", "data": {"config": config}}
        return [Event("zone", "chunter.zone.update", uuid, data, notes=(Note(SPACE, uuid, digest),))]

    def gone(self, uuid: str) -> list[Note]:
        """Forget a machine."""
        return [Note(SPACE, uuid, None)] if self._digests.pop(uuid, None) else []


def _is_lasting(change: Any) -> bool:
    path = change.get("path") if isinstance(change, dict) else None
    return not (isinstance(path, list) and path and path[0] in _VOLATILE)
