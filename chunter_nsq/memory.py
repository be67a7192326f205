"""The host's memory: what there is, what the machines were given, what is promised to those being made.

A machine that is being made counts with what it will have from the moment that its create begins; as soon as it is
among the machines of the inventory it counts as one of them. MiB throughout.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chunter_nsq.errors import InsufficientResources
from chunter_nsq.fifo.facts import BHYVE_OVERHEAD_MIB, KVM_OVERHEAD_MIB
from chunter_nsq.inventory import Inventory
from chunter_nsq.messages.events import Event
from chunter_nsq.smartos.prtconf import Prtconf

_DEFAULT_MIB = 256
_OVERHEAD_MIB = {"kvm": KVM_OVERHEAD_MIB, "bhyve": BHYVE_OVERHEAD_MIB}
Figures = dict[str, int]


class Memory:
    """The accounting of one host; ``reserved_mib`` is what is kept back from machines.

    ``known`` are the figures that were worked out last, whoever asked; empty as long as nobody did.
    """

    def __init__(self, prtconf: Prtconf, inventory: Inventory, reserved_mib: Callable[[], int]) -> None:
        self._prtconf = prtconf
        self._inventory = inventory
        self._reserved_mib = reserved_mib
        self._promised: dict[str, int] = {}
        self.known: Figures = {}

    async def total_mib(self) -> int:
        """The physical memory."""
        return await self._prtconf.memory_mib()

    async def figures(self) -> Figures:
        """The members of a chunter.memory.update."""
        total = await self.total_mib()
        given = {one.uuid: one.memory_mib for one in await self._inventory.machines()}
        provisioned = sum((self._promised | given).values())
        reserved = self._reserved_mib()
        self.known = {
            "total-memory": total,
            "provisioned-memory": provisioned,
            "reserved-memory": reserved,
            "free-memory": total - reserved - provisioned,
        }
        return self.known

    async def promise(self, uuid: str, wanted_mib: int) -> Figures:
        """Set memory aside for a machine that is to be made; the figures with it.

        Raises:
            InsufficientResources: there is less than that.
        """
        figures = await self.figures()
        free = figures["free-memory"]  # nobody else comes in between here and the end
        if wanted_mib > free:
            raise InsufficientResources(
                f"cannot create VM {uuid}: it wants {wanted_mib} MiB of memory, and {max(free, 0)} MiB are free"
                f" ({figures['total-memory']} in all, {figures['reserved-memory']} kept back,"
                f" {figures['provisioned-memory']} given to machines)",
                {"wanted_mib": wanted_mib, **figures},
            )
        self._promised[uuid] = wanted_mib
        taken = {"provisioned-memory": wanted_mib, "free-memory": -wanted_mib}
        self.known = {name: value + taken.get(name, 0) for name, value in figures.items()}
        return self.known

    def settle(self, uuid: str) -> None:
        """The machine is made, or will not be."""
        self._promised.pop(uuid, None)


def wanted_mib(payload: Mapping[str, Any]) -> int:
    """What a machine of this vmadm payload is given; a hardware-virtualised one costs more than its guest sees."""
    overhead = _OVERHEAD_MIB.get(str(payload.get("brand")), 0)
    ram = _number(payload.get("ram")) if overhead else 0
    given = _number(payload.get("max_physical_memory"))
    return max(given, ram + overhead if overhead and ram else 0) or _DEFAULT_MIB + overhead


def memory_event(host: str, figures: Mapping[str, int]) -> Event:
    """A chunter.memory.update event."""
    return Event("memory", "chunter.memory.update", host, {"event": "memory", "data": dict(figures)})


def _number(value: Any) -> int:
    """The number that vmadm will read; text that is one counts, anything else it will refuse itself."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else 0
