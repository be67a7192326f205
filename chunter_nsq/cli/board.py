"""What is known of all hosts at a moment, from the events that they publish and the answers that they give."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Data = Mapping[str, Any]

SILENT_SECONDS = 15.0  # three heartbeats


@dataclass(slots=True)
class HostRow:
    """One host; memory in MB."""

    alias: str = ""
    version: str = ""
    is_simulated: bool = False
    total: int | None = None
    free: int | None = None
    running: tuple[Data, ...] = ()
    queued: int = 0
    outbox: int = 0
    lag_seconds: float = 0.0
    heard_at: float | None = None
    has_left: bool = False
    warnings: dict[str, str] = field(default_factory=dict)

    def state(self, now: float) -> str:
        """In a word."""
        if self.has_left:
            return "left"
        if self.heard_at is None:
            return "known"
        return "silent" if now - self.heard_at > SILENT_SECONDS else "alive"


class Board:
    """Takes events and answers as they come; times are of the monotonic clock."""

    def __init__(self) -> None:
        self.hosts: dict[str, HostRow] = {}
        self.names: dict[str, str] = {}
        self._machines: dict[str, tuple[str, str]] = {}
        self._counts: Counter[str] = Counter()
        self._counted_at = time.monotonic()

    def take(self, topic: str, event: Data) -> None:
        """An event; what is not understood is counted only."""
        self._counts[topic] += 1
        told = event.get("data")
        host = str(event.get("source", "")).removeprefix("chunter/")
        if not isinstance(told, Mapping) or not host:
            return
        inner = told.get("data")
        kind = str(event.get("type"))
        if kind == "chunter.zone.state":
            self._machine(host, str(event.get("subject")), str(inner))
        elif kind == "chunter.zone.deleted":
            self._machines.pop(str(event.get("subject")), None)
        elif isinstance(inner, Mapping):
            self._of_host(host, kind, inner)

    def answered(self, data: Data) -> None:
        """The answer of a host to host.info or machine.list."""
        host, result = str(data.get("host")), data.get("result")
        if not isinstance(result, Mapping):
            return
        if isinstance(result.get("machines"), list):
            self._machines = {uuid: one for uuid, one in self._machines.items() if one[0] != host}
            for machine in _mappings(result["machines"]):
                self._machine(host, str(machine.get("uuid")), str(machine.get("state")))
                self.names[str(machine.get("uuid"))] = str(machine.get("alias") or "")
        else:
            self._announced(self._row(host), result)

    def machines(self, host: str | None = None) -> dict[str, int]:
        """How many machines there are in each state, of one host or of all."""
        states = Counter(state for where, state in self._machines.values() if host in (None, where))
        return dict(sorted(states.items()))

    def rates(self) -> dict[str, float]:
        """Events per second of each topic since this was asked last."""
        now = time.monotonic()
        seconds = max(now - self._counted_at, 0.001)
        rates = {topic: count / seconds for topic, count in sorted(self._counts.items())}
        self._counts.clear()
        self._counted_at = now
        return rates

    def _of_host(self, host: str, kind: str, told: Data) -> None:
        row = self._row(host)
        if kind == "chunter.host.heartbeat":
            row.heard_at, row.has_left = time.monotonic(), False
            row.running = _mappings(told.get("running"))
            row.queued, row.outbox = _whole(told.get("queued")), _whole(told.get("outbox"))
            lag = told.get("lag_seconds")
            row.lag_seconds = float(lag) if isinstance(lag, int | float) else 0.0
        elif kind == "chunter.host.announce":
            self._announced(row, told)
        elif kind == "chunter.host.leaving":
            row.has_left, row.running = True, ()
        elif kind == "chunter.memory.update":
            row.total, row.free = told.get("total-memory"), told.get("free-memory")
        elif kind == "chunter.host.warning":
            _warned(row, told)

    def _announced(self, row: HostRow, told: Data) -> None:
        row.alias, row.version = str(told.get("alias") or ""), str(told.get("version") or "")
        row.is_simulated = told.get("simulated") is True
        resources = told.get("resources")
        if isinstance(resources, Mapping) and resources:
            row.total, row.free = resources.get("total-memory"), resources.get("free-memory")

    def _machine(self, host: str, uuid: str, state: str) -> None:
        self._row(host)
        if state == "deleted":
            self._machines.pop(uuid, None)
        else:
            self._machines[uuid] = (host, state)

    def _row(self, host: str) -> HostRow:
        return self.hosts.setdefault(host, HostRow())


def _warned(row: HostRow, told: Data) -> None:
    source = str(told.get("source"))
    if told.get("state") in ("recovered", "ok"):
        row.warnings.pop(source, None)
    else:
        row.warnings[source] = f"{told.get('state')}: {told.get('message') or ''}".rstrip(": ")


def _mappings(value: Any) -> tuple[Data, ...]:
    return tuple(one for one in value if isinstance(one, Mapping)) if isinstance(value, list) else ()


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0
