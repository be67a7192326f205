"""What to tell of the snapshots of machines: those whose size changed, the new ones, and those that are gone.

What was told of a machine is a text, one line for each snapshot of each of its datasets. It is kept in the machine's
note on disk and not in memory: it is looked into only when the listing says something else. A snapshot's size is the
sum over the datasets.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import chain
from typing import Any

from chunter_nsq.messages.events import Event, Note, compact, timestamp

SPACE = "snapshot-sizes"
TYPE = "chunter.snapshot.sizes"
VMADM_PREFIX = "vmsnap-"
_PART_BYTES = 2**18

Entries = dict[str, dict[str, Any]]


def told(uuid: str, known: str, listed: str, pool: str, pools: Collection[str]) -> list[Event | Note]:
    """What to tell of one machine.

    Args:
        uuid: The machine.
        known: What was told, as its note has it; empty for nothing.
        listed: Its snapshots on ``pool`` as they are now.
        pool: The pool that was listed.
        pools: All pools there are: on those that were not listed everything is as it was.
    """
    text = with_pool(known, listed, pool, pools)
    if text == known:
        return []
    before, after = entries(known), entries(text)
    removed = sorted(before.keys() - after.keys())
    changed = {name: entry for name, entry in after.items() if before.get(name) != entry}
    note = Note(SPACE, uuid, text or None)
    if not changed and not removed:
        return [note]
    totals = {"count": len(after), "bytes": sum(entry["size"] for entry in after.values())}
    return [*_events(uuid, changed, removed, totals, note)]


def with_pool(known: str, listed: str, pool: str, pools: Collection[str]) -> str:
    """The text of a machine in which one pool's lines are new; the lines of each pool stand together, sorted."""
    lines = {pool: [listed]}
    for line in known.split("\n")[:-1]:
        other = line.partition("\t")[0]
        if other != pool and other in pools:
            lines.setdefault(other, []).append(f"{line}\n")
    return "".join(chain.from_iterable(lines[name] for name in sorted(lines)))


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


def _events(uuid: str, changed: Entries, removed: list[str], totals: Mapping[str, int], note: Note) -> list[Event]:
    """One event, or several when one would be too large; the last one remembers."""
    parts: list[tuple[Entries, list[str]]] = [({}, [])]
    size_bytes = 0
    for name, entry in chain(changed.items(), ((name, None) for name in removed)):
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
