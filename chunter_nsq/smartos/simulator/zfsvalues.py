"""Values of ZFS properties, as ``zfs list`` and ``zfs get`` print them, with where each comes from."""

from __future__ import annotations

import time

from chunter_nsq.smartos.simulator.pool import Dataset, Snapshot
from chunter_nsq.smartos.simulator.values import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

Item = Dataset | Snapshot
UNLIMITED = "18446744073709551615"
LIMITS = ("filesystem_limit", "snapshot_limit")
QUOTAS = ("quota", "refquota", "reservation", "refreservation")
SHORT = {
    "avail": "available", "refer": "referenced", "recsize": "recordsize", "refreserv": "refreservation",
    "reserv": "reservation", "volblock": "volblocksize", "ratio": "compressratio", "lrefer": "logicalreferenced",
    "lused": "logicalused", "compress": "compression",
}  # fmt: skip
SIZES = frozenset(
    words(
        "used available referenced quota refquota reservation refreservation recordsize volsize volblocksize "
        "written usedbydataset usedbychildren usedbysnapshots usedbyrefreservation logicalused "
        "logicalreferenced"
    )
)
# Properties that are set and inherited, with their defaults; None: no default for the type.
SETTABLE: dict[str, str] = {
    "quota": "0", "reservation": "0", "refquota": "0", "refreservation": "0", "recordsize": "131072",
    "mountpoint": "", "sharenfs": "off", "checksum": "on", "compression": "off", "atime": "on", "devices": "on",
    "exec": "on", "setuid": "on", "readonly": "off", "zoned": "off", "snapdir": "hidden", "aclmode": "discard",
    "aclinherit": "restricted", "canmount": "on", "copies": "1", "sync": "standard", "dedup": "off",
    "logbias": "latency",
    "primarycache": "all", "secondarycache": "all", "mlslabel": "none", "filesystem_limit": UNLIMITED,
    "snapshot_limit": UNLIMITED, "volsize": "", "volblocksize": "8192",
}  # fmt: skip
NOT_INHERITED = frozenset(
    words("quota reservation refquota refreservation volsize volblocksize canmount filesystem_limit snapshot_limit")
)
FILESYSTEM_ONLY = frozenset(
    words("quota refquota recordsize mountpoint atime devices exec setuid zoned snapdir canmount")
)
ALL = words(
    "type creation used available referenced compressratio mounted origin quota reservation volsize "
    "volblocksize recordsize mountpoint checksum compression atime devices exec setuid readonly zoned "
    "snapdir canmount copies refquota refreservation guid usedbysnapshots usedbydataset usedbychildren "
    "usedbyrefreservation logbias dedup mlslabel sync written logicalused logicalreferenced "
    "filesystem_limit snapshot_limit userrefs clones createtxg"
)


class View:
    """The pool's datasets at one instant, with what they use summed up."""

    def __init__(self, datasets: list[Dataset], size_bytes: int, clones: Callable[[str], list[str]]) -> None:
        self.datasets = {one.name: one for one in datasets}
        self._size_bytes = size_bytes
        self._clones = clones
        self.used: dict[str, int] = {}
        self.children: dict[str, int] = {}
        for name in sorted(self.datasets, key=lambda name: -name.count("/")):
            one = self.datasets[name]
            used = max(one.own, one.size("refreservation")) + one.usedsnap + self.children.get(name, 0)
            self.used[name] = used
            parent = name.rpartition("/")[0]
            if parent:
                self.children[parent] = self.children.get(parent, 0) + used

    def available(self, one: Dataset) -> int:
        """What may still be written: the pool's rest, or what the tightest quota above leaves."""
        pool = one.name.split("/")[0]
        free = self._size_bytes - self.used.get(pool, 0)
        name = one.name
        while name:
            above = self.datasets.get(name)
            if above is not None and above.size("quota"):
                free = min(free, above.size("quota") - self.used[name])
            name = name.rpartition("/")[0]
        if one.size("refquota"):
            free = min(free, one.size("refquota") - one.refer)
        return max(0, free + max(0, one.size("refreservation") - one.own))

    def value(self, item: Item, name: str) -> tuple[str, str]:
        """A property's exact value and source, ``-`` where there is none; user properties contain a colon."""
        computed = self._computed(item, name)
        if computed is not None:
            return computed, "-"
        if ":" in name:
            return self._inherited(item, name, "-")
        if name not in SETTABLE:
            raise KeyError(name)
        if isinstance(item, Snapshot) or _absent(item, name):
            return "-", "-"
        if name in NOT_INHERITED:
            source = "-" if name in ("volsize", "volblocksize") else "local"
            return (_limit(item.local[name]), source) if name in item.local else (SETTABLE[name], "default")
        return self._mountpoint(item) if name == "mountpoint" else self._inherited(item, name, SETTABLE[name])

    def _mountpoint(self, item: Dataset) -> tuple[str, str]:
        suffix, name = "", item.name
        while name:
            one = self.datasets.get(name)
            if one is not None and "mountpoint" in one.local:
                value = one.local["mountpoint"]
                if value in ("none", "legacy"):
                    return value, "local" if not suffix else f"inherited from {name}"
                return (value.rstrip("/") + suffix) or "/", "local" if not suffix else f"inherited from {name}"
            suffix = "/" + name.rpartition("/")[2] + suffix
            name = name.rpartition("/")[0]
        return "/" + item.name, "default"

    def _inherited(self, item: Item, prop: str, default: str) -> tuple[str, str]:
        if prop in item.local:
            return item.local[prop], "local"
        name = item.dataset if isinstance(item, Snapshot) else item.name.rpartition("/")[0]
        while name:
            one = self.datasets.get(name)
            if one is not None and prop in one.local:
                return one.local[prop], f"inherited from {name}"
            name = name.rpartition("/")[0]
        return default, "-" if default == "-" else "default"

    def _computed(self, item: Item, name: str) -> str | None:
        common = {
            "name": item.name, "type": item.type, "creation": str(item.creation), "guid": str(item.guid),
            "createtxg": str(item.createtxg), "referenced": str(item.refer), "logicalreferenced": str(item.refer),
            "compressratio": "1.00",
        }  # fmt: skip
        if name in common:
            return common[name]
        if isinstance(item, Snapshot):
            return self._of_snapshot(item, name)
        return self._of_dataset(item, name)

    def _of_snapshot(self, item: Snapshot, name: str) -> str | None:
        if name == "clones":
            return ",".join(self._clones(item.name)) or "-"
        values = {
            "used": str(item.used),
            "userrefs": str(len(item.holds)),
            "written": str(item.used),
            "defer_destroy": "off",
        }
        if name in values:
            return values[name]
        return "-" if name in COMPUTED else None

    def _of_dataset(self, item: Dataset, name: str) -> str | None:
        if name not in COMPUTED:
            return None
        kids = self.children.get(item.name, 0)
        if name == "available":
            return str(self.available(item))
        if name == "mounted":
            mountpoint = self._mountpoint(item)[0]
            no = mountpoint in ("none", "legacy") or item.local.get("zoned") == "on" or "unmounted" in item.local
            return "-" if item.type == "volume" else "no" if no else "yes"
        values = {
            "used": self.used[item.name], "usedbysnapshots": item.usedsnap, "usedbydataset": item.own,
            "usedbychildren": kids, "usedbyrefreservation": max(0, item.size("refreservation") - item.own),
            "written": item.own, "logicalused": self.used[item.name],
        }  # fmt: skip
        if name in values:
            return str(values[name])
        return (item.origin or "-") if name == "origin" else "-"


COMPUTED = frozenset(
    words(
        "used available mounted usedbysnapshots usedbydataset usedbychildren usedbyrefreservation written "
        "logicalused origin clones userrefs defer_destroy"
    )
)


def _absent(item: Dataset, name: str) -> bool:
    if item.type == "volume":
        return name in FILESYSTEM_ONLY
    return name in ("volsize", "volblocksize")


def _limit(value: str) -> str:
    return {"none": "0"}.get(value, value)


def human(name: str, value: str) -> str:
    """An exact value as people read it."""
    if value == "-":
        return value
    if (name in LIMITS and value == UNLIMITED) or (name in QUOTAS and value == "0"):
        return "none"
    if name in SIZES:
        return scaled(int(value))
    if name == "creation":
        return time.strftime("%a %b %e %H:%M %Y", time.gmtime(int(value)))
    return value + "x" if name == "compressratio" else value


def scaled(size: int) -> str:
    """Bytes in the largest unit that leaves a number of at most four places."""
    unit, number = 0, size
    while number >= 1024:  # noqa: PLR2004 - the step between units
        number //= 1024
        unit += 1
    if unit == 0:
        return str(size)
    exact = size / 1024**unit
    suffix = "BKMGTPE"[unit]
    if size == number * 1024**unit:
        return f"{number}{suffix}"
    for digits in (2, 1, 0):
        text = f"{exact:.{digits}f}{suffix}"
        if len(text) <= 5:  # noqa: PLR2004 - the width the platform keeps to
            return text
    return f"{exact:.0f}{suffix}"


def bytes_of(text: str) -> str:
    """A size as typed (``10G``, ``none``) in bytes; other text as it stands."""
    if text == "none":
        return "0"
    factor = "BKMGTPE".find(text[-1:].upper())
    number = text[:-1] if factor >= 0 and len(text) > 1 else text
    try:
        return str(int(float(number) * 1024 ** max(factor, 0)))
    except ValueError:
        return text
