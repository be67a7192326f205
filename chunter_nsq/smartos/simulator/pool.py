"""The host's pool: datasets, volumes, snapshots and holds, kept in one SQLite file.

Responsibilities: what is in the pool and the steps that change it, each one transaction. Sizes are bytes, moments
epoch seconds. Theory: nobody edits a pool by hand, so here, unlike with zones, a database may be the truth; a
process that is killed leaves the last whole transaction. Not promised: data. A dataset has sizes and no content.
"""

from __future__ import annotations

import _sqlite3 as sqlite3  # as sqlite3, without datetime, whose conversions no column has
import os
import time

from chunter_nsq.smartos.simulator import jsontext
from chunter_nsq.smartos.simulator.files import exists

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, Self

PLACE = "var/simulator/pool.db"
FRESH_BYTES = 98304  # what an empty filesystem refers to
SNAPSHOT_BYTES = 73728  # what a snapshot of a little used dataset holds
SCHEMA = """
CREATE TABLE counters(name TEXT PRIMARY KEY, value INTEGER);
CREATE TABLE datasets(name TEXT PRIMARY KEY, type TEXT, guid INTEGER, createtxg INTEGER, creation INTEGER,
  origin TEXT, refer INTEGER, own INTEGER, usedsnap INTEGER, local TEXT);
CREATE TABLE snapshots(dataset TEXT, name TEXT, guid INTEGER, createtxg INTEGER, creation INTEGER,
  used INTEGER, refer INTEGER, holds TEXT, local TEXT, PRIMARY KEY(dataset, name));
CREATE INDEX snapshot_names ON snapshots(name);
INSERT INTO counters VALUES('txg', 1000);
"""
COLUMNS = "name, type, guid, createtxg, creation, origin, refer, own, usedsnap, local"
SNAPSHOT_COLUMNS = "dataset, name, guid, createtxg, creation, used, refer, holds, local"


class Dataset:
    """A filesystem or volume; ``local`` holds the properties set on it, as text."""

    __slots__ = ("createtxg", "creation", "guid", "local", "name", "origin", "own", "refer", "type", "usedsnap")

    def __init__(self, row: Sequence[Any]) -> None:
        self.name: str = row[0]
        self.type: str = row[1]
        self.guid: int = row[2]
        self.createtxg: int = row[3]
        self.creation: int = row[4]
        self.origin: str = row[5] or ""
        self.refer: int = row[6]
        self.own: int = row[7]
        self.usedsnap: int = row[8]
        self.local: dict[str, str] = jsontext.loads(row[9]) if row[9] else {}

    def size(self, name: str) -> int:
        """A local property in bytes, 0 when it is not set."""
        value = self.local.get(name, "0")
        return int(value) if value.isdigit() else 0


class Snapshot:
    """A snapshot; ``holds`` maps tags to the moments they were made."""

    __slots__ = ("createtxg", "creation", "dataset", "guid", "holds", "local", "refer", "short", "used")

    type = "snapshot"

    def __init__(self, row: Sequence[Any]) -> None:
        self.dataset: str = row[0]
        self.short: str = row[1]
        self.guid: int = row[2]
        self.createtxg: int = row[3]
        self.creation: int = row[4]
        self.used: int = row[5]
        self.refer: int = row[6]
        self.holds: dict[str, int] = jsontext.loads(row[7]) if row[7] else {}
        self.local: dict[str, str] = jsontext.loads(row[8]) if row[8] else {}

    @property
    def name(self) -> str:
        """The whole name, ``dataset@short``."""
        return f"{self.dataset}@{self.short}"


class Pool:
    """An open pool; use it as a context manager for one transaction that changes it."""

    real = False

    def __init__(self, root: str) -> None:
        path = f"{root}/{PLACE}"
        fresh = not exists(path)
        self._database = sqlite3.connect(path, timeout=120.0, isolation_level=None)
        self._database.execute("PRAGMA synchronous=OFF")
        if fresh:
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.executescript(SCHEMA)

    def __enter__(self) -> Self:
        self._database.execute("BEGIN IMMEDIATE")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._database.execute("COMMIT" if kind is None else "ROLLBACK")

    def close(self) -> None:
        """Let the database go."""
        self._database.close()

    # -- reading

    def dataset(self, name: str) -> Dataset | None:
        """The filesystem or volume of that name."""
        row = self._database.execute(f"SELECT {COLUMNS} FROM datasets WHERE name = ?", (name,)).fetchone()  # noqa: S608 - constants
        return Dataset(row) if row else None

    def datasets(self, root: str | None = None) -> list[Dataset]:
        """A dataset and all below it, or every one, by name."""
        query = f"SELECT {COLUMNS} FROM datasets"  # noqa: S608 - constants
        if root is None:
            rows = self._database.execute(query + " ORDER BY name")
        else:
            rows = self._database.execute(
                query + " WHERE name = ? OR (name > ? AND name < ?) ORDER BY name", (root, root + "/", root + "0")
            )
        return [Dataset(row) for row in rows]

    def named(self, prefix: str) -> list[Dataset]:
        """The datasets whose names begin like this, by name."""
        query = f"SELECT {COLUMNS} FROM datasets WHERE name >= ? AND name < ? ORDER BY name"  # noqa: S608 - constants
        return [Dataset(row) for row in self._database.execute(query, (prefix, prefix + "\x7f"))]

    def snapshot_of(self, dataset: str, short: str) -> Snapshot | None:
        """One snapshot."""
        row = self._database.execute(
            f"SELECT {SNAPSHOT_COLUMNS} FROM snapshots WHERE dataset = ? AND name = ?",  # noqa: S608 - constants
            (dataset, short),
        ).fetchone()
        return Snapshot(row) if row else None

    def snapshots(self, dataset: str | None = None, *, below: bool = False, prefix: str = "") -> list[Snapshot]:
        """Snapshots, oldest first: of one dataset, of all below it as well, or of the whole pool."""
        query = f"SELECT {SNAPSHOT_COLUMNS} FROM snapshots"  # noqa: S608 - constants
        wheres, values = [], []
        if dataset is not None and below:
            wheres.append("(dataset = ? OR (dataset > ? AND dataset < ?))")
            values += [dataset, dataset + "/", dataset + "0"]
        elif dataset is not None:
            wheres.append("dataset = ?")
            values.append(dataset)
        if prefix:
            wheres.append("(name >= ? AND name < ?)")
            values += [prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1)]
        if wheres:
            query += " WHERE " + " AND ".join(wheres)
        return [Snapshot(row) for row in self._database.execute(query + " ORDER BY createtxg", values)]

    def clones(self, snapshot: str) -> list[str]:
        """The datasets whose origin is this snapshot."""
        rows = self._database.execute("SELECT name FROM datasets WHERE origin = ? ORDER BY name", (snapshot,))
        return [row[0] for row in rows]

    # -- changing, inside a transaction

    def add(
        self,
        name: str,
        kind: str = "filesystem",
        local: dict[str, str] | None = None,
        *,
        origin: str = "",
        refer: int = FRESH_BYTES,
        own: int | None = None,
        creation: int | None = None,
        guid: int | None = None,
    ) -> None:
        """A new filesystem or volume."""
        txg = self._txg()
        self._database.execute(
            "INSERT INTO datasets VALUES(?, ?, ?, ?, ?, ?, ?, ?, 0, ?)",
            (
                name, kind, _guid() if guid is None else guid, txg, int(time.time()) if creation is None else creation,
                origin, refer, refer if own is None else own, jsontext.dumps(local or {}),
            ),
        )  # fmt: skip

    def add_snapshots(self, names: Iterable[tuple[str, str]], *, creation: int | None = None, used: int = 0) -> None:
        """New snapshots, all of one instant."""
        txg = self._txg()
        moment = int(time.time()) if creation is None else creation
        rows = [
            (dataset, short, _guid(), txg, moment, used, one.refer, "{}", "{}")
            for dataset, short in names
            if (one := self.dataset(dataset)) is not None
        ]
        self._database.executemany("INSERT INTO snapshots VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        for row in rows:
            self._count_snapshots(row[0])

    def add_received(self, dataset: str, short: str, *, guid: int, refer: int) -> None:
        """The snapshot that a stream brought; it keeps its guid."""
        self._database.execute(
            "INSERT INTO snapshots VALUES(?, ?, ?, ?, ?, 0, ?, '{}', '{}')",
            (dataset, short, guid, self._txg(), int(time.time()), refer),
        )

    def remove(self, name: str) -> None:
        """A dataset and its snapshots go."""
        self._database.execute("DELETE FROM snapshots WHERE dataset = ?", (name,))
        self._database.execute("DELETE FROM datasets WHERE name = ?", (name,))

    def remove_snapshot(self, dataset: str, short: str) -> None:
        """One snapshot goes."""
        self._database.execute("DELETE FROM snapshots WHERE dataset = ? AND name = ?", (dataset, short))
        self._count_snapshots(dataset)

    def set_local(self, name: str, changes: dict[str, str | None]) -> None:
        """Set properties on a dataset or snapshot; None takes one away."""
        dataset, _, short = name.partition("@")
        item = self.snapshot_of(dataset, short) if short else self.dataset(dataset)
        if item is None:
            return
        local = item.local | {key: value for key, value in changes.items() if value is not None}
        for key, value in changes.items():
            if value is None:
                local.pop(key, None)
        if short:
            query = "UPDATE snapshots SET local = ? WHERE dataset = ? AND name = ?"
            self._database.execute(query, (jsontext.dumps(local), dataset, short))
        else:
            self._database.execute("UPDATE datasets SET local = ? WHERE name = ?", (jsontext.dumps(local), name))

    def set_holds(self, snapshot: Snapshot) -> None:
        """The snapshot's holds are as they stand in it."""
        self._database.execute(
            "UPDATE snapshots SET holds = ? WHERE dataset = ? AND name = ?",
            (jsontext.dumps(snapshot.holds), snapshot.dataset, snapshot.short),
        )

    def roll_back(self, target: Snapshot) -> None:
        """The dataset is as it was then; what is younger has gone before."""
        one = self.dataset(target.dataset)
        if one is not None:
            self.set_sizes(target.dataset, target.refer, one.own)

    def set_sizes(self, name: str, refer: int, own: int) -> None:
        """A dataset holds that much from now on."""
        self._database.execute("UPDATE datasets SET refer = ?, own = ? WHERE name = ?", (refer, own, name))

    def rename(self, old: str, new: str) -> None:
        """A dataset and all below it, or a snapshot, gets another name."""
        if "@" in old:
            dataset, _, short = old.partition("@")
            self._database.execute(
                "UPDATE snapshots SET name = ? WHERE dataset = ? AND name = ?", (new.partition("@")[2], dataset, short)
            )
            self._database.execute("UPDATE datasets SET origin = ? WHERE origin = ?", (new, old))
            return
        for one in self.datasets(old):
            name = new + one.name[len(old) :]
            self._database.execute("UPDATE snapshots SET dataset = ? WHERE dataset = ?", (name, one.name))
            self._database.execute("UPDATE datasets SET name = ? WHERE name = ?", (name, one.name))
            self._database.execute(
                "UPDATE datasets SET origin = ? || substr(origin, ?) WHERE origin LIKE ? || '@%'",
                (name, len(one.name) + 1, one.name),
            )

    def promote(self, name: str) -> None:
        """A clone gets its origin and the snapshots before it; what it was made of is the clone from now on."""
        origin = self._database.execute("SELECT origin FROM datasets WHERE name = ?", (name,)).fetchone()[0]
        parent, _, short = origin.partition("@")
        last = self.snapshot_of(parent, short)
        grand = self.dataset(parent)
        self._database.execute(
            "UPDATE snapshots SET dataset = ? WHERE dataset = ? AND createtxg <= ?",
            (name, parent, last.createtxg if last else 0),
        )
        pairs = [(grand.origin if grand else "", name), (f"{name}@{short}", parent)]
        self._database.executemany("UPDATE datasets SET origin = ? WHERE name = ?", pairs)
        for dataset in (name, parent):
            self._count_snapshots(dataset)

    def _count_snapshots(self, dataset: str) -> None:
        self._database.execute(
            "UPDATE datasets SET usedsnap = (SELECT coalesce(sum(used), 0) FROM snapshots WHERE dataset = ?) "
            "WHERE name = ?",
            (dataset, dataset),
        )

    def _txg(self) -> int:
        self._database.execute("UPDATE counters SET value = value + 1 WHERE name = 'txg'")
        row = self._database.execute("SELECT value FROM counters WHERE name = 'txg'").fetchone()
        return int(row[0])


def _guid() -> int:
    return int.from_bytes(os.urandom(8), "big") >> 1
