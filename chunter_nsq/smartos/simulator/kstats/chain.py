"""The chain of kstats: which there are, in the tool's order, for the modules that are asked for."""

from __future__ import annotations

from chunter_nsq.smartos.simulator.kstats import machine as host
from chunter_nsq.smartos.simulator.kstats import zones
from chunter_nsq.smartos.simulator.kstats.machine import Machine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chunter_nsq.smartos.simulator.kstats.kind import Kind, Subject
    from chunter_nsq.smartos.simulator.kstats.zones import ZoneFigures

    Kstat = tuple[Kind, Subject]

MODULES = ("caps", "cpu", "cpu_info", "link", "memory_cap", "unix", "zfs", "zone_vfs", "zone_zfs", "zones")
OF_ZONES = {
    "memory_cap": zones.MEMORY_CAP, "zone_vfs": zones.ZONE_VFS, "zone_zfs": zones.ZONE_ZFS, "zones": zones.ZONES,
}  # fmt: skip


def read(root: str, now: float, wanted: Callable[[str], bool]) -> Iterator[Kstat]:
    """Kinds and subjects, sorted by module, instance and name."""
    machine = Machine(root, now)
    modules = [module for module in MODULES if wanted(module)]
    needs_zones = any(module in OF_ZONES or module in ("caps", "link") for module in modules)
    found = zones.up(root, now, machine.booted) if needs_zones else []
    for module in modules:
        if module in OF_ZONES:
            kind = OF_ZONES[module]
            yield from ((kind, zone) for zone in found)
        else:
            yield from OTHERS[module](machine, found)


def _caps(_machine: Machine, found: list[ZoneFigures]) -> Iterator[Kstat]:
    for zone in found:
        if zone.instance:
            yield from ((zones.CPU_CAPS, cap) for cap in zones.cpu_caps(zone))
            yield from ((zones.CAPS, cap) for cap in zones.caps(zone))


def _links(machine: Machine, found: list[ZoneFigures]) -> Iterator[Kstat]:
    links: list[Kstat] = [(zones.LINK, link) for zone in found for link in zones.links(zone)]
    links += [(host.HOST_LINK, link) for link in machine.links()]
    yield from sorted(links, key=lambda one: one[1].name.lower())


def _cpu(machine: Machine, _found: list[ZoneFigures]) -> Iterator[Kstat]:
    for sys, vm in zip(machine.processors("sys"), machine.processors("vm"), strict=True):
        yield host.CPU_SYS, sys
        yield host.CPU_VM, vm


def _cpu_info(machine: Machine, _found: list[ZoneFigures]) -> Iterator[Kstat]:
    yield from ((host.CPU_INFO, one) for one in machine.processors("cpu_info{}"))


def _unix(machine: Machine, _found: list[ZoneFigures]) -> Iterator[Kstat]:
    yield host.SYSTEM_MISC, machine.named("system_misc")
    yield host.SYSTEM_PAGES, machine.named("system_pages")


def _zfs(machine: Machine, _found: list[ZoneFigures]) -> Iterator[Kstat]:
    yield host.ARCSTATS, machine.named("arcstats")


OTHERS: dict[str, Callable[[Machine, list[ZoneFigures]], Iterator[Kstat]]] = {
    "caps": _caps, "link": _links, "cpu": _cpu, "cpu_info": _cpu_info, "unix": _unix, "zfs": _zfs,
}  # fmt: skip
