"""A zone's document as a VM object: the part of ``vmadm get`` that comes from ``etc/zones/<zone>.xml``.

The document is read as the platform reads it, element by element: what stands before a fault counts, the last value
of a name is the one that is kept, and of a truncated document there is what is there.
"""

from __future__ import annotations

from chunter_nsq.smartos.simulator.values import (
    BLANKS,
    comma_numbers,
    commas,
    compact,
    counted,
    mebibytes,
    number,
    unbase64,
)
from chunter_nsq.smartos.simulator.xmltree import scan
from chunter_nsq.smartos.simulator.zonetable import (
    ATTRS,
    DEVICE,
    FILESYSTEM,
    NETWORK,
    NETWORK_ATTRS,
    RCTLS,
    ROOT,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from chunter_nsq.smartos.simulator.zonetable import Reader

ITEMS = {"zone.network": ("nics", NETWORK), "zone.filesystem": ("filesystems", FILESYSTEM)}
# Readers that make null of a value that is not there, and readers that the platform's program dies in then.
ABSENT = (counted, mebibytes)
SPLIT = ("Cannot read properties of undefined (reading 'split')",)
DECODED = (
    "The first argument must be of type string or an instance of Buffer, ArrayBuffer, or Array or an Array-like Object."
    " Received undefined"
)
UNREADABLE: dict[Any, tuple[str, ...]] = {
    commas: SPLIT,
    comma_numbers: SPLIT,
    unbase64: (DECODED, "ERR_INVALID_ARG_TYPE"),
}
HVM_BRANDS = ("kvm", "bhyve")
DISK, NIC, FILESYSTEM_TARGET = r".*[-/]disk([0-9]+)", "net([0-9]+)", "(.*)"


class Unusable(ValueError):
    """The document is XML, but no zone that the platform could load: its program dies, with a code or none."""

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


def load(document: bytes) -> dict[str, Any]:
    """The object made of the XML alone, in the platform's order of keys.

    Raises:
        Malformed: no XML.
        Unusable: no brand, or nothing where a value must be.
    """
    loading = _Loading()
    scan(document, loading.begin, loading.end)
    vm = loading.vm
    if not vm.get("brand"):
        raise Unusable(f"VM missing brand: {compact(vm)}", "ERR_ASSERTION")
    _finish(vm)
    return vm


class _Loading:
    """What is known of the zone while its document is read; a device shows as it stands until its end is met."""

    def __init__(self) -> None:
        self.vm: dict[str, Any] = {}
        self._path: list[str] = []
        self._rctl: str | None = None

    def begin(self, tag: str, attributes: dict[str, str]) -> None:
        self._path.append(tag)
        place = ".".join(self._path)
        if place in ITEMS:
            key, table = ITEMS[place]
            self.vm.setdefault(key, []).append(_read({}, table, attributes))
        elif place in TAKEN:
            TAKEN[place](self, attributes)

    def root(self, attributes: dict[str, str]) -> None:
        _read(self.vm, ROOT, attributes)

    def attr(self, attributes: dict[str, str]) -> None:
        _read(self.vm, ATTRS, _pair(attributes))

    def rctl(self, attributes: dict[str, str]) -> None:
        self._rctl = attributes.get("name")

    def limit(self, attributes: dict[str, str]) -> None:
        known = RCTLS.get(self._rctl or "")
        if known and (attributes.get("priv"), attributes.get("action")) == ("privileged", known[2]):
            _read(self.vm, {"limit": known[:2]}, {"limit": attributes.get("limit")})

    def device(self, attributes: dict[str, str]) -> None:
        self.vm["device"] = {f"zone.device.{name}": value for name, value in attributes.items()}

    def device_attr(self, attributes: dict[str, str]) -> None:
        self.vm["device"][f"zone.device.net-attr.{attributes.get('name', 'undefined')}"] = attributes.get("value")

    def network_attr(self, attributes: dict[str, str]) -> None:
        _read(self.vm["nics"][-1], NETWORK_ATTRS, _pair(attributes))

    def option(self, attributes: dict[str, str]) -> None:
        self.vm["filesystems"][-1].setdefault("options", []).append(attributes.get("name"))

    def dataset(self, attributes: dict[str, str]) -> None:
        self.vm.setdefault("datasets", []).append(attributes.get("name"))

    def end(self, tag: str) -> None:
        self._path.pop()
        if tag != "device":
            return
        if self.vm.get("device") is None:
            raise Unusable("Cannot convert undefined or null to object")
        device = _read({}, DEVICE, self.vm["device"])
        self.vm["device"] = None
        self.vm.setdefault("pci_devices" if device.get("model") == "passthru" else "disks", []).append(device)


TAKEN: dict[str, Callable[[_Loading, dict[str, str]], None]] = {
    "zone": _Loading.root,
    "zone.attr": _Loading.attr,
    "zone.rctl": _Loading.rctl,
    "zone.rctl.rctl-value": _Loading.limit,
    "zone.device": _Loading.device,
    "zone.device.net-attr": _Loading.device_attr,
    "zone.network.net-attr": _Loading.network_attr,
    "zone.filesystem.fsoption": _Loading.option,
    "zone.dataset": _Loading.dataset,
}


def _pair(attributes: dict[str, str]) -> dict[str | None, str | None]:
    return {attributes.get("name"): attributes.get("value")}


def _read(target: dict[str, Any], table: Mapping[str, Reader], attributes: Mapping[Any, str | None]) -> dict[str, Any]:
    """Put what the table knows into the target; a value that is not there takes away what was, or cannot be read."""
    for name, value in attributes.items():
        if name not in table:
            continue
        key, reader = table[name]
        if value is not None:
            target[key] = reader(value)
        elif reader in ABSENT:
            target[key] = None
        elif reader in UNREADABLE:
            raise Unusable(*UNREADABLE[reader])
        else:
            target.pop(key, None)
    return target


def _finish(vm: dict[str, Any]) -> None:
    if vm.get("device"):
        vm["device"] = {name: value for name, value in vm["device"].items() if value is not None}
    vm.setdefault("nics", [])
    if vm["brand"] in HVM_BRANDS:
        vm.setdefault("disks", [])
    if vm["brand"] == "kvm":
        autoboot = vm.pop("vm_autoboot", None)
        if autoboot is None:
            vm.pop("autoboot", None)
        else:
            vm["autoboot"] = autoboot
    parts = str(vm.get("transition", "")).rstrip(BLANKS).split(":")
    if len(parts) == 3:  # noqa: PLR2004 - state, target, expiry
        del vm["transition"]
        vm["state"], vm["transition_to"], vm["transition_expire"] = parts[0], parts[1], counted(parts[2])
    for key, field, pattern in (
        ("disks", "path", DISK), ("nics", "interface", NIC), ("filesystems", "target", FILESYSTEM_TARGET)
    ):  # fmt: skip
        if len(vm.get(key, ())) > 1:
            _sort(vm[key], field, pattern)


def _sort(items: list[dict[str, Any]], field: str, pattern: str) -> None:
    """As the platform compares: by the number in the name, and what has none that is a number like anything."""
    import re  # noqa: PLC0415 - most machines have one of each
    from functools import cmp_to_key  # noqa: PLC0415 - same

    def place(item: dict[str, Any]) -> int | float:
        found = re.fullmatch(pattern, item.get(field, ""))
        return number(found[1]) if found else 0

    def compare(one: dict[str, Any], other: dict[str, Any]) -> int:
        first, second = place(one), place(other)
        return (first > second) - (first < second)

    items.sort(key=cmp_to_key(compare))
