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
_SAID = {"Cmd": "cmd", "Entrypoint": "entrypoint", "Env": "env", "WorkingDir": "workdir"}


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

    ``settings`` is FiFo's ``docker`` member: its values are encoded already and are handed on as they are. What it
    leaves out is taken from the image, also single variables of the environment. The container waits up to a minute
    for somebody to attach.
    """
    internal: dict[str, Any] = {"docker:wait_for_attach": host.now_ms + ATTACH_WAIT_MS}
    internal |= {f"docker:{key}": deepcopy(value) for key, value in settings.items()}
    for key, value in _of_image(host.image_config).items():
        if settings.get(key) is None:
            internal[f"docker:{key}"] = value if key == "workdir" else _encoded(value)
        elif key == "env" and isinstance(value, list) and (own := _variables(settings[key])) is not None:
            internal["docker:env"] = _encoded([one for one in value if _name(one) not in map(_name, own)] + own)
    return {
        "docker": True,
        "autoboot": False,
        "init_name": INIT,
        "internal_metadata": internal,
        "internal_metadata_namespaces": ["docker"],
    }


def _of_image(config: Mapping[str, Any]) -> dict[str, Any]:
    """What an image says of its containers, by the names that FiFo has for it; nothing that it leaves empty."""
    said = {key: config.get(name) for name, key in _SAID.items()}
    return {key: value for key, value in said.items() if isinstance(value, str | list | tuple) and value != ""}


def _variables(encoded: Any) -> list[str] | None:
    """An environment as it is handed on; None when that is not one."""
    try:
        found = json.loads(encoded)
    except (TypeError, ValueError):
        return None
    return found if isinstance(found, list) and all(isinstance(one, str) for one in found) else None


def _name(variable: Any) -> str:
    return str(variable).partition("=")[0]


def _encoded(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
