"""The kernel's counters: of CPUs, memory, caches, links and running zones.

A counter grows with the time since its zone (or the host) came up, at a pace that follows from the zone's name; it
starts anew when the zone boots. Names are cut to 30 characters, as the kernel cuts them.
"""

from __future__ import annotations

import zlib

from chunter_nsq.smartos.simulator.host import facts
from chunter_nsq.smartos.simulator.machine import Machines
from chunter_nsq.smartos.simulator.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

NAME_LENGTH = 30
NO_LIMIT = 18446744073709551615
MIB, PAGE = 2**20, 4096
SECOND = 10**9
VFS = (
    "10ms_ops", "100ms_ops", "1s_ops", "10s_ops", "delay_cnt", "delay_time", "nread", "nwritten", "reads", "writes",
    "rtime", "wtime", "rlentime", "wlentime",
)  # fmt: skip


class Kstat:
    """One kstat: module, instance, name, class, and its statistics."""

    __slots__ = ("group", "instance", "module", "name", "values")

    def __init__(
        self, module: str, instance: int, name: str, group: str, values: dict[str, Any], born: float, now: float
    ) -> None:
        self.module = module
        self.instance = instance
        self.name = name[:NAME_LENGTH]
        self.group = group
        self.values = values | {"crtime": f"{max(born, 0):.9f}", "snaptime": f"{now:.9f}"}


def all_of(root: str, now: float, wanted: Callable[[str], bool]) -> list[Kstat]:
    """The kstats of the modules that are wanted, sorted by module, instance and name."""
    known = facts(root)
    up = now - known["boot_time"]
    found: list[Kstat] = []
    for module, make in HOST.items():
        if wanted(module):
            found += make(known, up)
    zone_modules = [module for module in ZONES if wanted(module)]
    if zone_modules:
        found += _of_zones(root, now, known, zone_modules)
    return sorted(found, key=lambda one: (one.module, one.instance, one.name))


def _of_zones(root: str, now: float, known: dict[str, Any], modules: list[str]) -> Iterator[Kstat]:
    zones = [(0, "global", float(known["boot_time"]), 1)]
    zones += [
        (zone.active.zoneid, zone.name, float(zone.active.boot_seconds), zone.active.pid)
        for zone in World(root).zones()
        if zone.active and zone.state == "running"
    ]
    vms = {vm["zonename"]: vm for vm in Machines(World(root)).all()} if set(modules) & {"caps", "memory_cap"} else {}
    for zoneid, name, booted, pid in zones:
        age = max(0.0, now - booted)
        pace = zlib.crc32(name.encode()) % 997 + 3
        one = Zone(zoneid, name, booted, pid, age, pace, vms.get(name, {}))
        for module in modules:
            for label, group, values in ZONES[module](one):
                values["zonename"] = name
                yield Kstat(module, zoneid, label, group, values, booted - known["boot_time"], now - known["boot_time"])


class Zone:
    """A running zone as its counters see it; ``pace`` is between 3 and 999."""

    def __init__(
        self, zoneid: int, name: str, booted: float, pid: int, age: float, pace: int, vm: dict[str, Any]
    ) -> None:
        self.zoneid = zoneid
        self.name = name
        self.booted = booted
        self.pid = pid
        self.age = age
        self.pace = pace
        self.vm = vm

    def grown(self, per_second: float) -> int:
        """A counter that grows so fast."""
        return int(self.age * per_second * self.pace)


Rows = list[tuple[str, str, "dict[str, Any]"]]


def _zones(zone: Zone) -> Rows:
    values = {
        "avenrun_1min": zone.pace % 256, "avenrun_5min": zone.pace % 200, "avenrun_15min": zone.pace % 128,
        "boot_time": int(zone.booted), "init_pid": zone.pid, "init_restarts": 0, "forkfail_cap": 0,
        "forkfail_noproc": 0, "forkfail_nomem": 0, "forkfail_misc": 0, "nsec_user": zone.grown(SECOND / 2000),
        "nsec_sys": zone.grown(SECOND / 8000), "nsec_waitrq": zone.grown(SECOND / 20000),
    }  # fmt: skip
    return [(zone.name, "zone_misc", values)]


def _caps(zone: Zone) -> Rows:
    physical = int(zone.vm.get("max_physical_memory", 0)) * MIB
    rows: Rows = []
    if zone.vm.get("cpu_cap"):
        cap = zone.vm["cpu_cap"]
        values = {
            "value": cap, "usage": zone.pace % cap, "maxusage": cap, "nwait": 0, "below_sec": int(zone.age),
            "above_sec": 0,
            "above_base_sec": 0, "baseline": 0, "effective": cap, "burst_limit_sec": 0, "bursting_sec": 0,
        }  # fmt: skip
        rows.append((f"cpucaps_zone_{zone.zoneid}", "zone_caps", values))
    for label, limit, usage in (
        ("physicalmem", physical, _resident(zone)), ("swapresv", physical, _resident(zone)),
        ("lockedmem", physical, 0), ("nprocs", zone.vm.get("max_lwps"), 20 + zone.pace % 40),
    ):  # fmt: skip
        rows.append((f"{label}_zone_{zone.zoneid}", "zone_caps", {"usage": usage, "value": limit or NO_LIMIT}))
    return rows


def _resident(zone: Zone) -> int:
    limit = int(zone.vm.get("max_physical_memory", 1024)) * MIB
    return limit * (zone.pace % 70 + 20) // 100


def _memory_cap(zone: Zone) -> Rows:
    limit = int(zone.vm.get("max_physical_memory", 0)) * MIB
    swap = int(zone.vm.get("max_swap", 0)) * MIB
    values = dict.fromkeys(
        (
            "nover",
            "pagedout",
            "anonpgin",
            "execpgin",
            "fspgin",
            "anon_alloc_fail",
            "n_pf_throttle",
            "n_pf_throttle_usec",
        ),
        0,
    )
    values |= {
        "rss": _resident(zone),
        "physcap": limit or NO_LIMIT,
        "swap": _resident(zone),
        "swapcap": swap or NO_LIMIT,
    }
    values["pgpgin"] = zone.grown(0.01)
    return [(zone.name, "zone_memory_cap", values)]


def _zone_vfs(zone: Zone) -> Rows:
    values = {name: zone.grown(0.0) for name in VFS}
    values |= {"nread": zone.grown(900.0), "reads": zone.grown(0.3), "nwritten": zone.grown(400.0)}
    values |= {"writes": zone.grown(0.1), "rtime": zone.grown(2000.0), "wtime": zone.grown(500.0)}
    return [(zone.name, "zone_vfs", values)]


def _zone_zfs(zone: Zone) -> Rows:
    values = {"nread": zone.grown(90.0), "reads": zone.grown(0.03), "rtime": 0, "rlentime": 0, "waittime": 0}
    return [(zone.name, "zone_zfs", values | {"nwritten": zone.grown(200.0), "writes": zone.grown(0.05)})]


def _link(zone: Zone) -> Rows:
    rows: Rows = []
    for nic in zone.vm.get("nics", [{"interface": "net0"}]) if zone.zoneid else ():
        values = {
            "ifspeed": 10**9, "link_state": 1, "link_duplex": 2, "rbytes64": zone.grown(700.0),
            "obytes64": zone.grown(300.0), "ipackets64": zone.grown(1.5), "opackets64": zone.grown(1.1), "ierrors": 0,
            "oerrors": 0, "norcvbuf": 0, "noxmtbuf": 0, "multircv": 0, "multixmt": 0, "brdcstrcv": 0,
        }  # fmt: skip
        rows.append((f"z{zone.zoneid}_{nic.get('interface', 'net0')}", "net", values))
    return rows


def _arcstats(known: dict[str, Any], up: float) -> list[Kstat]:
    size = known["memory_mib"] * MIB // 4
    hits, misses = int(up * 4000), int(up * 160)
    values = dict.fromkeys(
        ("l2_hits", "l2_misses", "l2_size", "l2_read_bytes", "l2_hdr_size", "evict_skip", "hdr_size"), 0
    )
    values |= {
        "hits": hits, "misses": misses, "size": size, "c": size, "c_min": size // 8,
        "c_max": known["memory_mib"] * MIB * 3 // 4,
        "p": size // 2, "data_size": size * 9 // 10, "other_size": size // 10, "mru_hits": hits // 4,
        "mfu_hits": hits * 3 // 4, "demand_data_hits": hits // 2, "demand_data_misses": misses // 2,
        "demand_metadata_hits": hits // 4, "demand_metadata_misses": misses // 4, "prefetch_data_hits": hits // 8,
        "prefetch_data_misses": misses // 8, "prefetch_metadata_hits": hits // 8,
        "prefetch_metadata_misses": misses // 8,
    }  # fmt: skip
    return [Kstat("zfs", 0, "arcstats", "misc", values, 0.0, up)]


def _unix(known: dict[str, Any], up: float) -> list[Kstat]:
    pages = known["memory_mib"] * MIB // PAGE
    memory = {
        "physmem": pages, "pagestotal": pages, "availrmem": pages // 2, "freemem": pages // 3, "lotsfree": pages // 64,
        "pageslocked": pages // 2,
    }  # fmt: skip
    misc = {
        "avenrun_1min": 52, "avenrun_5min": 48, "avenrun_15min": 45, "boot_time": known["boot_time"],
        "clk_intr": int(up * 100), "lbolt": int(up * 100), "ncpus": known["cpu_threads"], "nproc": 240,
    }  # fmt: skip
    return [
        Kstat("unix", 0, "system_misc", "misc", misc, 0.0, up),
        Kstat("unix", 0, "system_pages", "pages", memory, 0.0, up),
    ]


def _cpus(known: dict[str, Any], up: float) -> list[Kstat]:
    found = []
    for number in range(known["cpu_threads"]):
        busy = up * (number % 7 + 2) / 100
        values = {
            "cpu_nsec_idle": int((up - busy) * SECOND), "cpu_nsec_user": int(busy * SECOND * 0.7),
            "cpu_nsec_kernel": int(busy * SECOND * 0.3), "cpu_nsec_intr": int(busy * SECOND * 0.02),
            "cpu_nsec_dtrace": 0,
            "cpu_ticks_idle": int((up - busy) * 100), "cpu_ticks_user": int(busy * 70),
            "cpu_ticks_kernel": int(busy * 30),
            "cpu_ticks_wait": 0, "intr": int(up * 400), "syscall": int(up * 3000), "pswitch": int(up * 900),
            "xcalls": int(up * 50), "mutex_adenters": int(up * 40), "inv_swtch": int(up * 4), "cpumigrate": int(up * 9),
            "rw_rdfails": 0, "rw_wrfails": 0, "intrthread": int(up * 100),
        }  # fmt: skip
        found.append(Kstat("cpu", number, "sys", "misc", values, 0.0, up))
        vm = {"maj_fault": int(up * 0.1), "as_fault": int(up * 60), "hat_fault": int(up * 5), "kernel_asflt": 0}
        found.append(Kstat("cpu", number, "vm", "misc", vm | {"pgpgin": 0, "pgpgout": 0, "scan": 0}, 0.0, up))
    return found


def _cpu_info(known: dict[str, Any], up: float) -> list[Kstat]:
    return [
        Kstat(
            "cpu_info", number, f"cpu_info{number}", "misc",
            {
                "state": "on-line", "clock_MHz": 2600, "brand": known["cpu_type"],
                "core_id": number % known["cpu_cores"], "chip_id": number % known["cpu_sockets"],
            }, 0.0, up,
        )
        for number in range(known["cpu_threads"])
    ]  # fmt: skip


HOST: dict[str, Callable[[dict[str, Any], float], list[Kstat]]] = {
    "zfs": _arcstats, "unix": _unix, "cpu": _cpus, "cpu_info": _cpu_info,
}  # fmt: skip
ZONES: dict[str, Callable[[Zone], Rows]] = {
    "zones": _zones, "caps": _caps, "memory_cap": _memory_cap, "zone_vfs": _zone_vfs, "zone_zfs": _zone_zfs,
    "link": _link,
}  # fmt: skip
