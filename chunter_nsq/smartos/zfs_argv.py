"""The argument vectors of ``zfs``, each name in them checked."""

from __future__ import annotations

from collections.abc import Sequence

from chunter_nsq.smartos.names import (
    checked,
    checked_dataset,
    checked_dataset_snapshot,
    is_dataset,
    is_dataset_snapshot,
    is_property,
)

ZFS = "usr/sbin/zfs"
DATASET_PROPERTIES = ("type", "used", "referenced", "mountpoint")
SNAPSHOT_PROPERTIES = ("creation", "used", "referenced")


def datasets_argv(root: str) -> tuple[str, ...]:
    """File systems and volumes from a root down, one a line, in exact numbers."""
    columns = "name,type,used,refer,mountpoint"
    return (ZFS, "list", "-Hp", "-t", "filesystem,volume", "-o", columns, "-r", checked_dataset(root))


def probe_argv(dataset: str) -> tuple[str, ...]:
    """Whether this ZFS lists exact numbers: a cheap listing with that option."""
    return (ZFS, "list", "-Hp", "-o", "name", checked_dataset(dataset))


def names_argv(root: str) -> tuple[str, ...]:
    """The names of file systems and volumes from a root down."""
    return (ZFS, "list", "-H", "-t", "filesystem,volume", "-o", "name", "-r", checked_dataset(root))


def snapshots_argv(dataset: str, *, recursive: bool = False) -> tuple[str, ...]:
    """The snapshots of a dataset, oldest first, or of all below it too, by their names; in exact numbers."""
    order, depth = ("name", ("-r",)) if recursive else ("creation", ("-d", "1"))
    columns = ("-o", "name,creation,used,refer")
    return (ZFS, "list", "-Hp", "-t", "snapshot", *columns, "-s", order, *depth, checked_dataset(dataset))


def snapshots_by_get_argv(dataset: str, *, recursive: bool = False) -> tuple[str, ...]:
    """The same, and the datasets themselves, three lines for each, in the order of the tree."""
    depth = ("-r",) if recursive else ("-d", "1")
    columns = ("-o", "name,property,value")
    return (ZFS, "get", "-Hp", *columns, *depth, ",".join(SNAPSHOT_PROPERTIES), checked_dataset(dataset))


def get_argv(names: Sequence[str], properties: Sequence[str]) -> tuple[str, ...]:
    """Properties of datasets or snapshots, one a line, in exact numbers."""
    asked = ",".join(checked(name, is_property, "a property") for name in properties)
    return (ZFS, "get", "-Hp", "-o", "name,property,value", asked, *map(_checked_either, names))


def written_argv(snapshot: str) -> tuple[str, ...]:
    """How much of a dataset is new since one of its snapshots, in bytes."""
    dataset, _, short = checked_dataset_snapshot(snapshot).partition("@")
    return (ZFS, "get", "-Hp", "-o", "value", f"written@{short}", dataset)


def exists_argv(name: str) -> tuple[str, ...]:
    """Whether a dataset or snapshot is there: the exit status says."""
    return (ZFS, "get", "-H", "-o", "value", "type", _checked_either(name))


def snapshot_argv(names: Sequence[str]) -> tuple[str, ...]:
    """Snapshots made in one transaction: all or none."""
    return (ZFS, "snapshot", *map(checked_dataset_snapshot, names))


def destroy_snapshot_argv(name: str) -> tuple[str, ...]:
    """One snapshot gone; a dataset's name never gets here."""
    return (ZFS, "destroy", checked_dataset_snapshot(name))


def rollback_argv(name: str) -> tuple[str, ...]:
    """A dataset back at a snapshot; newer snapshots are destroyed."""
    return (ZFS, "rollback", "-r", checked_dataset_snapshot(name))


def hold_argv(name: str, tag: str) -> tuple[str, ...]:
    """A snapshot that cannot be destroyed until the tag is released."""
    return (ZFS, "hold", checked(tag, is_property, "a hold's tag"), checked_dataset_snapshot(name))


def release_argv(name: str, tag: str) -> tuple[str, ...]:
    """A tag taken off a snapshot."""
    return (ZFS, "release", checked(tag, is_property, "a hold's tag"), checked_dataset_snapshot(name))


def holds_argv(name: str) -> tuple[str, ...]:
    """The tags on a snapshot."""
    return (ZFS, "holds", "-H", checked_dataset_snapshot(name))


def _checked_either(name: str) -> str:
    return checked(name, lambda value: is_dataset(value) or is_dataset_snapshot(value), "a dataset or snapshot")
