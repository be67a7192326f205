"""Statistics of the global zone and of every zone that is up: CPU, memory, files, network, limits."""

from __future__ import annotations

from zlib import crc32

from chunter_nsq.smartos.simulator.kernel import Kernel
from chunter_nsq.smartos.simulator.kstats import limits
from chunter_nsq.smartos.simulator.kstats.kind import UNLIMITED, Kind, Subject
from chunter_nsq.smartos.simulator.kstats.waves import SWING, Wave

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from chunter_nsq.smartos.simulator.kstats.limits import Limits

UP = frozenset({"running", "shutting_down", "down"})
PAGE_BYTES = 4096
WORD = 2**32
UNCAPPED_BYTES = 512 * 2**20  # what a zone uses that may use as much as it likes
NSEC = 10**9
LINK_BITS = 10**9


class ZoneFigures(Subject):
    """A zone as its statistics see it; ``cores`` is how many processors it keeps busy on average."""

    __slots__ = ("began", "cores", "limits", "pid", "weight", "whole", "work")

    def __init__(self, zoneid: int, name: str, began: float, pid: int, told: Limits, host: tuple[float, float]) -> None:
        now, booted = host
        super().__init__(zoneid, name, began - booted, now - booted)
        self.whole = name
        self.began = began
        self.pid = pid
        self.limits = told
        number = crc32(f"{name} {zoneid}".encode())
        quiet = number % 4 == 0 and zoneid > 0
        self.work = Wave(number, max(0.0, now - began), quiet=quiet)
        self.weight = 0.01 if quiet else 0.1 + number % 997 / 250  # up to 4
        most = told.cpu / 100 / (1 + SWING) if told.cpu else 4.0
        self.cores = min(0.12 * self.weight, most)

    def counted(self, per_second: float) -> int:
        """A counter that grows so fast in a zone of weight 1."""
        return int(self.work.done * per_second * self.weight)

    def resident(self) -> int:
        """Memory in use, in bytes; whole pages."""
        most = self.limits.physical or UNCAPPED_BYTES
        return int(most * (0.3 + 0.08 * self.weight + 0.1 * self.work.busy)) // PAGE_BYTES * PAGE_BYTES


class Link(Subject):
    """A link of a zone."""

    __slots__ = ("share", "zone")

    def __init__(self, zone: ZoneFigures, link: str, position: int) -> None:
        super().__init__(0, f"z{zone.instance}_{link}", zone.crtime, zone.snaptime)
        self.zone = zone
        self.share = 1 / (1 + position)

    def counted(self, per_second: float) -> int:
        """A counter that grows so fast on the first link of a zone of weight 1."""
        return self.zone.counted(per_second * self.share)


class Cap(Subject):
    """A limit of a zone on something, and how much of it is used."""

    __slots__ = ("usage", "value", "zone")

    def __init__(self, zone: ZoneFigures, what: str, usage: int, value: int | None) -> None:
        super().__init__(zone.instance, f"{what}_zone_{zone.instance}", zone.crtime, zone.snaptime)
        self.zone = zone
        self.usage = usage
        self.value = UNLIMITED if value is None else value


def up(root: str, now: float, booted: float) -> list[ZoneFigures]:
    """The global zone and the zones that are up, by zone id."""
    active = {name: one for name, one in Kernel(root).zones.items() if one.state in UP and one.boot_seconds}
    told = limits.of_zones(root, active)
    host = (now, booted)
    found = [ZoneFigures(0, "global", booted, 1, limits.NONE, host)]
    for name, one in active.items():
        if name in told:
            found.append(ZoneFigures(one.zoneid, name, one.boot_seconds, one.pid, told[name], host))
    return sorted(found, key=lambda zone: zone.instance)


def links(zone: ZoneFigures) -> Iterator[Link]:
    """The zone's links."""
    return (Link(zone, link, position) for position, link in enumerate(zone.limits.links))


def cpu_caps(zone: ZoneFigures) -> Iterator[Cap]:
    """The limit on processors, if there is one."""
    if zone.limits.cpu:
        yield Cap(zone, "cpucaps", int(100 * zone.cores * zone.work.busy), zone.limits.cpu)


def caps(zone: ZoneFigures) -> Iterator[Cap]:
    """The other limits, which are there even where nothing is limited."""
    told = zone.limits
    yield Cap(zone, "lockedmem", 0, told.locked)
    yield Cap(zone, "nprocs", 12 + int(9 * zone.weight), told.processes)
    yield Cap(zone, "physicalmem", zone.resident(), told.physical)
    yield Cap(zone, "swapresv", zone.resident() * 4 // 5, told.swap)


def _zero(_subject: Any) -> int:
    return 0


def _limit(value: int | None) -> int:
    return UNLIMITED if value is None else value


def _load(scale: float) -> Any:
    return lambda zone: int(256 * zone.cores * (1 + scale * (zone.work.busy - 1)))


ZONES = Kind(
    "zones", "zone_misc",
    {
        "avenrun_1min": _load(1.0), "avenrun_5min": _load(0.5), "avenrun_15min": _load(0.2),
        "boot_time": lambda zone: int(zone.began), "init_pid": lambda zone: zone.pid, "init_restarts": _zero,
        "forkfail_cap": _zero, "forkfail_noproc": _zero, "forkfail_nomem": _zero, "forkfail_misc": _zero,
        "nsec_user": lambda zone: int(zone.work.done * zone.cores * 0.7 * NSEC),
        "nsec_sys": lambda zone: int(zone.work.done * zone.cores * 0.3 * NSEC),
        "nsec_waitrq": lambda zone: int(zone.work.done * zone.cores * 0.04 * NSEC),
        "zonename": lambda zone: zone.whole,
    },
)  # fmt: skip
MEMORY_CAP = Kind(
    "memory_cap", "zone_memory_cap",
    {
        "rss": ZoneFigures.resident, "physcap": lambda zone: _limit(zone.limits.physical),
        "swap": lambda zone: zone.resident() * 4 // 5, "swapcap": lambda zone: _limit(zone.limits.swap),
        "nover": _zero, "pagedout": _zero, "pgpgin": lambda zone: zone.counted(0.4), "anonpgin": _zero,
        "execpgin": lambda zone: zone.counted(0.1), "fspgin": lambda zone: zone.counted(0.3),
        "anon_alloc_fail": _zero, "n_pf_throttle": _zero, "n_pf_throttle_usec": _zero,
        "zonename": lambda zone: zone.whole,
    },
)  # fmt: skip
ZONE_VFS = Kind(
    "zone_vfs", "zone_vfs",
    {
        "reads": lambda zone: zone.counted(55.0), "nread": lambda zone: zone.counted(55.0) * 3127,
        "writes": lambda zone: zone.counted(21.0), "nwritten": lambda zone: zone.counted(21.0) * 1873,
        "rtime": lambda zone: zone.counted(1.1e6), "rlentime": lambda zone: zone.counted(1.3e6),
        "wtime": lambda zone: zone.counted(4.0e5), "wlentime": lambda zone: zone.counted(5.0e5),
        "10ms_ops": lambda zone: zone.counted(0.02), "100ms_ops": lambda zone: zone.counted(0.0007),
        "1s_ops": lambda zone: zone.counted(0.00002), "10s_ops": _zero,
        "delay_cnt": lambda zone: zone.counted(0.0001), "delay_time": lambda zone: zone.counted(0.0001) * 20,
        "zonename": lambda zone: zone.whole,
    },
)  # fmt: skip
ZONE_ZFS = Kind(
    "zone_zfs", "zone_zfs",
    {
        "reads": lambda zone: zone.counted(1.7), "nread": lambda zone: zone.counted(1.7) * 16384,
        "writes": lambda zone: zone.counted(4.2), "nwritten": lambda zone: zone.counted(4.2) * 8192,
        "rtime": lambda zone: zone.counted(2.0e6), "rlentime": lambda zone: zone.counted(2.2e6),
        "waittime": lambda zone: zone.counted(1000.0), "zonename": lambda zone: zone.whole,
    },
)  # fmt: skip
LINK = Kind(
    "link", "net",
    {
        "ifspeed": lambda _link: LINK_BITS, "link_state": lambda _link: 1, "link_duplex": lambda _link: 2,
        "unknowns": _zero, "ipackets64": lambda link: link.counted(31.0), "opackets64": lambda link: link.counted(27.0),
        "rbytes64": lambda link: link.counted(31.0) * 713, "obytes64": lambda link: link.counted(27.0) * 431,
        "ipackets": lambda link: link.counted(31.0) % WORD, "opackets": lambda link: link.counted(27.0) % WORD,
        "rbytes": lambda link: link.counted(31.0) * 713 % WORD, "obytes": lambda link: link.counted(27.0) * 431 % WORD,
        "ierrors": _zero, "oerrors": _zero, "norcvbuf": _zero, "noxmtbuf": _zero, "collisions": _zero,
        "multircv": lambda link: link.counted(0.2), "multixmt": lambda link: link.counted(0.01),
        "brdcstrcv": lambda link: link.counted(0.4), "brdcstxmt": lambda link: link.counted(0.02),
        "zonename": lambda link: link.zone.whole,
    },
)  # fmt: skip
CAPS = Kind(
    "caps", "zone_caps",
    {"usage": lambda cap: cap.usage, "value": lambda cap: cap.value, "zonename": lambda cap: cap.zone.whole},
)  # fmt: skip
CPU_CAPS = Kind(
    "caps", "zone_caps",
    {
        "usage": lambda cap: cap.usage, "value": lambda cap: cap.value, "effective": lambda cap: cap.value,
        "maxusage": lambda cap: int(100 * cap.zone.cores * (1 + SWING)), "nwait": _zero,
        "below_sec": lambda cap: int(cap.snaptime - cap.crtime), "above_sec": _zero, "above_base_sec": _zero,
        "baseline": _zero, "burst_limit_sec": _zero, "bursting_sec": _zero, "zonename": lambda cap: cap.zone.whole,
    },
)  # fmt: skip
