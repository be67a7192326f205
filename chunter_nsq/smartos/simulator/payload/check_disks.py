"""Whether the disks that a payload adds and changes can be."""

from __future__ import annotations

from chunter_nsq.smartos.simulator.payload.javascript import has, member, put, stringify, text, to_number, truthy
from chunter_nsq.smartos.simulator.payload.refusal import Rejected
from chunter_nsq.smartos.simulator.payload.table import BRANDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMPRESSIONS = ("on", "off", "gzip", *(f"gzip-{level}" for level in range(1, 10)), "lz4", "lzjb", "zle")


def check_disks(payload: dict[str, Any], vm: dict[str, Any] | None, brand: str) -> None:
    """Refuse impossible disks; a missing model is taken from the VM."""
    for disk in payload.get("add_disks", ()):
        _check_added(disk, vm or {}, brand)
    for disk in payload.get("update_disks", ()):
        _check_updated(disk, brand)


def _check_added(disk: dict[str, Any], vm: dict[str, Any], brand: str) -> None:
    if has(disk, "path") and member(disk, "media") != "cdrom" and not truthy(member(disk, "nocreate")):
        raise Rejected("you cannot specify a path for a disk unless you set nocreate=true")
    if "block_size" in disk:
        if not valid_record(disk["block_size"]):
            raise Rejected(f"invalid .block_size({text(disk['block_size'])}), must be 512-131072 and a power of 2.")
        if "image_uuid" in disk:
            raise Rejected("setting both .block_size and .image_uuid on a volume is invalid", twice=True)
    if "compression" in disk and disk["compression"] not in COMPRESSIONS:
        known = ", ".join(COMPRESSIONS)
        raise Rejected(f"invalid compression setting for disk, must be one of: {known}", twice=True)
    if not has(disk, "model") or disk["model"] == "undefined":
        if "disk_driver" in vm:
            put(disk, "model", vm["disk_driver"])
        elif vm.get("disks") and truthy(vm["disks"][0].get("model")):
            put(disk, "model", vm["disks"][0]["model"])
        else:
            raise Rejected(f"missing .model option for disk: {stringify(disk)}")
    else:
        _check_model(disk["model"], brand)


def valid_record(size: Any) -> bool:
    """A power of two between 512 and 131072; what is no number passes, as on the platform."""
    number = to_number(size)
    if number != number:  # noqa: PLR0124 - NaN
        return True
    return 512 <= number <= 131072 and int(number) & (int(number) - 1) == 0  # noqa: PLR2004 - the limits of ZFS


def _check_model(model: Any, brand: str) -> None:
    known = BRANDS[brand].get("disk_models", ())
    if model not in known:
        raise Rejected(f'"{text(model)}" is not a valid disk model for {brand} brand. Valid are: {",".join(known)}')


def _check_updated(disk: dict[str, Any], brand: str) -> None:
    if member(disk, "refreservation") == "auto":
        raise Rejected("cannot change refreservation to auto on existing disk")
    if "compression" in disk and disk["compression"] not in COMPRESSIONS:
        raise Rejected(f"invalid compression type for disk, must be one of: {', '.join(COMPRESSIONS)}")
    if "block_size" in disk:
        raise Rejected("cannot change .block_size for a disk after creation")
    if "model" in disk:
        _check_model(disk["model"], brand)
