"""What this host is: names, addresses, abilities, networks; what it announces."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from chunter_nsq import __version__, identity
from chunter_nsq.config import Config
from chunter_nsq.errors import Fault
from chunter_nsq.messages.events import SCHEMA_VERSION, timestamp
from chunter_nsq.smartos import usbkey as keys
from chunter_nsq.smartos.dladm import Dladm
from chunter_nsq.smartos.ipadm import Ipadm
from chunter_nsq.smartos.sysinfo import Sysinfo
from chunter_nsq.smartos.usbkey import Usbkey

log = logging.getLogger(__name__)

_T = TypeVar("_T")
_LX_SINCE = "2015"


@dataclass(slots=True)
class Host:
    """The facts, as old as the last `refresh`; what a tool would not say keeps its former value."""

    id: str
    prefix: str
    simulated: bool
    configured_ip: str
    status_port: int
    sysinfo_tool: Sysinfo
    dladm: Dladm
    ipadm: Ipadm
    usbkey: Usbkey
    started: float = field(default_factory=time.time)
    started_monotonic: float = field(default_factory=time.monotonic)
    alias: str = ""
    address: str | None = None
    sysinfo: dict[str, Any] = field(default_factory=dict)
    networks: tuple[str, ...] = ()
    etherstubs: tuple[str, ...] = ()
    asked_monotonic: float = -math.inf
    unanswered: Mapping[str, Fault] = field(default_factory=dict)

    @property
    def nic_tags(self) -> frozenset[str]:
        """What a NIC may name as its tag."""
        return frozenset((*self.networks, *self.etherstubs))

    async def refresh(self) -> None:
        """Ask the platform, all tools at once; ``unanswered`` are those that had no answer, and why.

        What they told the last time stays: an announcement with less is better than none.
        """
        self.asked_monotonic = time.monotonic()
        faults: dict[str, Fault] = {}
        sysinfo, etherstubs, macs, addresses, settings = await asyncio.gather(
            _asked(self.sysinfo_tool.read(), "sysinfo", faults),
            _asked(self.dladm.etherstubs(), "dladm", faults),
            _asked(self.dladm.macs(), "dladm", faults),
            _asked(self.ipadm.addresses(), "ipadm", faults),
            _asked(self.usbkey.read(), "usbkey", faults),
        )
        if sysinfo is not None:
            self.sysinfo = sysinfo
        self.alias = identity.alias(self.sysinfo, os.uname().nodename)
        if settings is not None:
            self.networks = tuple(sorted(keys.nic_tags(settings)))
        if etherstubs is not None:
            self.etherstubs = tuple(sorted({*etherstubs, *keys.etherstubs(settings or {})}))
        plumbed = {one.addrobj: one.addr for one in addresses or ()}
        guessed = identity.guess_ip(plumbed, macs or {}, settings or {}, self.status_port, self.configured_ip)
        self.address = guessed or self.address
        self.unanswered = faults

    @property
    def capabilities(self) -> list[str]:
        """The kinds of machine that can run here."""
        found = ["zone"]
        if self.sysinfo.get("VM Capable") is True and self.sysinfo.get("CPU Virtualization") == "vmx":
            found.append("kvm")
        if self.sysinfo.get("Bhyve Capable") is True:
            found.append("bhyve")
        if str(self.sysinfo.get("Live Image", "")) >= _LX_SINCE:
            found.append("lx")
        return found

    async def announcement(
        self, actions: Mapping[str, Any], config: Config, resources: Mapping[str, int]
    ) -> dict[str, Any]:
        """The announce payload; ``resources`` are the figures of memory."""
        ip, _, port = (self.address or "").rpartition(":")
        return {
            "host": self.id,
            "alias": self.alias,
            "ip": ip.strip("[]") or None,
            "port": int(port) if port else None,
            "version": __version__,
            "schema": SCHEMA_VERSION,
            "simulated": self.simulated,
            "command_topic": f"{self.prefix}.command.{self.id}",
            "channel": self.id,
            "capabilities": self.capabilities,
            "actions": sorted(name for name, one in actions.items() if one.group is None or config.allows(one.group)),
            "networks": list(self.networks),
            "etherstubs": list(self.etherstubs),
            "sysinfo": self.sysinfo,
            "resources": dict(resources),
            "started": timestamp(self.started),
            "interval": config.announce_interval_seconds,
        }


async def _asked(question: Awaitable[_T], tool: str, faults: dict[str, Fault]) -> _T | None:
    try:
        return await question
    except Fault as fault:
        log.warning("host.unanswered", extra={"tool": tool, "reason": fault.message})
        faults[tool] = fault
        return None
