"""What ``vmadm validate`` says of a payload: wrong values, properties out of place, and what is missing."""

from __future__ import annotations

import re

from chunter_nsq.smartos.simulator.payload.images import validate_images
from chunter_nsq.smartos.simulator.payload.javascript import (
    UNDEFINED,
    Crash,
    each,
    has,
    is_object,
    items,
    member,
    to_number,
)
from chunter_nsq.smartos.simulator.payload.kinds import check_value
from chunter_nsq.smartos.simulator.payload.table import BRANDS, PROPERTIES, allowed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from chunter_nsq.smartos.simulator.payload.surroundings import Surroundings

    Errors = dict[str, list[str]]

KINDS = ("bad_values", "bad_properties", "missing_properties")
INTEGER = re.compile(r"[+-]?[0-9]+")


def validate(payload: dict[str, Any], action: str, brand: str, around: Surroundings) -> dict[str, Any] | None:
    """The complaints, ``{"bad_brand": name}``, or None; facts from images are added to the payload.

    Raises:
        Crash: the platform's program would die.
    """
    if brand not in BRANDS:
        return {"bad_brand": brand or "undefined"}
    errors: Errors = {kind: [] for kind in KINDS}
    _check_members(payload, action, brand, around, errors)
    _check_sources(payload, brand, errors)
    errors["missing_properties"] += [
        name for name, row in PROPERTIES.items() if action in row.required.get(brand, ()) and name not in payload
    ]
    validate_images(payload, brand, errors, around)
    for name in (name for name in ("disks", "add_disks") if name in payload):
        for at, disk in enumerate(each(payload[name], "payload[d]")):
            if has(disk, "refreservation") and to_number(disk["refreservation"]) < 0:
                errors["bad_values"].append(f"{name}.{at}.refreservation")
    return errors if any(errors.values()) else None


def _check_sources(payload: dict[str, Any], brand: str, errors: Errors) -> None:
    for name in ("disks", "add_disks") if allowed("disks", brand) else ():
        for at, disk in items(payload.get(name)):
            _check_source(f"{name}.{at}", disk, payload, errors)
    for name in ("pci_devices", "add_pci_devices") if allowed("pci_devices", brand) else ():
        for at, device in items(payload.get(name)):
            _check_device(f"{name}.{at}", device, errors)


def _check_members(payload: dict[str, Any], action: str, brand: str, around: Surroundings, errors: Errors) -> None:
    inner = ""
    for name, value in payload.items():
        _check(brand, name, value, action, around, errors)
        row = PROPERTIES.get(name)
        if row is None or row.type != "object-array" or not isinstance(value, list):
            continue
        if row.check_as is None:
            prefix, inner = f"{name}.*.", "add"
        else:
            prefix = f"{row.check_as}.*."
            inner = "add" if name.startswith("add_") else "update" if name.startswith("update_") else inner
        for one in value:
            if is_object(one):
                for key, sub in items(one):
                    _check(brand, prefix + key, sub, inner, around, errors)
            elif name not in errors["bad_values"]:
                errors["bad_values"].append(name)


def _check(brand: str, name: str, value: Any, action: str, around: Surroundings, errors: Errors) -> None:
    row = PROPERTIES.get(name)
    if (row is None or action not in row.allowed.get(brand, ())) and name not in errors["bad_properties"]:
        errors["bad_properties"].append(name)
    if row is not None:
        check_value(row, value, around.zpools, errors["bad_values"])


def _check_source(prefix: str, disk: Any, payload: dict[str, Any], errors: Errors) -> None:
    """A disk comes from an image or has a size, not both."""
    if has(disk, "media") and disk["media"] != "disk":
        return
    missing, bad = errors["missing_properties"], errors["bad_properties"]
    if has(disk, "image_uuid"):
        if not has(disk, "image_size"):
            missing.append(f"{prefix}.image_size")
        if has(disk, "size") and "flexible_disk_size" not in payload:
            bad.append(f"{prefix}.size")
        if has(disk, "block_size"):
            bad.append(f"{prefix}.block_size")
        return
    if not has(disk, "size"):
        missing.append(f"{prefix}.size")
    bad += [f"{prefix}.{name}" for name in ("image_name", "image_size") if has(disk, name)]


def _check_device(prefix: str, device: Any, errors: Errors) -> None:
    if not has(device, "path"):
        errors["missing_properties"].append(f"{prefix}.path")
    else:
        path = device["path"]
        if path is None:
            raise Crash("Cannot read properties of null (reading 'indexOf')")
        if not isinstance(path, str | list):
            raise Crash("dev.path.indexOf is not a function")
        if not (isinstance(path, str) and path.startswith("/devices")) and not (path and path[0] == "/devices"):
            errors["bad_values"].append(f"{prefix}.path")
    if not has(device, "pci_slot"):
        errors["missing_properties"].append(f"{prefix}.pci_slot")
    elif parse_slot(device["pci_slot"]) is None:
        errors["bad_values"].append(f"{prefix}.pci_slot")
    if has(device, "model") and device["model"] != "passthru":
        errors["bad_values"].append(f"{prefix}.model")


def parse_slot(slot: Any) -> tuple[int, int, int] | None:
    """Bus, device and function of ``[[bus:]device:]function``-like text; None when it is none."""
    if not isinstance(slot, str):
        return None
    parts = slot.split(":")
    if len(parts) > 3 or not all(INTEGER.fullmatch(part) for part in parts):  # noqa: PLR2004 - bus, device, function
        return None
    numbers = [int(part) for part in parts]
    bus, device, function = {1: [0, *numbers, 0], 2: [0, *numbers], 3: numbers}[len(numbers)]
    fits = 0 <= bus <= 255 and 0 <= device <= 31 and 0 <= function <= 7  # noqa: PLR2004 - the limits of PCI
    return (bus, device, function) if fits else None


def absent(payload: dict[str, Any], name: str) -> bool:
    """Not in the payload, or unset in it."""
    return member(payload, name) is UNDEFINED
