"""What is told of backups, in the forms that Howl's listeners know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chunter_nsq.messages.events import Event, Note
from chunter_nsq.storage.manifest import File, Manifest


def update(vm: str, snapshot: str, data: Mapping[str, Any], notes: tuple[Note, ...] = ()) -> Event:
    """Something about a backup is other than before."""
    return _event("update", vm, snapshot, "update", data, notes)


def completed(vm: str, manifest: Manifest, notes: tuple[Note, ...], *, local: bool) -> Event:
    """A backup is in the store and proven; ``local``: its snapshot is here as well."""
    data = {
        "state": "completed",
        "local": local,
        "size": manifest.size,
        "parent": None if manifest.parent is None else manifest.parent.name,
        "files": {one.key: file(one) for one in manifest.files},
    }
    return _event("completed", vm, manifest.snapshot.name, "update", data, notes)


def failed(vm: str, snapshot: str, message: str) -> Event:
    """A backup or restore failed; there is no backup by that, and the machine is as it was."""
    return _event("failed", vm, snapshot, "update", {"state": "failed", "message": message})


def restored(vm: str, snapshot: str, data: Mapping[str, Any], notes: tuple[Note, ...] = ()) -> Event:
    """A machine is what it was at a backup."""
    return _event("restored", vm, snapshot, "restored", data, notes)


def verified(vm: str, snapshot: str, data: Mapping[str, Any], notes: tuple[Note, ...] = ()) -> Event:
    """A backup was looked at."""
    return _event("verified", vm, snapshot, "verified", data, notes)


def snapshot_deleted(vm: str, snapshot: str) -> Event:
    """A snapshot is gone from this host."""
    data = {"event": "snapshot", "data": {"action": "deleted", "uuid": snapshot}}
    return Event("snapshot", "chunter.snapshot.deleted", vm, data, notes=(Note("snapshot", f"{vm}@{snapshot}", None),))


def file(one: File) -> dict[str, Any]:
    """A file of a backup; sizes in bytes."""
    return {"size": one.size, "raw_size": one.raw_size, "sha1": one.sha1, "sha256": one.sha256}


def listed(manifest: Manifest) -> dict[str, Any]:
    """A backup in a list."""
    return {
        "uuid": manifest.vm,
        "snapshot": manifest.snapshot.name,
        "parent": None if manifest.parent is None else manifest.parent.name,
        "host": manifest.host,
        "created": manifest.created,
        "finished": manifest.finished,
        "size": manifest.size,
        "raw_size": sum(one.raw_size for one in manifest.files),
        "files": [one.key for one in manifest.files],
    }


def _event(
    kind: str, vm: str, snapshot: str, action: str, data: Mapping[str, Any], notes: tuple[Note, ...] = ()
) -> Event:
    message = {"event": "backup", "data": {"action": action, "uuid": snapshot, "data": dict(data)}}
    return Event("backup", f"chunter.backup.{kind}", vm, message, notes=notes)
