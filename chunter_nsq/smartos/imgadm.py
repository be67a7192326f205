"""Images, through ``imgadm``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chunter_nsq.errors import NotFound
from chunter_nsq.smartos.documents import read_object, read_objects
from chunter_nsq.smartos.names import checked, checked_uuid, is_dataset
from chunter_nsq.smartos.refusal import check
from chunter_nsq.smartos.runner import Runner

IMGADM = "usr/sbin/imgadm"
IMPORT_SECONDS = 3600.0
_MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class Image:
    """One installed image; empty or None where its manifest says nothing.

    ``size_mib`` is the virtual size of a disk image, else the size of its file rounded up.
    """

    uuid: str
    name: str
    version: str
    type: str
    os: str
    published_at: str
    origin: str | None
    clones: int
    size_mib: int | None


def list_argv() -> tuple[str, ...]:
    """The installed images as JSON."""
    return (IMGADM, "list", "-j")


def get_argv(uuid: str) -> tuple[str, ...]:
    """One installed image as JSON."""
    return (IMGADM, "get", checked_uuid(uuid))


def import_argv(uuid: str, source: str | None = None, pool: str = "zones") -> tuple[str, ...]:
    """An image fetched from the configured sources, or from one only."""
    where = () if source is None else ("-S", checked(source, is_source, "an http or https address"))
    return (IMGADM, "import", "-q", "-P", checked(pool, is_dataset, "a pool"), *where, checked_uuid(uuid))


def delete_argv(uuid: str, pool: str = "zones") -> tuple[str, ...]:
    """An installed image gone."""
    return (IMGADM, "delete", "-P", checked(pool, is_dataset, "a pool"), checked_uuid(uuid))


def image_from(document: Mapping[str, Any]) -> Image | None:
    """An element of the list; None when it is not one."""
    manifest = document.get("manifest")
    if not isinstance(manifest, dict) or not isinstance(manifest.get("uuid"), str):
        return None
    origin, clones = manifest.get("origin"), document.get("clones")
    return Image(
        uuid=manifest["uuid"],
        name=_text(manifest, "name"),
        version=_text(manifest, "version"),
        type=_text(manifest, "type"),
        os=_text(manifest, "os"),
        published_at=_text(manifest, "published_at"),
        origin=origin if isinstance(origin, str) else None,
        clones=clones if isinstance(clones, int) else 0,
        size_mib=_size_mib(manifest),
    )


class Imgadm:
    """``imgadm``; a listing starts node, so it is not for polling."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def list(self) -> list[Image]:
        """The installed images."""
        documents = read_objects(check(await self._runner.run(list_argv()), "list the images"), "list the images")
        return [image for image in map(image_from, documents) if image is not None]

    async def get(self, uuid: str) -> dict[str, Any]:
        """One installed image: ``{"manifest", "zpool", "source"?}``; raises NotFound."""
        attempted = f"get image {uuid}"
        return read_object(check(await self._runner.run(get_argv(uuid)), attempted), attempted)

    async def has(self, uuid: str) -> bool:
        """Whether an image is installed."""
        try:
            await self.get(uuid)
        except NotFound:
            return False
        return True

    async def import_image(self, uuid: str, source: str | None = None, pool: str = "zones") -> None:
        """Fetch and install an image; one that is installed already is a success. Takes minutes."""
        argv = import_argv(uuid, source, pool)
        completed = await self._runner.run(argv, timeout_seconds=IMPORT_SECONDS, mutates=True)
        check(completed, f"import image {uuid}")

    async def delete(self, uuid: str, pool: str = "zones") -> None:
        """Remove an installed image; raises NotFound, or InvalidState when a VM was made from it."""
        check(await self._runner.run(delete_argv(uuid, pool), mutates=True), f"delete image {uuid}")


def _text(manifest: Mapping[str, Any], name: str) -> str:
    value = manifest.get(name)
    return value if isinstance(value, str) else ""


def _size_mib(manifest: Mapping[str, Any]) -> int | None:
    if isinstance(manifest.get("image_size"), int):
        return int(manifest["image_size"])
    files = manifest.get("files")
    first = files[0] if isinstance(files, list) and files else None
    size_bytes = first.get("size") if isinstance(first, dict) else None
    return -(-size_bytes // _MEBIBYTE) if isinstance(size_bytes, int) else None


def is_source(value: str) -> bool:
    """Whether it is an address that images can come from."""
    return value.startswith(("http://", "https://")) and value.isprintable() and " " not in value
