"""Images, through ``imgadm``."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from chunter_nsq.errors import AlreadyExists, NotFound, ToolFailed
from chunter_nsq.smartos.docker_names import FORM as DOCKER_FORM
from chunter_nsq.smartos.docker_names import is_image
from chunter_nsq.smartos.documents import read_object, read_objects
from chunter_nsq.smartos.names import checked, checked_uuid, is_dataset, is_uuid
from chunter_nsq.smartos.refusal import check, unreadable
from chunter_nsq.smartos.runner import Completed, Runner
from chunter_nsq.smartos.transcript import Transcript

IMGADM = "usr/sbin/imgadm"
IMPORT_SECONDS = 3600.0
IMAGE_FORM = f"an image's uuid, or {DOCKER_FORM}"
_MEBIBYTE = 2**20
_TAG = "docker:tag:"
_STALE = re.compile(r"destination '\S+-partial' exists")


@dataclass(frozen=True, slots=True)
class Image:
    """One installed image; empty or None where its manifest says nothing.

    ``size_mib`` is the virtual size of a disk image, else the size of its file rounded up; ``docker`` has the names
    under which a registry offered it.
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
    docker: tuple[str, ...] = ()


def list_argv() -> tuple[str, ...]:
    """The installed images as JSON."""
    return (IMGADM, "list", "-j")


def get_argv(uuid: str) -> tuple[str, ...]:
    """One installed image as JSON."""
    return (IMGADM, "get", checked_uuid(uuid))


def import_argv(image: str, source: str | None = None, pool: str = "zones") -> tuple[str, ...]:
    """An image fetched from the configured sources, or from one only; without the bar of its progress."""
    where = () if source is None else ("-S", checked(source, is_source, "an http or https address"))
    what = checked(image, is_image, IMAGE_FORM)
    return (IMGADM, "import", "-q", "-P", checked(pool, is_dataset, "a pool"), *where, what)


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
        docker=_docker(manifest),
    )


class Leftover(ToolFailed):
    """Half an image lay in the way, and imgadm destroyed it as it failed; the next attempt finds nothing."""

    transient: ClassVar[bool] = True


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

    async def import_image(
        self,
        image: str,
        source: str | None = None,
        pool: str = "zones",
        transcript: Transcript | None = None,
        more: Callable[[], Awaitable[None]] | None = None,
    ) -> str:
        """Fetch and install an image; one that is installed already is a success. Takes minutes.

        Args:
            image: Its uuid, or a docker image's name.
            source: The only source to ask.
            pool: Where it is to lie.
            transcript: Who wants to know meanwhile what is coming.
            more: Called whenever one more image is coming.

        Returns:
            Its uuid.

        Raises:
            Leftover: an import that was killed had left half of it; that is gone now.
            NotFound: no source has it.
        """
        attempted, argv = f"import image {image}", import_argv(image, source, pool)
        told = Transcript(image) if transcript is None else transcript
        async with self._runner.lines(argv, timeout_seconds=IMPORT_SECONDS, mutates=True) as lines:
            async for line in lines:
                if told.read(line.decode(errors="replace")) and more is not None:
                    await more()
            completed = Completed(argv, lines.exit_status or 0, b"", lines.stderr, 0.0)
        try:
            check(completed, attempted)
        except AlreadyExists as fault:
            if _STALE.search(completed.stderr) is None:
                raise
            raise Leftover(fault.message, fault.details) from None
        except NotFound as fault:
            raise NotFound(fault.message + _remedy(image), fault.details) from None
        if told.image is None:
            raise unreadable(completed, attempted, "it does not say which image that is")
        return told.image

    async def delete(self, uuid: str, pool: str = "zones") -> None:
        """Remove an installed image; raises NotFound, or InvalidState when a VM was made from it."""
        check(await self._runner.run(delete_argv(uuid, pool), mutates=True), f"delete image {uuid}")


def _text(manifest: Mapping[str, Any], name: str) -> str:
    value = manifest.get(name)
    return value if isinstance(value, str) else ""


def _docker(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    tags = manifest.get("tags")
    repository = tags.get("docker:repo") if isinstance(tags, dict) else None
    if not isinstance(tags, dict) or not isinstance(repository, str):
        return ()
    return tuple(f"{repository}:{key.removeprefix(_TAG)}" for key in tags if key.startswith(_TAG))


def _remedy(image: str) -> str:
    if is_uuid(image):
        return ""
    return "; see that name and tag are right, and that the host has a docker source (imgadm sources --add-docker-hub)"


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
