"""Which backups lead to a snapshot, and in which order: pure planning, before anything is touched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chunter_nsq.errors import InvalidState, NoRestorePath
from chunter_nsq.storage.manifest import Manifest, Snapshot

Points = Mapping[str, Manifest]
Local = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Path:
    """Received in the order of ``steps``, on top of the local snapshot ``base``, or on nothing when that is None.

    ``toss`` are the snapshots that come into being on the way and were not there before, oldest first: once the target
    is reached they can go.
    """

    base: str | None
    steps: tuple[Manifest, ...]
    toss: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The snapshots on the way, the target last."""
        return tuple(step.snapshot.name for step in self.steps)


def points(manifests: Iterable[Manifest]) -> dict[str, Manifest]:
    """Backups of one VM by the name of their snapshot."""
    return {manifest.snapshot.name: manifest for manifest in manifests}


def restore_path(found: Points, target: str, local: Local | None = None) -> Path:
    """The way to ``target``: back from it to a full backup, or to a snapshot that is here already.

    Args:
        found: The backups of the VM.
        target: The snapshot to reach.
        local: Snapshots on this host: name to dataset to GUID; only those count whose GUIDs the backups name.

    Raises:
        NoRestorePath: a backup on the way is missing, is based on something else than its parent's snapshot, or
            the way leads round in a circle; details: path, missing.
    """
    way: list[Manifest] = []
    here = local or {}
    name: str | None = target
    wanted: Snapshot | None = None
    while name is not None:
        if wanted is not None and _is_here(wanted, here):
            break
        step = _step(found, name, wanted, way)
        way.append(step)
        wanted = step.parent
        name = wanted.name if wanted is not None else None
    steps = tuple(reversed(way))
    tossed = tuple(step.snapshot.name for step in steps[:-1] if step.snapshot.name not in here)
    return Path(name, steps, tossed)


def may_follow(parent: Manifest, datasets: Mapping[str, str], send_flags: tuple[str, ...]) -> None:
    """Whether an increment on ``parent`` can be restored one day.

    Args:
        parent: The backup in the store.
        datasets: Dataset to GUID of the parent's snapshot (or bookmark) on this host.
        send_flags: What the increment would be sent with; flags that change within a chain are known to lose data.

    Raises:
        InvalidState: it could not.
    """
    name = parent.snapshot.name
    other = sorted(each for each, guid in datasets.items() if parent.snapshot.guids.get(each, guid) != guid)
    if other:
        raise InvalidState(
            f"{name} on this host is not the snapshot that was backed up as {name}: {', '.join(other)}; "
            "make a full backup",
            {"parent": name, "datasets": other},
        )
    if parent.send_flags != send_flags:
        raise InvalidState(
            f"{name} was sent with {_shown(parent.send_flags)} and this would be with {_shown(send_flags)}; "
            "make a full backup",
            {"parent": name},
        )


def children(found: Points, name: str) -> tuple[str, ...]:
    """All backups that need ``name``, those that need others first."""
    below: list[str] = []
    waiting = [name]
    while waiting:
        parent = waiting.pop(0)
        direct = sorted(
            each for each, one in found.items() if one.parent is not None and one.parent.name == parent and each != name
        )
        fresh = [each for each in direct if each not in below]
        below += fresh
        waiting += fresh
    return tuple(reversed(below))


def deletion(found: Points, name: str, *, force: bool = False) -> tuple[str, ...]:
    """What to delete for ``name`` to be gone, in an order that never leaves a backup without its parent.

    Raises:
        InvalidState: others need it, and ``force`` was not given; details: children.
    """
    needing = children(found, name)
    if needing and not force:
        raise InvalidState(
            f"{name} cannot be deleted: {', '.join(reversed(needing))} could not be restored without it (force deletes "
            "them as well)",
            {"children": list(needing)},
        )
    return (*needing, *((name,) if name in found else ()))


def _step(found: Points, name: str, wanted: Snapshot | None, way: list[Manifest]) -> Manifest:
    path = [one.snapshot.name for one in way]
    if name in path:
        raise _no_path(path, name, "the way leads round in a circle")
    step = found.get(name)
    if step is None:
        raise _no_path(path, name, f"there is no backup {name}")
    if wanted is not None:
        guids = step.snapshot.guids
        other = sorted(each for each, guid in wanted.guids.items() if guids.get(each, guid) != guid)
        if other:
            raise _no_path(
                path, name, f"{path[-1]} is based on another snapshot {name} than the one stored: {other[0]}"
            )
    return step


def _is_here(wanted: Snapshot, local: Local) -> bool:
    """Whether this host has that very snapshot in all datasets; a name alone proves nothing."""
    there = local.get(wanted.name)
    return (
        there is not None and bool(wanted.guids) and all(there.get(one) == guid for one, guid in wanted.guids.items())
    )


def _no_path(path: list[str], missing: str, why: str) -> NoRestorePath:
    way = " <- ".join([*path[::-1]]) or missing
    return NoRestorePath(
        f"cannot restore {path[0] if path else missing}: {why} (way: {way})", {"path": path, "missing": missing}
    )


def _shown(flags: tuple[str, ...]) -> str:
    return " ".join(flags) or "no flags"
