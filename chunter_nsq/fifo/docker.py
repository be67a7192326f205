"""What makes a payload of an lx zone one of a docker container."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from chunter_nsq.fifo.facts import HostFacts

ATTACH_WAIT_MS = 60_000
INIT = "/native/usr/vm/sbin/dockerinit"


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
