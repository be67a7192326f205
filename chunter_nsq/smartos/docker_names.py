"""Names of docker images: ``[registry/]repository[:tag]``, as imgadm takes them.

A digest in the place of the tag is no name here: imgadm aborts on one.
"""

from __future__ import annotations

import re

from chunter_nsq.smartos.names import is_uuid

HUB = "docker.io"
LATEST = "latest"
FORM = "a docker image's name such as busybox:latest or quay.io/prometheus/busybox:latest"
_LONGEST_NAME = 255
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = rf"(?:localhost|{_LABEL}(?:\.{_LABEL})+|{_LABEL}(?=:))(?::[0-9]{{1,5}})?"
_NAMESPACE = r"(?=[^/]{2})[a-z0-9]+(?:(?:__?|-)[a-z0-9]+)*"
_WORD = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_NAME = re.compile(rf"(?:(?:https?://)?{_HOST}/)?(?:{_NAMESPACE}/(?:{_WORD}/)*)?{_WORD}(?::{_TAG})?")


def is_docker_name(value: str) -> bool:
    """Whether it names a docker image, as ``busybox``, ``grafana/loki:3.0`` or ``quay.io/prometheus/busybox``."""
    return len(value) <= _LONGEST_NAME and _NAME.fullmatch(value) is not None and not is_uuid(value)


def is_image(value: str) -> bool:
    """Whether it says which image is meant: its uuid, or a docker image's name."""
    return is_uuid(value) or is_docker_name(value)


def canonical(image: str) -> str:
    """The same for every spelling of one name, ``docker.io/busybox:latest`` for ``busybox``; a uuid stays as it is."""
    if is_uuid(image):
        return image
    repository, colon, tag = image.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = image, LATEST
    repository = repository.removeprefix("https://").removeprefix("index.docker.io/").removeprefix(f"{HUB}/")
    registry, slash, path = repository.partition("/")
    if slash and ("." in registry or ":" in registry or registry == "localhost"):
        return f"{registry}/{path}:{tag}"
    return f"{HUB}/{repository.removeprefix('library/')}:{tag}"
