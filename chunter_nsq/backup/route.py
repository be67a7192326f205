"""The way to a backup: which streams make it, in which order, planned before anything is touched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chunter_nsq.backup.disks import dataset_of
from chunter_nsq.errors import InsufficientResources, NoRestorePath
from chunter_nsq.storage.chain import Local, Points, restore_path
from chunter_nsq.storage.download import Wanted
from chunter_nsq.storage.fetch import slices
from chunter_nsq.storage.manifest import File, Manifest
from chunter_nsq.storage.verify import wanted

_DISK = re.compile(r"-disk[0-9]+")


@dataclass(frozen=True, slots=True)
class Reach:
    """One stream: what is in the store, or (``stored`` None) the snapshot of this host; ``guid`` empty when unknown."""

    dataset: str
    stored: Wanted | None
    is_full: bool
    guid: str = ""
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Leg:
    """All streams that lead to one snapshot."""

    snapshot: str
    kind: str  # local, full or increment
    reaches: tuple[Reach, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """Datasets are named as in the backup; ``properties`` are what streams do not carry."""

    legs: tuple[Leg, ...]
    datasets: tuple[str, ...]
    xml: Wanted | None = None
    properties: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def total_bytes(self) -> int:
        """Of all streams, raw."""
        return sum(one.bytes for leg in self.legs for one in leg.reaches)

    @property
    def keys(self) -> list[str]:
        """What is read from the store."""
        stored = [one.stored for leg in self.legs for one in leg.reaches if one.stored is not None]
        stored += [self.xml] if self.xml is not None else []
        return [one.pieces[0].key for one in stored if one.pieces]

    @property
    def copied(self) -> list[str]:
        """The snapshots of this host that are read."""
        return [f"{one.dataset}@{leg.snapshot}" for leg in self.legs for one in leg.reaches if one.stored is None]

    def shown(self) -> list[dict[str, str]]:
        """The path, for people."""
        return [{"snapshot": leg.snapshot, "kind": leg.kind} for leg in self.legs]


def by_manifests(points: Points, target: str, local: Local) -> Route:
    """The way by what manifests say, from a full backup or from a snapshot that is here.

    Raises:
        NoRestorePath: something on the way is missing.
    """
    end = points.get(target)
    path = restore_path(points, target, local)
    assert end is not None  # noqa: S101 - restore_path needs it, too
    files = {file.dataset: file for file in end.files if file.dataset is not None}
    datasets = tuple(files)
    if _is_here(end, local):
        legs: list[Leg] = [_local(end.snapshot.name, datasets, end.snapshot.guids)]
    else:
        legs = [] if path.base is None else [_local(path.base, datasets, _guids_of(path.steps[0]))]
        legs += [_leg(step, datasets) for step in path.steps]
    xml = next((file for file in end.files if file.dataset is None), None)
    config: Mapping[str, Any] = end.config.get("datasets") or {}
    return Route(tuple(legs), datasets, None if xml is None else wanted(xml), config)


def by_keys(
    vm: str, names: Sequence[str], sizes: Mapping[str, int], sums: Mapping[str, str], piece_bytes: int
) -> Route:
    """The way by the names of objects alone, as the first chunter stored them: oldest first, the first one whole.

    Raises:
        NoRestorePath: a snapshot on the way has no objects.
    """
    legs = []
    for place, name in enumerate(names):
        prefix = f"{vm}/{name}"
        found = {
            dataset_of(vm, key.removeprefix(prefix)): _plain(key, size, sums, piece_bytes)
            for key, size in sizes.items()
            if key == prefix or (key.startswith(prefix) and _DISK.fullmatch(key.removeprefix(prefix)))
        }
        if dataset_of(vm, "") not in found and not found:
            raise NoRestorePath(
                f"cannot restore {names[-1]}: there is no backup {name}", {"path": list(names), "missing": name}
            )
        reaches = tuple(Reach(dataset, one, place == 0, "", sizes[one.pieces[0].key]) for dataset, one in found.items())
        legs.append(Leg(name, "increment" if place else "full", reaches))
    xml = f"{vm}/{names[-1]}.xml"
    document = _plain(xml, sizes[xml], sums, piece_bytes, codec="none") if xml in sizes else None
    return Route(tuple(legs), tuple(one.dataset for one in legs[-1].reaches), document)


def check_space(route: Route, available_bytes: int, *, copied_bytes: int = 0) -> None:
    """What will be received fits beside what is there. Raises InsufficientResources."""
    needed = copied_bytes + sum(
        int(one.bytes / _ratio(route.properties.get(one.dataset, {}))) for leg in route.legs for one in leg.reaches
    )
    if needed > available_bytes:
        raise InsufficientResources(
            f"the restore needs about {needed} bytes beside what is there now, and the pool has {available_bytes}",
            {"needed": needed, "available": available_bytes},
        )


def chain_names(points: Points, target: str) -> list[str]:
    """The snapshots that a way to the target could begin at."""
    names: list[str] = []
    name: str | None = target
    while name is not None and name in points and name not in names:
        names.append(name)
        parent = points[name].parent
        name = parent.name if parent is not None else None
    return names


def _leg(step: Manifest, datasets: Iterable[str]) -> Leg:
    base = step.parent.guids if step.parent is not None else {}
    known = set(datasets)
    reaches = tuple(_reach(file, step, base) for file in step.files if file.dataset in known)
    return Leg(step.snapshot.name, "full" if step.parent is None else "increment", reaches)


def _reach(file: File, step: Manifest, base: Mapping[str, str]) -> Reach:
    dataset = file.dataset or ""
    return Reach(dataset, wanted(file), dataset not in base, step.snapshot.guids.get(dataset, ""), file.raw_size)


def _local(name: str, datasets: Iterable[str], guids: Mapping[str, str]) -> Leg:
    here = tuple(Reach(one, None, is_full=True, guid=guids[one]) for one in datasets if one in guids)
    return Leg(name, "local", here)


def _guids_of(step: Manifest) -> Mapping[str, str]:
    return step.parent.guids if step.parent is not None else {}


def _is_here(end: Manifest, local: Local) -> bool:
    there = local.get(end.snapshot.name, {})
    guids = end.snapshot.guids
    return bool(guids) and all(there.get(one) == guid for one, guid in guids.items())


def _plain(key: str, size: int, sums: Mapping[str, str], piece_bytes: int, codec: str | None = None) -> Wanted:
    return Wanted(slices(key, size, piece_bytes), codec, sha1=sums.get(key, ""))


def _ratio(properties: Mapping[str, str]) -> float:
    try:
        return max(1.0, float(properties.get("compressratio", "1").rstrip("x")))
    except ValueError:
        return 1.0
