"""What to tell of the snapshots of machines: those whose size changed, the new ones, and those that are gone.

What is kept of a machine is a text, one line for each snapshot of each of its datasets, in memory and in its note: it
is looked into only when it differs from the last one. A snapshot's size is the sum over the datasets.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from chunter_nsq.messages.events import Event, Note, compact, timestamp
from chunter_nsq.smartos.zfs_rows import Snapshot

SPACE = "snapshot-sizes"
TYPE = "chunter.snapshot.sizes"
VMADM_PREFIX = "vmsnap-"
_PART_BYTES = 2**18

Entries = dict[str, dict[str, Any]]


def owner(dataset: str) -> str:
    """The zone that a dataset would belong to: ``zones/<zone>``, ``zones/<zone>-disk0``, ``zones/<zone>/data``."""
    component = dataset.partition("/")[2].partition("/")[0]
    zone, disk, number = component.rpartition("-disk")
    return zone if disk and number.isdecimal() else component


class Listing:
    """Gathers the snapshots of machines; ``zones`` maps what ``owner`` gives to the machine's uuid."""

    def __init__(self, zones: Mapping[str, str]) -> None:
        self._zones = zones
        self.texts: dict[str, bytearray] = {uuid: bytearray() for uuid in zones.values()}

    def feed(self, snapshot: Snapshot) -> None:
        """One more; those of images and of the host itself are passed over."""
        uuid = self._zones.get(owner(snapshot.dataset))
        if uuid is not None:
            pool = snapshot.dataset.partition("/")[0]
            self.texts[uuid] += f"{pool}\t{snapshot.name}\t{snapshot.used_bytes}\t{snapshot.created}\n".encode()


def entries(text: str) -> Entries:
    """Name to ``size`` in bytes and ``timestamp``.

    What vmadm made has lost its prefix and has ``vmadm`` true, unless there is another of the plain name.
    """
    sizes: dict[str, int] = {}
    created: dict[str, int] = {}
    for line in text.split("\n")[:-1]:
        _, name, used, at = line.split("\t")
        sizes[name] = sizes.get(name, 0) + int(used)
        created[name] = min(created.get(name, int(at)), int(at))
    found: Entries = {}
    for name, size in sizes.items():
        entry: dict[str, Any] = {"size": size, "timestamp": timestamp(created[name])}
        plain = name.removeprefix(VMADM_PREFIX)
        if plain != name:
            entry["vmadm"] = True
        found[name if plain in sizes else plain] = entry
    return found


class SnapshotView:
    """Remembers what was told; ``notes`` are those of an earlier run."""

    def __init__(self, notes: Mapping[str, str]) -> None:
        self._texts = {uuid: note.encode() for uuid, note in notes.items()}

    def told(self, uuid: str, listed: bytes, unlisted: Collection[bytes] = ()) -> list[Event]:
        """What to tell of one machine; what is on pools that could not be listed is taken to be as it was."""
        known = self._texts.get(uuid, b"")
        text = listed
        if unlisted:
            text += b"".join(line for line in known.splitlines(True) if line.partition(b"\t")[0] in unlisted)
        if text == known:
            return []
        before, after = entries(known.decode()), entries(text.decode())
        removed = sorted(before.keys() - after.keys())
        self._texts[uuid] = text
        changed = {name: entry for name, entry in after.items() if before.get(name) != entry}
        if not changed and not removed:
            return []
        totals = {"count": len(after), "bytes": sum(entry["size"] for entry in after.values())}
        note = Note(SPACE, uuid, text.decode() or None)
        return _events(uuid, changed, removed, totals, note)

    def forget(self, machines: Mapping[str, object]) -> list[Note]:
        """Drop what is kept of all others: they are gone, which is told elsewhere."""
        gone = [uuid for uuid in self._texts if uuid not in machines]
        for uuid in gone:
            del self._texts[uuid]
        return [Note(SPACE, uuid, None) for uuid in gone]


def _events(uuid: str, changed: Entries, removed: list[str], totals: Mapping[str, int], note: Note) -> list[Event]:
    """One event, or several when one would be too large; the last one remembers."""
    parts: list[tuple[Entries, list[str]]] = [({}, [])]
    size_bytes = 0
    for name, entry in [*changed.items(), *((name, None) for name in removed)]:
        entry_bytes = len(compact(name)) + len(compact(entry)) + 2
        if size_bytes + entry_bytes > _PART_BYTES:
            parts.append(({}, []))
            size_bytes = 0
        size_bytes += entry_bytes
        if entry is None:
            parts[-1][1].append(name)
        else:
            parts[-1][0][name] = entry
    events = []
    for number, (sizes, gone) in enumerate(parts, 1):
        data = {"action": "sizes", "uuid": uuid, "data": sizes, "removed": gone, **totals}
        notes = (note,) if number == len(parts) else ()
        events.append(Event("snapshot", TYPE, uuid, {"event": "snapshot", "data": data}, notes=notes))
    return events
