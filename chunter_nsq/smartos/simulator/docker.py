"""Docker images as imgadm has them: their names, what registries offer, and the image that each layer becomes.

A layer's image is named after the digests of all layers up to it, so that images with the same base share it.
"""

from __future__ import annotations

import hashlib
import json
import re

from chunter_nsq.smartos.simulator.catalogue import NOBODY
from chunter_nsq.smartos.simulator.files import read_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HUB = "docker.io"
MORE = "var/simulator/registries.json"
NAMESPACE = re.compile(r"[a-z0-9_-]{2,255}")
REPOSITORY = re.compile(r"[a-z0-9_/.-]*")
LONGEST_DESCRIPTION = 512
CONFIG = ("Cmd", "Entrypoint", "Env", "WorkingDir")
DEBIAN = ["debian 12.1", 29124181]

# What the registries of this world have; a host's own var/simulator/registries.json may name more, in the same form.
REPOSITORIES: list[dict[str, Any]] = [
    {
        "repository": "docker.io/busybox", "tags": ["latest", "1.36"], "created": "2023-07-18T23:19:33.000Z",
        "config": {"Cmd": ["sh"], "Env": ["PATH=/bin"], "WorkingDir": ""}, "layers": [["busybox 1.36", 2219949]],
    },
    {
        "repository": "docker.io/redis", "tags": ["latest", "7"], "created": "2023-09-20T03:31:20.000Z",
        "config": {"Cmd": ["redis-server"], "Entrypoint": ["docker-entrypoint.sh"], "WorkingDir": "/data"},
        "layers": [DEBIAN, ["redis 7 user", 1684], ["redis 7", 12582912]],
    },
    {
        "repository": "docker.io/grafana/loki", "tags": ["latest"], "created": "2023-10-01T11:02:03.000Z",
        "config": {"Entrypoint": ["/usr/bin/loki"], "Cmd": ["-config.file=/etc/loki.yaml"]},
        "layers": [DEBIAN, ["loki", 31457280]],
    },
    {
        "repository": "quay.io/prometheus/busybox", "tags": ["latest"], "created": "2023-08-01T06:00:00.000Z",
        "config": {"Cmd": ["sh"]}, "layers": [["prometheus busybox", 1991885]],
    },
]  # fmt: skip


class Name:
    """A docker image's name, taken apart: ``[registry/]repository[:tag]``."""

    __slots__ = ("canonical", "local", "registry", "tag")

    def __init__(self, registry: str, path: str, tag: str) -> None:
        self.registry = registry
        self.tag = tag
        self.local = path.removeprefix("library/") if registry == HUB else f"{registry}/{path}"
        self.canonical = f"{HUB}/{self.local}" if registry == HUB else self.local


def parsed(text: str) -> Name | None:
    """The name; None when it is not one."""
    repository, colon, tag = text.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = text, "latest"
    scheme, has_scheme, rest = repository.rpartition("://")
    head, slash, path = rest.partition("/")
    if has_scheme and (scheme not in ("http", "https") or not slash):
        return None
    if not has_scheme and not (slash and ("." in head or ":" in head or head == "localhost")):
        head, path = HUB, rest
    registry = HUB if head == f"index.{HUB}" else head
    namespace, slash, name = path.partition("/")
    if slash and (not NAMESPACE.fullmatch(namespace) or "--" in namespace):
        return None
    return Name(registry, path, tag) if REPOSITORY.fullmatch(name if slash else path) and path else None


def found(root: str, name: Name) -> dict[str, Any] | None:
    """What the name's registry has under it; None when it has nothing.

    Raises:
        LookupError: there is no such registry.
    """
    content = read_bytes(f"{root}/{MORE}")
    offered = [*(json.loads(content) if content else []), *REPOSITORIES]
    if all(one["repository"].partition("/")[0] != name.registry for one in offered):
        raise LookupError(name.registry)
    return next((one for one in offered if one["repository"] == name.canonical and name.tag in one["tags"]), None)


def digests(image: dict[str, Any]) -> list[str]:
    """The digests of its layers, the base first."""
    return [f"sha256:{hashlib.sha256(seed.encode()).hexdigest()}" for seed, _ in image["layers"]]


def uuid_of(layers: list[str]) -> str:
    """The uuid that stands for these layers, one upon the other."""
    text = hashlib.sha256(" ".join(layers).encode()).hexdigest()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:32]))


def manifests(image: dict[str, Any], name: Name) -> list[dict[str, Any]]:
    """The manifests of the images that its layers become, the base first."""
    layers = digests(image)
    return [_manifest(image, name, layers[: count + 1], len(layers)) for count in range(len(layers))]


def _manifest(image: dict[str, Any], name: Name, layers: list[str], every: int) -> dict[str, Any]:
    config = {key: image["config"][key] for key in CONFIG if key in image["config"]}
    tags: dict[str, Any] = {"docker:repo": name.local, "docker:id": layers[-1], "docker:architecture": "amd64"}
    if len(layers) == every:
        tags[f"docker:tag:{name.tag}"] = True
    made = {
        "v": 2, "uuid": uuid_of(layers), "owner": NOBODY, "name": "docker-layer",
        "version": layers[-1].partition(":")[2][:12], "disabled": False, "public": True,
        "published_at": image["created"], "type": "docker", "os": "linux",
        "description": " ".join(image["config"].get("Cmd", ()))[:LONGEST_DESCRIPTION],
        "tags": tags | {"docker:config": config},
    }  # fmt: skip
    return made | {"origin": uuid_of(layers[:-1])} if len(layers) > 1 else made
