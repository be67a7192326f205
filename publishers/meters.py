"""Counters of zones and processors, turned into what is told of them: as they are, and per second.

A sample is compared with the one before of the same module, instance and name; a zone that was booted again has a new
instance. Where there is no sample before, or a counter is lower than it was, there are no ``rates``. What is just as
it was is told every sixth time only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from chunter_nsq.messages.events import Event, Written, compact
from chunter_nsq.smartos.kstat import Kstat, any_of, any_zone
from publishers.meterforms import CPU_PREFIX, KINDS, Form

_EVERY_TICKS = 6
_ZONE_EVENTS = {b"memory_cap": "memstat", b"zone_vfs": "vfs", b"zones": "cpu"}


def specs(by_hand: Sequence[str]) -> tuple[str, ...]:
    """What to ask ``kstat`` for; ``by_hand`` are the zones whose names are no uuids."""
    zone = any_zone(by_hand)

    def wanted(module: bytes, *more: str) -> str:
        return any_of((*KINDS[module].names, *more))

    return (
        f"caps::cpucaps_zone_*:{wanted(b'caps')}",
        f"cpu::sys:{CPU_PREFIX}*",
        f"link::z[0-9]*_*:{wanted(b'link', 'zonename')}",
        f"memory_cap::{zone}:{wanted(b'memory_cap')}",
        f"zone_vfs::{zone}:{wanted(b'zone_vfs')}",
        f"zones::{zone}:{wanted(b'zones', 'zonename')}",
    )


class _Sample(NamedTuple):
    """The numbers of a kstat and what is told beside them; ``silent`` counts how often they stayed the same."""

    form: Form
    numbers: tuple[int, ...]
    more: str
    silent: int


class Meters:
    """Remembers the samples of the last reading; ``subject`` gives the subject of a zone's name."""

    def __init__(self, host: str, subject: Callable[[str], str]) -> None:
        self._host = host
        self._subject = subject
        self._before: dict[tuple[bytes, int, bytes], _Sample] = {}
        self._after: dict[tuple[bytes, int, bytes], _Sample] = {}
        self._at: float | None = None
        self._seconds = 0.0
        self._forms: dict[tuple[bytes, tuple[bytes, ...]], Form] = {}

    def read(self, kstats: Iterable[Kstat], zones: Mapping[int, str], at: float) -> Iterator[Event | None]:
        """The events of a reading, None where there is none, so that others get their turn; ``at`` in seconds.

        Raises:
            ValueError: for a statistic that is no number.
        """
        self._seconds = at - self._at if self._at is not None else 0.0
        self._after = {}
        caps: dict[int, str] = {}
        processors: dict[int, str] = {}
        for kstat in kstats:
            module, instance, _ = kstat.head.key
            if module == b"cpu":
                processors[instance] = self._processor(kstat)
            elif module == b"caps":
                form = self._form(kstat)
                caps[instance] = form.members(form.numbers(kstat.values))
                yield None
            elif module == b"link":
                yield self._link(kstat)
            elif instance in zones and module in _ZONE_EVENTS:
                yield self._zone(kstat, zones[instance], caps)
        if processors:
            cpus = ",".join(processors[number] for number in sorted(processors))
            yield _event("mpstat", self._host, f',"cpus":[{cpus}]')
        self._before, self._at = self._after, at

    def _zone(self, kstat: Kstat, zone: str, caps: Mapping[int, str]) -> Event | None:
        module, instance, _ = kstat.head.key
        if module == b"zones":
            return self._told("cpu", kstat, zone, caps.get(instance, ""))
        if instance == 0:
            return None  # of the global zone these are the whole host's
        return self._told(_ZONE_EVENTS[module], kstat, zone)

    def _link(self, kstat: Kstat) -> Event | None:
        zone = (kstat.value(b"zonename") or b"global").decode(errors="replace")
        if zone == "global":
            return None
        ifname = kstat.head.key[2].decode(errors="replace").partition("_")[2]
        return self._told("net", kstat, zone, f',"ifname":{compact(ifname)}')

    def _processor(self, kstat: Kstat) -> str:
        form = self._form(kstat)
        numbers = form.numbers(kstat.values)
        rates = self._rates(self._before.get(kstat.head.key), form, numbers)
        self._after[kstat.head.key] = _Sample(form, numbers, "", 0)
        return f'{{"cpu":{kstat.head.instance}{form.members(numbers)}{rates}}}'

    def _told(self, name: str, kstat: Kstat, zone: str, more: str = "") -> Event | None:
        """The event of a sample, which is remembered; None when it is as it was. ``more`` is told beside it."""
        key = kstat.head.key
        form = self._form(kstat)
        numbers = form.numbers(kstat.values)
        before = self._before.get(key)
        silent = kstat.head.instance % _EVERY_TICKS  # so that not all idle zones are told at once
        if before is not None:
            silent = before.silent + 1 if before.numbers == numbers and before.more == more else 0
        self._after[key] = _Sample(form, numbers, more, silent)
        if not numbers or (before is not None and silent % _EVERY_TICKS):
            return None
        return _event(name, self._subject(zone), f"{form.members(numbers)}{more}{self._rates(before, form, numbers)}")

    def _rates(self, before: _Sample | None, form: Form, numbers: tuple[int, ...]) -> str:
        if before is None or before.form is not form or self._seconds <= 0:
            return ""
        return form.rates(numbers, before.numbers, self._seconds)

    def _form(self, kstat: Kstat) -> Form:
        head = kstat.head
        form = self._forms.get((head.module, head.statistics))
        if form is None:
            form = self._forms[head.module, head.statistics] = Form.of(head)
        return form


def _event(name: str, subject: str, members: str) -> Event:
    """One that tells these members, each of which has a comma before it."""
    message = Written(f'{{"event":"{name}","data":{{{members[1:]}}}}}')
    return Event("metric", f"chunter.metric.{name}", f"{subject}-metrics", message)
