"""What an image is made of, and the manifest (version 2) that tells imgadm so: pure, from what is known of both."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chunter_nsq.errors import InvalidMessage, InvalidState, Unsupported

COMPRESSION = "gzip"  # what every imgadm reads
_NAME = re.compile(r"[A-Za-z0-9._/ -]{1,512}")
_HVM = frozenset({"kvm", "bhyve"})
_TYPES = {"joyent": "zone-dataset", "joyent-minimal": "zone-dataset", "builder": "zone-dataset", "lx": "lx-dataset"}
_SYSTEMS = {"zone-dataset": "smartos", "lx-dataset": "linux", "docker": "linux", "zvol": "other"}
# What the image that a machine was made from says of its content holds for an image made of that machine as well.
_INHERITED = (
    "os", "requirements", "users", "generate_passwords", "inherited_directories", "traits", "homepage", "tags",
    "nic_driver", "disk_driver", "cpu_type",
)  # fmt: skip
_CHOSEN = frozenset({*_INHERITED, "name", "version", "description", "public", "acl", "owner", "urn", "eula", "icon"})
_FIXED = frozenset({"v", "uuid", "type", "state", "disabled", "published_at", "files", "origin", "image_size"})


@dataclass(frozen=True, slots=True)
class Source:
    """The dataset that becomes the image; ``size_mib`` is that of a disk, ``image`` what the machine was made from."""

    dataset: str
    type: str
    image: str | None
    size_mib: int | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """The file: bytes, and hashes in hex."""

    size: int
    sha1: str
    sha256: str


def source_of(machine: Mapping[str, Any]) -> Source:
    """The root of a zone, or the boot disk of a kvm or bhyve machine; raises Unsupported, InvalidState."""
    brand = str(machine.get("brand"))
    if brand in _HVM:
        disks = [disk for disk in machine.get("disks") or () if disk.get("media", "disk") == "disk"]
        disk = next((one for one in disks if one.get("boot")), disks[0] if disks else None)
        if disk is None or not disk.get("zfs_filesystem"):
            raise InvalidState(f"the machine {machine.get('uuid')} has no disk that an image could be made of")
        return Source(str(disk["zfs_filesystem"]), "zvol", disk.get("image_uuid"), int(disk["size"]))
    if brand not in _TYPES:
        raise Unsupported(f"there is no type of image for the brand {brand}", {"brand": brand})
    kind = "docker" if machine.get("docker") is True else _TYPES[brand]
    return Source(str(machine["zfs_filesystem"]), kind, machine.get("image_uuid"))


def check(given: Mapping[str, Any], image: str) -> None:
    """Whether a command's own members of the manifest may stand there; raises InvalidMessage with all that may not."""
    faults = []
    for name, value in given.items():
        if name in _FIXED and not (name == "uuid" and value == image):
            faults.append((name, "is what the image itself says; leave it out"))
        elif name not in _CHOSEN | _FIXED:
            faults.append((name, "is not a member of an image manifest that can be chosen"))
    name, version = given.get("name", "image"), given.get("version", "1")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        faults.append(("name", "must be 1 to 512 of A-Z a-z 0-9 . _ / - and blanks"))
    if not isinstance(version, str) or not version or len(version) > 128 or not version.isprintable():  # noqa: PLR2004 - imgadm's own limit
        faults.append(("version", "must be text of 1 to 128 characters"))
    if faults:
        told = "; ".join(f"{member} {why}" for member, why in faults)
        listed = [{"path": f"$.params.manifest.{member}", "message": why} for member, why in faults]
        raise InvalidMessage(f"the manifest of the image {image} cannot be so: {told}", {"faults": listed})


def manifest(
    image: str,
    source: Source,
    machine: Mapping[str, Any],
    origin: Mapping[str, Any],
    given: Mapping[str, Any],
    content: Content,
    *,
    now: float,
) -> dict[str, Any]:
    """The manifest of an image.

    Args:
        image: Its uuid.
        source: What it was made of.
        machine: The machine as vmadm tells it.
        origin: The manifest of the image that the machine was made from; empty where nobody knows.
        given: The members that the command chose.
        content: The file.
        now: When it was made, epoch seconds.
    """
    published = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    alias = re.sub(r"[^A-Za-z0-9._/ -]", "-", str(machine.get("alias") or machine.get("uuid")))
    made: dict[str, Any] = {
        "v": 2,
        "uuid": image,
        "owner": machine.get("owner_uuid") or "00000000-0000-0000-0000-000000000000",
        "name": alias,
        "version": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now)),
        "state": "active",
        "disabled": False,
        "public": False,
        "published_at": published,
        "type": source.type,
        "os": _SYSTEMS[source.type],
        "description": f"Made of the machine {machine.get('uuid')}.",
        "requirements": {},
        "tags": {},
    }
    made |= {name: origin[name] for name in _INHERITED if name in origin}
    if source.type == "zvol":
        made["image_size"] = source.size_mib
        made.setdefault("nic_driver", _driver(machine, "nics"))
        made.setdefault("disk_driver", _driver(machine, "disks"))
        made.setdefault("cpu_type", machine.get("cpu_type") or "host")
    made |= given
    file = {"sha1": content.sha1, "size": content.size, "compression": COMPRESSION}
    return made | {"files": [file]}


def _driver(machine: Mapping[str, Any], kind: str) -> str:
    return next((str(one["model"]) for one in machine.get(kind) or () if one.get("model")), "virtio")
