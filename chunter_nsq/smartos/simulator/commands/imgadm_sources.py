"""imgadm avail and sources: what could be imported, and from where."""

from __future__ import annotations

import json

from chunter_nsq.smartos.simulator.catalogue import AVAILABLE, IMAGES, SOURCE, manifest
from chunter_nsq.smartos.simulator.commands.imgadm import filtered, table
from chunter_nsq.smartos.simulator.files import read_bytes, write_bytes
from chunter_nsq.smartos.simulator.process import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from chunter_nsq.smartos.simulator.process import Process

CONFIGURATION = "var/imgadm/imgadm.conf"
MORE = "var/simulator/sources.json"
KINDS = ("imgapi", "docker", "dsapi")
DOCKER_HUB = "https://docker.io"


def configured(root: str) -> list[dict[str, str]]:
    """The sources that are asked, ``{"url", "type"}`` each."""
    content = read_bytes(f"{root}/{CONFIGURATION}")
    if not content:
        return [{"url": SOURCE, "type": "imgapi"}]
    found: list[dict[str, str]] = json.loads(content).get("sources", [])
    return found


def offered(root: str) -> dict[str, dict[str, Any]]:
    """The images that the source has, by uuid."""
    content = read_bytes(f"{root}/{MORE}")
    more: list[dict[str, Any]] = json.loads(content) if content else []
    return {image["uuid"]: image for image in [*IMAGES, *AVAILABLE, *more]}


def avail(process: Process, words: list[str]) -> int:
    """Every image of the sources, oldest first; registries tell no list."""
    if not configured(process.root):
        raise Refused("imgadm avail: error (NoSources): imgadm has no configured sources")
    found = [{"manifest": manifest(image), "source": SOURCE} for image in offered(process.root).values()]
    found = filtered(sorted(found, key=lambda one: str(one["manifest"]["published_at"])), words)
    if "-j" in words:
        process.line(json.dumps(found, indent=2))
    else:
        table(process, words, found)
    return 0


def sources(process: Process, words: list[str]) -> int:
    """List them, add one, or take one away."""
    found = configured(process.root)
    if "--add-docker-hub" in words:
        words = ["-a", DOCKER_HUB, "-t", "docker"]
    for at, word in enumerate(words[:-1]):
        if word == "-a":
            _add(process, found, words[at + 1], words)
            return 0
        if word == "-d":
            _drop(process, found, words[at + 1])
            return 0
    if "-j" in words:
        process.line(json.dumps(found, indent=2))
    else:
        process.out("".join(f"{one['url']}\n" for one in found))
    return 0


def _add(process: Process, found: list[dict[str, str]], url: str, words: list[str]) -> None:
    kind = words[words.index("-t") + 1] if "-t" in words[:-1] else "imgapi"
    if kind not in KINDS:
        raise Refused(f'imgadm sources: error (UsageError): unknown source type: "{kind}"')
    if any(one["url"] == url for one in found):
        process.line(f'Already have "{kind}" image source "{url}", no change')
        return
    _save(process, [*found, {"url": url, "type": kind}])
    process.line(f'Added "{kind}" image source "{url}"')


def _drop(process: Process, found: list[dict[str, str]], url: str) -> None:
    left = [one for one in found if one["url"] != url]
    if len(left) == len(found):
        process.line(f'Do not have image source "{url}", no change')
        return
    kind = next(one["type"] for one in found if one["url"] == url)
    _save(process, left)
    process.line(f'Deleted "{kind}" image source "{url}"')


def _save(process: Process, found: list[dict[str, str]]) -> None:
    write_bytes(process.path(CONFIGURATION), json.dumps({"sources": found}, indent=2).encode())
