"""The images that a payload names: installed, of the right type, size and boot ROM."""

from __future__ import annotations

from chunter_nsq.smartos.simulator.payload.javascript import each, has, truthy
from chunter_nsq.smartos.simulator.payload.kinds import is_uuid
from chunter_nsq.smartos.simulator.payload.table import BRANDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from chunter_nsq.smartos.simulator.payload.surroundings import Surroundings

BOOTROMS = ("bios", "uefi")
CLOUDINIT = "org.smartos:cloudinit_datasource"


class Wanted:
    """An image as something in the payload wants it."""

    def __init__(self, target: dict[str, Any], types: tuple[str, ...], prefix: str | None) -> None:
        self.target = target
        self.types = types
        self.prefix = prefix

    @property
    def place(self) -> str:
        """Where the image is named."""
        return "image_uuid" if self.prefix is None else f"{self.prefix}.image_uuid"


def validate_images(payload: dict[str, Any], brand: str, errors: dict[str, list[str]], around: Surroundings) -> None:
    """Complain about images that do not fit; take sizes, boot ROM and cloud-init source from those that do."""
    bootrom = payload.get("bootrom")
    for wanted in _wanted(payload, brand):
        key = f"{wanted.target.get('zpool', 'zones')}/{wanted.target['image_uuid']}"
        manifest = around.images.get(key)
        if manifest is None or manifest.get("type") not in wanted.types:
            errors["bad_values"].append(wanted.place)
            continue
        asked = bootrom if truthy(bootrom) and truthy(wanted.target.get("boot")) else None
        needed = manifest.get("requirements", {}).get("bootrom")
        if (
            "image_size" in manifest
            and wanted.target.get("image_size", manifest["image_size"]) != manifest["image_size"]
        ):
            errors["bad_values"].append(f"{wanted.prefix or 'undefined'}.image_size")
            continue
        known = BOOTROMS if needed is None else (needed,)
        if "requirements" in manifest and asked is not None and asked not in known:
            errors["bad_values"].append("bootrom")
            continue
        _take(payload, wanted, manifest, errors)
        if not truthy(bootrom) and needed is not None:
            payload["bootrom"] = needed


def _wanted(payload: dict[str, Any], brand: str) -> list[Wanted]:
    found = []
    if is_uuid(payload.get("image_uuid")):
        found.append(Wanted(payload, BRANDS[brand].get("image_types", ("zone-dataset",)), None))
    for name in ("disks", "add_disks"):
        if name in payload:
            found += [
                Wanted(disk, ("zvol",), f"{name}.{at}")
                for at, disk in enumerate(each(payload[name], "payload[d]"))
                if has(disk, "image_uuid")
            ]
    return found


def _take(payload: dict[str, Any], wanted: Wanted, manifest: dict[str, Any], errors: dict[str, list[str]]) -> None:
    target = wanted.target
    if "image_size" in manifest and "image_size" not in target:
        target["image_size"] = manifest["image_size"]
        missing = f"{wanted.prefix or 'undefined'}.image_size"
        if missing in errors["missing_properties"]:
            errors["missing_properties"].remove(missing)
        if "size" in target and _less(target["size"], manifest["image_size"]):
            errors["bad_values"].append("size")
    source = manifest.get("tags", {}).get(CLOUDINIT)
    if source is not None:
        known = payload.get("internal_metadata")
        payload["internal_metadata"] = (known if isinstance(known, dict) else {}) | {"cloudinit_datasource": source}


def _less(value: Any, limit: int) -> bool:
    from chunter_nsq.smartos.simulator.payload.javascript import to_number  # noqa: PLC0415 - rarely compared

    return to_number(value) < limit
