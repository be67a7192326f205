"""What handlers and publishers are handed: the platform's tools, the host's identity, and the agent's own records."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from chunter_nsq.backup.means import Backups
from chunter_nsq.condition import Condition
from chunter_nsq.config import Config
from chunter_nsq.consoles import Consoles
from chunter_nsq.host import Host
from chunter_nsq.hostlock import HostLock
from chunter_nsq.imports import Imports
from chunter_nsq.inventory import Inventory
from chunter_nsq.journal import Record
from chunter_nsq.memory import Memory
from chunter_nsq.outbox import Outbox
from chunter_nsq.release.state import Updates
from chunter_nsq.smartos.imgadm import Imgadm
from chunter_nsq.smartos.prtconf import Prtconf
from chunter_nsq.smartos.runner import Runner
from chunter_nsq.smartos.svcadm import Svcadm
from chunter_nsq.smartos.vmadm import Vmadm
from chunter_nsq.smartos.zfs import Zfs
from chunter_nsq.smartos.zlogin import Zlogin
from chunter_nsq.smartos.zoneadm import Zoneadm
from chunter_nsq.strangers import Watch


class Work(Protocol):
    """The commands of this host, as the dispatcher knows them."""

    async def record(self, command_id: str) -> Record:
        """The journal's record of a command."""

    async def cancellable(self, command_id: str) -> str:
        """Whether a command waits or runs, when it may be ended."""

    async def cancel(self, command_id: str) -> dict[str, Any]:
        """End a command that waits, or one that runs and may be ended."""

    def running(self) -> list[dict[str, Any]]:
        """The commands that run."""

    def is_put_down(self, command_id: str) -> bool:
        """Whether a command was ended only because the agent ends: the next one goes on with it."""

    @property
    def queued(self) -> int:
        """How many commands wait or run."""

    def queues(self) -> dict[str, int]:
        """The same by lane, with queries."""


@dataclass(frozen=True, slots=True)
class Tools:
    """One of each; ``config`` gives the configuration as it is now, ``stopping`` is set when the agent shall end.

    ``sources`` says how the publishers do, see ``Ticker.state``.
    """

    config: Callable[[], Config]
    host: Host
    runner: Runner
    zoneadm: Zoneadm
    vmadm: Vmadm
    zfs: Zfs
    imgadm: Imgadm
    imports: Imports
    prtconf: Prtconf
    svcadm: Svcadm
    zlogin: Zlogin
    consoles: Consoles
    backups: Backups
    inventory: Inventory
    memory: Memory
    outbox: Outbox
    work: Work
    host_lock: HostLock
    actions: Mapping[str, Any]
    lag_seconds: Callable[[], float]
    sources: Callable[[], Sequence[Mapping[str, Any]]]
    updates: Updates
    stopping: asyncio.Event
    strangers: Watch
    condition: Condition
