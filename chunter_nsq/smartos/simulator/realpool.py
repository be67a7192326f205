"""A simulated host's pool that is real: the same steps as the simulated one, done by this machine's ``zfs``.

Theory: everything is read anew with one ``zfs get`` when it is first asked for, and again after a change; nothing is
kept beside what ZFS keeps. A step is done when it returns: there are no transactions to take back. Where this
machine's ZFS has no volumes, a file system with the property ``simulator:volsize`` stands for one; its folder is where
the volume's device would be.
"""

from __future__ import annotations

import json
import re

from chunter_nsq.smartos.simulator import realzfs
from chunter_nsq.smartos.simulator.bookmarks import SIGN
from chunter_nsq.smartos.simulator.pool import FRESH_BYTES, Dataset, Pool, Snapshot
from chunter_nsq.smartos.simulator.process import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Self

    from chunter_nsq.smartos.simulator.realnames import RealNames

GUARD = "do_not_destroy"
VOLUME = "simulator:volsize"
VOLUME_ONLY = ("volsize", "volblocksize", "refreservation")
NO_VOLUMES = "Function not implemented"
UNKNOWN = re.compile(r"(?:invalid property '|cannot set property [^\n]*: ?')([^']+)'|'([a-z]+)' must be one of")


class RealPool(Pool):
    """A pool of this machine under the simulated host's names."""

    real = True

    def __init__(self, names: RealNames) -> None:
        self._names = names
        self._known: tuple[dict[str, Dataset], list[Snapshot]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        return

    def close(self) -> None:
        """There is nothing to let go."""

    # -- reading

    def _all(self) -> tuple[dict[str, Dataset], list[Snapshot]]:
        if self._known is None:
            found: dict[str, dict[str, tuple[str, str]]] = {}
            text = realzfs.zfs(self._names, "get", "-rHp", "-o", "name,property,value,source", "all", "zones")
            for line in text.splitlines():
                name, prop, value, source = line.split("\t")
                found.setdefault(name, {})[prop] = (value, source)
            datasets = {name: _dataset(name, one) for name, one in found.items() if not {"@", SIGN} & set(name)}
            snapshots = [_snapshot(name, one) for name, one in found.items() if "@" in name]
            for place, one in enumerate(sorted(snapshots, key=lambda one: one.creation)):
                one.createtxg = place
            self._known = (dict(sorted(datasets.items())), sorted(snapshots, key=lambda one: one.createtxg))
        return self._known

    def dataset(self, name: str) -> Dataset | None:
        """The filesystem or volume of that name."""
        return self._all()[0].get(name)

    def datasets(self, root: str | None = None) -> list[Dataset]:
        """A dataset and all below it, or every one, by name."""
        return [one for name, one in self._all()[0].items() if root is None or f"{name}/".startswith(f"{root}/")]

    def named(self, prefix: str) -> list[Dataset]:
        """The datasets whose names begin so."""
        return [one for name, one in self._all()[0].items() if name.startswith(prefix)]

    def snapshot_of(self, dataset: str, short: str) -> Snapshot | None:
        """One snapshot."""
        return next((one for one in self._all()[1] if (one.dataset, one.short) == (dataset, short)), None)

    def snapshots(self, dataset: str | None = None, *, below: bool = False, prefix: str = "") -> list[Snapshot]:
        """Snapshots, oldest first: of one dataset, of all below it as well, or of the whole pool."""

        def meant(one: Snapshot) -> bool:
            if dataset is not None and one.dataset != dataset and not (below and one.dataset.startswith(f"{dataset}/")):
                return False
            return one.short.startswith(prefix)

        return [one for one in self._all()[1] if meant(one)]

    def clones(self, snapshot: str) -> list[str]:
        """The datasets whose origin is this snapshot."""
        return [one.name for one in self._all()[0].values() if one.origin == snapshot]

    # -- changing

    def _zfs(self, *words: str) -> None:
        realzfs.zfs(self._names, *words)
        self._known = None

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
        """A new filesystem or volume; sizes, moment and guid are what ZFS makes them."""
        del refer, own, creation, guid
        properties = dict(local or {})
        if properties.get("mountpoint") == f"/{name}":
            del properties["mountpoint"]  # inherited, so that it follows a rename
        if kind == "volume":
            self._add_volume(name, properties, origin)
        else:
            self._make(["clone", origin, name] if origin else ["create", name], properties)

    def _add_volume(self, name: str, properties: dict[str, str], origin: str) -> None:
        plain = {key: value for key, value in properties.items() if key not in VOLUME_ONLY}
        if origin:
            emulated = VOLUME in self._local(origin.partition("@")[0])
        else:
            given = [word for key, value in plain.items() for word in ("-o", f"{key}={value}")]
            try:
                return self._zfs("create", "-s", "-V", properties["volsize"], *given, name)
            except Refused as refusal:
                if NO_VOLUMES not in refusal.text:
                    raise
            emulated = True
        if emulated:
            plain |= {VOLUME: properties["volsize"], "mountpoint": f"/dev/zvol/dsk/{name}"}
            plain["simulator:volblocksize"] = properties.get("volblocksize", "8192")
        return self._make(["clone", origin, name] if origin else ["create", name], plain)

    def _local(self, name: str) -> dict[str, str]:
        text = realzfs.zfs(self._names, "get", "-Hp", "-s", "local", "-o", "property,value", "all", name)
        return dict(line.split("\t", 1) for line in text.splitlines())

    def _make(self, words: list[str], properties: dict[str, str]) -> None:
        """Make a dataset; what this machine's ZFS does not know of its properties is left out."""
        given = dict(properties)
        while True:
            options = [word for key, value in given.items() for word in ("-o", f"{key}={value}")]
            try:
                return self._zfs(words[0], *options, *words[1:])
            except Refused as refusal:
                unknown = UNKNOWN.search(refusal.text)
                name = (unknown[1] or unknown[2]) if unknown else ""
                if name not in given:
                    raise
                if given[name] in ("on", "off") or name != "compression":
                    del given[name]
                else:
                    given[name] = "on"

    def add_snapshots(self, names: Iterable[tuple[str, str]], *, creation: int | None = None, used: int = 0) -> None:
        """New snapshots, all of one instant where this machine's ZFS can."""
        del creation, used
        full = [f"{dataset}@{short}" for dataset, short in names]
        try:
            self._zfs("snapshot", *full)
        except Refused as refusal:
            if "too many arguments" not in refusal.text:
                raise
            for name in full:
                self._zfs("snapshot", name)

    def remove(self, name: str) -> None:
        """A dataset and all below it go; gone already is as good."""
        self._known = None
        try:
            realzfs.patiently(self._names, "destroy", "-rf", name)
        except Refused as refusal:
            if "does not exist" not in refusal.text:
                raise

    def remove_snapshot(self, dataset: str, short: str) -> None:
        """One snapshot goes, and the guard that this host put on it."""
        one = self.snapshot_of(dataset, short)
        if one is not None and one.holds and short == "indestructible":
            self._zfs("release", GUARD, one.name)
        self._zfs("destroy", f"{dataset}@{short}")

    def set_local(self, name: str, changes: dict[str, str | None]) -> None:
        """Set properties on a dataset; None takes one away."""
        emulated = VOLUME in self._local(name)
        for key, value in changes.items():
            if emulated and key in VOLUME_ONLY:
                prop = f"simulator:{key}"
            elif key in ("filesystem_limit", "snapshot_limit") and value is None:
                continue
            else:
                prop = key
            self._zfs(*(("inherit", prop, name) if value is None else ("set", f"{prop}={value}", name)))

    def set_holds(self, snapshot: Snapshot) -> None:
        """The snapshot is guarded when it has holds."""
        if snapshot.holds:
            self._zfs("hold", GUARD, snapshot.name)

    def set_sizes(self, name: str, refer: int, own: int) -> None:
        """Sizes are what they are."""

    def roll_back(self, target: Snapshot) -> None:
        """The dataset is as it was then; what is younger goes."""
        self._zfs("rollback", "-r", target.name)

    def rename(self, old: str, new: str) -> None:
        """A dataset and all below it, or a snapshot, gets another name."""
        self._zfs("rename", old, new)


def _dataset(name: str, found: dict[str, tuple[str, str]]) -> Dataset:
    local = {key: value for key, (value, source) in found.items() if source in ("local", "received")}
    local |= {key: found[key][0] for key in ("volsize", "volblocksize") if key in found}
    kind = found["type"][0]
    if VOLUME in local:
        kind = "volume"
        local |= {key.partition(":")[2]: value for key, value in local.items() if key.startswith("simulator:")}
    row: list[Any] = [name, kind, _number(found, "guid"), _number(found, "createtxg"), _number(found, "creation")]
    origin = found.get("origin", ("", ""))[0]
    row += ["" if origin == "-" else origin, _number(found, "referenced")]
    row += [_number(found, "usedbydataset"), _number(found, "usedbysnapshots"), json.dumps(local)]
    return Dataset(row)


def _snapshot(name: str, found: dict[str, tuple[str, str]]) -> Snapshot:
    dataset, _, short = name.partition("@")
    creation = _number(found, "creation")
    holds = dict.fromkeys(("held", "held again")[: _number(found, "userrefs")], creation)
    row = [dataset, short, _number(found, "guid"), 0, creation, _number(found, "used"), _number(found, "referenced")]
    return Snapshot([*row, json.dumps(holds), None])


def _number(found: dict[str, tuple[str, str]], prop: str) -> int:
    value = found.get(prop, ("0", ""))[0]
    return int(value) if value.isdecimal() else 0
