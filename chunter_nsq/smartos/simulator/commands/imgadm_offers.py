"""Which source has the image that is asked for, and all that must be there before it."""

from __future__ import annotations

import re

from chunter_nsq.smartos.simulator.catalogue import SOURCE, manifest
from chunter_nsq.smartos.simulator.commands.imgadm_sources import configured, offered
from chunter_nsq.smartos.simulator.process import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Offer:
    """An image that a source has.

    ``images`` are manifests with the bytes that each takes on the pool and on its way, the base first; ``sized`` says
    whether the source tells the sizes beforehand, which registries do not.
    """

    __slots__ = ("images", "sized", "title", "url")

    def __init__(self, url: str, title: str, images: list[tuple[dict[str, Any], int, int]], *, sized: bool) -> None:
        self.url = url
        self.title = title
        self.images = images
        self.sized = sized

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest of the image itself."""
        return self.images[-1][0]


def find(root: str, verb: str, asked: str, only: str | None = None) -> Offer | None:
    """The first source that has it, in the order in which they are configured; None when none has.

    One that cannot be asked spoils the whole search, unless one before it had the image.
    """
    sources = configured(root) if only is None else [{"url": only, "type": "imgapi"}]
    if not sources:
        raise Refused(f"imgadm {verb}: error (NoSources): imgadm has no configured sources")
    trouble: list[str] = []
    for source in sources:
        try:
            offer = _ask(root, source, asked)
        except LookupError as fault:
            trouble.append(str(fault.args[0]))
            continue
        if offer is not None and not trouble:
            return offer
    if len(trouble) > 1:
        lines = "".join(f"\n    error {one}" for one in trouble)
        raise Refused(f"imgadm {verb}: error (MultiError): multiple ({len(trouble)}) errors{lines}")
    if trouble:
        raise Refused(f"imgadm {verb}: error {trouble[0]}")
    return None


def _ask(root: str, source: dict[str, str], asked: str) -> Offer | None:
    """What one source has; each kind passes over what only the other can have."""
    is_uuid = UUID.fullmatch(asked) is not None
    if source["type"] == "docker":
        return None if is_uuid else _from_registry(root, source["url"], asked)
    url = source["url"]
    if url != SOURCE and all(one["url"] != url for one in configured(root)):
        host = url.partition("://")[2].partition("/")[0]
        raise LookupError(f"(ClientError): {url}: getaddrinfo ENOTFOUND {host}")
    return _from_imgapi(root, url, asked) if is_uuid else None


def _from_imgapi(root: str, url: str, uuid: str) -> Offer | None:
    known = offered(root)
    chain: list[tuple[dict[str, Any], int, int]] = []
    wanted: str | None = uuid if uuid in known else None
    while wanted is not None:
        image = known[wanted]
        made = manifest(image)
        chain.insert(0, (made, image["refer"], made["files"][0]["size"]))
        wanted = made.get("origin")
    return Offer(url, f"{uuid} ({title(chain[-1][0])})", chain, sized=True) if chain else None


def _from_registry(root: str, url: str, asked: str) -> Offer | None:
    from chunter_nsq.smartos.simulator import docker  # noqa: PLC0415 - rarely a registry is asked

    name = docker.parsed(asked)
    if name is None:
        return None
    try:
        image = docker.found(root, name)
    except LookupError:
        raise LookupError("(ENOTFOUND): getaddrinfo ENOTFOUND") from None
    if image is None:
        return None
    made = docker.manifests(image, name)
    images = [(one, size * 2, size) for one, (_, size) in zip(made, image["layers"], strict=True)]
    return Offer(url, f"{made[-1]['uuid']} ({name.canonical}:{name.tag})", images, sized=False)


def title(made: dict[str, Any], between: str = "@") -> str:
    """Name and version of an image."""
    return f"{made['name']}{between}{made['version']}"
