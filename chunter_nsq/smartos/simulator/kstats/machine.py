"""Statistics of the host: processors, memory, load, links, and ZFS's cache."""

from __future__ import annotations

from chunter_nsq.smartos.simulator.host import facts
from chunter_nsq.smartos.simulator.kstats.kind import Kind, Subject
from chunter_nsq.smartos.simulator.kstats.waves import Wave

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MIB, PAGE_BYTES, NSEC = 2**20, 4096, 10**9


class Machine(Subject):
    """The host at an instant; ``now`` and ``booted`` are epoch seconds."""

    __slots__ = ("booted", "facts", "memory_bytes", "now", "work")

    def __init__(self, root: str, now: float) -> None:
        self.facts = facts(root)
        self.now = now
        self.booted = float(self.facts["boot_time"])
        super().__init__(0, "", 0.0, now - self.booted)
        self.memory_bytes = int(self.facts["memory_mib"]) * MIB
        self.work = Wave(97, self.snaptime)

    def named(self, name: str) -> Named:
        """The host under the name of one of its kstats."""
        return Named(self, 0, name)

    def processors(self, name: str) -> list[Named]:
        """Every processor, under ``name`` with its number where there is a place for it."""
        return [Named(self, number, name.format(number)) for number in range(self.facts["cpu_threads"])]

    def links(self) -> list[Named]:
        """The links of the machine itself."""
        return [Named(self, 0, one["link"]) for one in self.facts["phys"]]


class Named(Subject):
    """Something of the host, with work of its own."""

    __slots__ = ("machine", "work")

    def __init__(self, machine: Machine, instance: int, name: str) -> None:
        super().__init__(instance, name, machine.crtime, machine.snaptime)
        self.machine = machine
        self.work = Wave(instance * 37 + 5, machine.snaptime) if instance else machine.work

    def nsec(self, share: float) -> int:
        """Time spent with something, on average so much of all time."""
        return int(self.work.done * share * NSEC)

    def known(self, name: str) -> Any:
        """A fact about the machine."""
        return self.machine.facts[name]


def _share(one: Named) -> float:
    return 0.04 + one.instance % 7 * 0.03


def _idle(one: Named) -> int:
    return int(one.snaptime * NSEC) - one.nsec(_share(one)) - one.nsec(_share(one) * 0.4) - one.nsec(0.004)


def _counter(per_second: float) -> Any:
    return lambda one: one.work.counted(per_second)


def _memory(share: float, swing: float = 0.0, unit: int = 1) -> Any:
    return lambda one: int(one.machine.memory_bytes * (share + swing * (one.work.busy - 1))) // unit


def _zero(_one: Any) -> int:
    return 0


CPU_SYS = Kind(
    "cpu", "misc",
    {
        "cpu_nsec_user": lambda one: one.nsec(_share(one)), "cpu_nsec_kernel": lambda one: one.nsec(_share(one) * 0.4),
        "cpu_nsec_intr": lambda one: one.nsec(0.004), "cpu_nsec_dtrace": _zero, "cpu_nsec_idle": _idle,
        "cpu_ticks_user": lambda one: one.nsec(_share(one)) // 10**7,
        "cpu_ticks_kernel": lambda one: one.nsec(_share(one) * 0.4) // 10**7, "cpu_ticks_wait": _zero,
        "cpu_ticks_idle": lambda one: _idle(one) // 10**7, "intr": _counter(410.0), "syscall": _counter(3100.0),
        "pswitch": _counter(920.0), "xcalls": _counter(55.0), "mutex_adenters": _counter(41.0),
        "inv_swtch": _counter(4.1), "cpumigrate": _counter(9.3), "intrthread": _counter(105.0),
        "rw_rdfails": _zero, "rw_wrfails": _zero,
    },
)  # fmt: skip
CPU_VM = Kind(
    "cpu", "misc",
    {
        "maj_fault": _counter(0.1), "as_fault": _counter(61.0), "hat_fault": _counter(5.2), "kernel_asflt": _zero,
        "pgpgin": _counter(0.5), "pgpgout": _counter(0.2), "scan": _zero,
    },
)  # fmt: skip
CPU_INFO = Kind(
    "cpu_info", "misc",
    {
        "state": lambda _one: "on-line", "clock_MHz": lambda _one: 2600, "brand": lambda one: one.known("cpu_type"),
        "core_id": lambda one: one.instance % one.known("cpu_cores"), "cpu_type": lambda _one: "i386",
        "chip_id": lambda one: one.instance % one.known("cpu_sockets"), "vendor_id": lambda _one: "GenuineIntel",
        "state_begin": lambda one: int(one.machine.booted), "current_clock_Hz": lambda _one: 2600 * 10**6,
    },
)  # fmt: skip
SYSTEM_MISC = Kind(
    "unix", "misc",
    {
        "avenrun_1min": lambda one: int(280 * one.work.busy), "avenrun_5min": lambda one: 200 + int(80 * one.work.busy),
        "avenrun_15min": lambda one: 250 + int(30 * one.work.busy), "boot_time": lambda one: int(one.machine.booted),
        "clk_intr": lambda one: int(one.snaptime * 100), "deficit": _zero,
        "lbolt": lambda one: int(one.snaptime * 100), "ncpus": lambda one: one.known("cpu_threads"),
        "nproc": lambda one: 240 + int(8 * one.work.busy),
    },
)  # fmt: skip
SYSTEM_PAGES = Kind(
    "unix", "pages",
    {
        "physmem": _memory(0.98, unit=PAGE_BYTES), "pagestotal": _memory(0.98, unit=PAGE_BYTES),
        "pagesfree": _memory(0.3, -0.01, PAGE_BYTES), "freemem": _memory(0.3, -0.01, PAGE_BYTES),
        "availrmem": _memory(0.55, -0.01, PAGE_BYTES), "pageslocked": _memory(0.43, 0.01, PAGE_BYTES),
        "lotsfree": _memory(1 / 64, unit=PAGE_BYTES), "desfree": _memory(1 / 128, unit=PAGE_BYTES),
        "minfree": _memory(1 / 256, unit=PAGE_BYTES), "pp_kernel": _memory(0.4, unit=PAGE_BYTES),
    },
)  # fmt: skip
ARCSTATS = Kind(
    "zfs", "misc",
    {
        "hits": _counter(4100.0), "misses": _counter(163.0), "demand_data_hits": _counter(2050.0),
        "demand_data_misses": _counter(60.0), "demand_metadata_hits": _counter(1900.0),
        "demand_metadata_misses": _counter(40.0), "prefetch_data_hits": _counter(100.0),
        "prefetch_data_misses": _counter(50.0), "prefetch_metadata_hits": _counter(50.0),
        "prefetch_metadata_misses": _counter(13.0), "mru_hits": _counter(900.0), "mru_ghost_hits": _counter(4.0),
        "mfu_hits": _counter(3200.0), "mfu_ghost_hits": _counter(6.0), "deleted": _counter(31.0),
        "evict_skip": _counter(0.02), "hash_collisions": _counter(1.5), "size": _memory(0.25, 0.002),
        "c": _memory(0.26), "c_min": _memory(1 / 64), "c_max": _memory(0.75), "p": _memory(0.13),
        "hdr_size": _memory(0.004), "data_size": _memory(0.22, 0.002), "other_size": _memory(0.026),
        "l2_hits": _zero, "l2_misses": _zero, "l2_size": _zero, "l2_hdr_size": _zero, "l2_read_bytes": _zero,
        "l2_write_bytes": _zero, "memory_throttle_count": _zero,
    },
)  # fmt: skip
HOST_LINK = Kind(
    "link", "net",
    {
        "ifspeed": lambda _one: NSEC, "link_state": lambda _one: 1, "link_duplex": lambda _one: 2,
        "ipackets64": _counter(3100.0), "opackets64": _counter(2700.0), "rbytes64": _counter(3100.0 * 713),
        "obytes64": _counter(2700.0 * 431), "ierrors": _zero, "oerrors": _zero, "zonename": lambda _one: "global",
    },
)  # fmt: skip
