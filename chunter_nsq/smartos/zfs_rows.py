"""What ``zfs`` prints, read: columns between tabs, numbers in bytes, ``-`` for what does not apply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

_TAB = "\t"
_NONE = "-"
_DATASET_COLUMNS = 5
_SNAPSHOT_COLUMNS = 4
_PROPERTY_COLUMNS = 3


class Dataset(NamedTuple):
    """A file system or volume (``type``); ``mountpoint`` is None where there is none."""

    name: str
    type: str
    used_bytes: int
    referenced_bytes: int
    mountpoint: str | None


class Snapshot(NamedTuple):
    """A snapshot: ``name`` is its own name, ``dataset`` what it was taken of, ``created`` in epoch seconds."""

    name: str
    dataset: str
    created: int
    used_bytes: int
    referenced_bytes: int

    @property
    def full_name(self) -> str:
        """``dataset@name``, as ZFS writes it."""
        return f"{self.dataset}@{self.name}"


class Bookmark(NamedTuple):
    """A mark of a snapshot that may be gone: ``name`` is its own name, ``guid`` the snapshot's."""

    name: str
    dataset: str
    guid: int
    created: int

    @property
    def full_name(self) -> str:
        """``dataset#name``, as ZFS writes it."""
        return f"{self.dataset}#{self.name}"


def parse_datasets(stdout: bytes) -> tuple[Dataset, ...] | None:
    """The rows of a listing; None when one is not a dataset's."""
    text = stdout.decode(errors="replace")
    rows = [tuple(line.split(_TAB)) for line in text.split("\n")[:-1]]
    if (text and not text.endswith("\n")) or any(len(row) != _DATASET_COLUMNS for row in rows):
        return None
    return tuple(
        Dataset(name, kind, _number(used), _number(referenced), _mountpoint(mountpoint))
        for name, kind, used, referenced, mountpoint in rows
    )


def parse_snapshot(row: bytes) -> Snapshot | None:
    """A row of a listing; None when it is not a snapshot's."""
    columns = row.decode(errors="replace").split(_TAB)
    if len(columns) != _SNAPSHOT_COLUMNS:
        return None
    dataset, at, name = columns[0].partition("@")
    if not at or not columns[1].isdecimal():
        return None
    return Snapshot(name, dataset, int(columns[1]), _number(columns[2]), _number(columns[3]))


def parse_properties(stdout: bytes) -> dict[str, dict[str, str]]:
    """Name to property to value; rows of another form are left out."""
    found: dict[str, dict[str, str]] = {}
    for line in stdout.decode(errors="replace").split("\n"):
        columns = line.split(_TAB, _PROPERTY_COLUMNS - 1)
        if len(columns) == _PROPERTY_COLUMNS:
            found.setdefault(columns[0], {})[columns[1]] = columns[2]
    return found


def parse_holds(stdout: bytes) -> tuple[str, ...]:
    """The tags, in the order of the listing."""
    rows = (line.split(_TAB) for line in stdout.decode(errors="replace").split("\n"))
    return tuple(row[1] for row in rows if len(row) >= _PROPERTY_COLUMNS)


def parse_bookmarks(stdout: bytes) -> tuple[Bookmark, ...] | None:
    """The rows of a listing; None when one is not a bookmark's."""
    rows = [line.split(_TAB) for line in stdout.decode(errors="replace").split("\n") if line]
    if any(len(row) != _PROPERTY_COLUMNS or "#" not in row[0] or not row[1].isdecimal() for row in rows):
        return None
    return tuple(
        Bookmark(name.partition("#")[2], name.partition("#")[0], int(guid), _number(at)) for name, guid, at in rows
    )


def parse_estimate(text: str) -> int | None:
    """The bytes that a dry run of ``zfs send -nvP`` says; None when it says none."""
    rows = [line.split(_TAB) for line in text.split("\n")]
    sizes = [int(row[1]) for row in rows if row[0] == "size" and len(row) > 1 and row[1].isdecimal()]
    parts = [int(row[-1]) for row in rows if row[0] in {"full", "incremental"} and row[-1].isdecimal()]
    return sizes[-1] if sizes else sum(parts) if parts else None


def dataset_from(name: str, properties: Mapping[str, str]) -> Dataset:
    """A dataset from its properties."""
    used, referenced = properties.get("used", _NONE), properties.get("referenced", _NONE)
    mountpoint = _mountpoint(properties.get("mountpoint", _NONE))
    return Dataset(name, properties.get("type", ""), _number(used), _number(referenced), mountpoint)


def snapshot_from(full_name: str, properties: Mapping[str, str]) -> Snapshot:
    """A snapshot from its properties."""
    dataset, _, name = full_name.partition("@")
    numbers = (_number(properties.get(key, _NONE)) for key in ("creation", "used", "referenced"))
    return Snapshot(name, dataset, *numbers)


class PropertyRows:
    """Gathers the rows of ``zfs get`` into one mapping for each name."""

    def __init__(self, properties: tuple[str, ...]) -> None:
        self._wanted = len(properties)
        self._name = ""
        self._gathered: dict[str, str] = {}

    def feed(self, row: bytes) -> tuple[str, dict[str, str]] | None:
        """One row; name and properties when it completes them."""
        columns = row.decode(errors="replace").split(_TAB, _PROPERTY_COLUMNS - 1)
        if len(columns) != _PROPERTY_COLUMNS:
            return None
        if columns[0] != self._name:
            self._name, self._gathered = columns[0], {}
        self._gathered[columns[1]] = columns[2]
        return (self._name, self._gathered) if len(self._gathered) == self._wanted else None


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _mountpoint(text: str) -> str | None:
    return None if text in {_NONE, "none", ""} else text
