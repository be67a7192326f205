"""How counters and gauges are written: for each kind a text with gaps, made once, which every sample fills.

A thousand zones give hundreds of samples a second, all of a few forms: to lay each out as mappings and encode those
costs several times as much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter, sub
from typing import NamedTuple

from chunter_nsq.messages.events import compact
from chunter_nsq.smartos.kstat import Head

CPU_PREFIX = "cpu_nsec_"
_NSEC_PERCENT = 100 / 1e9
_UNLIMITED = 2**64 - 1


class Kind(NamedTuple):
    """What of a module is told: its gauges as they are, its counters also per second, times ``scale``."""

    gauges: tuple[str, ...]
    counters: tuple[str, ...]
    scale: float = 1

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.gauges, *self.counters)


_CAPS = Kind(("usage", "value", "maxusage", "nwait", "baseline", "effective", "bursting_sec"), ())
_ZONES = Kind(("avenrun_1min",), ("nsec_user", "nsec_sys", "nsec_waitrq"), _NSEC_PERCENT)
_MEMORY = Kind(("rss", "physcap", "swap", "swapcap"), ("nover", "pagedout"))
_NET = Kind((), ("obytes64", "rbytes64", "opackets64", "ipackets64", "ierrors", "oerrors"))
_LATE = ("10ms_ops", "100ms_ops", "1s_ops", "10s_ops", "rtime", "rlentime", "wtime", "wlentime", "delay_time")
_VFS = Kind(_LATE, ("nread", "reads", "nwritten", "writes", "delay_cnt"))
KINDS = {b"caps": _CAPS, b"zones": _ZONES, b"memory_cap": _MEMORY, b"link": _NET, b"zone_vfs": _VFS}


def _processor(printed: Iterable[str]) -> Kind:
    return Kind((), tuple(name for name in printed if name.startswith(CPU_PREFIX)), _NSEC_PERCENT)


class Form(NamedTuple):
    """Which of the printed values are told, counters first, and the texts that they fill."""

    pick: Callable[[Sequence[bytes]], Iterable[bytes]]
    counters: int
    scale: float
    text: str
    rates_text: str

    @classmethod
    def of(cls, head: Head) -> Form:
        """By what the module's kind knows of the names that are printed; of processors, whatever has the prefix."""
        printed = [name.decode(errors="replace") for name in head.statistics]
        kind = _processor(printed) if head.module == b"cpu" else KINDS[head.module]
        counters = [name for name in kind.counters if name in printed]
        names = [*counters, *(name for name in kind.gauges if name in printed)]
        pick = _picker([printed.index(name) for name in names])
        return cls(pick, len(counters), kind.scale, _gaps(names, "%s"), _gaps(counters, "%.2f")[1:])

    def numbers(self, printed: Sequence[bytes]) -> tuple[int, ...]:
        """What is told of the printed values; ValueError for one that is no number."""
        return tuple(map(int, self.pick(printed)))

    def members(self, numbers: tuple[int, ...]) -> str:
        """Members of an object, a comma before each; null for no limit."""
        if _UNLIMITED in numbers:
            return self.text % tuple("null" if number == _UNLIMITED else number for number in numbers)
        return self.text % numbers

    def rates(self, numbers: tuple[int, ...], earlier: tuple[int, ...], seconds: float) -> str:
        """The member ``rates`` in the same way; nothing without counters, or when one is lower than it was."""
        grown = list(map(sub, numbers[: self.counters], earlier))
        if not grown or min(grown) < 0:
            return ""
        factor = self.scale / seconds
        return f',"rates":{{{self.rates_text % tuple([one * factor for one in grown])}}}'


def _picker(places: Sequence[int]) -> Callable[[Sequence[bytes]], Iterable[bytes]]:
    if len(places) > 1:
        return itemgetter(*places)
    return lambda printed: [printed[place] for place in places]


def _gaps(names: Iterable[str], gap: str) -> str:
    told = (compact(name.removeprefix(CPU_PREFIX)).replace("%", "%%") for name in names)
    return "".join(f",{name}:{gap}" for name in told)
