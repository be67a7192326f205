"""Bookmarks: marks of snapshots that may be gone, kept with their dataset so that they follow it and go with it."""

from __future__ import annotations

from chunter_nsq.smartos.simulator.pool import Dataset, Pool, Snapshot

SIGN = "#"


class Bookmark(Snapshot):
    """A mark; ``guid`` and moments are those of the snapshot it was made of."""

    __slots__ = ()

    type = "bookmark"

    @property
    def name(self) -> str:
        """The whole name, ``dataset#short``."""
        return f"{self.dataset}{SIGN}{self.short}"


def bookmarks(dataset: Dataset) -> list[Bookmark]:
    """The marks of a dataset, oldest first."""
    found = []
    for key, value in dataset.local.items():
        if key.startswith(SIGN):
            guid, createtxg, creation = map(int, value.split())
            found.append(Bookmark((dataset.name, key[1:], guid, createtxg, creation, 0, 0, None, None)))
    return sorted(found, key=lambda one: one.createtxg)


def bookmark_named(pool: Pool, name: str) -> Bookmark | None:
    """The mark of that name."""
    dataset = pool.dataset(name.partition(SIGN)[0])
    return next((one for one in bookmarks(dataset) if one.name == name), None) if dataset else None


def newer_marks(pool: Pool, target: Snapshot) -> list[Bookmark]:
    """The marks of snapshots of the same dataset that were younger."""
    dataset = pool.dataset(target.dataset)
    return [one for one in bookmarks(dataset) if one.createtxg > target.createtxg] if dataset else []


def mark(pool: Pool, snapshot: Snapshot, short: str) -> None:
    """Mark a snapshot."""
    pool.set_local(snapshot.dataset, {SIGN + short: f"{snapshot.guid} {snapshot.createtxg} {snapshot.creation}"})


def unmark(pool: Pool, one: Bookmark) -> None:
    """Take a mark away."""
    pool.set_local(one.dataset, {SIGN + one.short: None})
