"""What a backup will be made of, found out before anything is touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chunter_nsq.errors import AlreadyExists, ChecksumMismatch, InvalidMessage, InvalidState, NotFound
from chunter_nsq.ground import Ground
from chunter_nsq.smartos.zfs import Zfs
from chunter_nsq.smartos.zfs_datasets import ZfsDatasets
from chunter_nsq.smartos.zfs_stream_argv import AS_STORED, PLAIN, SendFlags
from chunter_nsq.smartos.zfs_streams import ZfsStreams
from chunter_nsq.storage import catalogue
from chunter_nsq.storage.bucket import Bucket
from chunter_nsq.storage.chain import may_follow
from chunter_nsq.storage.faults import StorageMissing
from chunter_nsq.storage.manifest import Manifest, manifest_key


class Stored(AlreadyExists):
    """A good backup has that name; whatever was wanted, nothing happened to it."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """One dataset's stream: from ``base`` (a snapshot or bookmark; None for all of it) to the snapshot."""

    dataset: str
    snapshot: str
    base: str | None


@dataclass(frozen=True, slots=True)
class Outlook:
    """The machine as it is, what would be read of it, and what the store has under the two names."""

    machine: Mapping[str, Any]
    stretches: tuple[Stretch, ...]
    flags: SendFlags
    stored: Manifest | None
    parent: Manifest | None


@dataclass(frozen=True, slots=True)
class Plan:
    """``made`` is the backup that is in the store already: this command's own work of before the agent ended."""

    vm: str
    snapshot: str
    stretches: tuple[Stretch, ...]
    flags: SendFlags
    parent: Manifest | None
    machine: Mapping[str, Any]
    ground: Ground
    made: Manifest | None = None

    @property
    def names(self) -> list[str]:
        """The snapshots, in full."""
        return [one.snapshot for one in self.stretches]

    @property
    def held(self) -> list[str]:
        """The snapshots that must stay while they are read."""
        return [*self.names, *(one.base for one in self.stretches if one.base is not None and "@" in one.base)]


def find(bucket: Bucket, vm: str, snapshot: str) -> Manifest | None:
    """A backup in the store; None when there is none. Raises ChecksumMismatch, StorageFailed."""
    try:
        return catalogue.load(bucket, manifest_key(vm, snapshot))
    except StorageMissing:
        return None


async def wants_snapshot(zfs: Zfs, names: Sequence[str], create: bool | None) -> bool:  # noqa: FBT001 - as in the command
    """Whether the snapshot is to be made: it may be there, or not be there, but not by halves.

    Raises:
        AlreadyExists, NotFound: not as ``create`` says.
        InvalidState: only some of the datasets have it.
    """
    present = [name for name in names if await zfs.exists(name)]
    if present and create is True:
        raise AlreadyExists(f"there is a snapshot {present[0]} already; leave create out to store that one")
    if not present and create is False:
        raise NotFound(f"there is no snapshot {names[0]}, and create is false")
    if present and len(present) < len(names):
        missing = [name for name in names if name not in present]
        raise InvalidState(
            f"only some of the machine's datasets have that snapshot, {missing[0]} is not there: take another name",
            {"present": present, "missing": missing},
        )
    return not present


def check_stored(made: Manifest | None, guids: Mapping[str, str], *, resumed: bool) -> Manifest | None:
    """What is in the store under that name: nothing, or what an earlier run of this command has stored."""
    if made is not None and not (resumed and dict(made.snapshot.guids) == dict(guids)):
        raise Stored(
            f"there is a backup {made.snapshot.name} of this machine already, of {made.created}: "
            "delete it first, or take another name",
            {"snapshot": made.snapshot.name, "created": made.created},
        )
    return made


def check_names(snapshot: str, parent: str | None) -> None:
    """An increment starts from another backup."""
    if parent == snapshot:
        raise InvalidMessage("params.parent is the snapshot itself: an increment starts from another one")


def check_parent(parent: str | None, stored: Manifest | None) -> None:
    """A parent is in the store."""
    if parent is not None and stored is None:
        raise InvalidState(
            f"there is no backup {parent} of this machine in the store: an increment on it could never be restored; "
            "store that first, or leave parent out for a full backup",
            {"parent": parent},
        )


async def flags(streams: ZfsStreams, parent: Manifest | None, *, as_stored: bool) -> SendFlags:
    """How streams are made: as is wanted and this host's ZFS can; in a chain as its parent was."""
    wanted = as_stored if parent is None else parent.send_flags == AS_STORED.words()
    return AS_STORED if wanted and (await streams.features()).compressed_send else PLAIN


async def bases(
    streams: ZfsStreams, zfs: ZfsDatasets, parent: Manifest, datasets: Sequence[str], flags: tuple[str, ...]
) -> dict[str, str]:
    """What each increment starts from: the parent's snapshot here, or the bookmark of it; by GUID, not by name.

    Raises:
        InvalidState: the parent is not on this host, or is another one than the one stored.
    """
    found: dict[str, str] = {}
    guids: dict[str, str] = {}
    for dataset in datasets:
        if dataset not in parent.snapshot.guids:
            continue  # it is new since then: all of it is stored
        base, guid = await _base(streams, zfs, dataset, parent.snapshot.name, parent.snapshot.guids[dataset])
        found[dataset], guids[dataset] = base, guid
    may_follow(parent, guids, flags)
    return found


async def _base(streams: ZfsStreams, zfs: ZfsDatasets, dataset: str, name: str, wanted: str) -> tuple[str, str]:
    snapshot = f"{dataset}@{name}"
    guid = str(await zfs.guid(snapshot)) if await zfs.exists(snapshot) else ""
    if guid == wanted:
        return snapshot, guid
    for mark in await streams.bookmarks(dataset):
        if str(mark.guid) == wanted:
            return mark.full_name, wanted
    if guid:
        return snapshot, guid
    raise InvalidState(
        f"the parent {snapshot} is not on this host, nor a bookmark of it: make a full backup", {"parent": name}
    )


def check_read_back(manifest: Manifest, stored: Manifest | None) -> None:
    """What is deleted here is deleted on the word of the store, not on ours."""
    if stored is None or stored.encoded() != manifest.encoded():
        raise ChecksumMismatch(f"{manifest.key} is not in the store as it was written", {"key": manifest.key})
