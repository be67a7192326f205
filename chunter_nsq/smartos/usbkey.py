"""The host's own configuration, ``/usbkey/config``: shell assignments that are read, never executed."""

from __future__ import annotations

import asyncio
import logging
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from chunter_nsq.smartos.dladm import normal_mac
from chunter_nsq.smartos.stars import is_secret

log = logging.getLogger(__name__)

CONFIG = "usbkey/config"
_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")
_NIC = "_nic"


def parse_usbkey(text: str) -> dict[str, str]:
    """``KEY=value`` lines as a dictionary; the last of a key counts, and secrets are left out.

    Quotes are taken off, a comment after a blank too. Nothing is expanded.
    """
    settings: dict[str, str] = {}
    for line in text.split("\n"):
        assignment = _ASSIGNMENT.fullmatch(line.rstrip("\r"))
        if assignment:
            name, value = assignment[1], _plain(assignment[2])
            if not is_secret(name, value):
                settings[name] = value
    return settings


def nic_tags(settings: Mapping[str, str]) -> dict[str, str]:
    """NIC tag to the MAC address (normalised) or the aggregation that carries it."""
    return {
        name.removesuffix(_NIC): normal_mac(value)
        for name, value in settings.items()
        if name.endswith(_NIC) and name != _NIC and value
    }


def etherstubs(settings: Mapping[str, str]) -> tuple[str, ...]:
    """The etherstubs that are made at boot; they are NIC tags too."""
    return tuple(name for name in settings.get("etherstub", "").split(",") if name)


class Usbkey:
    """The file below a platform root."""

    def __init__(self, root: Path) -> None:
        self._path = root / CONFIG

    async def read(self) -> dict[str, str]:
        """Its settings without secrets; empty when the host has no such file."""
        try:
            text = await asyncio.to_thread(self._path.read_text, encoding="utf-8", errors="replace")
        except OSError as fault:
            log.warning("usbkey.unreadable", extra={"path": str(self._path), "why": str(fault)})
            return {}
        return parse_usbkey(text)


def _plain(value: str) -> str:
    """What a shell would take for the value, as far as that needs no expanding."""
    try:
        words = shlex.split(value, comments=True)
    except ValueError:  # an open quote
        return value.strip()
    return words[0] if words else ""
