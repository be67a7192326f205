"""The machines of this host as the platform's event stream tells them; without the stream, as vmadm lists them.

Asking vmadm costs half a second of CPU, so what is needed again and again (memory, aliases) is kept here. Only few
members of each machine are kept, so that a thousand of them are small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chunter_nsq.smartos.vmadm import Vmadm

_FIELDS = ("uuid", "alias", "brand", "state", "max_physical_memory")


@dataclass(frozen=True, slots=True)
class Machine:
    """What is kept of a machine."""

    uuid: str
    alias: str
    brand: str
    state: str
    memory_mib: int


class Inventory:
    """Machines by uuid; each of ``watchers`` is shown every document that comes, None for a machine that is gone.

    ``resizers`` are called when what all of them are given changed. ``stored`` are those that are about to go from here
    because the store has them.
    """

    def __init__(self, vmadm: Vmadm) -> None:
        self._vmadm = vmadm
        self._machines: dict[str, Machine] = {}
        self._is_live = False
        self.stored: set[str] = set()
        self.watchers: list[Callable[[Mapping[str, Any] | None, str], None]] = []
        self.resizers: list[Callable[[], None]] = []

    async def machines(self) -> tuple[Machine, ...]:
        """All machines; asks vmadm when the stream is down."""
        if not self._is_live:
            listed = await self._vmadm.lookup(_FIELDS)
            if not self._is_live:  # else the stream came up meanwhile, and what it told is newer
                self._replace(listed)
        return tuple(self._machines.values())

    def known(self) -> tuple[Machine, ...]:
        """All machines as they were known last; asks nobody."""
        return tuple(self._machines.values())

    def alias(self, uuid: str) -> str:
        """A machine's alias, empty when it has none or is not known."""
        machine = self._machines.get(uuid)
        return machine.alias if machine else ""

    def begin(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """The stream is up, and these machines are there."""
        whole = list(documents)
        before = self._machines
        self._replace(whole)
        self._is_live = True
        if before.keys() != self._machines.keys() or _given(before) != _given(self._machines):
            self._resized()
        for document in whole:
            self._show(document, _uuid(document))

    def put(self, document: Mapping[str, Any]) -> None:
        """A machine was made or changed."""
        machine = _machine(document)
        if machine is not None:
            before = self._machines.get(machine.uuid)
            self._machines[machine.uuid] = machine
            if before is None or before.memory_mib != machine.memory_mib:
                self._resized()
        self._show(document, _uuid(document))

    def drop(self, uuid: str) -> None:
        """A machine is gone."""
        if self._machines.pop(uuid, None) is not None:
            self._resized()
        self._show(None, uuid)

    def end(self) -> None:
        """The stream is down."""
        self._is_live = False

    def _resized(self) -> None:
        for tell in self.resizers:
            tell()

    def _show(self, document: Mapping[str, Any] | None, uuid: str) -> None:
        for watch in self.watchers:
            watch(document, uuid)

    def _replace(self, documents: Iterable[Mapping[str, Any]]) -> None:
        found = {machine.uuid: machine for machine in map(_machine, documents) if machine is not None}
        self._machines = found


def _given(machines: Mapping[str, Machine]) -> int:
    return sum(one.memory_mib for one in machines.values())


def _machine(document: Mapping[str, Any]) -> Machine | None:
    uuid = _uuid(document)
    if not uuid:
        return None
    memory = document.get("max_physical_memory")
    return Machine(
        uuid,
        str(document.get("alias") or ""),
        str(document.get("brand") or ""),
        str(document.get("state") or ""),
        memory if isinstance(memory, int) else 0,
    )


def _uuid(document: Mapping[str, Any]) -> str:
    uuid = document.get("uuid") or document.get("zonename")
    return uuid if isinstance(uuid, str) else ""
