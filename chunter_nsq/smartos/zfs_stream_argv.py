"""The argument vectors of ``zfs`` that move datasets: streams, bookmarks, renames, clones; each name checked.

What destroys or overwrites takes a dataset below its pool, never the pool.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from chunter_nsq.smartos.names import (
    checked,
    checked_dataset,
    checked_dataset_snapshot,
    is_below_pool,
    is_dataset,
    is_dataset_bookmark,
    is_dataset_snapshot,
    is_property,
)
from chunter_nsq.smartos.zfs_argv import ZFS

USAGE_ARGV = (ZFS,)
_VALUE = re.compile(r"[^\x00-\x1f\x7f]{0,1023}")


@dataclass(frozen=True, slots=True)
class SendFlags:
    """How a stream is made; a chain of increments must not mix them."""

    compressed: bool = False  # -c: blocks as they lie on disk
    large_blocks: bool = False  # -L
    embedded: bool = False  # -e
    raw: bool = False  # -w: an encrypted dataset as it is
    properties: bool = False  # -p

    def words(self) -> tuple[str, ...]:
        """The options, in one word; nothing when there are none."""
        letters = zip(
            "cLewp", (self.compressed, self.large_blocks, self.embedded, self.raw, self.properties), strict=True
        )
        chosen = "".join(letter for letter, wanted in letters if wanted)
        return (f"-{chosen}",) if chosen else ()


PLAIN = SendFlags()
AS_STORED = SendFlags(compressed=True)


def send_argv(snapshot: str, base: str | None = None, flags: SendFlags = PLAIN) -> tuple[str, ...]:
    """A stream of a snapshot: all of it, or what changed since ``base``, a snapshot or bookmark of the dataset."""
    return (ZFS, "send", *flags.words(), *_since(base), checked_dataset_snapshot(snapshot))


def estimate_argv(snapshot: str, base: str | None = None, flags: SendFlags = PLAIN) -> tuple[str, ...]:
    """How long that stream will be, without making it."""
    return (ZFS, "send", "-nvP", *flags.words(), *_since(base), checked_dataset_snapshot(snapshot))


def receive_argv(
    target: str, *, overwrite: bool = False, properties: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """A stream becomes ``target`` (dataset or dataset@snapshot), unmounted.

    ``overwrite`` takes back whatever changed in a dataset that exists, or all of it.
    """
    checked(target.partition("@")[0], is_below_pool, "a dataset below its pool")
    given = [word for pair in (properties or {}).items() for word in ("-o", assignment(*pair))]
    return (ZFS, "receive", "-u", *(("-F",) if overwrite else ()), *given, _dataset_or_snapshot(target))


def bookmark_argv(snapshot: str, bookmark: str) -> tuple[str, ...]:
    """A mark (``dataset#name``) that can be the base of an increment when the snapshot is gone."""
    return (ZFS, "bookmark", checked_dataset_snapshot(snapshot), _bookmark(bookmark))


def bookmarks_argv(dataset: str) -> tuple[str, ...]:
    """The bookmarks of a dataset, with what tells them apart."""
    columns = ("-t", "bookmark", "-o", "name,guid,creation", "-s", "creation")
    return (ZFS, "list", "-Hp", *columns, "-d", "1", checked_dataset(dataset))


def destroy_bookmark_argv(bookmark: str) -> tuple[str, ...]:
    """One bookmark gone."""
    return (ZFS, "destroy", _bookmark(bookmark))


def destroy_dataset_argv(dataset: str, *, recursive: bool = False) -> tuple[str, ...]:
    """A dataset gone; with ``recursive`` all below it and their snapshots too."""
    return (ZFS, "destroy", *(("-r",) if recursive else ()), _below_pool(dataset))


def rename_argv(old: str, new: str) -> tuple[str, ...]:
    """A dataset, with all below it, under another name of the same pool."""
    return (ZFS, "rename", _below_pool(old), _below_pool(new))


def create_argv(dataset: str, properties: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """A new file system."""
    given = [word for pair in (properties or {}).items() for word in ("-o", assignment(*pair))]
    return (ZFS, "create", *given, _below_pool(dataset))


def clone_argv(snapshot: str, dataset: str, properties: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """A writable dataset made of a snapshot."""
    given = [word for pair in (properties or {}).items() for word in ("-o", assignment(*pair))]
    return (ZFS, "clone", *given, checked_dataset_snapshot(snapshot), _below_pool(dataset))


def promote_argv(clone: str) -> tuple[str, ...]:
    """A clone and what it was made of change places."""
    return (ZFS, "promote", _below_pool(clone))


def set_argv(dataset: str, name: str, value: str) -> tuple[str, ...]:
    """One property set; old ZFS takes no more at once."""
    return (ZFS, "set", assignment(name, value), checked_dataset(dataset))


def inherit_argv(dataset: str, name: str) -> tuple[str, ...]:
    """One property as the parent has it."""
    return (ZFS, "inherit", checked(name, is_property, "a property"), checked_dataset(dataset))


def mount_argv(dataset: str) -> tuple[str, ...]:
    """A file system mounted where its property says."""
    return (ZFS, "mount", _below_pool(dataset))


def unmount_argv(dataset: str, *, force: bool = False) -> tuple[str, ...]:
    """A file system mounted nowhere."""
    return (ZFS, "unmount", *(("-f",) if force else ()), _below_pool(dataset))


def assignment(name: str, value: str) -> str:
    """``name=value``, the name a property's and the value one line."""
    checked(value, lambda text: _VALUE.fullmatch(text) is not None, "a property's value")
    return f"{checked(name, is_property, 'a property')}={value}"


def _since(base: str | None) -> tuple[str, ...]:
    if base is None:
        return ()
    either = checked(
        base,
        lambda name: is_dataset_snapshot(name) or is_dataset_bookmark(name),
        "dataset@snapshot or dataset#bookmark",
    )
    return ("-i", either)


def _below_pool(dataset: str) -> str:
    return checked(dataset, is_below_pool, "a dataset below its pool")


def _bookmark(name: str) -> str:
    return checked(name, is_dataset_bookmark, "dataset#bookmark")


def _dataset_or_snapshot(name: str) -> str:
    return checked(name, lambda value: is_dataset(value) or is_dataset_snapshot(value), "a dataset or snapshot")
