"""Counters of zones and processors, turned into what is told of them: as they are, and per second.

A sample is compared with the one before of the same module, instance and name; a zone that was booted again has a new
instance. Where there is no sample before, or a counter is lower than it was, there are no ``rates``. What is just as
it was is told every sixth time only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from chunter_nsq.messages.events import Event
from chunter_nsq.smartos.kstat import Head, Kstat, any_of, any_zone

_EVERY_TICKS = 6
_UNLIMITED = 2**64 - 1
_NSEC_PERCENT = 100 / 1e9
_CPU_PREFIX = "cpu_nsec_"

Values = dict[str, int | None]


class Kind(NamedTuple):
    """What of a module is told: its gauges as they are, its counters also per second, times ``scale``."""

    gauges: tuple[str, ...]
    counters: tuple[str, ...]
    others: tuple[str, ...] = ()
    scale: float = 1

    @property
    def names(self) -> dict[bytes, str]:
        """The statistics by their printed names."""
        return {name.encode(): name for name in (*self.gauges, *self.counters, *self.others)}


_CAPS = Kind(("usage", "value", "maxusage", "nwait", "baseline", "effective", "bursting_sec"), ())
_ZONES = Kind(("avenrun_1min",), ("nsec_user", "nsec_sys", "nsec_waitrq"), scale=_NSEC_PERCENT)
_MEMORY = Kind(("rss", "physcap", "swap", "swapcap"), ("nover", "pagedout"))
_NET = Kind((), ("obytes64", "rbytes64", "opackets64", "ipackets64", "ierrors", "oerrors"))
_LATE = ("10ms_ops", "100ms_ops", "1s_ops", "10s_ops", "rtime", "rlentime", "wtime", "wlentime", "delay_time")
_VFS = Kind((), ("nread", "reads", "nwritten", "writes", "delay_cnt"), _LATE)
_KINDS = {b"caps": _CAPS, b"zones": _ZONES, b"memory_cap": _MEMORY, b"link": _NET, b"zone_vfs": _VFS}
_NAMES = {module: kind.names for module, kind in _KINDS.items()}
_ZONE_EVENTS = {b"memory_cap": "memstat", b"zone_vfs": "vfs"}


def specs(by_hand: Sequence[str]) -> tuple[str, ...]:
    """What to ask ``kstat`` for; ``by_hand`` are the zones whose names are no uuids."""
    zone = any_zone(by_hand)

    def wanted(module: bytes, *more: str) -> str:
        return any_of((*_NAMES[module].values(), *more))

    return (
        f"caps::cpucaps_zone_*:{wanted(b'caps')}",
        f"cpu::sys:{_CPU_PREFIX}*",
        f"link::z[0-9]*_*:{wanted(b'link', 'zonename')}",
        f"memory_cap::{zone}:{wanted(b'memory_cap')}",
        f"zone_vfs::{zone}:{wanted(b'zone_vfs')}",
        f"zones::{zone}:{wanted(b'zones', 'zonename')}",
    )


class _Sample(NamedTuple):
    values: Values
    silent: int


class _Pick(NamedTuple):
    """Which of the values that are printed are told, and under which names."""

    names: tuple[str, ...]
    places: tuple[int, ...] | None  # None for all of them

    @classmethod
    def of(cls, head: Head) -> _Pick:
        """By the names that the module's kind knows; of processors, whatever has the prefix."""
        if head.module == b"cpu":
            names = {one: one.decode() for one in head.statistics if one.startswith(_CPU_PREFIX.encode())}
        else:
            names = _NAMES[head.module]
        places = tuple(place for place, one in enumerate(head.statistics) if one in names)
        told = tuple(names[head.statistics[place]].removeprefix(_CPU_PREFIX) for place in places)
        return cls(told, None if len(places) == len(head.statistics) else places)


_Key = tuple[bytes, int, bytes]


class Meters:
    """Remembers the samples of the last reading; ``subject`` gives the subject of a zone's name."""

    def __init__(self, host: str, subject: Callable[[str], str]) -> None:
        self._host = host
        self._subject = subject
        self._before: dict[_Key, _Sample] = {}
        self._after: dict[_Key, _Sample] = {}
        self._at: float | None = None
        self._seconds = 0.0
        self._picks: dict[tuple[bytes, tuple[bytes, ...]], _Pick] = {}

    def read(self, kstats: Iterable[Kstat], zones: Mapping[int, str], at: float) -> Iterator[Event | None]:
        """The events of a reading, None where there is none, so that others get their turn; ``at`` in seconds.

        Raises:
            ValueError: for a statistic that is no number.
        """
        self._seconds = at - self._at if self._at is not None else 0.0
        self._after = {}
        caps: dict[int, Values] = {}
        processors: list[dict[str, Any]] = []
        for kstat in kstats:
            module, instance, _ = kstat.head.key
            if module == b"cpu":
                processors.append(self._processor(kstat))
            elif module == b"caps":
                caps[instance] = self._values(kstat)
                yield None
            elif module == b"link":
                yield self._link(kstat)
            elif instance in zones and module in _KINDS:
                yield self._zone(kstat, zones[instance], caps)
        if processors:
            data = {"event": "mpstat", "data": {"cpus": sorted(processors, key=lambda one: int(one["cpu"]))}}
            yield Event("metric", "chunter.metric.mpstat", f"{self._host}-metrics", data)
        self._before, self._at = self._after, at

    def _zone(self, kstat: Kstat, zone: str, caps: Mapping[int, Values]) -> Event | None:
        module, instance, _ = kstat.head.key
        if module == b"zones":
            return self._told("cpu", kstat, zone, self._values(kstat) | caps.get(instance, {}))
        if instance == 0:
            return None  # of the global zone these are the whole host's
        return self._told(_ZONE_EVENTS[module], kstat, zone, self._values(kstat))

    def _link(self, kstat: Kstat) -> Event | None:
        zone = (kstat.value(b"zonename") or b"global").decode(errors="replace")
        if zone == "global":
            return None
        ifname = kstat.head.key[2].decode(errors="replace").partition("_")[2]
        return self._told("net", kstat, zone, self._values(kstat), ifname=ifname)

    def _processor(self, kstat: Kstat) -> dict[str, Any]:
        values = self._values(kstat)
        rates = self._rates(self._before.get(kstat.head.key), values, tuple(values), _NSEC_PERCENT)
        self._after[kstat.head.key] = _Sample(values, 0)
        return {"cpu": kstat.head.instance, **values, **({"rates": rates} if rates else {})}

    def _told(self, name: str, kstat: Kstat, zone: str, values: Values, **more: str) -> Event | None:
        """The event of a sample, which is remembered; None when it is as it was."""
        key = kstat.head.key
        before = self._before.get(key)
        silent = kstat.head.instance % _EVERY_TICKS  # so that not all idle zones are told at once
        if before is not None:
            silent = before.silent + 1 if before.values == values else 0
            if silent % _EVERY_TICKS:
                self._after[key] = _Sample(values, silent)
                return None
        self._after[key] = _Sample(values, silent)
        if not values:
            return None
        kind = _KINDS[key[0]]
        rates = self._rates(before, values, kind.counters, kind.scale)
        data = {**more, **values, "rates": rates} if rates else {**more, **values}
        message = {"event": name, "data": data}
        return Event("metric", f"chunter.metric.{name}", f"{self._subject(zone)}-metrics", message)

    def _rates(
        self, before: _Sample | None, values: Values, counters: tuple[str, ...], scale: float
    ) -> dict[str, float] | None:
        if before is None or self._seconds <= 0:
            return None
        factor = scale / self._seconds
        earlier = before.values
        rates: dict[str, float] = {}
        for name in counters:
            now, then = values.get(name), earlier.get(name)
            if now is not None and then is not None:
                if now < then:
                    return None
                rates[name] = round((now - then) * factor, 2)
        return rates

    def _values(self, kstat: Kstat) -> Values:
        """The numbers that are told of it; None for no limit."""
        head, printed = kstat
        pick = self._picks.get((head.module, head.statistics))
        if pick is None:
            pick = self._picks[head.module, head.statistics] = _Pick.of(head)
        if pick.places is not None:
            printed = [printed[place] for place in pick.places]
        values: Values = dict(zip(pick.names, map(int, printed), strict=True))
        if _UNLIMITED in values.values():
            return {name: None if value == _UNLIMITED else value for name, value in values.items()}
        return values
