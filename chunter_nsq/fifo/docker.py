"""Docker containers: datasets that are docker names, and what makes a payload of an lx zone one of a container."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from chunter_nsq.fifo.facts import HostFacts

ATTACH_WAIT_MS = 60_000
INIT = "/native/usr/vm/sbin/dockerinit"
KERNEL_VERSION = "3.13.0"


def image_name(dataset: Mapping[str, Any] | None) -> str | None:
    """The docker image's name that stands for the whole dataset, as in ``{"docker": "busybox:latest"}``."""
    name = None if dataset is None else dataset.get("docker")
    return name if isinstance(name, str) else None


def dataset_of(named: Mapping[str, Any], image: str) -> dict[str, Any]:
    """The dataset that a named one stands for, once its image is known."""
    kernel_version = named.get("kernel_version", KERNEL_VERSION)
    return {"type": "zone", "zone_type": "docker", "kernel_version": kernel_version, "uuid": image}


def container(settings: Mapping[str, Any], host: HostFacts) -> dict[str, Any]:
    """The members that a container has beside those of an lx zone.

    ``settings`` is FiFo's ``docker`` member: its values are encoded already and are handed on as they are. Where it
    has no ``cmd``, the image's own is taken. The container waits up to a minute for somebody to attach.
    """
    internal: dict[str, Any] = {"docker:wait_for_attach": host.now_ms + ATTACH_WAIT_MS}
    internal |= {f"docker:{key}": deepcopy(value) for key, value in settings.items()}
    if settings.get("cmd") is None and host.image_cmd is not None:
        internal["docker:cmd"] = json.dumps(host.image_cmd, separators=(",", ":"))
    return {
        "docker": True,
        "autoboot": False,
        "init_name": INIT,
        "internal_metadata": internal,
        "internal_metadata_namespaces": ["docker"],
    }
