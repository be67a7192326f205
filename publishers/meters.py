"""Counters of zones and processors, turned into what is told of them: as they are, and per second.

A sample is compared with the one before of the same module, instance and name; a zone that was booted again has a new
instance. Where there is no sample before, or a counter is lower than it was, there are no ``rates``. What is just as
it was is told every sixth time only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from chunter_nsq.messages.events import Event
from chunter_nsq.smartos.kstat import Kstat, any_of, any_zone

_EVERY_TICKS = 6
_UNLIMITED = b"18446744073709551615"
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
            if kstat.module == b"caps":
                caps[kstat.instance] = _values(kstat)
            elif kstat.module == b"cpu":
                processors.append(self._processor(kstat))
            elif kstat.module == b"link":
                yield self._link(kstat)
            elif kstat.instance in zones and kstat.module in _KINDS:
                yield self._zone(kstat, zones[kstat.instance], caps)
        if processors:
            data = {"event": "mpstat", "data": sorted(processors, key=lambda one: int(one["cpu"]))}
            yield Event("metric", "chunter.metric.mpstat", f"{self._host}-metrics", data)
        self._before, self._at = self._after, at

    def _zone(self, kstat: Kstat, zone: str, caps: Mapping[int, Values]) -> Event | None:
        values = _values(kstat)
        if kstat.module == b"zones":
            name = "cpu"
            values |= caps.get(kstat.instance, {})
        else:
            name = _ZONE_EVENTS[kstat.module]
            if not kstat.instance:
                return None  # of the global zone these two are the whole host's
        data = self._sampled(kstat, values, _KINDS[kstat.module])
        return self._event(name, zone, data) if data else None

    def _link(self, kstat: Kstat) -> Event | None:
        zone = kstat.values.get(b"zonename", b"global").decode(errors="replace")
        if zone == "global":
            return None
        data = self._sampled(kstat, _values(kstat), _NET)
        ifname = kstat.name.decode(errors="replace").partition("_")[2]
        return self._event("net", zone, {"ifname": ifname} | data) if data else None

    def _processor(self, kstat: Kstat) -> dict[str, Any]:
        prefix = len(_CPU_PREFIX)
        statistics = {name[prefix:].decode(): int(value) for name, value in kstat.values.items()}
        values: Values = dict(statistics)
        rates = self._rates(kstat, values, tuple(values), _NSEC_PERCENT)
        self._after[kstat[:3]] = _Sample(values, 0)
        return {"cpu": kstat.instance, **values, **({"rates": rates} if rates else {})}

    def _sampled(self, kstat: Kstat, values: Values, kind: Kind) -> dict[str, Any] | None:
        """What to tell of a sample, which is remembered; None when it is as it was."""
        before = self._before.get(kstat[:3])
        same = before is not None and before.values == values
        silent = before.silent + 1 if before is not None and same else 0
        if not values or (same and silent % _EVERY_TICKS):
            self._after[kstat[:3]] = _Sample(values, silent)
            return None
        self._after[kstat[:3]] = _Sample(values, 0 if before is not None else kstat.instance % _EVERY_TICKS)
        rates = self._rates(kstat, values, kind.counters, kind.scale)
        return {**values, "rates": rates} if rates else {**values}

    def _rates(self, kstat: Kstat, values: Values, counters: tuple[str, ...], scale: float) -> dict[str, float] | None:
        before = self._before.get(kstat[:3])
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

    def _event(self, name: str, zone: str, data: dict[str, Any]) -> Event:
        subject = f"{self._subject(zone)}-metrics"
        return Event("metric", f"chunter.metric.{name}", subject, {"event": name, "data": data})


def _values(kstat: Kstat) -> Values:
    """The numbers that are told of it; None for no limit."""
    names = _NAMES[kstat.module]
    return {
        names[name]: None if value == _UNLIMITED else int(value)
        for name, value in kstat.values.items()
        if name in names
    }
